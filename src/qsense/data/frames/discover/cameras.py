"""The raw files of a folder by camera and depth, with the levels of one file of each.

Open it when `qsense data check` says something wrong about a camera.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from qsense.data.errors import DataError
from qsense.data.findings import counted
from qsense.data.frames.files.mosaic_files import Header, RawFormat, look_at, read_counts
from qsense.data.frames.files.raw_files import Mosaic
from qsense.runs.layout import FIXED, fixed

MOST_READ = 2000  # files whose headers are looked at, spread over all
MOST_DECODED = 8  # kinds of which a file is decoded
MOST_SIZES = 6  # in a line


@dataclass
class Kind:
    """Raw files that agree in camera, stored depth and white level, and in what the data set states about them.

    Args:
        camera: maker and model; empty where none is stated.
        stated: what the data set states.
        ending: of their names.
        files: all of them.
        sizes: how many have which width and height.
        turned: how many are to be turned to be seen upright.
        example: the first, decoded; None where it was not.
        trouble: why it cannot be decoded; empty where it can, or was not tried.
    """

    camera: str
    stated: RawFormat
    ending: str
    files: list[Path] = field(default_factory=list)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    turned: int = 0
    example: Mosaic | None = None
    trouble: str = ""

    def add(self, file: Path, header: Header) -> None:
        """Count a file in."""
        self.files.append(file)
        self.sizes[header.size] += 1
        self.turned += header.orientation != 1

    @property
    def words(self) -> str:
        """The kind in a line of a report."""
        parts = [f"{self.camera or 'camera not stated'}, {self.ending}: {counted(len(self.files), 'file')}"]
        parts.append(sizes_in_words(self.sizes))
        if self.turned:
            parts.append(f"{self.turned} turned")
        if self.example is not None:
            one = self.example
            black = " ".join(map(str, one.black if len(set(one.black)) > 1 else one.black[:1]))
            gains = "no" if one.gains is None else f"{one.gains[0]:.3g} / 1 / {one.gains[3]:.3g}"
            bits = one.white.bit_length()
            levels = [f"{bits} bits", one.pattern, f"black {black}", f"white {one.white}", f"white balance {gains}"]
            parts += map(fixed, levels)
        return ", ".join(parts)


def sizes_in_words(sizes: Counter[tuple[int, int]]) -> str:
    """Sizes with their counts, the most frequent first; no size is broken at the end of a line.

    >>> [sizes_in_words(Counter(sizes)).replace(FIXED, " ") for sizes in ({(6, 4): 3}, {(6, 4): 3, (4, 6): 1})]
    ['6 × 4', '6 × 4 (3), 4 × 6 (1)']
    """
    words = [fixed(f"{width} × {height} ({count})") for (width, height), count in sizes.most_common(MOST_SIZES)]
    if len(sizes) == 1:
        return words[0].partition(f"{FIXED}(")[0]
    return ", ".join(words) + (f" and {len(sizes) - MOST_SIZES} more" if len(sizes) > MOST_SIZES else "")


def one_in(files: int) -> int:
    """Of how many files one is looked at, where there are so many."""
    return max(1, files // MOST_READ)


def kinds_of(files: Sequence[tuple[Path, RawFormat]]) -> tuple[list[Kind], list[str]]:
    """The kinds of raw files, the most frequent first, and what is wrong with those that cannot be read.

    Args:
        files: raw files, each with what the data set states about it; of very many, some are looked at.
    """
    kinds: dict[object, Kind] = {}
    wrong = []
    for file, stated in files[:: one_in(len(files))]:
        try:
            header = look_at(file, stated)
        except DataError as error:
            wrong.append(str(error))
            continue
        ending = file.suffix.lstrip(".").upper()
        kind = Kind(header.source.camera, stated, ending)
        kinds.setdefault((header.source, stated, ending), kind).add(file, header)
    found = sorted(kinds.values(), key=lambda kind: -len(kind.files))
    for kind in found[:MOST_DECODED]:
        try:
            kind.example = read_counts(kind.files[0], kind.stated)
        except DataError as error:
            kind.trouble = str(error)
    return found, wrong
