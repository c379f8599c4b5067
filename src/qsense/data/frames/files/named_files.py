"""The files of a folder by their names, where a name alone tells what belongs together.

Open it when a raw file or an annotation in a folder of its own is not found.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qsense.data.errors import DataError


def files_by_name(folder: Path, suffixes: Sequence[str]) -> dict[str, Path]:
    """All files of these kinds, but hidden ones, below a folder by name without suffix, sorted.

    Raises:
        DataError: two files of one name.
    """
    found: dict[str, Path] = {}
    for file in sorted(path for path in folder.rglob("[!.]*") if path.suffix.lower() in suffixes):
        if file.stem in found:
            raise DataError(f"{file} and {found[file.stem]} have the same name: a frame is known by it, so remove one")
        found[file.stem] = file
    return found
