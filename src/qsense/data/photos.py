"""Decode image files: of any depth, turned as they are seen, transparent or not, to 8 bits of grey or three colours.

Open it when an image file is refused, or comes out too dark, too bright or turned.
"""

from __future__ import annotations

import importlib
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from PIL import Image, __version__

from qsense.data.depth import DEEP, eight_bits, opaque
from qsense.data.errors import DataError

log = logging.getLogger(__name__)

ORIENTATION = 0x0112  # EXIF's tag
WAYS = Image.Transpose
TURNS = {  # EXIF's number → how a stored picture is turned to be seen
    2: WAYS.FLIP_LEFT_RIGHT,
    3: WAYS.ROTATE_180,
    4: WAYS.FLIP_TOP_BOTTOM,
    5: WAYS.TRANSPOSE,
    6: WAYS.ROTATE_270,
    7: WAYS.TRANSVERSE,
    8: WAYS.ROTATE_90,
}
SIDEWAYS = (5, 6, 7, 8)  # these exchange width and height
# What Pillow names without decoding it, needs other programs for, or whose scale it does not read.
NOT_DECODED = {"BUFR", "EPS", "FITS", "GRIB", "HDF5", "IPTC", "MPEG", "WMF"}
SEVERAL_BY_DESIGN = {"MPO", "PSD"}  # the first picture is the whole one, further ones are previews and layers
TAIL = 64 << 10  # bytes: where a PNG keeps what comes behind its pixels
_told: set[str] = set()


class DamagedPhoto(DataError):
    """A file that holds no picture, or a part of one."""


class Header(NamedTuple):
    """What is known of a picture before it is decoded.

    Args:
        size: width and height as stored, in pixels.
        orientation: EXIF's number, 1 … 8; 1 is upright.
        deep: whether it has one channel of more than 8 bits.
        alpha: whether a part of it may be transparent.
    """

    size: tuple[int, int]
    orientation: int = 1
    deep: bool = False
    alpha: bool = False

    def otherwise(self, turn: int, full_scale: float | None) -> list[object]:
        """In what its reading may differ from Pillow's own: as stored, cut off at 255, transparency dropped.

        Nothing for nearly all pictures. What was made of a picture depends on it, beside its bytes.

        >>> Header((40, 30)).otherwise(1, None), Header((40, 30), 6, deep=True).otherwise(6, 4095)
        ([], ['turned', 6, 'deep', 4095])
        """
        turned = ["turned", turn] if turn != 1 else []
        return [*turned, *(["deep", full_scale] if self.deep else []), *(["alpha"] if self.alpha else [])]


@cache
def suffixes() -> frozenset[str]:
    """Ends of names of all pictures that can be read here, in small letters, each with its dot.

    With the package pillow-heif (`qsense[heic]`), HEIC is among them.

    >>> {".jpg", ".jfif", ".png", ".gif", ".bmp", ".tif", ".webp"} <= suffixes()
    True
    """
    if find_spec("pillow_heif") is not None:
        importlib.import_module("pillow_heif").register_heif_opener()
    known = Image.registered_extensions()
    return frozenset(end for end, kind in known.items() if kind in {*Image.OPEN, "MPO"} - NOT_DECODED)


def read_photo(
    file: Path | str, grey: bool = False, turn: int | None = None, full_scale: float | None = None
) -> Image.Image:
    """A picture of mode RGB, or L for grey: 8 bits per channel.

    Grey values of more than 8 bits are scaled by their full scale and rounded, never cut off: what their type or the
    file states (65535 for 16 bits, 4095 for a TIFF of 12, 1 for floating point), or `full_scale`. Of 16-bit colours,
    the upper 8 bits are taken. Transparent pixels are laid over white, as they are seen on a page. Of several pictures
    in a file the first is taken; a warning tells it once per process.

    Args:
        file: its path.
        grey: one channel and not three.
        turn: EXIF's number (1 … 8) of how to turn the stored picture; 1: not at all; None: as the file says. TIFF is
            turned by Pillow whatever is given.
        full_scale: value of white, for files of more than 8 bits of grey.

    Raises:
        DamagedPhoto: it cannot be read; the file is named.
        DataError: its values do not fit their full scale, or state none; file and range are named.
    """
    with _opened(file) as image:
        if full_scale is not None and ";16" in str(getattr(image, "tile", "")) and image.mode not in DEEP:
            raise DataError(
                f"{file} has colours of 16 bits, of which the upper 8 are read, so that "
                f"data.dataset.full_scale={full_scale:g} cannot be applied: store it at full scale, or as grey"
            )
        _tell_of_further_ones(file, image)
        with _damage(file):
            image.load()
        number = _stated_turn(image) if turn is None else turn
        plain = eight_bits(file, image, full_scale).convert("L" if grey else "RGB")
    return plain.transpose(TURNS[number]) if number in TURNS else plain


def look(file: Path | str) -> Header | None:
    """A picture's header; None where reading the file will tell what is wrong."""
    try:
        with _opened(file) as image:
            turn = _stated_turn(image) if _may_state_a_turn(file, image) else 1
            return Header(image.size, turn, image.mode in DEEP, image.has_transparency_data)
    except (DataError, OSError):
        return None


def read_otherwise(file: Path | str, header: Header | None, turn: int, full_scale: float | None) -> list[object]:
    """`Header.otherwise`, without alpha where a picture proves opaque, which is decoded for it."""
    words = [] if header is None else header.otherwise(turn, full_scale)
    if "alpha" in words:
        try:
            with _opened(file) as image, _damage(file):
                words = [word for word in words if word != "alpha" or not opaque(image)]
        except DataError:  # reading it will tell
            return []
    return words


def check_reading(orientation: str, full_scale: float | None) -> None:
    """Refuse arguments of a data set that no file can be read by.

    Raises:
        ValueError: the argument, its value and what is allowed.
    """
    if orientation not in ("exif", "stored"):
        raise ValueError(f"orientation={orientation!r} must be exif or stored")
    if full_scale is not None and not 0 < full_scale < float("inf"):
        raise ValueError(f"full_scale={full_scale} must be above 0, or null: what type or file state")


@contextmanager
def _opened(file: Path | str) -> Iterator[Image.Image]:
    suffixes()  # registers what further packages can read
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about metadata
        with _damage(file):
            image = Image.open(file)
        with image:
            if min(image.size) < 1:
                raise DamagedPhoto(f"{file} has {image.width} × {image.height} pixels: there is nothing to see")
            yield image


@contextmanager
def _damage(file: Path | str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # a damaged file can raise nearly anything
        raise DamagedPhoto(
            f"{file} cannot be read as an image ({error}): it is damaged, or of a kind that Pillow {__version__} does "
            "not read: fetch it again, or convert it"
        ) from error


def _stated_turn(image: Image.Image) -> int:
    """EXIF's number, 1 where there is none that makes sense; a PNG is decoded, as it may state it behind its pixels."""
    if image.format == "TIFF":  # Pillow turns it
        return 1
    try:
        number = image.getexif().get(ORIENTATION, 1)
    except Exception:  # as of a damaged file; the picture itself may be good
        return 1
    return number if number in TURNS else 1


def _may_state_a_turn(file: Path | str, image: Image.Image) -> bool:
    """Whether it is worth while to decode a PNG for its EXIF; other files state it in their headers."""
    if image.format != "PNG" or {"exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"} & set(image.info):
        return True
    with Path(file).open("rb") as stored:
        stored.seek(max(0, stored.seek(0, os.SEEK_END) - TAIL))
        end = stored.read()
    return b"eXIf" in end or b"rientation" in end


def _tell_of_further_ones(file: Path | str, image: Image.Image) -> None:
    if image.format in SEVERAL_BY_DESIGN or "several" in _told:
        return
    try:
        count = getattr(image, "n_frames", 1)
    except Exception:  # a damaged further one; the first may be good
        return
    if count > 1:
        _told.add("several")
        log.warning("%s holds %d pictures: the first is used, here and of other such files.", file, count)
