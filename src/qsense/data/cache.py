"""Prepared arrays on disk: written atomically, checked when read, memory-mapped."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import shutil
import tempfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qsense.data.recordings import ActivityDataset

log = logging.getLogger(__name__)

# Raise it whenever the same source would be prepared differently: older entries are then no longer found.
SCHEMA = 1

Arrays = dict[str, npt.NDArray[Any]]


def digest(*parts: object) -> str:
    """SHA-256 (hex) over the JSON text of `parts`.

    >>> digest("a", 1)[:8]
    '2657442b'
    """
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(dataset: ActivityDataset, folder: Path) -> str:
    """`dataset.fingerprint()`, remembered in `folder` as long as no source file changes its size or time.

    Hashing a gigabyte of text at the start of each of many short runs would cost more than reading the prepared arrays.
    """
    files = dataset.sources()
    if not files:
        return dataset.fingerprint()
    stats = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    facts = [dataset.classes, dataset.axes, dataset.rate_hz, dataset.num_subjects]
    memo = folder / "fingerprints" / digest(SCHEMA, type(dataset).__qualname__, facts, stats)
    if memo.is_file() and len(known := memo.read_text()) == 64:
        return known
    found = dataset.fingerprint()
    memo.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=memo.parent, delete=False) as file:
        file.write(found)
    Path(file.name).replace(memo)
    return found


def cached(folder: Path, key: str, build: Callable[[], Mapping[str, npt.NDArray[Any]]]) -> Arrays:
    """The arrays stored under `key` in `folder`, built first where they are missing or damaged.

    An entry is a folder of .npy files. It is written beside its place and renamed into it, so that a reader sees all of
    it or nothing; of two processes that build the same entry at once, the later one drops its copy.

    Args:
        folder: the cache.
        key: entry's name; it must change with everything the arrays depend on.
        build: makes the arrays.

    Returns:
        The arrays, read-only and memory-mapped: processes side by side share one copy in memory.
    """
    entry = folder / key
    arrays = _load(entry)
    if arrays is None:
        fresh = build()
        folder.mkdir(parents=True, exist_ok=True)
        _store(entry, fresh)
        arrays = _load(entry)
        if arrays is None:
            raise OSError(f"the cache entry {entry} cannot be read back right after it was written: is the disk full?")
    return arrays


def _store(entry: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    temporary = Path(tempfile.mkdtemp(prefix=f".{entry.name}-", dir=entry.parent))
    try:
        index = {}
        for name, array in arrays.items():
            array = np.ascontiguousarray(array)
            np.save(temporary / f"{name}.npy", array)
            index[name] = {"shape": array.shape, "dtype": array.dtype.str, "crc32": zlib.crc32(array.data)}
        (temporary / "index.json").write_text(json.dumps(index))
        temporary.chmod(0o755)
        try:
            temporary.rename(entry)
        except OSError:
            if _load(entry) is None:
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _load(entry: Path) -> Arrays | None:
    """The entry's arrays, or None where it is missing; a damaged entry is moved away and counts as missing."""
    if not entry.is_dir():
        return None
    try:
        arrays: Arrays = {}
        for name, facts in json.loads((entry / "index.json").read_text()).items():
            array = np.load(entry / f"{name}.npy", mmap_mode="r")
            seen = {"shape": list(array.shape), "dtype": array.dtype.str, "crc32": zlib.crc32(array.data)}
            if seen != facts:
                raise ValueError(f"{name}.npy is not what was written")
            arrays[name] = array
        return arrays
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        log.warning("The cache entry %s is damaged (%s) and is built again.", entry, error)
        grave = Path(tempfile.mkdtemp(prefix=f".{entry.name}-damaged-", dir=entry.parent))
        with contextlib.suppress(OSError):  # another process may be faster
            entry.rename(grave / "entry")
        shutil.rmtree(grave, ignore_errors=True)
        return None
