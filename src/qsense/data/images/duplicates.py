"""The same file in the training and in the test part, byte by byte.

Open it when a warning about images in both parts is wrong or takes long.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from qsense.data.cache import file_digest

PIECE = 4096  # bytes from a file's middle, which tell most files of equal size apart


def same_bytes(train: Iterable[str], test: Iterable[str]) -> list[tuple[str, str]]:
    """Files of the test part whose bytes are those of a training file, each with that one.

    Only files of equal size are looked into, and only those read in full whose middles agree.
    """
    trained, tested = _by_size(train), _by_size(test)
    found = []
    for size in sorted(trained.keys() & tested.keys()):
        alike = _by_middle(trained[size], size)
        for middle, files in _by_middle(tested[size], size).items():
            if middle in alike:
                twins = {file_digest(Path(file)): file for file in alike[middle]}
                seen = [(file, file_digest(Path(file))) for file in files]
                found += [(file, twins[digest]) for file, digest in seen if digest in twins]
    return sorted(found)


def _by_size(files: Iterable[str]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for file in files:
        try:
            size = Path(file).stat().st_size
        except OSError:  # told when it is its turn to be read
            continue
        if size:
            found.setdefault(size, []).append(str(file))
    return found


def _by_middle(files: Iterable[str], size: int) -> dict[bytes, list[str]]:
    found: dict[bytes, list[str]] = {}
    for file in files:
        try:
            with Path(file).open("rb") as content:
                content.seek(size // 2)
                found.setdefault(content.read(PIECE), []).append(file)
        except OSError:
            continue
    return found
