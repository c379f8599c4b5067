"""What every data set asks of an annotated box, in one place.

Open it when a box is cut off or refused wrongly.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qsense.data.errors import DataError

TOLERANCE = 2.0  # pixels; annotators count from 0 or from 1, and round


def check_boxes(
    boxes: npt.ArrayLike, width: float, height: float, where: str, tolerance: float = TOLERANCE
) -> npt.NDArray[np.float32]:
    """Refuse boxes that enclose nothing, and cut off what sticks out of the image by rounding.

    Args:
        boxes: left, top, right, bottom in pixels, [n, 4]; n may be 0.
        width: of the image, in pixels.
        height: likewise.
        where: what to call their source in messages: the file, and the line or id where there is one.
        tolerance: pixels by which a box may stick out.

    Returns:
        The same boxes inside the image, float32 [n, 4].

    Raises:
        DataError: a box that is not finite, reversed, without area, or further outside; the message numbers it from 1.

    >>> check_boxes([[-1, 2, 30, 41]], width=30, height=40, where="a.xml").tolist()
    [[0.0, 2.0, 30.0, 40.0]]
    """
    found = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    size = np.array([width, height, width, height], dtype=np.float64)
    inside = np.clip(found, 0, size)
    for number, (box, cut) in enumerate(zip(found, inside, strict=True), start=1):
        left, top, right, bottom = box.tolist()
        if not np.isfinite(box).all():
            wrong = "has a side that is no number"
        elif right < left or bottom < top:
            wrong = "is reversed: its right or bottom side comes before its left or top one"
        elif right == left or bottom == top:
            wrong = "has no area"
        elif cut[2] <= cut[0] or cut[3] <= cut[1]:
            wrong = f"lies outside its image of {width:g} × {height:g}"
        elif np.abs(box - cut).max() > tolerance:
            wrong = f"sticks out of its image of {width:g} × {height:g} by more than {tolerance:g} pixels"
        else:
            continue
        raise DataError(
            f"{where}: box {number} of {len(found)} ({left:g}, {top:g}, {right:g}, {bottom:g}) {wrong}; correct it, "
            "or remove it"
        )
    return inside.astype(np.float32)
