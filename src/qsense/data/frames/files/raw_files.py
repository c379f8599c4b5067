"""Camera raw files: decoded to integer codes, with the levels and the pattern that they state.

Open it when a camera's raw file is decoded wrongly or refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import rawpy

from qsense.data.errors import DataError
from qsense.data.frames.files.cfa import is_bayer, mosaic_name
from qsense.data.frames.files.tiff_tags import stated_mosaic
from qsense.data.frames.geometry.bayer import even, offsets, pack
from qsense.data.frames.geometry.stored_sizes import ShortSide, as_stored
from qsense.data.frames.storing.plane_cache import Codes, Planes
from qsense.signal import BAYER

Image = Literal["planes", "demosaicked", "srgb"]
BITS: dict[str, int] = {"demosaicked": 16, "srgb": 8}  # of what LibRaw computes; planes have those of the sensor
EXIF = (1, 2, 4, 3, 5, 8, 6, 7)  # number of each of LibRaw's flips: 1 mirrors, 2 turns upside down, 4 transposes


@dataclass(frozen=True, eq=False)
class Mosaic:
    """What a camera stored.

    Args:
        codes: raw counts [H, W]; of a camera's file those of the visible area, both even, unless asked for otherwise.
        pattern: colours of its top left cell, row by row.
        black: levels of red, green 1, green 2 and blue, in counts.
        white: level at which the sensor saturates, in counts.
        gains: the camera's white balance: what red, green 1, green 2 and blue are multiplied by; None if not stated.
    """

    codes: npt.NDArray[Any]
    pattern: str
    black: tuple[int, int, int, int]
    white: int
    gains: tuple[float, float, float, float] | None


def read_mosaic(file: Path, borders: bool = False, cells: bool = True) -> Mosaic:
    """The mosaic of a camera raw file that LibRaw knows (NEF, DNG, KDC, …), of any of the four Bayer patterns.

    Args:
        file: camera raw file.
        borders: with the rows and columns around the visible area, which are masked or spoilt.
        cells: without a last row or column that completes no cell of the pattern.

    Raises:
        DataError: unreadable, truncated, of an unknown kind, or no Bayer mosaic; the file is named.
    """
    with _opened(file) as raw:
        if raw.raw_type != rawpy.RawType.Flat or raw.raw_pattern is None:
            raise DataError(f"{file} is no Bayer mosaic: its sensor or its kind of raw file is not supported")
        names = raw.color_desc.decode("ascii", errors="replace")
        stated = stated_mosaic(file) or ["".join(names[i : i + 1] or "?" for i in row) for row in raw.raw_pattern]
        top, left = (0, 0) if borders else (raw.sizes.top_margin, raw.sizes.left_margin)
        cell = np.array([[raw.raw_color(top + row, left + column) for column in (0, 1)] for row in (0, 1)])
        pattern = "".join(names[index] for index in cell.ravel())
        if not is_bayer(stated) or pattern not in BAYER:
            raise DataError(
                f"{file} has the colours {mosaic_name(stated)}, which is no Bayer pattern ({', '.join(BAYER)}): its "
                "sensor is not supported"
            )
        colours = [int(cell[place]) for place in offsets(pattern)]
        black = [int(raw.black_level_per_channel[colour]) for colour in colours]
        counts = raw.raw_image if borders else raw.raw_image_visible
        codes = (even(counts) if cells else counts).copy()  # LibRaw's own memory is freed when the file is closed
        white = int(raw.white_level)
        balance = raw.camera_whitebalance
    red, green, blue = (float(balance[names.index(colour)]) for colour in "RGB")
    gains = (red / green, 1.0, 1.0, blue / green) if min(red, green, blue) > 0 else None
    return Mosaic(codes, pattern, (black[0], black[1], black[2], black[3]), white, gains)


def camera_size(file: Path, borders: bool = False) -> tuple[tuple[int, int], int]:
    """Width and height of a camera raw file's mosaic as stored, and how it is turned to be seen (EXIF's number).

    Nothing is decoded.

    Args:
        file: camera raw file.
        borders: as in `read_mosaic`.

    Raises:
        DataError: unreadable, or of an unknown kind; the file is named.
    """
    with _opened(file) as raw:
        sizes = raw.sizes
    size = (sizes.raw_width, sizes.raw_height) if borders else (sizes.width, sizes.height)
    return size, EXIF[sizes.flip]


def demosaicked(file: Path, bits: int, subtract_black: bool = False, white_balance: bool = False) -> Codes:
    """LibRaw's interpolation without tone curve, colour matrix or automatic brightness: uint16 [3, H, W].

    Args:
        file: camera raw file.
        bits: of the sensor; the count 2^bits − 1 becomes 65535.
        subtract_black: take the camera's black level off first.
        white_balance: multiply by the camera's white balance.

    Raises:
        DataError: as `read_mosaic`.
    """
    options: dict[str, Any] = {} if subtract_black else {"user_black": 0}
    options |= {"use_camera_wb": True} if white_balance else {"user_wb": [1.0, 1.0, 1.0, 1.0]}
    with _opened(file) as raw:
        image = raw.postprocess(
            gamma=(1, 1),
            output_bps=16,
            output_color=rawpy.ColorSpace.raw,
            no_auto_bright=True,
            adjust_maximum_thr=0,  # else the image's own maximum would set the scale
            user_sat=(1 << bits) - 1,
            user_flip=0,
            **options,
        )
    return _planar(image)


def srgb(file: Path) -> Codes:
    """What rawpy's default image processing makes of a raw file: uint8 [3, H, W], not turned upright.

    Raises:
        DataError: as `read_mosaic`.
    """
    with _opened(file) as raw:
        image = raw.postprocess(user_flip=0)  # annotations are in the sensor's orientation
    return _planar(image)


def _planar(image: npt.NDArray[Any]) -> Codes:
    codes: Codes = np.ascontiguousarray(image.transpose(2, 0, 1))
    return codes


def corrected(planes: Codes, bits: int, black: Sequence[int] | None, gains: Sequence[float] | None) -> Codes:
    """Counts with the black level taken off and the white balance applied, each if given, within 0 … 2^bits − 1.

    A value below black becomes 0 and one beyond the range its end: no curve is asked for a power of less than nothing.

    Args:
        planes: uint16 [C, h, w].
        bits: of the sensor.
        black: level of each plane.
        gains: factor of each plane.

    >>> corrected(np.array([[[50, 4000]]], dtype=np.uint16), 12, black=[100], gains=[1.5]).tolist()
    [[[0, 4095]]]
    """
    if black is None and gains is None:
        return planes
    levels = np.reshape(black if black is not None else [0], (-1, 1, 1))
    factors = np.reshape(gains if gains is not None else [1.0], (-1, 1, 1))
    values = (planes.astype(np.int64) - levels) * factors
    found: Codes = np.clip(np.rint(values), 0, (1 << bits) - 1).astype(planes.dtype)
    return found


@dataclass(frozen=True)
class CameraConversion:
    """Makes frame i of a plane cache from camera raw file i (see `converting.convert`).

    Args:
        files: the raw files.
        size: height and width that every file's visible area must have.
        image: "planes" of the mosaic, "demosaicked" linear colours, or "srgb" of rawpy's default processing.
        bits: of the sensor.
        short_side: at which size they are stored, see `as_stored`.
        subtract_black: take the camera's black level off; without effect on srgb, which has it taken off.
        white_balance: apply the camera's white balance; likewise.
    """

    files: tuple[Path, ...]
    size: tuple[int, int]
    image: Image
    bits: int
    short_side: ShortSide
    subtract_black: bool
    white_balance: bool

    def __call__(self, index: int) -> Planes:
        file = self.files[index]
        mosaic = read_mosaic(file)
        if mosaic.codes.shape != self.size:
            seen, expected = (" × ".join(map(str, size)) for size in (mosaic.codes.shape, self.size))
            raise DataError(f"{file} has {seen} samples, but {expected} are expected: is it of another camera?")
        if (largest := int(mosaic.codes.max())) >= 1 << self.bits:
            raise DataError(f"{file} has the count {largest}, which is more than {self.bits} bits can hold")
        if self.white_balance and mosaic.gains is None:
            raise DataError(f"{file} states no white balance: set data.dataset.white_balance=false")
        if self.image == "srgb":
            codes = as_stored(srgb(file), self.short_side)
        elif self.image == "demosaicked":
            codes = as_stored(demosaicked(file, self.bits, self.subtract_black, self.white_balance), self.short_side)
        else:
            codes = corrected(
                as_stored(pack(mosaic.codes, mosaic.pattern), self.short_side),
                self.bits,
                mosaic.black if self.subtract_black else None,
                mosaic.gains if self.white_balance else None,
            )
        facts = {"pattern": mosaic.pattern, "black": mosaic.black, "white": mosaic.white, "gains": mosaic.gains}
        return Planes(codes, facts)


@contextmanager
def _opened(file: Path) -> Iterator[rawpy.RawPy]:
    """A raw file while it is decoded; what LibRaw complains of names the file."""
    try:
        with rawpy.imread(str(file)) as raw:
            yield raw
    except (rawpy.LibRawError, rawpy.NotSupportedError) as error:
        reason = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        raise DataError(
            f"{file} cannot be decoded ({reason}): it is missing, truncated, damaged or no raw file of a known camera"
        ) from error
