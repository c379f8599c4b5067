"""Who is at work on a run: a lock of this machine, and a heartbeat for those that its locks do not reach."""

from __future__ import annotations

import errno
import json
import logging
import os
import platform
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from qsense.runs.reading import read_json

log = logging.getLogger(__name__)

LOCK, HEARTBEAT = ".lock", ".heartbeat"
BEAT_S = 10.0  # between two beats
NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK)  # what file systems without locks answer
SILENCE_S = 35.0  # without a beat the owner is dead: three were missed
LONG_SILENCE_S = 120.0  # the same where only a look is taken, as clocks may differ


class ClaimedError(RuntimeError):
    """Another process is at work on this run."""


@contextmanager
def claim(run: Path) -> Iterator[Callable[[], bool]]:
    """Hold a run's folder for this process; yields what tells whether it is still held.

    On one machine a lock decides, which the operating system gives free however the process ends. Folders that several
    machines share may not share their locks, so the holder also writes a heartbeat. A process that finds a heartbeat of
    another machine watches it: if the heartbeat changes, the run is taken; if it does not for `SILENCE_S`, its owner is
    dead, and the process takes the run over. No clocks are compared. An owner whose heartbeat was replaced (it was
    suspended for too long) stops.

    Raises:
        ClaimedError: another process holds it.
    """
    run.mkdir(parents=True, exist_ok=True)
    heartbeat = run / HEARTBEAT
    with ExitStack() as held:
        try:
            locks_work = held.enter_context(_lock(run / LOCK, timeout=1.0))  # a look holds it for a moment
        except Timeout as error:
            raise ClaimedError(str(run)) from error
        _wait_for_silence(heartbeat, locks_work)
        yield held.enter_context(_beating(heartbeat))


def alive(run: Path) -> bool:
    """Whether a process is at work on a run, as far as a look tells; of other machines by this one's clock."""
    heartbeat = run / HEARTBEAT
    beat = _read(heartbeat)
    if beat is None:
        return False
    if beat["machine"] == machine():
        try:
            with _lock(run / LOCK, timeout=0.0) as locks_work:
                if locks_work:
                    return False
        except Timeout:
            return True
        except OSError:
            pass  # another user's, or on a disk that may only be read
    try:
        # A date in the future (a clock was set back, or is wrong) counts as one in the past, or it would live for ever.
        return abs(time.time() - heartbeat.stat().st_mtime) < LONG_SILENCE_S
    except OSError:
        return False


def machine() -> str:
    """This machine since it was started; another container of the same host is another machine."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    return f"{platform.node()}:{boot.read_text().strip() if boot.is_file() else ''}"


@contextmanager
def _lock(file: Path, timeout: float) -> Iterator[bool]:
    """Hold a file's lock, if its file system has locks; yields whether it has."""
    # A soft lock would outlive a killed process on another machine, which is what the heartbeat is for.
    lock = FileLock(file, timeout=timeout, fallback_to_soft=False)
    try:
        lock.acquire()
    except (NotImplementedError, OSError) as error:
        if getattr(error, "errno", errno.ENOSYS) not in NO_LOCKS:
            raise
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def _wait_for_silence(heartbeat: Path, locks_work: bool) -> None:
    """Return once nobody holds a run, and nothing is left of who did."""
    first = _read(heartbeat)
    if first is None:
        return
    # Of this machine's, one that is alive would hold the lock.
    if not (locks_work and first["machine"] == machine()):
        where = first["machine"].partition(":")[0]
        log.info("%s is held from %s: watching whether it is alive", heartbeat.parent, where)
        began = time.monotonic()
        while time.monotonic() - began < SILENCE_S:
            time.sleep(min(1.0, SILENCE_S / 10))
            now = _read(heartbeat)
            if now is None:  # ended in good order
                return
            if now != first and now["owner"]:
                raise ClaimedError(str(heartbeat.parent))
        log.warning("%s: its heartbeat is silent, so its owner is dead: taken over", heartbeat.parent)
    stale = heartbeat.with_name(f"{HEARTBEAT}.{uuid.uuid4().hex}")
    with suppress(FileNotFoundError):
        heartbeat.rename(stale)
        moved = _read(stale)
        if moved is not None and moved["owner"] != first["owner"]:  # another one took it over, and was faster
            stale.rename(heartbeat)
            raise ClaimedError(str(heartbeat.parent))
        stale.unlink()


@contextmanager
def _beating(heartbeat: Path) -> Iterator[Callable[[], bool]]:
    """Write a heartbeat from a thread of its own until the end; yields what tells whether it is still ours."""
    beat: dict[str, Any] = {"owner": uuid.uuid4().hex, "machine": machine(), "pid": os.getpid(), "beat": 0}
    try:
        with heartbeat.open("x", encoding="utf-8") as file:  # of two at once, one
            json.dump(beat, file)
    except FileExistsError as error:
        raise ClaimedError(str(heartbeat.parent)) from error
    ended = threading.Event()

    def ours() -> bool:
        seen = _read(heartbeat)
        return seen is None or seen["owner"] in ("", beat["owner"])  # a look that fails tells nothing

    def work() -> None:
        while not ended.wait(BEAT_S):
            if not ours():
                log.error("%s was taken over by another process: stopping", heartbeat.parent)
                os.kill(os.getpid(), signal.SIGTERM)
                return
            beat["beat"] += 1
            with suppress(OSError):  # a full disk is for the run to report
                _write(heartbeat, beat)

    thread = threading.Thread(target=work, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield ours
    finally:
        ended.set()
        thread.join()
        if ours():
            heartbeat.unlink(missing_ok=True)


def _read(heartbeat: Path) -> dict[str, Any] | None:
    """A heartbeat, or None without one; of one that cannot be read nobody is known."""
    try:
        content = read_json(heartbeat)
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        content = None
    known = isinstance(content, dict) and all(isinstance(content.get(key), str) for key in ("owner", "machine"))
    return content if known else {"owner": "", "machine": ""}


def _write(heartbeat: Path, beat: dict[str, Any]) -> None:
    """Replace it whole; unlike a result it may be lost in a crash, so nothing waits for the disk."""
    temporary = heartbeat.with_name(f"{heartbeat.name}.{beat['owner']}")
    temporary.write_text(json.dumps(beat), encoding="utf-8")
    temporary.replace(heartbeat)
