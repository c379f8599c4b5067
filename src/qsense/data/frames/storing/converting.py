"""Raw files converted into a plane cache: several processes, resumable; room and time are said after the first few.

Open it when conversion of raw frames is slow or breaks off.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import multiprocessing
import os
import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from qsense.data.errors import DataError, listed
from qsense.data.frames.storing.plane_cache import PlaneCache, Planes, Record, intact, journal, write
from qsense.runs.words import duration

log = logging.getLogger(__name__)

MUCH = 256 << 20  # bytes: of conversions that take more, room and time are said before
FEW = 8  # frames that are converted faster than other processes start
FIRST = 3  # frames, spread over all, that tell how much room and time the others take
EVERY_S = 60.0  # how often a log without a terminal hears how far a conversion is

Make = Callable[[int], Planes]
Result = tuple[int, Record | str]  # a frame's index, and its record or what is wrong with its source


def convert(
    cache: Path, key: str, stamps: Mapping[str, str], make: Make, description: str, processes: int | None = None
) -> PlaneCache:
    """Open the converted frames of `key`; first convert those that are missing, damaged, or made from something else.

    Each frame is a file of its own, which appears complete or not at all and is then noted in the manifest. So a
    conversion that is killed goes on where it stood, and a bad source loses nothing but its own frame. Of two processes
    that convert the same, the second waits for the first. How much room and time all frames take is said after the
    first few.

    Args:
        cache: the folder for everything prepared.
        key: name of this conversion: the data set and a digest of all settings that change its result.
        stamps: the frames' names in order, each with what it is made from (`stamp` of its source file): a frame whose
            stamp has changed is converted anew.
        make: makes frame i of `stamps`. It is sent to other processes, so it must be picklable: a function of a module,
            a `functools.partial` of one or an object of a dataclass. It raises DataError for a bad source.
        description: what messages and the progress bar call it: the data set's name.
        processes: how many at once; None: one per processor that this process may use.

    Raises:
        DataError: frames that cannot be converted, all named in one message (the first twenty, if there are more), the
            others are kept; or the cache has no room or cannot be written.
    """
    folder = cache / key
    with _usable(folder):
        records = intact(folder, stamps)
    if len(records) < len(stamps):
        if _only_asked.get():
            raise _WouldConvertError([index for index, name in enumerate(stamps) if name not in records], make)
        with _usable(folder), _alone(folder):
            records = intact(folder, stamps)  # another process may have done it meanwhile
            if len(records) < len(stamps):
                _convert_missing(folder, stamps, records, make, description, processes)
    return PlaneCache(folder, {name: records[name] for name in stamps})


class _WouldConvertError(Exception):
    """Frames are to be converted, and it was only asked which: their indices, and what makes them."""


_only_asked: ContextVar[bool] = ContextVar("_only_asked", default=False)


def conversion_time(prepare: Callable[[], object]) -> tuple[int, float]:
    """How many frames `prepare` has yet to convert, and about how many seconds that takes here, by the faster one of
    two that are converted to nowhere. Nothing is written.

    Args:
        prepare: calls `convert`, as `FrameDataset.prepare` does.

    Raises:
        DataError: such a frame cannot be converted.
    """
    asked = _only_asked.set(True)
    try:
        prepare()
    except _WouldConvertError as answer:
        missing, make = answer.args
        seconds = []
        for index in {missing[0], missing[len(missing) // 2]}:
            began = time.monotonic()
            make(index)
            seconds.append(time.monotonic() - began)
        return len(missing), len(missing) * min(seconds) / _processes(len(missing), None)
    finally:
        _only_asked.reset(asked)
    return 0, 0.0


def _processes(frames: int, wanted: int | None) -> int:
    """How many convert so many frames at once."""
    return max(min(wanted or available_processors(), -(-frames // FEW)), 1)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.with_name(f"{folder.name}.lock"))
    try:
        lock.acquire(timeout=0.1)
    except Timeout:
        log.warning("Another process converts into %s: waiting for it.", folder)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _usable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        remedy = "make it writable"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            remedy = "what is converted so far is kept, and the same command goes on from there: make room"
        raise DataError(
            f"the cache {folder} cannot be used ({error.strerror or error}): {remedy}, or choose another with "
            f"data.cache=FOLDER or QSENSE_CACHE=FOLDER"
        ) from error


@dataclass(frozen=True, eq=False)
class _Job:
    """What a process needs to convert any frame of the cache."""

    folder: Path
    names: tuple[str, ...]
    stamps: tuple[str, ...]
    make: Make

    def __call__(self, index: int) -> Record | str:
        """Convert one frame: its record, or what is wrong with its source."""
        try:
            made = self.make(index)
        except DataError as error:
            return str(error)
        return write(self.folder, self.names[index], self.stamps[index], made)


def _convert_missing(
    folder: Path,
    stamps: Mapping[str, str],
    records: dict[str, Record],
    make: Make,
    description: str,
    processes: int | None,
) -> None:
    """Convert what `records` lack; add it to them and, frame by frame, to the manifest."""
    for leftover in folder.glob(".*.part"):
        leftover.unlink(missing_ok=True)
    missing = [index for index, name in enumerate(stamps) if name not in records]
    job = _Job(folder, tuple(stamps), tuple(stamps.values()), make)
    bad: dict[int, str] = {}
    with journal(folder, stamps) as note:
        for index, result in _shown(_results(job, missing, description, processes), description, len(missing)):
            if isinstance(result, str):
                bad[index] = result
                continue
            records[result.name] = result
            note(result)
    if bad:
        raise DataError(_complaint(folder, bad, len(stamps)))


def _shown(results: Iterator[Result], description: str, total: int) -> Iterator[Result]:
    """The same, with a bar on a terminal; elsewhere with a line of the log now and then."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console()
    began = told = time.monotonic()
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(description, total=total)
        for done, result in enumerate(results, start=1):
            progress.advance(task)
            now = time.monotonic()
            if not console.is_terminal and now - told >= EVERY_S:
                told, left = now, (now - began) / done * (total - done)
                log.info("%s: %d of %d frames are converted, about %s left", description, done, total, duration(left))
            yield result


def _expect_room(folder: Path, sizes: list[int], frames: int) -> None:
    """Refuse at once what cannot fit: `frames` more, of the mean of these sizes."""
    needed, free = frames * statistics.fmean(sizes), shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            f"{frames} frames take about {needed / 1e9:.1f} GB more in {folder}, and {free / 1e9:.1f} GB are free: "
            f"make room, choose another place with data.cache=FOLDER or QSENSE_CACHE=FOLDER, or store smaller frames "
            f"with data.stored=SIDE, or native with data.cache_gb=GB"
        )


def _tell(folder: Path, description: str, frames: int, sizes: list[int], seconds: float, processes: int) -> None:
    """Say how much room and time `frames` more take, at `seconds` for each."""
    log.warning(
        "%s: %d frames take about %.1f GB in %s (%.1f GB are free) and %s by %s",
        description,
        frames,
        frames * statistics.fmean(sizes) / 1e9,
        folder,
        shutil.disk_usage(folder).free / 1e9,
        duration(frames * seconds / processes),
        f"{processes} processes" if processes > 1 else "one process",
    )


def _results(job: _Job, missing: list[int], description: str, processes: int | None) -> Iterator[Result]:
    """Every missing frame, as it is done; after a few, room and time of the others are told."""
    count = _processes(len(missing), processes)
    first = sorted({missing[len(missing) * part // FIRST] for part in range(FIRST)})
    others = [index for index in missing if index not in first]
    sizes: list[int] = []
    seconds: list[float] = []
    with _workers(job, count) as work:
        for done, (index, result, taken) in enumerate(work(first), start=1):
            yield index, result
            seconds.append(taken)
            if isinstance(result, Record):
                sizes.append(result.size)
                _expect_room(job.folder, sizes, len(missing) - done)
        if sizes and len(others) * statistics.fmean(sizes) > MUCH:
            _tell(job.folder, description, len(others), sizes, min(seconds), count)
        for index, result, _ in work(others):
            yield index, result


@contextlib.contextmanager
def _workers(job: _Job, count: int) -> Iterator[Callable[[list[int]], Iterator[tuple[int, Record | str, float]]]]:
    """What converts frames in this process, or in several others: indices → (index, result, its seconds)."""
    if count == 1:
        yield lambda indices: ((index, *_timed(job, index)) for index in indices)
        return
    # Spawned, not forked: threads of torch or of the progress bar would not survive a fork.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(count, context, _take_over, (job,))

    def work(indices: list[int]) -> Iterator[tuple[int, Record | str, float]]:
        futures = {pool.submit(_convert_one, index): index for index in indices}
        for future in as_completed(futures):
            yield futures[future], *future.result()

    try:
        yield work
    except BrokenProcessPool as error:
        raise DataError(
            f"a process that converted frames into {job.folder} ended unexpectedly, maybe for want of memory: what is "
            f"converted so far is kept, and the same command goes on from there"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _timed(job: _Job, index: int) -> tuple[Record | str, float]:
    began = time.monotonic()
    result = job(index)
    return result, time.monotonic() - began


def available_processors() -> int:
    """Processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


_job: _Job | None = None  # of a process that converts


def _take_over(job: _Job) -> None:
    global _job
    _job = job


def _convert_one(index: int) -> tuple[Record | str, float]:
    assert _job is not None
    return _timed(_job, index)


def _complaint(folder: Path, bad: Mapping[int, str], frames: int) -> str:
    named = [bad[index] for index in sorted(bad)]
    what = f"{len(bad)} of {frames} frames cannot be converted (the others are kept in {folder})"
    return f"{what}:{listed(named, len(named))}"
