"""The headers of many raw files, looked at once and remembered as long as no file changes its size or time.

Open it when a set of many raw files takes long to start, or a changed file is not noticed.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from qsense.data.cache import digest
from qsense.data.errors import DataError
from qsense.data.frames.files.mosaic_files import Header, RawFormat, look_at
from qsense.data.frames.files.tiff_tags import StatedSource
from qsense.data.frames.storing.plane_cache import stamp
from qsense.runs.folder import write_bytes_atomically

FEW = 200  # files that are looked at faster than a memo is worth
VERSION = 1  # raise it whenever a header says something else of the same file


def headers_of(files: Sequence[tuple[Path, RawFormat]], folder: Path) -> tuple[list[Header], list[str]]:
    """The headers of raw files in order, and what is wrong with those that cannot be read, which have none.

    Args:
        files: each with what is stated about it.
        folder: where headers of many files are remembered; one that cannot be written costs the time again.
    """
    memo = folder / "raw_headers" / f"{digest(VERSION, sorted(str(file.resolve()) for file, _ in files))}.json"
    known = _read(memo) if len(files) > FEW else {}
    found: list[Header] = []
    wrong, fresh = [], {}
    for file, stated in files:
        try:
            key = digest(str(file), stamp(file), stated.area, None if stated.layout is None else asdict(stated.layout))
            header = known.get(key) or look_at(file, stated)
        except DataError as error:
            wrong.append(str(error))
            continue
        fresh[key] = header
        found.append(header)
    if len(files) > FEW and fresh.keys() - known.keys():
        with contextlib.suppress(OSError):
            memo.parent.mkdir(parents=True, exist_ok=True)
            write_bytes_atomically(memo, json.dumps({key: asdict(header) for key, header in fresh.items()}).encode())
    return found, wrong


def _read(memo: Path) -> dict[str, Header]:
    """What is remembered; nothing where the memo is missing or damaged."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        content: dict[str, Any] = json.loads(memo.read_bytes())
        return {
            key: Header(**{**facts, "size": tuple(facts["size"]), "source": StatedSource(*facts["source"])})
            for key, facts in content.items()
        }
    return {}
