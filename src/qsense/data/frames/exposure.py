"""How bright a frame was taken: its median sample in stops below white, from the codes that its sensor delivers.

Open it to measure exposure in another way.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

MOST = 256  # rows and columns of each plane that are looked at, spread evenly


def stops_below_white(codes: npt.NDArray[np.unsignedinteger], black: int, white: int) -> float:
    """`log2((white − black) / (median − black))`, a frame's exposure: 0 is as bright as white, and each stop is half.

    A median at black or below counts as half a code above it, and one beyond white as white, so that any frame has a
    finite figure. Where codes are not proportional to light, as in sRGB photos, stops are of codes and not of light.

    Args:
        codes: native codes [C, h, w].
        black: the code of no light.
        white: the code of full scale, above black.

    >>> grey, night = np.full((4, 2, 2), 1024, dtype=np.uint16), np.zeros((4, 2, 2), dtype=np.uint16)
    >>> stops_below_white(grey, black=0, white=4096), stops_below_white(night, black=0, white=4)
    (2.0, 3.0)
    """
    down, across = (-(-side // MOST) | 1 for side in codes.shape[-2:])  # odd: no pattern of every second is skipped
    median = float(np.median(codes[:, ::down, ::across])) - black
    return math.log2((white - black) / min(max(median, 0.5), white - black))
