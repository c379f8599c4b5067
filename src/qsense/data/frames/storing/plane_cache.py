"""Converted frames in a folder: a file for each, memory-mapped, and a manifest that says what each was made from.

Open it when a converted frame is stale or damaged.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from qsense.data.errors import DataError

log = logging.getLogger(__name__)

Codes = npt.NDArray[np.uint8] | npt.NDArray[np.uint16] | npt.NDArray[np.uint32]
MANIFEST = "manifest.jsonl"
CHEAP = 256 << 20  # bytes: caches up to this size are read and compared with their checksums when opened


@dataclass(frozen=True, eq=False)
class Planes:
    """What a conversion makes of one frame.

    Args:
        codes: native codes [C, h, w], uint8, uint16 or uint32.
        facts: what is worth knowing about the frame, for the manifest: black and white level, pattern, …; plain JSON.
    """

    codes: Codes
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Record:
    """A line of the manifest: one converted frame.

    Args:
        name: the frame's.
        stamp: what it was made from.
        shape: [C, h, w].
        dtype: of its codes, in NumPy's words.
        size: bytes of its file.
        crc32: of its codes.
        facts: see `Planes`.
    """

    name: str
    stamp: str
    shape: tuple[int, ...]
    dtype: str
    size: int
    crc32: int
    facts: dict[str, Any]


class PlaneCache:
    """Converted frames by name, each memory-mapped when it is asked for: processes side by side share one copy.

    Args:
        folder: where they are.
        records: the manifest.

    Raises:
        DataError: when a frame is asked for, its file is no longer there.
    """

    def __init__(self, folder: Path, records: Mapping[str, Record]) -> None:
        self.folder = folder
        self.records = records

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, name: str) -> Codes:
        file, record = _file(self.folder, name), self.records[name]
        dtype = np.dtype(record.dtype)
        header = record.size - math.prod(record.shape) * dtype.itemsize
        try:  # np.load would read the header once more, which takes as long as reading a small frame
            codes: Codes = np.memmap(file, dtype, "r", header, record.shape)
        except (OSError, ValueError) as error:
            raise DataError(f"{file} cannot be read ({error}): start again, and it is converted anew") from error
        return codes

    def facts(self, name: str) -> dict[str, Any]:
        """What was noted about a frame while it was converted."""
        return self.records[name].facts


def stamp(file: Path) -> str:
    """What a conversion of this file depends on: its size and time, because hashing a hundred gigabytes takes an hour.

    Raises:
        DataError: there is no such file.
    """
    try:
        facts = file.stat()
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}") from error
    return f"{facts.st_size} bytes, {facts.st_mtime_ns} ns"


def _file(folder: Path, name: str) -> Path:
    return folder / f"{quote(name, safe='')}.npy"


def write(folder: Path, name: str, stamp: str, planes: Planes) -> Record:
    """Store a frame: its file appears complete or not at all. The record is for the manifest, see `journal`.

    Args:
        folder: of the cache.
        name: the frame's.
        stamp: what it was made from.
        planes: what was made.
    """
    codes = np.ascontiguousarray(planes.codes)
    file = _file(folder, name)
    part = file.with_name(f".{os.getpid()}-{file.name}.part")
    with part.open("wb") as target:
        np.save(target, codes)
    part.replace(file)
    checksum = zlib.crc32(codes.data)
    return Record(name, stamp, codes.shape, codes.dtype.str, file.stat().st_size, checksum, dict(planes.facts))


def intact(folder: Path, stamps: Mapping[str, str]) -> dict[str, Record]:
    """The manifest's records of frames that are there, complete, and made from what their stamp says."""
    records = {name: record for name, record in _manifest(folder).items() if stamps.get(name) == record.stamp}
    for name, record in list(records.items()):
        with contextlib.suppress(OSError):
            if _file(folder, name).stat().st_size == record.size:
                continue
        del records[name]
        log.warning("%s is incomplete or missing and is converted again.", _file(folder, name))
    if sum(record.size for record in records.values()) <= CHEAP:
        for name, record in list(records.items()):
            if not _undamaged(_file(folder, name), record):
                del records[name]
                log.warning("%s is damaged and is converted again.", _file(folder, name))
    return records


def _undamaged(file: Path, record: Record) -> bool:
    try:
        codes = np.load(file, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return False
    facts = (codes.shape, codes.dtype.str, zlib.crc32(codes.data))
    return facts == (record.shape, record.dtype, record.crc32)


def _manifest(folder: Path) -> dict[str, Record]:
    """All records, the latest of each name; a line that broke off counts as never written."""
    try:
        lines = (folder / MANIFEST).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    found = {}
    for line in lines:
        with contextlib.suppress(ValueError, TypeError, KeyError):
            facts = json.loads(line)
            found[facts["name"]] = Record(**{**facts, "shape": tuple(facts["shape"])})
    return found


@contextlib.contextmanager
def journal(folder: Path, stamps: Mapping[str, str]) -> Iterator[Callable[[Record], None]]:
    """Add records to the manifest, each at once; first its broken and outdated lines are dropped."""
    kept = [record for record in _manifest(folder).values() if stamps.get(record.name, record.stamp) == record.stamp]
    fresh = folder / f".{MANIFEST}.part"
    with fresh.open("w", encoding="utf-8") as file:

        def note(record: Record) -> None:
            file.write(json.dumps(asdict(record)) + "\n")
            file.flush()

        for record in kept:
            note(record)
        fresh.replace(folder / MANIFEST)  # the open file keeps its place
        yield note
