"""How photographs were turned when their boxes were drawn: by their EXIF and by the sizes that annotations state.

Open it when boxes lie beside their objects in photographs of a phone.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from qsense.data.photos import SIDEWAYS, Header, look

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Turning:
    """How every photograph is turned.

    Args:
        headers: what the files say; None for one that cannot be read.
        turns: EXIF's numbers, 1 for as stored.
        unproven: files whose turn their sizes do not prove.
    """

    headers: tuple[Header | None, ...]
    turns: tuple[int, ...]
    unproven: tuple[Path, ...]

    def tell(self, name: str) -> None:
        """Warn of turns that nothing proves, which `data.dataset.orientation` decides."""
        if self.unproven:
            log.warning(
                "%s: %d photographs are turned as their EXIF says, as annotation tools show them; their sizes do not "
                "prove it. First %s. If boxes lie beside their objects: data.dataset.orientation=stored.",
                name,
                len(self.unproven),
                self.unproven[0],
            )


def find_turns(
    files: Sequence[Path],
    sizes: Sequence[tuple[int, int]],
    orientation: str,
    headers: Sequence[Header | None] | None = None,
) -> Turning:
    """How each photograph is turned to be as it was annotated.

    Annotation tools draw photographs as their EXIF says, so this is taken, but for those of which the stated size fits
    only the stored picture. Where both sizes are the same, half a turn, a mirror or a square, the others of the set
    tell: if some are proven to be annotated as stored and none to be turned, these are as stored, too.

    Args:
        files: the photographs.
        sizes: width and height of each, as the annotations state.
        orientation: "exif", or "stored": nothing is turned.
        headers: what the files say; None: they are looked at.
    """
    headers = tuple(map(look, files)) if headers is None else tuple(headers)
    turns = [1] * len(files)
    open_ones = []
    proven = {"turned": 0, "stored": 0}
    for index, (header, size) in enumerate(zip(headers, sizes, strict=True)):
        if orientation == "stored" or header is None or header.orientation == 1:
            continue
        as_stored, as_seen = header.size == size, seen_size(header) == size
        if as_seen and as_stored:
            open_ones.append(index)
        elif as_seen or as_stored:
            proven["turned" if as_seen else "stored"] += 1
            turns[index] = header.orientation if as_seen else 1
    if proven["stored"] and not proven["turned"]:
        open_ones = []
    for index in open_ones:
        header = headers[index]
        turns[index] = 1 if header is None else header.orientation
    unproven = () if proven["turned"] and not proven["stored"] else tuple(files[index] for index in open_ones)
    return Turning(headers, tuple(turns), unproven)


def seen_size(header: Header) -> tuple[int, int]:
    """Width and height of a photograph when it is turned as it says.

    >>> seen_size(Header((40, 30), orientation=6)), seen_size(Header((40, 30), orientation=3))
    ((30, 40), (40, 30))
    """
    width, height = header.size
    return (height, width) if header.orientation in SIDEWAYS else (width, height)


def orientation_hint(file: Path, size: tuple[int, int]) -> str:
    """What to add where a photograph has another size than its annotations: its orientation, if it has one."""
    header = look(file)
    if header is None or header.orientation == 1:
        return ""
    if seen_size(header) == size:
        return f", unless it is turned as its EXIF orientation {header.orientation} says: data.dataset.orientation=exif"
    return f", and its EXIF orientation {header.orientation} does not make them fit"
