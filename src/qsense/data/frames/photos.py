"""Decode photographs: PNG, JPEG, and whatever else Pillow reads.

Open it when an image file of COCO or RAOD cannot be read.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from qsense.data.errors import DataError


def read_photo(file: Path) -> npt.NDArray[np.uint8]:
    """Red, green, blue, uint8 [H, W, 3]; as it is stored, whatever its metadata say of its orientation.

    Raises:
        DataError: it cannot be read; the file is named.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata
            with Image.open(file) as image:
                return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise DataError(f"{file} cannot be read as an image ({error}): fetch it again") from error
