"""Companding: where native counts lie on the scale on which a converter with memory works, as a table of integers.

Open it to change how finely dark and bright counts are told apart.
"""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np

from qsense.quant.sensor.memory.constants import HIGHEST, LOWEST

Companding = Literal["sqrt", "none"]
DARK = 4 / 4096  # of full scale: added below the root, about the noise that darkness has


@cache
def square_root(native_bits: int, black: int = 0) -> tuple[int, ...]:
    """Places of all native counts by the square root of light: shot noise is equally large everywhere on this scale.

    With d = 4·2^(n−12) counts, r(q) = √(q − black + d) from black on, and below it the root's tangent; the place of
    count q is r(q) on the whole 16-bit scale, rounded to the nearest integer (Anscombe, "The Transformation of Poisson,
    Binomial and Negative-Binomial Data", 1948; in cameras: Janesick, "Photon Transfer", 2007). Up to 14 native bits
    each count has a place of its own, so that nothing is lost; with more, the brightest share some.

    Args:
        native_bits: n, 1 … 16.
        black: the count that means no light.

    >>> square_root(12)[:3], square_root(12)[-2:]
    ((-32768, -32519, -32293), (32759, 32767))
    """
    light = np.arange(1 << native_bits, dtype=np.float64) - black
    dark = DARK * (1 << native_bits)
    root = np.where(light < 0, np.sqrt(dark) + light / (2 * np.sqrt(dark)), np.sqrt(np.maximum(light, 0) + dark))
    share = (root - root[0]) / (root[-1] - root[0])
    return tuple((LOWEST + np.floor((HIGHEST - LOWEST) * share + 0.5)).astype(int).tolist())
