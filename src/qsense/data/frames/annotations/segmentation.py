"""The box around an object that is annotated by its outline alone, as COCO writes outlines.

Open it when an annotation without `bbox` is refused.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from qsense.data.frames.annotations.values import number, whole

Box = tuple[float, float, float, float]


def bounds(segmentation: Any) -> Box | None:
    """x, y, width and height around polygons or a run-length code; None where it is neither, or empty.

    >>> bounds([[1, 2, 9, 2, 9, 8]])
    (1.0, 2.0, 8.0, 6.0)
    >>> bounds({"size": [3, 4], "counts": [4, 1, 7]})
    (1.0, 1.0, 1.0, 1.0)
    """
    if isinstance(segmentation, dict):
        return _of_runs(segmentation)
    if not isinstance(segmentation, list) or not segmentation:
        return None
    polygons = segmentation if isinstance(segmentation[0], list) else [segmentation]
    if not all(isinstance(polygon, list) and len(polygon) % 2 == 0 for polygon in polygons):
        return None
    points = np.array([number(value) for polygon in polygons for value in polygon], dtype=np.float64).reshape(-1, 2)
    if not len(points) or not np.isfinite(points).all():
        return None
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return left, top, right - left, bottom - top


def _of_runs(code: dict[str, Any]) -> Box | None:
    """Of a code whose runs go down the columns and are by turns outside and inside the object."""
    size, counts = code.get("size"), code.get("counts")
    if not isinstance(size, list) or len(size) != 2:
        return None
    height, width = (whole(side) for side in size)
    if height is None or width is None or not isinstance(counts, list | str):
        return None
    lengths = list(_lengths(counts)) if isinstance(counts, str) else counts
    if any(type(length) is not int or length < 0 for length in lengths) or sum(lengths) != height * width:
        return None
    ends = list(itertools.accumulate(lengths))
    inside = [(start, end - 1) for start, end in zip(ends[0::2], ends[1::2], strict=False) if start < end]
    if not inside:
        return None
    left, right = inside[0][0] // height, inside[-1][1] // height
    if any(first // height != last // height for first, last in inside):  # it goes on in the next column
        top, bottom = 0, height - 1
    else:
        top, bottom = min(first % height for first, _ in inside), max(last % height for _, last in inside)
    return float(left), float(top), float(right - left + 1), float(bottom - top + 1)


def _lengths(text: str) -> Iterator[int]:
    """Runs of COCO's compressed text: five bits a character, lowest first; from the fourth on, differences."""
    known: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32 and shift < 60:
            continue
        if bits & 16:
            value -= 1 << shift
        known.append(value + (known[-2] if len(known) > 2 else 0))
        yield known[-1]
        value = shift = 0
