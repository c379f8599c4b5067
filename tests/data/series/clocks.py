"""A clock that was set back in the middle of a published file, as those who time their samples meet it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.refusal import refused

from qsense.data.errors import DataError
from qsense.data.series.csv_recordings import CSVRecordings


def assert_time_can_be_left_unread(dataset: Callable[..., CSVRecordings], root: Path, path: Path) -> None:
    """In row 41 of `path` the time starts again: it is refused, and read as one recording with `time=False`."""
    whole = dataset(str(root)).recordings()
    rows = [line.split(" ", 1) for line in path.read_text().splitlines(keepends=True)]
    times = [time for time, _ in rows]
    path.unlink()  # which may be a link
    path.write_text("".join(f"{time} {rest}" for time, (_, rest) in zip(times[:40] + times, rows, strict=False)))
    with refused(DataError, path, "row 41", "data.dataset.time=false"):
        dataset(str(root)).recordings()
    unread = dataset(str(root), time=False)
    assert [len(recording.x) for recording in unread.recordings()] == [len(recording.x) for recording in whole]
    assert unread.fingerprint() != dataset(str(root)).fingerprint()
