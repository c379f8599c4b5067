"""Converted frames: memory-mapped, made anew when they are stale, damaged or gone."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from tests.refusal import assert_names, refused

from qsense.data.errors import DataError
from qsense.data.frames.storing import plane_cache as module
from qsense.data.frames.storing.converting import convert
from qsense.data.frames.storing.plane_cache import MANIFEST, Planes, stamp


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
