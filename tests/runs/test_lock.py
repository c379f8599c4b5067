"""Who trains a run: one process of this machine, one machine of several, and what becomes of a dead one's claim."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from tests.refusal import assert_names, refused

from qsense.runs import lock
from qsense.runs.lock import HEARTBEAT, ClaimedError, alive, claim

HOLD = "import sys, time; from pathlib import Path; from qsense.runs.lock import claim\n"
HOLD += "with claim(Path(sys.argv[1])):\n"
HOLD += "    print('held', flush=True); time.sleep(float(sys.argv[2]))"
PATIENCE_S = 60.0  # what does come about may take so long on a busy machine


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "BEAT_S", 0.1)
    monkeypatch.setattr(lock, "SILENCE_S", 1.0)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Callable[[], None]]:
    """A process of another machine that holds `tmp_path`, until it is called, which is its death."""
    died = threading.Event()

    def beat() -> None:
        number = 0
        while not died.is_set():
            number += 1
            lock._write(tmp_path / HEARTBEAT, {"owner": "x", "machine": "other:1", "pid": 7, "beat": number})
            time.sleep(0.1)

    thread = threading.Thread(target=beat)
    thread.start()
    while not (tmp_path / HEARTBEAT).is_file():
        time.sleep(0.01)

    def die() -> None:
        died.set()
        thread.join()

    yield die
    die()


def hold(run: Path, seconds: float) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(run), str(seconds)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_one_process_at_a_time_however_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tmp_path / "run"
    assert not alive(run)
    process = hold(run, 60)
    assert alive(run)
    with pytest.raises(ClaimedError), claim(run):
        pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (run / HEARTBEAT).is_file(), "a killed process cannot clean up"
    assert not alive(run)
    monkeypatch.setattr("time.sleep", lambda _: pytest.fail("on one machine nobody need be watched"))
    with claim(run):
        assert alive(run)
    assert not (run / HEARTBEAT).exists()
    assert not alive(run)


def test_the_heartbeat_beats(tmp_path: Path) -> None:
    with claim(tmp_path):
        first = json.loads((tmp_path / HEARTBEAT).read_text())
        assert first["pid"] == os.getpid()
        deadline = time.monotonic() + 60
        while (later := json.loads((tmp_path / HEARTBEAT).read_text()))["beat"] == first["beat"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert later["beat"] > first["beat"]
    assert {**later, "beat": 0} == {**first, "beat": 0}
    assert [file.name for file in tmp_path.iterdir()] == [".lock"]


def test_a_living_process_of_another_machine_keeps_its_run(
    tmp_path: Path, elsewhere: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "SILENCE_S", PATIENCE_S)
    assert alive(tmp_path)
    with pytest.raises(ClaimedError), claim(tmp_path):
        pass
    assert json.loads((tmp_path / HEARTBEAT).read_text())["machine"] == "other:1"


def test_a_dead_one_loses_it(tmp_path: Path, elsewhere: Callable[[], None], caplog: pytest.LogCaptureFixture) -> None:
    elsewhere()
    with claim(tmp_path):
        assert json.loads((tmp_path / HEARTBEAT).read_text())["machine"] == lock.machine()
    assert_names(caplog.text, tmp_path, "heartbeat")


def test_of_two_at_once_without_locks_one_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(self: FileLock) -> None:
        raise OSError(errno.ENOSYS, "no locks here")

    both, one_is_refused = threading.Barrier(2), threading.Event()

    def arrive(heartbeat: Path, locks_work: bool) -> None:
        both.wait(PATIENCE_S)  # neither has seen the other's heartbeat

    monkeypatch.setattr(FileLock, "acquire", missing)
    monkeypatch.setattr(lock, "_wait_for_silence", arrive)
    had = []

    def work() -> None:
        try:
            with claim(tmp_path):
                had.append(True)
                assert one_is_refused.wait(PATIENCE_S)
        except ClaimedError:
            had.append(False)
            one_is_refused.set()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(had) == [False, True]


def test_a_look_that_fails_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed = []
    monkeypatch.setattr(os, "kill", lambda *arguments: killed.append(arguments))
    with claim(tmp_path) as still_ours:
        monkeypatch.setattr(lock, "_read", lambda heartbeat: {"owner": "", "machine": ""})
        time.sleep(0.5)
        assert still_ours()
    assert not killed


def test_many_looks_refuse_no_claim(tmp_path: Path) -> None:
    with claim(tmp_path):
        left = (tmp_path / HEARTBEAT).read_text()
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            alive(tmp_path)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for _ in range(50):
            (tmp_path / HEARTBEAT).write_text(left)  # as a killed process of this machine leaves it
            with claim(tmp_path):
                pass
    finally:
        ended.set()
        thread.join()


def test_one_that_ends_while_watched_gives_it_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "SILENCE_S", PATIENCE_S)
    lock._write(tmp_path / HEARTBEAT, {"owner": "x", "machine": "other:1", "pid": 7, "beat": 1})
    threading.Timer(0.3, (tmp_path / HEARTBEAT).unlink).start()
    with claim(tmp_path):
        pass


def test_an_owner_that_was_taken_for_dead_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = threading.Event()
    monkeypatch.setattr(os, "kill", lambda pid, number: told.set() if number == signal.SIGTERM else None)
    with claim(tmp_path) as still_ours:
        theirs = {"owner": "x", "machine": "other:1", "pid": 7, "beat": 1}
        lock._write(tmp_path / HEARTBEAT, theirs)
        assert told.wait(PATIENCE_S)
        assert not still_ours()
    assert json.loads((tmp_path / HEARTBEAT).read_text()) == theirs, "it is no longer ours to remove"


def test_without_locks_the_heartbeat_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(self: FileLock) -> None:
        raise OSError(errno.ENOSYS, "no locks here")

    monkeypatch.setattr(FileLock, "acquire", missing)
    with claim(tmp_path):
        assert alive(tmp_path)
        with pytest.raises(ClaimedError), claim(tmp_path):
            pass
    assert not alive(tmp_path)


def test_another_fault_of_the_file_system_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: FileLock) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(FileLock, "acquire", full)
    with refused(OSError, "no space left on device"), claim(tmp_path):
        pass


def test_a_look_at_another_machine_goes_by_time(tmp_path: Path) -> None:
    lock._write(tmp_path / HEARTBEAT, {"owner": "x", "machine": "other:1", "pid": 7, "beat": 1})
    assert alive(tmp_path)
    before = time.time() - 2 * lock.LONG_SILENCE_S
    os.utime(tmp_path / HEARTBEAT, (before, before))
    assert not alive(tmp_path)


@pytest.mark.parametrize("ahead_s", [lock.LONG_SILENCE_S + 60, 86400.0, 1e9])
def test_a_heartbeat_of_the_future_does_not_live_for_ever(tmp_path: Path, ahead_s: float) -> None:
    lock._write(tmp_path / HEARTBEAT, {"owner": "x", "machine": "other:1", "pid": 7, "beat": 1})
    later = time.time() + ahead_s
    os.utime(tmp_path / HEARTBEAT, (later, later))
    assert not alive(tmp_path)
