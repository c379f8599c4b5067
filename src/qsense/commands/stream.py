"""Let a finished run classify what a sensor sends now: a serial port, a pipe, a file.

qsense stream RUN                                 its own test recordings, as if they came now
qsense stream RUN --source walk.csv --speed 4     a file, four times as fast
qsense stream RUN --source serial:/dev/ttyUSB0    a sensor that prints a line per sample
some-logger | qsense stream RUN --source - --jsonl
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from qsense.chip.names import CODINGS
from qsense.commands._allow import add_allow, again
from qsense.commands._parser import Parser
from qsense.runs.words import entries


def parser() -> argparse.ArgumentParser:
    """The command line's arguments."""
    parser = Parser(
        prog="qsense stream",
        description="Let a finished run on series classify samples as they come: its normalisation, its converter, "
        "its windows, its network. A line is one sample: numbers of all axes, a time stamp first or in a column of "
        "its own if there is one. Lines that are no samples are counted; Ctrl-C ends it with a summary.",
        allow_abbrev=False,
    )
    parser.add_argument("run", type=Path, help="folder of a finished run on series (holds metrics.json)")
    parser.add_argument(
        "--source", default="test", metavar="SOURCE",
        help="a file; serial:DEVICE or serial:DEVICE:BAUD (115200); - for standard input; test or test:SUBJECT for "
        "recordings of the run's data (default: test)",
    )  # fmt: skip
    lines = parser.add_argument_group("what stands in the lines")
    lines.add_argument(
        "--axes", type=columns, metavar="A,B,…", help="columns of the run's axes in its order, by name or number from 1"
    )
    lines.add_argument("--time", type=column, metavar="COLUMN", help="column of the time stamp; none: there is none")
    lines.add_argument(
        "--gap", type=positive, default=1.0, metavar="SECONDS",
        help="so long without samples, and a new recording begins (default: 1)",
    )  # fmt: skip
    lines.add_argument("--counts", action="store_true", help="numbers are native counts, and not in the sensor's unit")
    lines.add_argument("--coding", choices=CODINGS, help="how counts are written (default: offset)")
    lines.add_argument(
        "--native-bits", type=int, metavar="BITS", help="of counts (default: what the run knows, else 12)"
    )
    lines.add_argument(
        "--full-scale", type=pair, metavar="LOW,HIGH", help="what the lowest and the highest count mean, in the unit"
    )
    parser.add_argument(
        "--speed", type=speed, metavar="FACTOR|max", help="of a file or test recordings (default: 1, as they were made)"
    )
    parser.add_argument(
        "--majority", type=odd, default=1, metavar="N", help="show the most frequent class of the last N windows (odd)"
    )
    parser.add_argument(
        "--integer", action="store_true",
        help="by the integer network, as the firmware of qsense export format=firmware computes, and not by torch",
    )  # fmt: skip
    parser.add_argument("--jsonl", action="store_true", help="a line of JSON per window, and no screen")
    parser.add_argument("--html", type=Path, metavar="FILE", help="a page of the session, written anew every second")
    parser.add_argument("--record", type=Path, metavar="FILE", help="keep what arrives, with its classes, in a new CSV")
    parser.add_argument("--root", help="where the data lies now, if not where the run found it (--source test)")
    add_allow(parser)
    return parser


def columns(text: str) -> tuple[str | int, ...]:
    """Columns by name or number: "x,3" → ("x", 3)."""
    found = tuple(int(word) if word.isdecimal() else word for word in entries(text))
    if not found or 0 in found:
        raise argparse.ArgumentTypeError(f"{text}: give columns by name, or by number from 1 on, as in 2,3,4")
    return found


def column(text: str) -> str | int | bool:
    """A column by name or number; False for none."""
    return False if text == "none" else columns(text)[0]


def positive(text: str) -> float:
    """A number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text}: give a number above 0")
    return value


def speed(text: str) -> float:
    """A factor above 0; infinite for "max"."""
    return float("inf") if text == "max" else positive(text)


def odd(text: str) -> int:
    """An odd number from 1 to 99."""
    value = int(text) if text.isdecimal() else 0
    if not (value % 2 and value < 100):
        raise argparse.ArgumentTypeError(f"{text}: give an odd number from 1 to 99")
    return value


def pair(text: str) -> tuple[float, float]:
    """Two numbers, the lower one first."""
    try:
        low, high = (float(end) for end in text.split(","))
    except ValueError:
        low = high = 0.0
    if not low < high:
        raise argparse.ArgumentTypeError(f"{text}: give LOW,HIGH, as in -4,4")
    return low, high


def main(arguments: Sequence[str]) -> int:
    """Stream until the source ends; 1 where not a single sample came."""
    options = parser().parse_args(_joined(arguments))
    refuse = parser().error
    if not options.counts and (options.coding or options.native_bits or options.full_scale):
        refuse("--coding, --native-bits and --full-scale say what counts mean: give --counts, too")

    from qsense.runs.next_steps import say_next
    from qsense.runs.writable import unusable
    from qsense.stream.named import Source

    source = Source.parse(options.source)
    if options.speed is not None and source.live:
        refuse(f"--speed: {options.source} sends as it likes; only a file and test recordings are played")
    if source.kind == "test" and (options.axes or options.time is not None or options.counts):
        refuse("--axes, --time and --counts say what stands in lines, and --source test has none")
    source.check()
    for key, path in (("--html", options.html), ("--record", options.record)):
        if path is not None and (why := unusable(path.parent)):
            raise ValueError(f"{key} {path}: {why}")
    if options.record is not None and options.record.exists():
        raise FileExistsError(f"--record {options.record} is there already, and nothing is overwritten: name another")
    if options.html is not None:
        _keep_apart(options.html, options.record, Path(source.name) if source.kind == "file" else None)
    _refuse_no_series(options.run)

    from qsense.experiment.load import load

    run = load(options.run, options.root, allow=options.allow)

    from qsense.stream.counts import counts_of
    from qsense.stream.playing import stream

    if options.axes and len(options.axes) != run.data.signal.channels:
        names = ", ".join(run.data.signal.names)
        raise ValueError(
            f"--axes names {len(options.axes)} columns, and this run has {run.data.signal.channels}: {names}"
        )
    counts = None
    if options.counts:
        counts = counts_of(run, options.native_bits, options.full_scale, options.coding == CODINGS[1])
    pace = 1.0 if options.speed is None else options.speed
    session = stream(
        run, source, speed=None if pace == float("inf") else pace, majority=options.majority, gap_s=options.gap,
        axes=options.axes, time=options.time, counts=counts, integer=options.integer, jsonl=options.jsonl,
        html=options.html, record=options.record,
    )  # fmt: skip
    if not session.samples:
        print("no sample came", file=sys.stderr)
        return 1
    more = again(options.allow)
    say_next(
        *[(("stream", options.run, *more, "--html", "live.html"), "the same as a page")] * (options.html is None),
        *[(("stream", options.run, *more, "--source", "serial:/dev/ttyUSB0"), "a sensor that prints a line per sample")]
        * (source.kind == "test"),
        (("evaluate", options.run, *more), "test the run again"),
    )
    return 0


def _joined(arguments: Sequence[str]) -> list[str]:
    """A full scale joined to its option: argparse would take a negative end for an option of its own."""
    words: list[str] = []
    for word in arguments:
        if words and words[-1] == "--full-scale":
            words[-1] += f"={word}"
        else:
            words.append(word)
    return words


def _keep_apart(html: Path, record: Path | None, source: Path | None) -> None:
    """A page would replace what is in its file."""
    if html.is_dir():
        raise ValueError(f"--html {html} is a folder: name a file in it")
    for key, other in (("--source", source), ("--record", record)):
        if other is not None and html.resolve() == other.resolve():
            raise ValueError(f"--html {html} is the file of {key}, too, and would replace it: name another")


def _refuse_no_series(folder: Path) -> None:
    """Before torch is imported."""
    from qsense.runs import folder as run_folder

    statistics = run_folder.result(folder).get("statistics") or {}
    if "window" not in statistics or "stride" not in statistics:
        raise ValueError(f"{folder}: it was trained on pictures, and only a run on series (task=har) streams")
