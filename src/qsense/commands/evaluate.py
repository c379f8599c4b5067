"""Test a finished run again, and say whether the result is the recorded one.

qsense evaluate runs/RUN
qsense evaluate runs/RUN --lose 1,5,10 --packet 50 --repeats 3
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qsense.commands._allow import add_allow
from qsense.commands._parser import Parser
from qsense.runs.escapes import one_line
from qsense.runs.layout import to_stderr

if TYPE_CHECKING:
    from qsense.experiment.load import TrainedRun
    from qsense.experiment.packet_loss import Tested

LOST = "lost.json"


def parser() -> argparse.ArgumentParser:
    """The command line's arguments."""
    parser = Parser(
        prog="qsense evaluate", description="Rebuild a finished run from its own configuration and test it again."
    )
    parser.add_argument("run", type=Path, help="folder of a finished run (holds metrics.json)")
    parser.add_argument("--root", help="where the data lies now, if not where the run found it")
    parser.add_argument("--accelerator", default="cpu", help="cpu (default), gpu, …")
    parser.add_argument(
        "--lose", type=percents, metavar="PERCENT,…",
        help="of series: then test it with so many percent of the packets lost at random between sensor and receiver, "
        f"such as 1,5,10, and write RUN/{LOST} and RUN/figures/lost.png; the receiver holds the last sample",
    )  # fmt: skip
    parser.add_argument(
        "--packet", type=positive, metavar="SAMPLES", help="samples of all channels in a packet (default: those of 1 s)"
    )
    parser.add_argument(
        "--repeats", type=positive, help="tests with other packets lost, for each percentage (default: 3)"
    )
    add_allow(parser)
    return parser


def percents(text: str) -> tuple[float, ...]:
    """Percentages above 0, in ascending order, each once: "10,1,5" → (1, 5, 10)."""
    try:
        values = {float(value) for value in text.split(",")}
    except ValueError:
        values = {0.0}
    if not all(0 < value <= 100 for value in values):
        raise argparse.ArgumentTypeError(f"{text}: give numbers above 0, up to 100, such as 1,5,10")
    return tuple(sorted(values))


def positive(text: str) -> int:
    """A whole number from 1 on."""
    value = int(text) if text.isdecimal() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text}: give a whole number, at least 1")
    return value


def main(arguments: Sequence[str]) -> int:
    """Print each metric then and now; returns 1 where they differ."""
    options = parser().parse_args(arguments)
    if options.lose is None and (options.packet or options.repeats):
        parser().error("--packet and --repeats say how packets get lost: give --lose PERCENT,…, too")

    from qsense.experiment.load import load
    from qsense.experiment.packet_loss import packet_of
    from qsense.runs.result import plain
    from qsense.study.run import quantizer_name

    run = load(options.run, options.root, options.accelerator, options.allow)
    packet = packet_of(run, options.packet) if options.lose else 0
    then, now = run.result, plain(run.evaluate())
    quantizer = quantizer_name(str(then["quant"]), then.get("bits"), then.get("network_bits"))
    name = one_line(f"{then['dataset']} · {quantizer} · fold {then['fold']} · seed {then['seed']}")
    print(name)
    print(f"{'metric':<20}{'recorded':>14}{'now':>14}")
    for metric, value in then["metrics"].items():
        scores = (value, now["metrics"].get(metric))
        print(f"{one_line(metric):<20}" + "".join(f"{_text(score):>14}" for score in scores))
    for division, groups in now.get("groups", {}).items():
        _print_groups(division, (then.get("groups") or {}).get(division, {}), groups)
    # What was recorded must be there again; a score that came later is none of it.
    same = _recorded(now, then) == {part: then[part] for part in now if part in then}
    if same:
        print("reproduced exactly")
    else:
        reason = "other hardware, thread count, library version, or data than the run had"
        to_stderr(f"not reproduced exactly: {reason}")
    if options.lose:
        _lose(run, now["metrics"][run.task.monitor], options.lose, packet, options.repeats or 3, name)
    run.say_next()
    return 0 if same else 1


def _print_groups(division: str, then: dict[str, Any], now: dict[str, Any]) -> None:
    """Each figure of a part of the test, with the frames and boxes behind it."""
    from qsense.study.groups import COUNTS

    for metric in (name for name in now if name not in COUNTS):
        print(f"\n{one_line(f'{metric} by {division}'):<20}{'recorded':>14}{'now':>14}{'frames':>10}{'boxes':>10}")
        for group, score in now[metric].items():
            before = then.get(metric, {})
            recorded = _text(before[group]) if group in before else "–"
            counts = "".join(f"{now[what][group]:>10}" for what in COUNTS)
            print(f"{one_line(group):<20}{recorded:>14}{_text(score):>14}{counts}")


def _lose(run: TrainedRun, score: float, percents: Sequence[float], packet: int, repeats: int, name: str) -> None:
    """Test a run while packets get lost: print and write each loss as soon as it is tested, and draw all of them."""
    from qsense.experiment.packet_loss import with_loss
    from qsense.plots.loss import plot_loss
    from qsense.plots.style import save
    from qsense.runs.folder import write_json
    from qsense.runs.progress import stepping
    from qsense.runs.words import percent

    monitor = run.task.monitor
    scale, unit, digits = (100, " (%)", 2) if percent(monitor) else (1, "", 4)

    def spread(mean: float, std: float | None) -> str:
        around = "" if std is None else f" ± {scale * std:.{digits}f}"
        return f"{scale * mean:.{digits}f}{around}"

    seconds = packet / (run.data.signal.rate_hz or 1)
    packets = f"packets of {packet} samples ({seconds:.3g} s), {repeats} × each"
    print(f"\n{packets}\n{'loss':<10}{one_line(monitor + unit):>22}{'difference':>14}{'samples lost':>24}")
    print(f"{'0 %':<10}{spread(score, None):>22}{'':>14}{'0':>24}", flush=True)
    file, picture = run.folder / LOST, run.folder / "figures" / "lost.png"
    settings = {"run": run.result["run"], "monitor": monitor, "packet": packet, "repeats": repeats}
    rows: list[Tested] = []
    with stepping("testing with lost packets", len(percents) * repeats) as step:
        for row in with_loss(run, percents, packet, repeats, step):
            rows.append(row)
            lost = f"{sum(row.lost) / repeats:,.0f} of {row.samples:,}"
            difference = scale * (row.mean - score)
            numbers = f"{spread(row.mean, row.std):>22}{difference:>+14.{digits}f}{lost:>24}"
            print(f"{f'{row.percent:g} %':<10}{numbers}", flush=True)
            write_json(file, {**settings, "score": score, "losses": [row.as_record() for row in rows]})
    levels = (
        [0, *(row.percent for row in rows)],
        [scale * mean for mean in (score, *(row.mean for row in rows))],
        [None, *(None if row.std is None else scale * row.std for row in rows)],
    )
    save(plot_loss(*levels, label=monitor + unit, title=name, note=packets), picture)
    print(f"{one_line(str(file))}, {one_line(str(picture))}")


def _recorded(result: Any, other: Any) -> Any:
    """Of a result, what the other one has, too: runs recorded before a score was thought of know nothing of it.

    >>> _recorded({"metrics": {"f1": 1.0, "new": 2.0}}, {"metrics": {"f1": 1.0}, "run": "a"})
    {'metrics': {'f1': 1.0}}
    """
    if not (isinstance(result, dict) and isinstance(other, dict)):
        return result
    return {key: _recorded(value, other[key]) for key, value in result.items() if key in other}


def _text(score: float | None) -> str:
    return "no value" if score is None else f"{score:.6f}"
