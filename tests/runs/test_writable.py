"""A folder in which no runs can be kept is known before anything is computed, and nothing is left by the look."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qsense.runs.writable import unusable

# By kind: a folder in `there`, in which are the file `afile` and links; and what is said of it.
UNUSABLE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a file": (lambda there: there / "afile", "no folder"),
    "below a file": (lambda there: there / "afile" / "runs" / "more", "afile"),
    "a link to nothing": (lambda there: there / "dangling", "nowhere"),
    "below a link to nothing": (lambda there: there / "dangling" / "runs", "nowhere"),
    "a link to itself": (lambda there: there / "loop", "nowhere"),
    "a link to a file": (lambda there: there / "linked", "no folder"),
    "a long name": (lambda there: there / ("d" * 256), "256 characters"),
    "a long name in two bytes a letter": (lambda there: there / ("ü" * 130), "130 characters"),
    "a long name further down": (lambda there: there / "a" / ("d" * 300) / "b", "300 characters"),
    "the kernel's": (lambda there: Path("/proc/x"), "/proc"),
    "a device": (lambda there: Path("/dev/null"), "no folder"),
}


@pytest.fixture
def there(tmp_path: Path) -> Path:
    (tmp_path / "afile").touch()
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "linked").symlink_to("afile")
    return tmp_path


@pytest.mark.parametrize("kind", UNUSABLE)
def test_an_unusable_folder_is_told_why(there: Path, kind: str) -> None:
    folder, said = UNUSABLE[kind]
    before = sorted(there.rglob("*"))
    assert said in unusable(folder(there))
    assert sorted(there.rglob("*")) == before


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_what_the_system_says_is_handed_on(there: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(*((os, "fsync") if number == errno.ENOSPC else (tempfile, "TemporaryFile")), fail)
    assert os.strerror(number) in unusable(there / "runs")


@pytest.mark.parametrize("name", [".", "runs", "a/b/c", "d" * 255, "über alles/läufe", "a=b, c"])
def test_a_usable_one_is_only_looked_at(there: Path, name: str) -> None:
    before = sorted(there.rglob("*"))
    assert unusable(there / name) == ""
    assert sorted(there.rglob("*")) == before
