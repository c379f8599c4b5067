"""One line for each run of a sweep as it ends, whatever launches the runs: by looking at their folders.

Open it to change what the line says, or how often the folders are looked at.
"""

from __future__ import annotations

import logging
import os
import platform
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from qsense.experiment.command_line.overrides import Job, experiment_of
from qsense.experiment.grids.naming import name_runs
from qsense.runs import folder as run_folder
from qsense.runs.escapes import brief
from qsense.runs.mishaps import tolerated
from qsense.runs.progress import Due
from qsense.runs.status import FAILED, FINISHED, RUNNING, Status, seconds_left, status_of
from qsense.runs.words import duration, percent

FILE = "sweep.log"  # beside the runs
LOOK_S = 2.0  # seconds between two looks at least
SHARE = 50  # of the time, one part at most is spent on looks
LONGEST_REASON = 120
LAST_BYTES = 4096  # of a run's log that are looked at for its last line

log = logging.getLogger(__name__)


class Following:
    """Tells of the runs of a sweep that have ended since it began.

    Args:
        folders: of all runs of the sweep.
    """

    def __init__(self, folders: Mapping[Job, Path]) -> None:
        self.names = name_runs(folders)
        self.experiments = {folder: experiment_of(job) for job, folder in folders.items()}
        self.several = len({name.data for name in self.names.values()}) > 1
        self.waiting = {folder: _ends(folder) for folder in self.names if not run_folder.finished(folder)}
        self.ended = len(self.names) - len(self.waiting)
        self.parallel = 1  # runs at a time, as far as seen
        self.due = Due()

    def name(self, folder: Path) -> str:
        """What a line calls a run."""
        return self.names[folder].within(self.several)

    def tell(self) -> None:
        """Say which runs have ended since the last call; after a long silence, what is at work."""
        every = {folder: status_of(folder) for folder in self.waiting}
        running = [status for status in every.values() if status.state == RUNNING]
        self.parallel = max(self.parallel, len(running))
        over = [
            status
            for folder, status in every.items()
            if status.state == FINISHED or (status.state == FAILED and _ends(folder) != self.waiting[folder])
        ]
        if over:
            self.due = Due()
        for status in over:
            del self.waiting[status.folder]
            self.ended += 1
            count = f"{self.ended}/{len(self.names)}"
            texts = [f"{count} {self.name(status.folder)}", *_outcome(status)]
            say(status.folder.parent, " · ".join([*texts, *self.left()]))
        if running and self.due():
            first = running[0].folder
            texts = [f"{len(running)} at work", self.name(first), _last_line(first)]
            say(first.parent, " · ".join(filter(None, texts)))

    def left(self) -> list[str]:
        """How long the rest takes with as many at a time as ran so far, in words; nothing where nobody knows."""
        failed = {folder for folder in self.names if folder not in self.waiting and not run_folder.finished(folder)}
        seconds = seconds_left({folder: each for folder, each in self.experiments.items() if folder not in failed})
        if not self.waiting or seconds is None:
            return []
        running = sum(status_of(folder).state == RUNNING for folder in self.waiting)
        to_do = 1 - running / 2 / len(self.waiting)  # a run that is at work is half done, on average
        return [f"{duration(seconds * to_do / min(self.parallel, len(self.waiting)))} left"]


@contextmanager
def following(folders: Mapping[Job, Path]) -> Iterator[None]:
    """Within it runs are launched elsewhere; each is told of soon after its end."""
    follow, stop = Following(folders), threading.Event()

    def watch() -> None:
        wait = LOOK_S
        while not stop.wait(wait):
            began = time.monotonic()
            with tolerated("telling which runs have ended"):
                follow.tell()
            wait = max(LOOK_S, SHARE * (time.monotonic() - began))

    thread = threading.Thread(target=watch, name="following", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        with tolerated("telling which runs have ended"):
            follow.tell()


def say(parent: Path, text: str) -> None:
    """Log a line, and keep it in the log beside the runs, which sweeps at the same time share: with whose it is."""
    log.info("%s", text)
    with suppress(OSError), (parent / FILE).open("a", encoding="utf-8") as file:
        file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {platform.node()}[{os.getpid()}]: {text}\n")


def _ends(folder: Path) -> Any:
    """When a run ended the last time: a failure of before the sweep is none of its own."""
    return run_folder.record(folder).get("ended")


def _outcome(status: Status) -> list[str]:
    """Score and duration of a run that is finished; why it failed."""
    if status.state != FINISHED:
        return [f"{status.state}: {brief(status.reason, LONGEST_REASON)}"]
    result = run_folder.result(status.folder)
    score = result["metrics"].get(result["monitor"])
    texts = [] if score is None else [f"{100 * score:.1f} %" if percent(result["monitor"]) else f"{score:.4g}"]
    seconds = run_folder.seconds(status.folder)
    return texts if seconds is None else [*texts, duration(seconds)]


def _last_line(folder: Path) -> str:
    """What a run that is at work has said last, without the time before it; empty where it has said nothing."""
    try:
        with (folder / "train.log").open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - LAST_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return brief(lines[-1].rpartition("] - ")[2], LONGEST_REASON) if lines else ""
