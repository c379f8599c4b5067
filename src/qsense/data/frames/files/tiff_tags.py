"""What a TIFF-like raw file (NEF, ARW, DNG, …) states by its tags: its mosaic, its camera, the depth of its counts.

Open it when a camera is not known by its name, or what LibRaw leaves out of a file is needed.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from PIL.TiffImagePlugin import ImageFileDirectory_v2

COLOURS = "RGBCMYW"  # by DNG's numbers
SUB_DIRECTORIES, REPEAT, PATTERN = 330, 33421, 33422  # tags
BITS, PHOTOMETRIC, MAKER, MODEL, WHITE = 258, 262, 271, 272, 50717
MOSAIC = 32803  # what the tag of photometry says
MOST = 64  # directories of a file


def stated_mosaic(file: Path) -> tuple[str, ...] | None:
    """The rows of the repeating cell that a raw file states ("RG", "GB"); None where it states none.

    LibRaw keeps only what fits its own tables, so that a cell of eight rows, or one with clear pixels, may come out as
    the Bayer pattern that it begins with.
    """
    try:
        with file.open("rb") as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about damaged metadata
            for directory in _directories(stream):
                repeat, pattern = directory.get(REPEAT), directory.get(PATTERN)
                if repeat is not None and pattern is not None and len(repeat) == 2:
                    rows, columns = map(int, repeat)
                    colours = "".join(COLOURS[int(code)] for code in pattern)
                    if rows and columns and len(colours) == rows * columns:
                        return tuple(colours[columns * row : columns * (row + 1)] for row in range(rows))
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, struct.error):
        return None  # what LibRaw makes of it counts
    return None


class StatedSource(NamedTuple):
    """Where a TIFF-like raw file comes from, as far as it states it.

    Args:
        camera: maker and model; empty where it states none.
        depth: bits of a stored sample.
        white: DNG's white level.
    """

    camera: str = ""
    depth: int | None = None
    white: int | None = None


def stated_source(file: Path) -> StatedSource:
    """What a raw file states of its camera and its counts, without decoding them."""
    camera, numbers = "", {}
    try:
        with file.open("rb") as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about damaged metadata
            for directory in _directories(stream):
                maker, model = (str(directory.get(tag, "")).strip("\0 ") for tag in (MAKER, MODEL))
                camera = camera or (model if model.startswith(maker) else f"{maker} {model}").strip()
                if directory.get(PHOTOMETRIC) == MOSAIC:
                    stated = {tag: directory.get(tag) for tag in (BITS, WHITE)}
                    numbers = {tag: v[0] if isinstance(v, tuple) else v for tag, v in stated.items() if v is not None}
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, struct.error):
        pass  # such files are told apart by their size alone
    depth, white = (int(numbers[tag]) if tag in numbers else None for tag in (BITS, WHITE))
    return StatedSource(camera, depth, white)


def _directories(stream: BinaryIO) -> Iterator[ImageFileDirectory_v2]:
    """All directories of a TIFF-like file: those in a row, and those below them."""
    header = stream.read(8)
    if header[:4] not in (b"II*\0", b"MM\0*"):
        return
    waiting, seen = [ImageFileDirectory_v2(header).next], set[int]()
    while waiting and len(seen) < MOST:
        offset = waiting.pop(0)
        if not offset or offset in seen:
            continue
        seen.add(offset)
        stream.seek(offset)
        directory = ImageFileDirectory_v2(header)
        directory.load(stream)
        yield directory
        below = directory.get(SUB_DIRECTORIES, ())
        waiting += [directory.next, *(below if isinstance(below, tuple) else (below,))]
