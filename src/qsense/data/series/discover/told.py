"""What was found in unknown tables, as the YAML file of a data set.

Open it to change how that looks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from qsense.data.findings import GUESS, entry
from qsense.data.series.discover.finding import Finding
from qsense.runs.escapes import one_line

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
        entry(2, "window", found.window, f"samples: {seconds:.3g} s"),
        entry(2, "stride", found.window // 2, ""),
        "  dataset:",
    ]
    for key in ORDER:
        if key in arguments:
            lines.append(entry(4, key, arguments[key], COMMENTS.get(key, "")))
    lines += [
        "",
        "# A short recipe for a small data set: a small network, a high learning rate that falls, some hundred steps.",
        "# γ-Quant's: model=deepconvlstm task.lr=1e-4 task.lr_step=10 task.lr_factor=0.9 trainer.max_epochs=30",
        "task:",
        *(entry(2, key, value, "") for key, value in (("lr", 0.004), ("lr_step", _epochs(found) // 3 or 1),
                                                       ("lr_factor", 0.5))),
        "trainer:",
        entry(2, "max_epochs", _epochs(found), ""),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _epochs(found: Finding) -> int:
    """Epochs of about `STEPS` steps in all; 8 to 40."""
    folds = max(2, found.subjects)
    per_epoch = max(1, math.ceil(found.windows * (folds - 1) / folds / BATCH))
    return min(40, max(8, round(STEPS / per_epoch)))


def _guesses(found: Finding) -> Iterator[str]:
    for line in found.lines:
        if line.mark == GUESS:
            text = one_line(f"{line.topic}: {line.text}" if line.topic else line.text)
            yield text if len(text) < 116 else f"{text[:115]}…"
