"""A raw frame as a small JPEG, for pages."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from qsense.plots.display import balance, balanced, develop, white_of

LONGEST = 480  # pixels of the long side
QUALITY = 70


def jpeg(light: npt.ArrayLike, gains: Sequence[float] | None = None) -> bytes:
    """A frame, white-balanced and developed for a screen, at most `LONGEST` pixels long; a smaller one stays as it is.

    Args:
        light: planes in [0, 1], as in `develop`.
        gains: the camera's white balance, as in `balance`.
    """
    planes = np.asarray(light, dtype=np.float32)
    step = max(1, max(planes.shape[1:]) // LONGEST)
    height, width = (side // step * step for side in planes.shape[1:])
    if step > 1:  # a mean of light, before it is bent for a screen
        blocks = planes[:, :height, :width].reshape(len(planes), height // step, step, width // step, step)
        planes = blocks.mean(axis=(2, 4))
    shown = balanced(planes, balance(planes, gains))
    picture = Image.fromarray((develop(shown, white_of(shown)) * 255 + 0.5).astype(np.uint8))
    picture.thumbnail((LONGEST, LONGEST), Image.Resampling.BOX)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=QUALITY, optimize=True)
    return file.getvalue()
