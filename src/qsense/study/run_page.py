"""One run on a page of its own: scores, pictures, learned values, how to repeat it, its configuration, what went wrong.

Open it to show more of a run. The page has no script, and its policy forbids any: what a folder holds stays text.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import yaml

from qsense.experiment.defaults import ABSENT, OPTIONS, Difference, differences
from qsense.runs import folder as run_folder
from qsense.runs import mishaps
from qsense.runs.dates import minute
from qsense.runs.escapes import html, one_line
from qsense.runs.reading import read_json, read_text
from qsense.runs.status import FINISHED
from qsense.runs.words import clipped, duration, metric_name, percent
from qsense.study.bounds import DamageError
from qsense.study.costs import columns, explained
from qsense.study.curves import place_of
from qsense.study.groups import COUNTS, DIVISIONS
from qsense.study.record import read_config
from qsense.study.repeating import Repeat, repeat
from qsense.study.run import Run
from qsense.study.worst_frames import read_worst_frames, worst_frames_section

STYLE = "run.css"
ADC = "adc.json"
TO_BE_GIVEN = "???"  # OmegaConf's value of a key that a user must set
HEAVIEST = 1 << 20  # bytes of a text that a page reads
MOST_LINES, MOST_CLASSES, MOST_VALUES = 200, 200, 16  # of a text, of a table of classes, of a row of thresholds
POLICY = "default-src 'none'; img-src 'self' file: data:; style-src 'unsafe-inline'"


def run_page(run: Run, pictures: Sequence[tuple[str, str]] = (), firmware: str = "") -> str:
    """The page.

    Args:
        run: its folder is read again for what a study does not keep of it.
        pictures: address, relative to the page, and name of each.
        firmware: address of its firmware's page, likewise; empty: there is none.
    """
    config_text = _text(run.folder / run_folder.CONFIG)
    config, record = _config(config_text), run_folder.record(run.folder)
    name, differing = run.folder.resolve().name, differences(config)
    worst = read_worst_frames(run.folder)
    parts = [
        ("Went wrong", _went_wrong(run)),
        ("Pictures", _pictures(pictures)),
        ("Scores", _scores(run)),
        ("Parts of the test", _groups(run)),
        ("Worst frames", "" if worst is None else worst_frames_section(worst)),
        ("Learned values", _learned(run)),
        ("Cost", _cost(run)),
        ("Repeat it", _repeat(run, repeat(record, config, differing))),
        ("Configuration", _configuration(config, config_text, differing)),
    ]
    sections = "".join(f"<section><h2>{title}</h2>\n{content}</section>\n" for title, content in parts if content)
    style = (files("qsense") / "study" / "assets" / STYLE).read_text(encoding="utf-8")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{html(name)} · qsense run</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<header><p><a href="../index.html">← study</a></p>
<h1>{html(name)}</h1>
{_headline(run, record)}{_firmware(firmware)}</header>
<main>
{sections}</main>
</body>
</html>
"""


def _headline(run: Run, record: Mapping[str, Any]) -> str:
    """What it is, in one line, its score, and when it was trained."""
    place = [f"seed {run.seed}"] * (run.seed >= 0)
    place += [f"fold {run.fold}" + f" of {run.num_folds}" * (run.num_folds > 1)] * (run.fold >= 0)
    what = [run.dataset, run.quantizer, run.model, *place]
    score = run.metrics.get(run.monitor)
    told = f"<b>{_score(run.monitor, score)}</b> {html(metric_name(run.monitor))}" if score is not None else ""
    when = [minute(record.get("ended")), "" if run.seconds is None else f"took {duration(run.seconds)}"]
    revision = str(record.get("git_revision") or "")
    when += [f"git {revision[:10]}{'-dirty' * revision.endswith('-dirty')}"] * bool(revision)
    return f"""<p>{html(" · ".join(what))}</p>
<p><span class="state {html(run.status.replace(" ", "-"))}">{html(run.status)}</span> {told}</p>
<p class="note">{html(" · ".join(text for text in when if text))}</p>
{_tracked(run, record)}"""


def _tracked(run: Run, record: Mapping[str, Any]) -> str:
    """Where W&B shows it, or how it gets there."""
    if address := web_address(record.get("wandb")):
        return f'<p><a rel="noopener noreferrer" href="{html(address)}">on W&amp;B</a></p>'
    with suppress(OSError):
        if any(each.name.startswith("offline-run-") for each in (run.folder / "wandb").iterdir()):
            upload = html(shlex.join(["qsense", "sync", run.path]))
            return f'<p class="note">Logged offline for W&amp;B; <code>{upload}</code> uploads it.</p>'
    return ""


def _firmware(address: str) -> str:
    """Where its firmware's page lies, if it was exported."""
    return f'<p><a href="{html(address)}">its firmware</a></p>\n' * bool(address)


def web_address(value: Any) -> str:
    """An address of the web that a record states; empty for anything else.

    >>> web_address("https://wandb.ai/me/p/runs/1"), web_address("javascript:alert(1)"), web_address(None)
    ('https://wandb.ai/me/p/runs/1', '', '')
    """
    if not isinstance(value, str) or len(value) > 500 or not re.fullmatch(r"https?://[\x21-\x7e]+", value):
        return ""
    try:
        return value if urlsplit(value).hostname else ""
    except ValueError:
        return ""


# ------------------------------------------------------------------------------------------------------------ the parts


def _went_wrong(run: Run) -> str:
    """Why it is not finished, or what it lost beside its result."""
    lines = [run.reason] * bool(run.reason) + list(run.unreadable)
    lines += [f"{name} is {what}" for name, what in run.not_finite.items()]
    text = "".join(f"<p>{html(line)}</p>\n" for line in lines)
    files_to_show = [mishaps.FILE]
    if run.status != FINISHED:
        files_to_show = [run_folder.FAILURE, mishaps.FILE, "train.log"]
    for file in files_to_show:
        if content := _text(run.folder / file).strip():
            text += _details(file, _pre(content), opened=file != "train.log")
    return text


def _pictures(pictures: Sequence[tuple[str, str]]) -> str:
    shown = [
        f'<figure><a href="{quote(address)}"><img src="{quote(address)}" alt="{html(name)}" loading="lazy"></a>'
        f"<figcaption>{html(name)}</figcaption></figure>\n"
        for address, name in pictures
    ]
    return f'<div class="pictures">\n{"".join(shown)}</div>\n' if shown else ""


def _scores(run: Run) -> str:
    if not run.metrics:
        return ""
    order = sorted(run.metrics, key=lambda metric: metric != run.monitor)
    rows = [[html(metric_name(metric)), _score(metric, run.metrics[metric])] for metric in order]
    text = _table(["metric", "score"], rows)
    metrics = [metric for metric in run.per_class if run.per_class[metric]]
    names = list(dict.fromkeys(name for metric in metrics for name in run.per_class[metric]))
    if not names:
        return text
    rows = [[html(name), *(_score(m, run.per_class[m].get(name)) for m in metrics)] for name in names[:MOST_CLASSES]]
    more = f"<p class='note'>and {len(names) - MOST_CLASSES} more: see metrics.json</p>" * (len(names) > MOST_CLASSES)
    by_class = _table(["class", *(html(metric_name(metric)) for metric in metrics)], rows) + more
    return text + _details(f"By class ({len(names)})", by_class, opened=len(names) <= 20)


def _groups(run: Run) -> str:
    """Figures by condition, exposure and size, with the frames and boxes behind them."""
    text = ""
    for division, note in DIVISIONS.items():
        figures = run.groups.get(division, {})
        metrics = [name for name in figures if name not in COUNTS]
        names = list(figures.get("frames", {}))[:MOST_CLASSES]
        if not metrics or not names:
            continue
        rows = [
            [
                html(name),
                *(_score(metric, figures[metric].get(name)) for metric in metrics),
                *(f"{figures[what][name]:.0f}" if name in figures.get(what, {}) else "–" for what in COUNTS),
            ]
            for name in names
        ]
        heads = [division, *(html(metric_name(metric)) for metric in metrics), *COUNTS]
        text += f"<h3>By {division}</h3>{_table(heads, rows)}<p class='note'>{html(note)}</p>\n"
    return text


def _learned(run: Run) -> str:
    """What the quantizer learned, and where its thresholds lie, by the run's own adc.json."""
    adc: Any = None
    with suppress(OSError, ValueError):
        adc = read_json(run.folder / ADC)
    adc = adc if isinstance(adc, dict) else {}
    names = [one_line(name) for name in _list(adc.get("rows")) if isinstance(name, str)]
    text = ""
    if run.learned:
        most = max(map(len, run.learned.values()))
        heads = names if len(names) == most else [str(place) for place in range(most)]
        rows = [
            [html(name), *(f"{value:.4g}" for value in values[:MOST_VALUES])] for name, values in run.learned.items()
        ]
        text = _table(["", *map(html, heads[:MOST_VALUES])], rows)
    thresholds = [_numbers(row) for row in _list(adc.get("thresholds"))]
    if thresholds and all(thresholds) and len(thresholds) == len(names) and len(thresholds[0]) <= MOST_VALUES:
        unit, placed = _in_unit(adc, names, thresholds)
        title = f"Where codes begin{f' ({html(clipped(unit, 40))})' if unit else ''}"
        rows = [[html(name), *(f"{value:.4g}" for value in row)] for name, row in placed]
        heads = [f"code {code + 1}" for code in range(len(thresholds[0]))]
        text += f"<h3>{title}</h3>" + _table(["", *heads], rows[:MOST_CLASSES])
    return text


def _in_unit(
    adc: Mapping[str, Any], names: Sequence[str], thresholds: Sequence[Sequence[float]]
) -> tuple[str, list[tuple[str, Sequence[float]]]]:
    """Thresholds by their row's name in the sensor's unit, and the unit.

    A file has them on the scale of normalised samples, and the range of each channel: one row of thresholds for
    channels of several ranges becomes several. Where these do not tell what is meant, no unit is named.
    """
    ends, place = _numbers([adc.get("low"), adc.get("high")]), place_of(adc)
    low, high = ends if len(ends) == 2 else (0.0, 0.0)
    ranges = place.get("range", [])
    if low < high and len({tuple(each) for each in ranges}) == 1:
        ranges = ranges[:1] * len(thresholds)
    elif len(thresholds) == 1:
        names, thresholds = [f"axis {axis}" for axis in range(len(ranges))], [*thresholds] * len(ranges)
    if not (low < high and ranges and len(ranges) == len(thresholds)):
        return ("of samples as the converter sees them", list(zip(names, thresholds, strict=True)))
    return place["unit"], [
        (name, [bottom + (value - low) / (high - low) * (top - bottom) for value in row])
        for name, row, (bottom, top) in zip(names, thresholds, ranges, strict=True)
    ]


def _cost(run: Run) -> str:
    shown = columns([run.cost])
    if not shown:
        return ""
    rows = [[html(column.heading), f"{run.cost[column.key] / column.unit:.4g}"] for column in shown]
    notes = "".join(f'<p class="note">{html(line)}</p>\n' for line in explained([run.cost]))
    return _table(["", "of this run"], rows) + notes


def _repeat(run: Run, found: Repeat) -> str:
    line = f"<pre class='command'>{html(found.line)}</pre>\n" if found.line else ""
    notes = "".join(f'<p class="note">{html(note)}</p>\n' for note in found.notes)
    return f'{line}{notes}<p class="note">Its folder: <code>{html(run.path)}</code></p>\n'


def _configuration(config: Mapping[str, Any], text: str, differing: Sequence[Difference] | None) -> str:
    """What differs from the options that were chosen, then all of it."""
    if not text:
        return ""
    choices = config.get("choices")
    chosen = [f"{group}={choices[group]}" for group in OPTIONS if isinstance(choices, Mapping) and choices.get(group)]
    if differing is None:
        told = "<p class='note'>Its options are not those of this installation: all of it is below.</p>"
    elif differing:
        rows = [
            [html(d.key), html(_value(d.value)), "–" if d.default in (ABSENT, TO_BE_GIVEN) else html(_value(d.default))]
            for d in differing[:MOST_LINES]
        ]
        told = _table(["differs from its options", "this run", "the option's"], rows)
    else:
        told = "<p>Nothing differs from its options.</p>"
    intro = f"<p><code>{html(' '.join(chosen))}</code></p>" if chosen else ""
    return f"{intro}\n{told}\n{_details(run_folder.CONFIG, _pre(text, most=2000))}"


# ----------------------------------------------------------------------------------------------------------- the pieces


def _config(text: str) -> Mapping[str, Any]:
    """A configuration; empty where it is none."""
    try:
        return read_config(text) if text else {}
    except (DamageError, yaml.YAMLError, RecursionError, ArithmeticError, AttributeError, LookupError, TypeError,
            ValueError):  # fmt: skip
        return {}


def _text(file: Path) -> str:
    """A file's text; empty where it cannot be read, or leads elsewhere."""
    with suppress(OSError, ValueError):
        if not file.is_symlink():
            return read_text(file, HEAVIEST, errors="replace")
    return ""


def _pre(text: str, most: int = MOST_LINES) -> str:
    """The last lines of a text."""
    lines = text.splitlines()
    left = f"… {len(lines) - most} lines before\n" * (len(lines) > most)
    return f"<pre>{left}{chr(10).join(html(clipped(line, 2000)) for line in lines[-most:])}</pre>"


def _details(title: str, content: str, opened: bool = False) -> str:
    return f"<details{' open' * opened}><summary>{html(title)}</summary>{content}</details>\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells are HTML."""
    first = "".join(f'<th scope="col">{cell}' for cell in head)
    body = "".join(f'<tr><th scope="row">{row[0]}' + "".join(f"<td>{cell}" for cell in row[1:]) + "\n" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{first}</thead><tbody>\n{body}</tbody></table></div>\n'


def _score(metric: str, value: float | None) -> str:
    if value is None:
        return "–"
    return f"{100 * value:.2f} %" if percent(metric) else f"{value:.4f}"


def _value(value: Any) -> str:
    """A setting's value on one line."""
    return clipped(value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _numbers(value: Any) -> list[float]:
    """A list of numbers; empty for anything else."""
    numbers = _list(value)
    good = all(isinstance(each, int | float) and not isinstance(each, bool) for each in numbers)
    return [float(each) for each in numbers if abs(each) < 1e300] if good else []
