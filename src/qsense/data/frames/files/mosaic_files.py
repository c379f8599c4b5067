"""Files of raw mosaics of any kind: a camera's, headless numbers, or grey pictures of 16 bits.

Open it when a raw file is taken for another kind, or its bits, levels or pattern are read wrongly.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from PIL import Image

from qsense.data.errors import DataError
from qsense.data.frames.files.headless import Layout, read_headless
from qsense.data.frames.files.raw_files import Mosaic, camera_size, read_mosaic
from qsense.data.frames.files.tiff_tags import StatedSource, stated_source
from qsense.signal import BAYER

Kind = Literal["camera", "headless", "picture"]
Area = Literal["visible", "all"]
PICTURES = (".png", ".tif", ".tiff")
HEADLESS = (".raw", ".bin")
CAMERA_HEADS = (b"II*\0", b"MM\0*", b"IIU\0")  # what a camera's `.raw` begins with: TIFF, and Panasonic's own
# Kinds of camera raw files, by what their names end in; LibRaw looks into them for what they are.
CAMERAS = (
    ".3fr", ".ari", ".arw", ".cap", ".cr2", ".cr3", ".crw", ".dcr", ".dcs", ".dng", ".drf", ".eip", ".erf", ".fff",
    ".gpr", ".iiq", ".k25", ".kdc", ".mdc", ".mef", ".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".ptx", ".pxn",
    ".raf", ".raw", ".rw2", ".rwl", ".rwz", ".sr2", ".srf", ".srw", ".x3f",
)  # fmt: skip
# Pillow's modes of one channel, and a type that holds their counts.
GREY = {"1": np.uint8, "L": np.uint8, "I;16": np.uint16, "I;16L": np.uint16, "I;16B": np.uint16, "I": np.uint32}


UNSTATED = StatedSource()


@dataclass(frozen=True)
class RawFormat:
    """What is stated about raw files, beside what they say themselves.

    Args:
        native_bits: of a count; None: as many as the white level has.
        black: level of red, green 1, green 2 and blue, or one for all, in counts; None: what the file says, 0 where it
            says nothing.
        white: level at which the sensor saturates, in counts; None: what the file says.
        pattern: colours of the top left cell, row by row; None: what the file says.
        layout: of files without header; None: there are none.
        area: "visible" or "all" of a camera's sensor: with the rows and columns around the picture.
        clip: take counts that `native_bits` cannot hold for the largest that they can, where it is known that there are
            some; else such a file is refused.

    Raises:
        ValueError: an argument out of its range.
    """

    native_bits: int | None = None
    black: int | tuple[int, int, int, int] | None = None
    white: int | None = None
    pattern: str | None = None
    layout: Layout | None = None
    area: Area = "visible"
    clip: bool = False

    def __post_init__(self) -> None:
        if self.native_bits is not None and not 2 <= self.native_bits <= 32:
            raise ValueError(f"native_bits={self.native_bits} must be from 2 to 32, or null: by the white level")
        if self.pattern is not None and self.pattern not in BAYER:
            raise ValueError(f"pattern={self.pattern!r} must be {', '.join(BAYER)}, or null: what the file says")
        if self.area not in get_args(Area):
            raise ValueError(f"area={self.area!r} must be {' or '.join(get_args(Area))}")
        levels = (self.black,) * 4 if isinstance(self.black, int) else self.black or (0,) * 4
        top = self.white if self.white is not None else 2**32 - 1
        if len(levels) != 4 or not all(0 <= level < top for level in levels) or not 0 < top < 2**32:
            raise ValueError(
                f"levels: black={self.black}, white={self.white}: counts with 0 ≤ black < white, black one number or "
                "four, of red, green 1, green 2 and blue"
            )

    @property
    def stated_bits(self) -> int | None:
        """Bits of a count where no file needs to be asked."""
        return self.native_bits or (self.white.bit_length() if self.white is not None else None)


@dataclass(frozen=True)
class Header:
    """What is known of a raw file before its counts are decoded.

    Args:
        kind: how it is read.
        size: width and height as stored, in samples.
        orientation: EXIF's number, 1 … 8; 1 is upright.
        source: camera, bits of a stored sample and white level, as far as they are stated.
    """

    kind: Kind
    size: tuple[int, int]
    orientation: int = 1
    source: StatedSource = UNSTATED


def kind_of(file: Path, layout: Layout | None) -> Kind:
    """How a file is read, by its name: `.raw` is headless where a layout is stated, else a camera's.

    >>> kind_of(Path("a.NEF"), None), kind_of(Path("a.png"), None), kind_of(Path("a.raw"), Layout(2, 2))
    ('camera', 'picture', 'headless')
    """
    end = file.suffix.lower()
    if end in PICTURES:
        return "picture"
    return "headless" if layout is not None and (end == ".raw" or end not in CAMERAS) else "camera"


def look_at(file: Path, stated: RawFormat) -> Header:
    """A raw file's header.

    Raises:
        DataError: unreadable, or of an unknown kind; the file is named.
    """
    kind = kind_of(file, stated.layout)
    if kind == "camera":
        _refuse_numbers(file)
        return Header(kind, *camera_size(file, borders=stated.area == "all"), stated_source(file))
    if kind == "headless":
        assert stated.layout is not None
        size = _bytes(file)
        if not stated.layout.fits(size):
            read_headless(file, stated.layout)  # refuses it, with the layouts that would fit
        return Header(kind, (stated.layout.width, stated.layout.height))
    with _grey(file) as picture:
        return Header(kind, picture.size)


def read_counts(file: Path, stated: RawFormat) -> Mosaic:
    """A file's mosaic, all of its rows and columns, with levels, pattern and gains: what is stated, else its own.

    Raises:
        DataError: unreadable, no Bayer mosaic, or without a pattern or levels that it should state; the file is named,
            and what to set.
    """
    kind = kind_of(file, stated.layout)
    if kind == "camera":
        _refuse_numbers(file)
        own = read_mosaic(file, borders=stated.area == "all", cells=False)
    else:
        if kind == "headless":
            assert stated.layout is not None
            own = Mosaic(read_headless(file, stated.layout), "", (0, 0, 0, 0), 0, None)
        else:
            with _grey(file) as picture:
                own = Mosaic(np.asarray(picture).astype(GREY[picture.mode]), "", (0, 0, 0, 0), 0, None)
        if stated.pattern is None:
            raise DataError(
                f"{file} states no pattern of its colours: set data.dataset.pattern to one of {', '.join(BAYER)}"
            )
    white = stated.white or own.white or (1 << (stated.native_bits or 0)) - 1
    if not white:
        raise DataError(
            f"{file} states no white level: set data.dataset.native_bits, or data.dataset.levels={{black: …, white: …}}"
        )
    black = own.black if stated.black is None else stated.black
    levels = (black,) * 4 if isinstance(black, int) else black
    pattern = stated.pattern or own.pattern
    return Mosaic(own.codes, pattern, (levels[0], levels[1], levels[2], levels[3]), white, own.gains)


def _bytes(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}") from error


def _refuse_numbers(file: Path) -> None:
    """Refuse a `.raw` file that states nothing: LibRaw would guess a camera by its size."""
    if file.suffix.lower() not in HEADLESS:
        return
    try:
        with file.open("rb") as stream:
            head = stream.read(4)
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}") from error
    if head not in CAMERA_HEADS:
        raise DataError(
            f"{file} has no header: state its layout with data.dataset.headless={{height: …, width: …}} (sample, "
            "packing, byte_order, stride), data.dataset.pattern and data.dataset.native_bits"
        )


@contextmanager
def _grey(file: Path) -> Iterator[Image.Image]:
    """A grey picture while it is read.

    Raises:
        DataError: it cannot be read, or has several channels.
    """
    try:
        with Image.open(file) as picture:
            if picture.mode not in GREY:
                raise DataError(
                    f"{file} is a picture of mode {picture.mode}, and a mosaic has one channel: set "
                    "data.dataset.extension to that of the raw files, such as nef"
                )
            yield picture
    except DataError:
        raise
    except Exception as error:  # a damaged file can raise nearly anything
        raise DataError(f"{file} cannot be read as a picture ({error}): is it damaged?") from error
