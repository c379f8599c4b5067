"""Conversion of frames: once, by several processes, resumed, honest about what is bad and about room and time."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from tests.data.frames.storing.test_plane_cache import Made, stamps
from tests.refusal import assert_names, refused

from qsense.data.errors import DataError
from qsense.data.frames.storing import converting as module
from qsense.data.frames.storing.converting import conversion_time, convert
from qsense.data.frames.storing.plane_cache import PlaneCache, Planes

# A module of its own, so that spawned processes can import it.
HELPER = """
import sys, time
from dataclasses import dataclass
from pathlib import Path
import numpy as np
from qsense.data.frames.storing.converting import convert
from qsense.data.frames.storing.plane_cache import Planes

@dataclass(frozen=True)
class Slow:
    log: str
    seconds: float

    def __call__(self, index):
        time.sleep(self.seconds)
        with open(self.log, "a") as file:
            file.write(f"{index}\\n")
        return Planes(np.full((4, 3, 5), index, dtype=np.uint16), {"black": index})

if __name__ == "__main__":
    cache, log, count, seconds, processes = sys.argv[1:]
    stamps = {f"frame {i}": "1" for i in range(int(count))}
    convert(Path(cache), "key", stamps, Slow(log, float(seconds)), "slow", int(processes))
"""


def test_bad_sources_are_all_named_and_the_others_are_kept(tmp_path: Path) -> None:
    bad = {1: "b.nef is truncated", 3: "d.nef is no raw file"}
    with refused(DataError, 2, 5, tmp_path / "key", *bad.values()):
        convert(tmp_path, "key", stamps(5), Made(bad), "test")
    make = Made()
    assert len(convert(tmp_path, "key", stamps(5), make, "test")) == 5
    assert make.made == [1, 3]
    with refused(DataError, 30, tmp_path / "new", "19 is bad", 10) as caught:
        convert(tmp_path, "new", stamps(30), Made({i: f"{i} is bad" for i in range(30)}), "test", processes=1)
    assert str(caught.value).count(" is bad") == 20


def test_other_mistakes_are_not_hidden(tmp_path: Path) -> None:
    def wrong(index: int) -> Planes:
        raise KeyError("a bug")

    with refused(KeyError, "a bug"):
        convert(tmp_path, "key", stamps(2), wrong, "test")


def test_too_little_room_is_told_after_the_first_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=500))
    make = Made()
    with refused(DataError, 4, "0.0 GB", tmp_path / "key", "data.cache=FOLDER", "QSENSE_CACHE=FOLDER"):
        convert(tmp_path, "key", stamps(5), make, "test")
    assert make.made == [0]


def test_much_room_is_announced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "MUCH", 10)
    make = Made()
    convert(tmp_path, "key", stamps(7), make, "photos")
    assert make.made == [0, 2, 4, 1, 3, 5, 6]  # those spread over all tell how large all are
    (line,) = caplog.messages
    assert_names(line, "photos", 4, "0.0 GB", tmp_path / "key", "free", "0 s", "one process")


def test_a_log_without_a_terminal_hears_how_far_it_is(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(module, "EVERY_S", 0.0)
    convert(tmp_path, "key", stamps(5), Made(), "photos")
    assert len(caplog.messages) == 5
    assert_names(caplog.messages[2], "photos", 3, 5, "0 s")
    assert capsys.readouterr().out.strip() == ""


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "room"),
        (errno.EACCES, "writable"),
    ],
)
def test_a_cache_that_cannot_be_written_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, remedy: str
) -> None:
    calls: list[int] = []
    real = np.save

    def fails(*arguments: object) -> None:
        calls.append(1)
        if len(calls) == 3:
            raise OSError(number, os.strerror(number))
        real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(np, "save", fails)
    with refused(DataError, tmp_path / "key", os.strerror(number), remedy, "data.cache=FOLDER", "QSENSE_CACHE=FOLDER"):
        convert(tmp_path, "key", stamps(4), Made(), "test")
    make = Made()
    assert len(convert(tmp_path, "key", stamps(4), make, "test")) == 4
    assert make.made == [2, 3]
    assert not list((tmp_path / "key").glob(".*.part"))


def start(folder: Path, seconds: float, processes: int, count: int = 24) -> subprocess.Popen[bytes]:
    (folder / "helper_of_converting.py").write_text(HELPER)
    arguments = [str(folder / "cache"), str(folder / "log"), str(count), str(seconds), str(processes)]
    return subprocess.Popen(
        [sys.executable, str(folder / "helper_of_converting.py"), *arguments], stdout=subprocess.DEVNULL
    )


def opened(folder: Path, count: int = 24) -> PlaneCache:
    def never(index: int) -> Planes:
        raise AssertionError("it should be there")

    return convert(folder / "cache", "key", {f"frame {i}": "1" for i in range(count)}, never, "test")


def test_several_processes_make_the_same(tmp_path: Path) -> None:
    assert start(tmp_path, 0.0, processes=2).wait() == 0
    cache = opened(tmp_path)
    assert all((cache[f"frame {i}"] == i).all() and cache.facts(f"frame {i}") == {"black": i} for i in range(24))
    assert Counter(map(int, (tmp_path / "log").read_text().split())) == dict.fromkeys(range(24), 1)


def test_a_killed_conversion_goes_on_where_it_stood(tmp_path: Path) -> None:
    first = start(tmp_path, 0.2, processes=1)  # so that it is still at work when it is killed
    while not (tmp_path / "log").exists() or len((tmp_path / "log").read_text().split()) < 6:
        assert first.poll() is None
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.wait()
    before = len((tmp_path / "log").read_text().split())
    assert start(tmp_path, 0.0, processes=1).wait() == 0
    assert len(opened(tmp_path)) == 24
    assert len((tmp_path / "log").read_text().split()) <= 24 + 1  # at most the frame in hand was made twice
    assert before < 24


def test_two_at_once_share_the_work_of_one(tmp_path: Path) -> None:
    running = [start(tmp_path, 0.01, processes=1) for _ in range(2)]
    assert [process.wait() for process in running] == [0, 0]
    assert len(opened(tmp_path)) == 24
    assert Counter(map(int, (tmp_path / "log").read_text().split())) == dict.fromkeys(range(24), 1)


def test_a_process_that_dies_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dies_in_converting.py").write_text("import os\ndef make(index):\n    os._exit(1)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    from dies_in_converting import make  # type: ignore[import-not-found]

    with refused(DataError, tmp_path / "key", "memory"):
        convert(tmp_path, "key", stamps(20), make, "test", processes=2)


def test_conversion_time_writes_nothing(tmp_path: Path) -> None:
    stamps, make = {f"frame {i}": "1" for i in range(10)}, Made()
    prepare = partial(convert, tmp_path / "cache", "key", stamps, make, "ten")
    frames, seconds = conversion_time(prepare)
    assert frames == 10
    assert 0 < seconds < 10
    assert sorted(make.made) == [0, 5]
    assert not (tmp_path / "cache").exists()
    partial(prepare, processes=1)()
    assert conversion_time(prepare) == (0, 0.0)
    assert Counter(make.made) == Counter([*range(10), 0, 5])
