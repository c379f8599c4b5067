"""A run's folder: what is in it, whether it is finished, and how it is written."""

from __future__ import annotations

import json
import logging
import os
import platform
import shutil
import subprocess
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from qsense.runs import machine
from qsense.runs.escapes import one_line
from qsense.runs.lock import LOCK
from qsense.runs.reading import read_json, read_text
from qsense.runs.result import ResultError, damage, flaw, is_whole, plain, read_result, set_aside
from qsense.runs.times import moment, now
from qsense.runs.words import did_you_mean

log = logging.getLogger(__name__)

RESULT = "metrics.json"  # written last: where it is whole, the run is finished
CONFIG = "config.yaml"
RECORD = "run.json"
FAILURE = "failed.txt"
FIRMWARE = "export/firmware/firmware.json"  # what `qsense export RUN format=firmware` says of the firmware
FIRMWARE_PAGE = "export/firmware/firmware.html"  # the same to look at
FINISHED, RUNNING, FAILED, INTERRUPTED = "finished", "running", "failed", "interrupted"  # what a run says of itself
TEMPORARY = ".tmp"  # how the name of a file ends that is being written
SCHEMA = 3  # of a run: raise it where the same configuration on the same data gives other numbers than before
DIRTY = "-dirty"  # how the revision of a checkout ends whose files differ from it
PACKAGES = ("qsense", "torch", "lightning", "hydra-core", "omegaconf", "torchmetrics", "numpy")


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that a reader, or a crash, sees the old text or the new and never half of it."""
    write_bytes_atomically(path, text.encode())


def write_bytes_atomically(path: Path, content: bytes | memoryview, previous: Path | None = None) -> None:
    """The same for bytes.

    Args:
        path: of the file, made with the folders above it.
        content: what it is to hold.
        previous: where the file that it replaces goes, and None: nowhere.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY}")
    try:
        temporary.unlink(missing_ok=True)  # a link of that name would lead elsewhere
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if previous is not None and path.is_file():
            path.replace(previous)
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    with suppress(OSError):  # a file system whose folders cannot be forced to the disk
        _force_to_disk(path.parent)


def _force_to_disk(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically, the same bytes for the same content; null for what is no finite number."""
    write_atomically(path, json.dumps(plain(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def finished(run: Path) -> bool:
    """Whether a run has its result: a whole one, and not what a crash or another program left in its place."""
    return is_whole(run / RESULT)


def damaged_result(run: Path) -> str:
    """What is wrong with a run's result, in a few words; empty where it is whole, or where there is none yet."""
    return damage(run / RESULT)


def set_damaged_result_aside(run: Path) -> None:
    """Make room for a result: a damaged one is kept under another name, and said."""
    if problem := damaged_result(run):
        aside = set_aside(run / RESULT)
        log.warning("%s is damaged (%s): kept as %s, the run is completed again", run / RESULT, problem, aside.name)


def result(run: Path) -> dict[str, Any]:
    """What a finished run recorded; a metric without a value is None.

    Raises:
        FileNotFoundError: the run is not finished.
        ResultError: its result is damaged.
    """
    try:
        return read_result(run / RESULT)
    except FileNotFoundError as error:
        if not run.exists():
            hint = did_you_mean(run.name, [one_line(folder.name) for folder in run.parent.glob("*/")])
            raise FileNotFoundError(
                f"there is no folder {run}{hint}: name a finished run's, which holds {RESULT}"
            ) from error
        raise FileNotFoundError(f"{run} holds no {RESULT}: it is no run, or one that has not finished") from error
    except ResultError as error:
        raise ResultError(
            f"{run / RESULT} is damaged ({error}): the command that trained the run completes it again"
        ) from error


def start(run: Path, config_yaml: str, overrides: list[str], data: str | None) -> None:
    """Note what is about to run: its configuration, its data's fingerprint, and where and with which versions.

    Whoever calls this holds the run, so what other processes were writing when they died is removed.
    """
    for leftover in (*run.glob(f".*{TEMPORARY}"), *run.glob(f"*/.*{TEMPORARY}")):
        leftover.unlink(missing_ok=True)
    write_atomically(run / CONFIG, config_yaml)
    before = record(run)
    earlier = before.get("started")
    earlier = earlier if isinstance(earlier, list) else []
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    _update(
        run,
        status=RUNNING,
        command=[sys.executable, "-m", "qsense.train", *overrides],
        git_revision=(revision := git_revision()),
        git_dirty=None if revision is None else revision.endswith(DIRTY),
        data_fingerprint=data,
        versions=versions | {"python": platform.python_version()},
        host=platform.node(),
        processor=machine.processor(),
        cores=machine.cores(),
        threads=None,
        gpu=None,
        started=[*earlier, now()],
        ended=None,
        duration_s=_duration(before) if earlier else 0.0,
    )
    (run / FAILURE).unlink(missing_ok=True)


def use(run: Path, threads: int, gpu: str | None) -> None:
    """Note what a run that has been started works with, once torch knows it."""
    _update(run, threads=threads, gpu=gpu)


def finish(run: Path, content: dict[str, Any]) -> None:
    """Record a run's result; after this it counts as finished.

    Raises:
        ResultError: it lacks something that every result has; nothing is written.
    """
    content = plain(content)
    if problem := flaw(content):
        raise ResultError(f"the run has no result ({problem}), so it is not recorded as finished")
    _end(run, FINISHED)
    write_json(run / RESULT, content)


def note_tracker(run: Path, name: str, address: str) -> None:
    """Record where a tracker shows a run, beside what the run says of itself."""
    with suppress(OSError):
        _update(run, **{name: address})


def interrupt(run: Path) -> None:
    """Record that a run was stopped from outside; the same command resumes it."""
    with suppress(OSError):
        _end(run, INTERRUPTED)


def record(run: Path) -> dict[str, Any]:
    """What a run says of itself in `run.json`; empty where that is absent or damaged."""
    try:
        content = read_json(run / RECORD)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def fingerprint(run: Path) -> str | None:
    """SHA-256 over the data that a run was started on, or None where it is not known."""
    return record(run).get("data_fingerprint")


def recorded_state(run: Path) -> str:
    """What a run last said of itself; empty before it began. `status.status_of` knows whether that is still true."""
    return str(record(run).get("status", ""))


def seconds(run: Path) -> float | None:
    """How long a run took; None where it has not ended, or where nobody knows."""
    return duration_of(record(run))


def duration_of(known: Mapping[str, Any]) -> float | None:
    """How long a run took, over all times that it was started, by its `run.json`; None where nobody knows.

    That is so while it runs, and where it was killed and went on; records of older versions say it of runs alone that
    were started once.
    """
    if "duration_s" in known:
        return _duration(known)
    started, ended = known.get("started"), moment(known.get("ended"))
    first = moment(started[0]) if isinstance(started, list) and len(started) == 1 else None
    return None if first is None or not ended else ended - first


def _duration(known: Mapping[str, Any]) -> float | None:
    worked = moment(known.get("duration_s"))
    return None if moment(known.get("ended")) is None else worked


def _end(run: Path, status: str) -> None:
    known, ended = record(run), now()
    started, worked = known.get("started"), moment(known.get("duration_s"))
    last = moment(started[-1]) if isinstance(started, list) and started else None
    if worked is not None and last is not None:
        worked = round(worked + (moment(ended) or last) - last, 3)
    _update(run, status=status, ended=ended, duration_s=worked)


def failure(run: Path) -> str:
    """A failed run's exception: of its last traceback, the first line after it that is not indented."""
    try:
        lines = read_text(run / FAILURE, errors="replace").splitlines()
    except (OSError, ValueError):  # just being started again, or tidied away
        lines = []
    starts = [number for number, line in enumerate(lines) if line.startswith("Traceback")]
    after = lines[starts[-1] + 1 :] if starts else lines
    return next((line for line in after if line.strip() and not line[0].isspace()), "no message")


def fail(run: Path) -> None:
    """Record the exception being handled, with its traceback, as far as there is room for it."""
    text = traceback.format_exc()
    with suppress(OSError):
        write_atomically(run / FAILURE, text)
    with suppress(OSError):
        _end(run, FAILED)


def discard(run: Path) -> None:
    """Remove the folder that Hydra made for a run that never began: nothing in it but an empty log and a lock."""
    if run.is_dir() and all(
        (file.suffix == ".log" or file.name == LOCK) and file.stat().st_size == 0 for file in run.iterdir()
    ):
        shutil.rmtree(run)


def _update(run: Path, **changes: Any) -> None:
    write_json(run / RECORD, record(run) | changes)


def git_revision() -> str | None:
    """The checkout's commit, with `-dirty` where files differ from it; None for an installed package."""
    folder = Path(__file__).parents[3]
    if not (folder / "pyproject.toml").is_file():
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
