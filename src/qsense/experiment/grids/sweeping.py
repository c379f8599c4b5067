"""Launch the runs of a sweep that are not finished, tell where they stand, and see to it that all of them end.

Open it to change what happens where a run fails, a launcher gives up, or another process trains some of the runs.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher

from qsense.experiment import errors
from qsense.experiment.command_line.overrides import Job, experiment_of
from qsense.experiment.errors import ConfigError
from qsense.experiment.grids.following import Following, following
from qsense.runs import folder as run_folder
from qsense.runs.announcements import announced
from qsense.runs.lock import ClaimedError, claim
from qsense.runs.mishaps import EXIT_CODE, has_mishaps, in_a_line, tolerated
from qsense.runs.mishaps import FILE as MISHAPS
from qsense.runs.next_steps import PART
from qsense.runs.status import (
    FAILED,
    FINISHED,
    KILLED,
    MOST_FOLDERS,
    RUNNING,
    TO_DO,
    failures,
    overview,
    seconds_left,
    status_of,
)
from qsense.runs.words import duration

# What makes the next W&B run of a process the agent's own. Only one run may be: that of the mean.
AGENT = ("WANDB_RUN_ID", "WANDB_SWEEP_ID", "WANDB_SWEEP_PARAM_PATH")
LOOK_S = 2.0  # seconds between two looks at what is finished

log = logging.getLogger(__name__)


def unfinished(folders: Mapping[Job, Path]) -> dict[Job, Path]:
    """Those of some runs that have no result."""
    return {job: folder for job, folder in folders.items() if not run_folder.finished(folder)}


def tell(folders: Mapping[Job, Path]) -> None:
    """Say where runs stand and how long the rest will take."""
    left = seconds_left({folder: experiment_of(job) for job, folder in folders.items()})
    estimate = f" · about {duration(left)} of one worker's time" if left else ""
    log.info("%s%s", overview([status_of(folder) for folder in folders.values()]), estimate)


def launch_all(launcher: Launcher, folders: Mapping[Job, Path]) -> tuple[list[JobReturn], str]:
    """Launch what is not finished, and after a launcher gave up (joblib does when a worker is killed) what had not
    begun, again. Meanwhile reports know of the runs to come.

    Returns:
        What the launcher gave back, and why it gave up, if it did.

    Raises:
        ConfigError: the launcher refuses; nothing was launched.
    """
    with ExitStack() as announcements:
        for parent in {folder.parent for folder in folders.values()}:
            names = [folder.name for folder in folders.values() if folder.parent == parent]
            announcements.enter_context(announced(parent, names))
        returns: list[JobReturn] = []
        stopped, waiting = "", unfinished(folders)
        while waiting:
            try:
                return [*returns, *_launch(launcher, waiting, folders)], stopped
            except ConfigError:
                raise
            except SystemExit as stop:  # of a worker that was told to stop; joblib hands it on
                if isinstance(launcher, BasicLauncher):
                    raise
                stopped = f"a worker was stopped (exit code {stop.code})"
                log.warning("the launcher gave up: %s", stopped)
            except Exception as error:
                stopped = in_a_line(error)
                log.exception("the launcher gave up")
            left = {job: folder for job, folder in waiting.items() if status_of(folder).state == TO_DO}
            if len(left) == len(waiting):  # it cannot start any
                break
            waiting = left
            if waiting:
                log.warning("going on with the %d runs that had not begun", len(waiting))
        return returns, stopped


def _launch(launcher: Launcher, jobs: Mapping[Job, Path], folders: Mapping[Job, Path]) -> list[JobReturn]:
    """Launch runs, one by one in this process, or all at once through other launchers; each is told of as it ends.

    Args:
        launcher: whose they are.
        jobs: those to launch.
        folders: of all runs of the sweep.
    """
    if not isinstance(launcher, BasicLauncher):
        log.info(
            "what each run says is in its folder: %s/*/train.log", os.path.relpath(next(iter(jobs.values())).parent)
        )
        with following(folders):
            return list(launcher.launch(list(jobs), initial_job_idx=0))
    returns: list[JobReturn] = []
    follow = Following(folders)
    for number, (job, folder) in enumerate(jobs.items()):
        log.info("run %d of %d: %s", number + 1, len(jobs), follow.name(folder))
        returns += launcher.launch([job], initial_job_idx=number)
        follow.tell()
    return returns


def conclude(folders: Mapping[Job, Path], returns: Iterable[JobReturn], stopped: str) -> None:
    """Say what became of a sweep's runs that are not finished.

    Args:
        folders: of all runs.
        returns: what the launcher gave back.
        stopped: why it gave up, if it did.

    Raises:
        ConfigError: a run ended without a result.
    """
    errors_of = {
        frozenset(each.overrides or ()): in_a_line(each._return_value)
        for each in returns
        if each.status != JobStatus.COMPLETED
    }
    every = []
    for job, folder in folders.items():
        status, reason = status_of(folder), errors_of.get(frozenset(job))
        if reason is not None and status.state not in (FINISHED, FAILED):
            # Refused on its machine, it has no folder; lost, its launcher knows before its heartbeat is silent.
            state = {TO_DO: FAILED, RUNNING: KILLED}.get(status.state, status.state)
            status = replace(status, state=state, reason=reason)
        every.append(status)
    elsewhere = sum(status.state == RUNNING for status in every)
    if elsewhere:
        log.warning("%d of %d runs are being trained by other processes", elsewhere, len(every))
    lost = [status for status in every if status.state not in (FINISHED, RUNNING)]
    if lost:
        lines = [f"{len(lost)} of {len(every)} runs did not finish; the same command goes on with them:"]
        lines += [f"the launcher gave up: {stopped}"] * bool(stopped)
        raise ConfigError("\n".join([*lines, failures(lost)]))


def mishaps(folders: Iterable[Path]) -> str:
    """Which of some finished runs have lost something beside their results; empty where none has."""
    lost = [folder for folder in folders if has_mishaps(folder)]
    files = [f"  {folder / MISHAPS}" for folder in lost[:MOST_FOLDERS]]
    more = [f"  … and {len(lost) - MOST_FOLDERS} more"] * (len(lost) > MOST_FOLDERS)
    what = f"{len(lost)} runs have a result and lost something beside it (a logger, a picture, a table):"
    return "\n".join([what, *files, *more]) if lost else ""


# ------------------------------------------------------------------------------------------- beside other processes


def complete(
    overrides: Sequence[str], folders: Sequence[Path], watch: Callable[[list[dict[str, Any]]], None] | None = None
) -> int:
    """Train by `qsense.train … -m` until every run is finished, perhaps by other processes.

    Args:
        overrides: of the sweep.
        folders: of its runs.
        watch: called with the results so far, at the start and when there are more.

    Returns:
        0, or the exit code of a failure.

    Raises:
        RuntimeError: `qsense.train` trained other runs than these.
    """
    told = False
    while waiting := [folder for folder in folders if not run_folder.finished(folder)]:
        if any(map(is_free, waiting)):
            code = train_sweep(overrides, folders, watch)
            left = [folder for folder in waiting if not run_folder.finished(folder)]
            if code not in (0, EXIT_CODE) and left:
                return code
            if len(left) == len(waiting) and all(map(is_free, left)):  # or this would go on for ever
                raise RuntimeError(f"qsense.train says that all is finished, and {left[0]} is not: it trained others")
        else:
            if not told:
                log.warning("%d of %d runs are left to other processes: waiting for them", len(waiting), len(folders))
                told = True
            time.sleep(LOOK_S)
    return 0


def is_free(folder: Path) -> bool:
    """Whether a run is neither finished nor being trained by another process."""
    try:
        with claim(folder):
            return not run_folder.finished(folder)
    except ClaimedError:
        return False


def train_sweep(
    overrides: Sequence[str], folders: Sequence[Path], watch: Callable[[list[dict[str, Any]]], None] | None
) -> int:
    """`qsense.train … -m` in a process of its own, whose runs are none of the agent's; its exit code."""
    environment = {key: value for key, value in os.environ.items() if key not in (*AGENT, errors.RAISE)}
    environment[PART] = "another command"
    child = subprocess.Popen([sys.executable, "-m", "qsense.train", *overrides, "-m"], env=environment)
    known = -1
    with _passing_on(child):
        while child.poll() is None:
            results = [run_folder.result(folder) for folder in folders if run_folder.finished(folder)]
            if watch and len(results) != known:
                known = len(results)
                with tolerated("the mean over the runs so far"):
                    watch(results)
            time.sleep(LOOK_S)
    code = child.returncode
    return code if code >= 0 else 128 - code


@contextmanager
def _passing_on(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Within it, a SIGTERM to this process (an agent stops the run) goes to the child, which ends in good order."""
    before = signal.signal(signal.SIGTERM, lambda number, frame: child.send_signal(number))
    # A Ctrl-C reaches the child by itself.
    interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGINT, interrupt)
