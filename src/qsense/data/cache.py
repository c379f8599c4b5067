"""Prepared arrays on disk: written atomically, checked when read, memory-mapped.

Open it when a cache is stale or damaged, or to prepare a new kind of data.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import logging
import os
import re
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qsense.data.dataset import SensorDataset
from qsense.data.errors import DataError

log = logging.getLogger(__name__)

# Raise it whenever the same source would be prepared differently: older entries are then no longer found.
SCHEMA = 1

Arrays = dict[str, npt.NDArray[Any]]


def default_folder() -> str:
    """Where what is prepared lies, as the YAMLs say, for data that prepare nothing but their checksums."""
    return os.environ.get("QSENSE_CACHE") or "~/.cache/qsense"


def digest(*parts: object) -> str:
    """SHA-256 (hex) over the JSON text of `parts`.

    >>> digest("a", 1)[:8]
    '2657442b'
    """
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def readable(name: str) -> str:
    """The part of an entry's name that people read: of a data set's name, what stays in the cache's folder.

    >>> readable("SBHAR"), readable("synthetic IMU"), readable("../../etc")
    ('sbhar', 'synthetic imu', '_.._etc')
    """
    return re.sub(r"[^\w .()+-]", "_", name.lower()).strip(". ")[:60]


def file_digest(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes, read once as long as neither its size nor its time changes."""
    facts = path.stat()
    return _file_digest(path.resolve(), facts.st_size, facts.st_mtime_ns)


@functools.lru_cache(maxsize=1024)
def _file_digest(path: Path, size: int, mtime_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(dataset: SensorDataset, folder: Path) -> str:
    """`dataset.fingerprint()`, remembered in `folder` as long as no source file changes its size or time.

    Hashing a gigabyte of text at the start of each of many short runs would cost more than reading the prepared arrays.
    A folder that cannot be written costs this time again and nothing else.
    """
    files = dataset.sources()
    if not files:
        return dataset.fingerprint()
    stats = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    facts = [
        getattr(dataset, name, None)
        for name in ("classes", "axes", "rate_hz", "num_subjects", "signal", "settings", "reading")
    ]
    memo = folder / "fingerprints" / digest(SCHEMA, type(dataset).__qualname__, facts, stats)
    with _best_effort("read", memo):
        if memo.is_file() and len(known := memo.read_text()) == 64:
            return known
    found = dataset.fingerprint()
    with _best_effort("written", memo):
        memo.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=memo.parent, delete=False) as file:
            file.write(found)
        Path(file.name).replace(memo)
    return found


@contextlib.contextmanager
def _best_effort(what: str, memo: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        log.debug("The fingerprint %s could not be %s: %s", memo, what, error)


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

    Raises:
        DataError: there is no such entry, and the folder cannot be written; known before anything is built.
    """
    entry = folder / key
    with _usable(folder):
        arrays = _load(entry)
    if arrays is not None:
        return arrays
    with _usable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{key}-", dir=folder))
    try:
        fresh = build()
        with _usable(folder):
            _store(temporary, entry, fresh)
            arrays = _load(entry)
            if arrays is None:
                raise OSError("what was written cannot be read back")
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return arrays


@contextlib.contextmanager
def _usable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            f"the cache {folder} cannot be used ({error}): make room or make it writable, or choose another with "
            f"data.cache=FOLDER or QSENSE_CACHE=FOLDER"
        ) from error


def _store(temporary: Path, entry: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    index = {}
    for name, array in arrays.items():
        array = np.ascontiguousarray(array)
        np.save(temporary / f"{name}.npy", array)
        index[name] = {"shape": array.shape, "dtype": array.dtype.str, "crc32": zlib.crc32(array.data)}
    (temporary / "index.json").write_text(json.dumps(index))
    temporary.chmod(0o755)
    try:
        temporary.rename(entry)
    except OSError:  # another process was faster, or it cannot be written
        if _load(entry) is None:
            raise


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
        aside = Path(tempfile.mkdtemp(prefix=f".{entry.name}-damaged-", dir=entry.parent))
        with contextlib.suppress(OSError):  # another process may be faster
            entry.rename(aside / "entry")
        shutil.rmtree(aside, ignore_errors=True)
        return None
