"""Raw files under their annotations: how each is turned, and which part of it was annotated.

Open it when raw files are refused because they do not fit their annotations.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qsense.data.errors import DataError, listed
from qsense.data.frames.annotations.pictures import Picture
from qsense.data.frames.files.mosaic_files import Header
from qsense.data.frames.geometry.placing import Crop, Place, find_place
from qsense.data.frames.geometry.turning import find_turns, seen_size
from qsense.data.photos import Header as Shape

MISFITS = 5  # files that are named where they do not fit


def placed(
    name: str, pictures: Sequence[Picture], headers: Sequence[Header], crops: Sequence[Crop], orientation: str
) -> list[tuple[int, Place]]:
    """Every picture's turn, and its place in the turned raw frame.

    Args:
        name: the data set's.
        pictures: what was annotated.
        headers: what the raw file of each says.
        crops: which part of each was annotated.
        orientation: see `find_turns`.

    Raises:
        DataError: sizes that do not belong together.
    """
    shapes = [_shape(picture.width, picture.height) for picture in pictures]
    seen = tuple(Shape(_shape(*header.size), header.orientation) for header in headers)
    turning = find_turns([picture.file for picture in pictures], shapes, orientation, seen)
    turning.tell(name)
    found: list[tuple[int, Place]] = []
    wrong: dict[str, list[Path]] = {}
    for picture, header, crop, turn in zip(pictures, headers, crops, turning.turns, strict=True):
        size = seen_size(Shape(header.size, turn))
        try:
            found.append((turn, find_place(size, (picture.width, picture.height), crop)))
        except ValueError as error:
            wrong.setdefault(str(error), []).append(picture.file)
    if wrong:
        count = sum(map(len, wrong.values()))
        lines = (
            f"{files[0]}{f' and {len(files) - 1} more' * (len(files) > 1)}: {words}"
            for words, files in sorted(wrong.items(), key=lambda item: -len(item[1]))
        )
        raise DataError(
            f"{name}: {count} of {len(pictures)} raw files do not fit their annotations:"
            + listed(lines, len(wrong), MISFITS)
        )
    return found


def _shape(width: int, height: int) -> tuple[int, int]:
    """Whether a picture is wide, high or square: what a turn by a quarter changes, whatever the margins.

    >>> _shape(60, 40), _shape(40, 60), _shape(50, 50)
    ((2, 1), (1, 2), (1, 1))
    """
    return (2, 1) if width > height else (1, 2) if width < height else (1, 1)
