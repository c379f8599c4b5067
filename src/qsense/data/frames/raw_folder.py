"""The raw files of a folder by the names that annotations call them, which are often those of their JPEGs.

Open it when a raw file is not found, or another is taken for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath

from qsense.data.errors import DataError
from qsense.data.frames.annotations.pictures import find_file, possible_paths
from qsense.data.frames.headless import Layout
from qsense.data.frames.mosaic_files import CAMERAS, PICTURES


class RawFolder:
    """Finds raw files: the file of that name if it is raw, else the one raw file of that name with another ending.

    Args:
        folder: where they are, in folders of any depth.
        extension: what raw files' names end in, in small or capital letters; None: all kinds that can be read.
        layout: of headless files (`.raw`, `.bin`); None: there are none.
    """

    def __init__(self, folder: Path, extension: str | None = None, layout: Layout | None = None) -> None:
        self.folder = folder
        self.extension = None if extension is None else f".{extension.lower().lstrip('.')}"
        self.layout = layout

    def __call__(self, name: str) -> Path | None:
        """The raw file of a name, or None.

        Args:
            name: as annotations write it, maybe a path or with the ending of a picture.

        Raises:
            DataError: there are several, or the name leads out of the folder.
        """
        exact = find_file(self.folder, name)
        if exact is not None and self._is_raw(exact.name):
            return exact
        for path in possible_paths(self.folder, name):
            found = self._by_stem.get(str(PurePosixPath(path).with_suffix("")), [])
            if len(found) > 1:
                kinds = ", ".join(file.name for file in found)
                raise DataError(
                    f"{self.folder} has several raw files for {name}: {kinds}. Say which with "
                    f"data.dataset.extension={found[0].suffix.lstrip('.').lower()}"
                )
            if found:
                return found[0]
        return None

    def all(self) -> Iterator[Path]:
        """Every raw file, sorted."""
        yield from (file for files in self._by_stem.values() for file in files)

    def _is_raw(self, name: str) -> bool:
        end = PurePosixPath(name).suffix.lower()
        if self.extension is not None:
            return end == self.extension
        return end in (*CAMERAS, *PICTURES) or (self.layout is not None and end in (".raw", ".bin"))

    @cached_property
    def _by_stem(self) -> dict[str, list[Path]]:
        """Raw files by their path below the folder without its ending."""
        found: dict[str, list[Path]] = {}
        for file in sorted(self.folder.rglob("[!.]*")):
            if self._is_raw(file.name) and file.is_file():
                found.setdefault(file.relative_to(self.folder).with_suffix("").as_posix(), []).append(file)
        return found


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
