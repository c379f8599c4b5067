"""The cache of converted frames: made once, resumed, verified, shared, honest about what is bad."""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from tests.refusal import assert_names, refused

from qsense.data.errors import DataError
from qsense.data.frames import plane_cache as module
from qsense.data.frames.plane_cache import MANIFEST, PlaneCache, Planes, conversion_time, convert, stamp

# A module of its own, so that spawned processes can import it.
HELPER = """
import sys, time
from dataclasses import dataclass
from pathlib import Path
import numpy as np
from qsense.data.frames.plane_cache import Planes, convert

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


@dataclass
class Made:
    """Frame i is filled with i; notes which were made."""

    bad: dict[int, str] = field(default_factory=dict)
    dtype: type = np.uint16
    made: list[int] = field(default_factory=list)

    def __call__(self, index: int) -> Planes:
        self.made.append(index)
        if index in self.bad:
            raise DataError(self.bad[index])
        return Planes(np.full((4, 3, 5 + index), index, dtype=self.dtype), {"black": 7, "pattern": "RGGB"})


def stamps(count: int, **changed: str) -> dict[str, str]:
    return {f"f{index}": changed.get(f"f{index}", "1") for index in range(count)}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_frames_are_made_once_and_then_memory_mapped(tmp_path: Path, dtype: type) -> None:
    make = Made(dtype=dtype)
    for _ in range(2):
        cache = convert(tmp_path, "key", stamps(3), make, "test")
        assert len(cache) == 3
        for index in range(3):
            codes = cache[f"f{index}"]
            assert isinstance(codes, np.memmap)
            assert codes.dtype == dtype
            assert codes.shape == (4, 3, 5 + index)
            assert (codes == index).all()
    assert make.made == [0, 1, 2]
    assert cache.facts("f1") == {"black": 7, "pattern": "RGGB"}


def test_only_what_is_new_or_comes_from_another_source_is_made(tmp_path: Path) -> None:
    convert(tmp_path, "key", stamps(3), Made(), "test")
    make = Made()
    assert set(convert(tmp_path, "key", stamps(5, f1="2"), make, "test").records) == {f"f{i}" for i in range(5)}
    assert make.made == [1, 3, 4]
    make = Made()
    assert len(convert(tmp_path, "key", stamps(2, f1="2"), make, "test")) == 2  # a part of them
    convert(tmp_path, "other settings", stamps(1), make, "test")
    assert make.made == [0]
    manifest = (tmp_path / "key" / MANIFEST).read_text().splitlines()
    assert sorted(json.loads(line)["name"] for line in manifest) == [f"f{i}" for i in range(5)]


def test_a_source_is_known_by_size_and_time(tmp_path: Path) -> None:
    file = tmp_path / "a.raw"
    file.write_bytes(b"12")
    before = stamp(file)
    assert stamp(file) == before
    os.utime(file, ns=(1, 1))
    assert stamp(file) != before
    with refused(DataError, tmp_path / "b.raw"):
        stamp(tmp_path / "b.raw")


def test_any_name_is_a_file(tmp_path: Path) -> None:
    names = {"night/1": "", "../1": "", "a b": "", "1": ""}
    cache = convert(tmp_path, "key", names, Made(), "test")
    assert [int(cache[name][0, 0, 0]) for name in names] == [0, 1, 2, 3]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["key", "key.lock"]


@pytest.mark.parametrize("how", ["cut", "changed", "gone", "header"])
def test_a_damaged_frame_is_made_again(tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture) -> None:
    convert(tmp_path, "key", stamps(3), Made(), "test")
    file = tmp_path / "key" / "f1.npy"
    content = file.read_bytes()
    match how:
        case "cut":
            file.write_bytes(content[:-1])
        case "changed":
            file.write_bytes(content[:-1] + b"\x01")
        case "gone":
            file.unlink()
        case "header":
            file.write_bytes(b"\0" * len(content))
    make = Made()
    cache = convert(tmp_path, "key", stamps(3), make, "test")
    assert make.made == [1]
    assert (cache["f1"] == 1).all()
    assert_names(caplog.text, file)


def test_large_caches_are_checked_by_size_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    convert(tmp_path, "key", stamps(3), Made(), "test")
    monkeypatch.setattr(module, "CHEAP", 100)
    monkeypatch.setattr(module, "_undamaged", None)
    assert len(convert(tmp_path, "key", stamps(3), Made(), "test")) == 3


def test_a_broken_line_of_the_manifest_costs_its_frame_alone(tmp_path: Path) -> None:
    convert(tmp_path, "key", stamps(3), Made(), "test")
    manifest = tmp_path / "key" / MANIFEST
    manifest.write_text(manifest.read_text()[:-20])
    for expected in ([2], []):
        make = Made()
        assert len(convert(tmp_path, "key", stamps(3), make, "test")) == 3
        assert make.made == expected


def test_a_frame_that_vanishes_while_it_is_needed_is_named(tmp_path: Path) -> None:
    cache = convert(tmp_path, "key", stamps(2), Made(), "test")
    (tmp_path / "key" / "f1.npy").unlink()
    with refused(DataError, tmp_path / "key" / "f1.npy"):
        cache["f1"]


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
    monkeypatch.setattr(module, "CHEAP", 10)
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
    (folder / "helper_of_plane_cache.py").write_text(HELPER)
    arguments = [str(folder / "cache"), str(folder / "log"), str(count), str(seconds), str(processes)]
    return subprocess.Popen(
        [sys.executable, str(folder / "helper_of_plane_cache.py"), *arguments], stdout=subprocess.DEVNULL
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
    (tmp_path / "dies_in_plane_cache.py").write_text("import os\ndef make(index):\n    os._exit(1)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    from dies_in_plane_cache import make  # type: ignore[import-not-found]

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
