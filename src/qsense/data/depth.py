"""Pictures of any depth as 8 bits: scaled by the value that means white, and refused where that is not known.

Open it when a picture comes out too dark or too bright, or is refused for its values.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from qsense.data.errors import DataError

DEEP = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")  # Pillow's modes of one channel with more than 8 bits
BITS, PHOTOMETRIC, SAMPLE_FORMAT = 258, 262, 339  # tags of TIFF


def eight_bits(file: Path | str, image: Image.Image, full_scale: float | None) -> Image.Image:
    """The picture in a mode of 8 bits that `convert` brings to RGB or L as it is seen.

    Args:
        file: where it is from, for messages.
        image: as Pillow decodes it.
        full_scale: value of white, for one channel of more than 8 bits; None: what its type or header states.

    Raises:
        DataError: values that do not fit their full scale, or that have none; colours or signs that are not converted.
    """
    if image.mode in DEEP:
        return _scaled(file, image, full_scale)
    if image.mode == "LAB":
        raise DataError(f"{file} has the colours L*a*b*, which are not converted here: store it as RGB")
    if image.mode == "L" and 2 in _tag(image, SAMPLE_FORMAT):
        raise DataError(f"{file} has signed values, −128 … 127: store them as 0 … 255")
    if image.mode == "La":
        image = image.convert("LA")
    if not image.has_transparency_data or opaque(image):
        return image
    colours = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", colours.size, "white"), colours)


def _scaled(file: Path | str, image: Image.Image, full_scale: float | None) -> Image.Image:
    full = full_scale if full_scale is not None else _own_full_scale(image)
    if full is None:
        raise DataError(
            f"{file} has integers of 32 bits and does not say which of them is white: set data.dataset.full_scale=…"
        )
    values = np.asarray(image).astype(np.float64)
    if 0 in _tag(image, PHOTOMETRIC):  # 0 is white
        values = full - values
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= full):  # not a number is neither
        raise DataError(
            f"{file} has values from {low:g} to {high:g}, but black is 0 and white is {full:g}: say which value is "
            "white with data.dataset.full_scale=…, or store it on that scale"
        )
    return Image.fromarray(np.rint(values * (255 / full)).astype(np.uint8))


def _own_full_scale(image: Image.Image) -> float | None:
    """The value of white that a picture's type or header states."""
    if image.mode == "F":
        return 1.0
    bits = max(_tag(image, BITS), default=16)
    if image.mode == "I":
        if image.format == "TIFF":
            return float((1 << 15) - 1) if bits == 16 else None  # 16 bits with a sign
        return 65535.0 if image.format in ("PPM", "PNG") else None  # to which Pillow scales them
    return float((1 << bits) - 1)


def _tag(image: Image.Image, tag: int) -> tuple[int, ...]:
    """The numbers of a TIFF's tag; none for other files."""
    value = getattr(image, "tag_v2", {}).get(tag, ())
    return value if isinstance(value, tuple) else (int(value),)


def opaque(image: Image.Image) -> bool:
    """Whether nothing shines through."""
    alpha = image.convert("RGBA").getchannel("A")
    return bool(alpha.getextrema()[0] == 255)
