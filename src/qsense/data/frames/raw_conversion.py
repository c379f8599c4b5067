"""One raw file → the codes of its frame: the annotated part, in planes, left-aligned to one width.

Open it when codes of a raw file are wrong though its counts are right.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from qsense.data.errors import DataError
from qsense.data.frames.bayer import pack
from qsense.data.frames.files.mosaic_files import RawFormat, read_counts
from qsense.data.frames.files.raw_files import Mosaic, corrected
from qsense.data.frames.placing import Place, part_of
from qsense.data.frames.plane_cache import Codes, Planes
from qsense.data.frames.stored_sizes import ShortSide, as_stored


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


def left_aligned(codes: Codes, bits: int, width: int) -> Codes:
    """Codes of `bits` bits as the upper ones of `width` bits: c · 2^(width − bits), in the smallest type for these.

    >>> left_aligned(np.array([0, 4095], dtype=np.uint16), 12, 14).tolist()
    [0, 16380]
    """
    wide = np.min_scalar_type((1 << width) - 1)
    aligned: Codes = np.left_shift(codes.astype(wide), width - bits, dtype=wide)
    return aligned
