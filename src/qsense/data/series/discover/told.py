"""What was found in unknown tables, as a report of 80 columns, and as the YAML file of a data set.

Open it to change how either looks.
"""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from qsense.data.series.discover.finding import GUESS, Finding
from qsense.runs.escapes import one_line

WIDTH = 80
TOPIC = 11
BATCH = 100  # windows, as conf/series.yaml says
STEPS = 700  # of training within which the short recipe learns
COMMENTS = {
    "root": "folder of the files",
    "files": "their names below it: {subject} is whose a file is, {label} what it holds",
    "axes": "name: column (a name, or a number from 1 on)",
    "labels": "classes in the order of their numbers; NULL, which is no class of interest, first",
    "rate_hz": "samples per second",
    "subjects": "all that there are, one fold each",
    "subject": "column of the subject; false: there is none",
    "time": "column of the timestamps; false: they are not looked at",
    "label": "column of the label",
    "range": "full scale [low, high] of the sensor, if you know it",
    "resample": "timestamps are irregular",
    "missing": "numbers that stand for missing samples",
    "blocks": "folds hold out time, not people: each recording is cut into so many pieces",
}
ORDER = ("root", "name", "files", "axes", "labels", "rate_hz", "subjects", "unit", "range", "subject", "time", "label",
         "session", "delimiter", "decimal", "encoding", "header", "time_format", "resample", "missing",
         "blocks")  # fmt: skip


def report(found: Finding) -> str:
    """What was found; a ? marks a guess, a ! what keeps the data from training."""
    lines = []
    for line in found.lines:
        lines += _wrapped(line.topic, line.mark, line.text)
    if any(line.mark == GUESS for line in found.lines):
        lines += ["", "? is a guess: an option states what it is (--help)"]
    for problem in found.problems:
        lines += _wrapped("to mend", "!", problem)
    return "\n".join(lines)


def settings_file(found: Finding, name: str, command: str) -> str:
    """A configuration of the data set: an option of the group data.

    Args:
        found: without problems.
        name: of the data set.
        command: that wrote it.
    """
    arguments = {"name": name, "subjects": None, "range": None, **found.arguments}
    lines = ["# @package _global_", f"# {one_line(command)}"]
    lines += [f"# ? {text}" for text in _guesses(found)]
    lines += ["defaults:", "  - csv_har", "  - override /model: deepconvlstm_small", "  - _self_", "data:"]
    seconds = found.window / found.arguments["rate_hz"]
    lines += [
        _entry(2, "window", found.window, f"samples: {seconds:.3g} s"),
        _entry(2, "stride", found.window // 2, ""),
        "  dataset:",
    ]
    for key in ORDER:
        if key in arguments:
            lines.append(_entry(4, key, arguments[key], COMMENTS.get(key, "")))
    lines += [
        "",
        "# A short recipe for a small data set: a small network, a high learning rate that falls, some hundred steps.",
        "# γ-Quant's: model=deepconvlstm task.lr=1e-4 task.lr_step=10 task.lr_factor=0.9 trainer.max_epochs=30",
        "task:",
        *(_entry(2, key, value, "") for key, value in (("lr", 0.004), ("lr_step", _epochs(found) // 3 or 1),
                                                       ("lr_factor", 0.5))),
        "trainer:",
        _entry(2, "max_epochs", _epochs(found), ""),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _epochs(found: Finding) -> int:
    """Epochs of about `STEPS` steps in all; 8 to 40."""
    folds = max(2, found.subjects)
    per_epoch = max(1, math.ceil(found.windows * (folds - 1) / folds / BATCH))
    return min(40, max(8, round(STEPS / per_epoch)))


def _wrapped(topic: str, mark: str, text: str) -> list[str]:
    return textwrap.wrap(
        one_line(text),
        WIDTH,
        initial_indent=f"{topic:<{TOPIC}}{mark} ",
        subsequent_indent=" " * (TOPIC + 2),
        break_on_hyphens=False,
    )


def _guesses(found: Finding) -> Iterator[str]:
    for line in found.lines:
        if line.mark == GUESS:
            text = one_line(f"{line.topic}: {line.text}" if line.topic else line.text)
            yield text if len(text) < 116 else f"{text[:115]}…"


def _entry(indent: int, key: str, value: Any, comment: str) -> str:
    text = f"{' ' * indent}{key}: {_scalar(value)}"
    if comment and len(text) > 60:
        return f"{' ' * indent}# {key}: {comment}\n{text}"
    return f"{text:<32} # {comment}" if comment else text


def _scalar(value: Any) -> str:
    """A value in YAML's flow style; texts quoted where that is safer, and never taken for an interpolation.

    >>> _scalar("walk"), _scalar("1"), _scalar(["NULL", None]), _scalar({"x": 2}), _scalar("${a}")
    ('walk', '"1"', '["NULL", null]', '{x: 2}', '"\\\\\\\\${a}"')
    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(key)}: {_scalar(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_scalar(each) for each in value) + "]"
    if isinstance(value, str):
        words = {"y", "n", "yes", "no", "true", "false", "on", "off", "null", "nan", "inf"}
        if (
            value.isascii()
            and value.replace("_", "a").isalnum()
            and not value[0].isdigit()
            and value.lower() not in words
        ):
            return value
        return json.dumps(value.replace("${", "\\${"), ensure_ascii=False)
    return json.dumps(value)
