"""A sweep as a user starts it, in a process of its own, and what its runs' folders tell while something is killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.quick import NO_PICTURES

# Runs of a few seconds on built-in data: short enough to wait for, long enough to be caught between two checkpoints.
SHORT = ["data.dataset.subjects=2", "data.dataset.sessions=1", "data.dataset.minutes=2", "model.filters=4"]
SHORT += ["model.hidden=8", "logger=none", "callback.progress=null", *NO_PICTURES, "bits=2"]

LONG_S = 300.0  # until a sweep counts as stuck; on a free machine all of it takes seconds


def environment(folder: Path) -> dict[str, str]:
    """A user's environment with no data, one thread, and the cache inside `folder`."""
    kept = {key: value for key, value in os.environ.items() if key != "QSENSE_DATA"}
    return {**kept, "OMP_NUM_THREADS": "1", "QSENSE_CACHE": str(folder / "cache"), "COLUMNS": "160"}


def start(folder: Path, *arguments: str, **variables: str) -> subprocess.Popen[bytes]:
    """Start `python -m qsense.train -m …` in `folder`; its runs go to `folder/runs`, what it prints to `sweep.log`."""
    with (folder / "sweep.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "qsense.train", "-m", *arguments],
            cwd=folder, env={**environment(folder), **variables}, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip


def printed(folder: Path) -> str:
    """What the last sweep started in `folder` has printed."""
    return (folder / "sweep.log").read_text(errors="replace")


def wait_until(condition: Callable[[], bool], folder: Path, sweep: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait for what a running sweep is to bring about; where it ends or takes too long, fail and show its log."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert sweep.poll() is None, f"the sweep ended before it was to\n{printed(folder)}"
        assert time.monotonic() < deadline, f"waited {seconds} s in vain\n{printed(folder)}"
        time.sleep(0.02)


def finished(folder: Path) -> dict[str, int]:
    """Each finished run's name and when its result was written, in ns: the same number means not trained again."""
    return {file.parent.name: file.stat().st_mtime_ns for file in (folder / "runs").glob("*/metrics.json")}


def under_way(folder: Path) -> list[Path]:
    """The runs that have a checkpoint to resume from and no result yet."""
    runs = [file.parents[1] for file in (folder / "runs").glob("*/checkpoints/last.ckpt")]
    return [run for run in runs if not (run / "metrics.json").is_file()]


def begun_lately(folder: Path) -> list[Path]:
    """Those of them that have trained a few epochs: far enough from their end to be stopped in the middle."""
    learned = {run: run / "learned.csv" for run in under_way(folder)}
    return [run for run, file in learned.items() if file.is_file() and file.read_text().count("\n") < 8]


def starts(folder: Path) -> dict[str, int]:
    """How often each run was begun or resumed."""
    files = sorted((folder / "runs").glob("*/run.json"))
    return {file.parent.name: len(json.loads(file.read_text())["started"]) for file in files}


def worker_of(run: Path) -> int | None:
    """The process that trains a run: the one that has the run's log open."""
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if link.readlink() == run / "train.log":
                return int(link.parts[2])
        except OSError:  # a process that has ended meanwhile, or another user's
            continue
    return None
