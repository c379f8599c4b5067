"""Small files are read, and whatever else lies in their place is refused at once and leaves nothing open."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from qsense.runs.reading import read_json, read_text

REFUSED: dict[str, Callable[[Path], object]] = {
    "nothing": lambda file: None,
    "a folder": lambda file: file.mkdir(),
    "a pipe": os.mkfifo,
    "a link to nothing": lambda file: file.symlink_to("nowhere"),
    "a link to itself": lambda file: file.symlink_to(file.name),
    "a device": lambda file: file.symlink_to("/dev/zero"),
    "too large a file": lambda file: file.write_bytes(b"1" * 11),
    "no UTF-8": lambda file: file.write_bytes(b"\xff\xfe"),
    "no JSON": lambda file: file.write_bytes(b"{"),
    "an empty file": lambda file: file.write_bytes(b""),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_refused_leaves_no_file_open(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "run.json"
    REFUSED[kind](file)
    before = os.listdir("/dev/fd")  # noqa: PTH208 – numbers of this process
    for _ in range(3):
        with pytest.raises((OSError, ValueError)):
            read_json(file, largest=10)
    assert os.listdir("/dev/fd") == before  # noqa: PTH208


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"γ": 1}', encoding="utf-8")
    assert read_json(tmp_path / "run.json", largest=9) == {"γ": 1}
    assert read_text(tmp_path / "run.json") == '{"γ": 1}'
