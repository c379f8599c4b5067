"""The raw files of a folder by the names that annotations call them, which are often those of their JPEGs.

Open it when a raw file is not found, or another is taken for it.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path, PurePosixPath

from qsense.data.errors import DataError
from qsense.data.frames.annotations.pictures import find_file, possible_paths
from qsense.data.frames.annotations.values import printable
from qsense.data.frames.files.headless import Layout
from qsense.data.frames.files.mosaic_files import CAMERAS, HEADLESS, PICTURES


class RawFolder:
    """Finds raw files: the file of that name if it is raw, else the one raw file of that name with another ending.

    A name without a folder may lie in any folder below.

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
            stem = str(PurePosixPath(path).with_suffix(""))
            found = self._by_path.get(stem) or ([] if "/" in path else self._by_name.get(stem, []))
            if len(found) > 1:
                endings = {file.suffix.lower() for file in found}
                names = ", ".join(file.relative_to(self.folder).as_posix() for file in found)
                key = "extension" if len(endings) == len(found) else "images"
                raise DataError(
                    f"{self.folder} has several raw files for {printable(name)}: {printable(names)}. Say which with "
                    f"data.dataset.{key}=…"
                )
            if found:
                return found[0]
        return None

    def all(self) -> list[Path]:
        """Every raw file, sorted."""
        return sorted(file for files in self._by_path.values() for file in files)

    def _is_raw(self, name: str) -> bool:
        end = PurePosixPath(name).suffix.lower()
        if self.extension is not None:
            return end == self.extension
        return end in (*CAMERAS, *PICTURES) or (self.layout is not None and end in HEADLESS)

    @cached_property
    def _by_path(self) -> dict[str, list[Path]]:
        """Raw files by their path below the folder without its ending."""
        found: dict[str, list[Path]] = {}
        for file in sorted(self.folder.rglob("[!.]*")):
            if self._is_raw(file.name) and file.is_file():
                found.setdefault(file.relative_to(self.folder).with_suffix("").as_posix(), []).append(file)
        return found

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        """Raw files by their name without its ending."""
        found: dict[str, list[Path]] = {}
        for files in self._by_path.values():
            for file in files:
                found.setdefault(file.stem, []).append(file)
        return found
