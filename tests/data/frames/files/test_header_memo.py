"""Headers of many raw files are looked at once, and again where a file has changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from qsense.data.frames.files import header_memo
from qsense.data.frames.files.header_memo import headers_of
from qsense.data.frames.files.mosaic_files import Header, RawFormat, look_at

WriteDng = Callable[..., Path]


def test_headers_are_remembered_until_a_file_changes(
    tmp_path: Path, write_dng: WriteDng, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(header_memo, "FEW", 1)
    files = [(write_dng(tmp_path / f"{n}.dng", np.zeros((24, 32), np.uint16)), RawFormat()) for n in range(3)]
    looked: list[Path] = []

    def look(file: Path, stated: RawFormat) -> Header:
        looked.append(file)
        return look_at(file, stated)

    monkeypatch.setattr(header_memo, "look_at", look)
    first = headers_of(files, tmp_path / "memo")
    assert headers_of(files, tmp_path / "memo") == first
    assert len(looked) == 3
    write_dng(files[1][0], np.zeros((26, 36), np.uint16), orientation=6)
    os.utime(files[1][0], ns=(1, 1))
    headers, wrong = headers_of(files, tmp_path / "memo")
    assert looked[3:] == [files[1][0]]
    assert (headers[1].size, headers[1].orientation, wrong) == ((36, 26), 6, [])
    (memo,) = (tmp_path / "memo").rglob("*.json")
    memo.write_text("{")
    assert headers_of(files, tmp_path / "memo") == (headers, [])


def test_few_files_leave_nothing_behind(tmp_path: Path, write_dng: WriteDng) -> None:
    file = write_dng(tmp_path / "a.dng", np.zeros((24, 32), np.uint16))
    (tmp_path / "b.dng").write_bytes(b"nothing")
    headers, wrong = headers_of([(file, RawFormat()), (tmp_path / "b.dng", RawFormat())], tmp_path / "memo")
    assert len(headers) == len(wrong) == 1
    assert str(tmp_path / "b.dng") in wrong[0]
    assert not (tmp_path / "memo").exists()
