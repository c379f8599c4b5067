"""One raw file → the codes of its frame: the annotated part, upright, in planes, left-aligned to one width.

Open it when codes of a raw file are wrong though its counts are right.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from qsense.data.errors import DataError
from qsense.data.frames.files.mosaic_files import RawFormat, read_counts
from qsense.data.frames.files.raw_files import Mosaic, corrected
from qsense.data.frames.geometry.bayer import even, offsets, pack
from qsense.data.frames.geometry.placing import Place
from qsense.data.frames.geometry.stored_sizes import ShortSide, as_stored
from qsense.data.frames.storing.plane_cache import Codes, Planes
from qsense.data.photos import SIDEWAYS

T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True)
class RawSource:
    """One frame's file and how its counts become the frame's codes.

    Args:
        file: the raw file.
        stated: what is stated about it.
        orientation: EXIF's number of how it is turned.
        place: the annotated part of it, once turned.
        bits: of its counts.
    """

    file: Path
    stated: RawFormat
    orientation: int
    place: Place
    bits: int

    def mosaic(self) -> Mosaic:
        """The annotated part, upright, as the sensor's counts.

        Raises:
            DataError: the file cannot be read, or does not have these bits.
        """
        whole = read_counts(self.file, self.stated)
        if self.stated.clip:
            whole = replace(whole, codes=np.minimum(whole.codes, whole.codes.dtype.type((1 << self.bits) - 1)))
        if (largest := int(whole.codes.max())) >= 1 << self.bits:
            raise DataError(
                f"{self.file} has the count {largest}, which is more than {self.bits} bits can hold: set "
                f"data.dataset.native_bits={largest.bit_length()} or more"
            )
        if self.stated.stated_bits is None and whole.white.bit_length() != self.bits:
            raise DataError(
                f"{self.file} has the white level {whole.white}, other files of its kind one of {self.bits} bits: set "
                "data.dataset.native_bits"
            )
        return part_of(whole, self.orientation, self.place)


@dataclass(frozen=True)
class RawConversion:
    """Makes frame i of a plane cache from raw file i (see `converting.convert`).

    Args:
        sources: the raw files and how to read them.
        bits: of the codes: counts of fewer bits are shifted to the left, which can be undone exactly.
        short_side: at which size they are stored, see `as_stored`.
        subtract_black: take each frame's black level off, in counts, before the shift.
    """

    sources: tuple[RawSource, ...]
    bits: int
    short_side: ShortSide
    subtract_black: bool

    def __call__(self, index: int) -> Planes:
        source = self.sources[index]
        mosaic = source.mosaic()
        planes = as_stored(pack(mosaic.codes, mosaic.pattern), self.short_side)
        planes = corrected(planes, source.bits, mosaic.black if self.subtract_black else None, None)
        facts = {
            "pattern": mosaic.pattern,
            "black": mosaic.black,
            "white": mosaic.white,
            "gains": mosaic.gains,
            "bits": source.bits,
        }
        return Planes(left_aligned(planes, source.bits, self.bits), facts)


def part_of(mosaic: Mosaic, orientation: int, place: Place) -> Mosaic:
    """The annotated part of a mosaic, upright, in whole cells; pattern and black levels are those of its top left cell.

    Args:
        mosaic: as stored.
        orientation: EXIF's number of how to turn it.
        place: the part, once turned.
    """
    height, width = mosaic.codes.shape
    # A mosaic of two or three rows and columns that ends as the large one does is turned and cut as that is.
    places = np.arange(4).reshape(2, 2)
    tile = turned(np.tile(places, (2, 2))[: 2 + height % 2, : 2 + width % 2], orientation)
    cell = np.roll(tile[:2, :2], (-place.top, -place.left), axis=(0, 1)).ravel()
    pattern = "".join(mosaic.pattern[index] for index in cell)
    of_place = dict(zip((2 * row + column for row, column in offsets(mosaic.pattern)), mosaic.black, strict=True))
    black = [of_place[int(cell[2 * row + column])] for row, column in offsets(pattern)]
    upright: npt.NDArray[Any] = turned(mosaic.codes, orientation)
    codes = even(upright[place.top : place.top + place.height, place.left : place.left + place.width])
    return replace(mosaic, codes=codes, pattern=pattern, black=(black[0], black[1], black[2], black[3]))


def turned(array: npt.NDArray[T], orientation: int) -> npt.NDArray[T]:
    """An array [H, W] turned as EXIF's number says (a view).

    >>> turned(np.array([[1, 2], [3, 4]]), 6).tolist()
    [[3, 1], [4, 2]]
    """
    if orientation in SIDEWAYS:
        array = array.T
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return array


def left_aligned(codes: Codes, bits: int, width: int) -> Codes:
    """Codes of `bits` bits as the upper ones of `width` bits: c · 2^(width − bits), in the smallest type for these.

    >>> left_aligned(np.array([0, 4095], dtype=np.uint16), 12, 14).tolist()
    [0, 16380]
    """
    wide = np.min_scalar_type((1 << width) - 1)
    aligned: Codes = np.left_shift(codes.astype(wide), width - bits, dtype=wide)
    return aligned
