"""Read a data set as training reads it, and say what that refuses or warns of.

Open it when a problem shows in training and not here.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from qsense.data.errors import DataError
from qsense.data.findings import GUESS, counted, size_of
from qsense.data.series.csv_har import CSVActivityDataset
from qsense.data.series.discover.finding import Finding, first_line

MOST_READ = 256 << 20  # bytes of a data set that is read whole, as training does


def try_reading(found: Finding, size: int, given: Mapping[str, Any]) -> None:
    """Read all of it as training does; what that refuses is a problem."""
    if size > MOST_READ:
        found.say("trial", f"{size_of(size)} are more than are read here: training reads and checks them all", GUESS)
        return
    for attempt in range(2):
        try:
            with _heard() as warnings:
                dataset = CSVActivityDataset(name="trial", **_complete(found.arguments))
                dataset.check()
                recordings = dataset.recordings()
            break
        except (DataError, FileNotFoundError, ValueError) as error:
            text = first_line(error, Path(found.arguments["root"]))
            mendable = "data.dataset.resample=true" in str(error) and given.get("resample") is None
            if attempt or not mendable or found.arguments.get("resample"):
                found.problems.append(text)
                return
            found.arguments["resample"] = True
            found.say("", f"{text.partition('. ')[0]}: samples will be interpolated (resample: true)", GUESS)
    window, stride = found.window, found.window // 2
    per_subject: Counter[int] = Counter()
    for recording in recordings:
        per_subject[recording.subject] += max(0, (len(recording.x) - window) // stride + 1)
    found.windows, found.subjects = sum(per_subject.values()), dataset.num_subjects
    empty = [number for number in range(dataset.num_subjects) if not per_subject[number]]
    if empty:
        found.problems.append(
            f"subject {dataset.subject_names()[empty[0]] if not dataset.blocks else empty[0]} has no recording as long "
            f"as one window of {window} samples: leave such files out, or take a shorter window (data.window=25)"
        )
    samples = sum(len(recording.x) for recording in recordings)
    minutes = samples / dataset.rate_hz / 60
    found.say(
        "trial",
        f"read as training reads it: {counted(len(recordings), 'recording')}, {minutes:.1f} min, "
        f"{found.windows} windows of {window} samples, {dataset.num_subjects} folds",
    )
    for warning in warnings:
        found.say("", warning.removeprefix("trial: "), GUESS)


def _complete(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {"subjects": None, **arguments}


@contextmanager
def _heard() -> Iterator[list[str]]:
    """Within it, what the reader of tables would log is collected and not shown."""
    heard: list[str] = []

    class Collecting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    logger, handler = logging.getLogger("qsense.data"), Collecting()
    propagates, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield heard
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagates
