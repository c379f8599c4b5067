"""Small files of people's folders, read so that no one of them ends, hangs or fills the program that reads it."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

LARGEST = 4 << 20  # bytes; files of a run that are not its result have thousands


def read_text(file: Path | str, largest: int = LARGEST, errors: str = "strict") -> str:
    """A regular file's text.

    Args:
        file: which; a pipe or a device is refused and not waited for.
        largest: bytes that such a file may have.
        errors: what becomes of bytes that are not UTF-8, as in `bytes.decode`.

    Raises:
        OSError: it is not there, may not be read, or is no regular file.
        ValueError: it is larger, or not UTF-8.
    """
    with open(file, "rb", opener=_without_waiting) as opened:  # closes it, of a folder, too
        facts = os.fstat(opened.fileno())
        if not stat.S_ISREG(facts.st_mode):
            raise OSError("no regular file")
        if facts.st_size > largest:
            raise ValueError(f"{facts.st_size / 1e6:.0f} MB, at most {largest / 1e6:.0f} MB are read")
        try:
            return opened.read(largest + 1).decode(errors=errors)
        except UnicodeDecodeError as error:
            raise ValueError(f"not UTF-8, from byte {error.start} on") from error


def _without_waiting(file: str, flags: int) -> int:
    return os.open(file, flags | getattr(os, "O_NONBLOCK", 0))


def read_json(file: Path | str, largest: int = LARGEST) -> Any:
    """A regular file's JSON.

    Raises:
        OSError: as `read_text`.
        ValueError: as `read_text`; or it is no JSON, or nested too deeply.
    """
    text = read_text(file, largest)
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except ValueError as error:
        raise ValueError(f"no JSON: {error}" if text else "empty") from error
