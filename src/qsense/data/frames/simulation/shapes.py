"""Discs, squares and triangles of equal area: their corners, bounds, and the share of each pixel that they cover.

Open it to add a shape to the simulated raw frames.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

SQUARE_REACH = math.sqrt(math.pi / 2)  # from a square's centre to a corner, in radii of a disc of the same area
REACH = math.sqrt(4 * math.pi / 3**1.5)  # the same of an equilateral triangle


def corners(kind: int, place: npt.NDArray[np.float64], turn: float) -> npt.NDArray[np.float64]:
    """x and y of a square's (kind 1) or an equilateral triangle's (kind 2) corners, [4 or 3, 2].

    Args:
        kind: 1 or 2.
        place: x, y of the centre and the radius of a disc of the same area.
        turn: clockwise as seen on the image, rad; 0 has a square's sides upright and a triangle's first corner on top.
    """
    x, y, radius = place
    count, reach = (4, SQUARE_REACH) if kind == 1 else (3, REACH)
    start = -math.pi / 4 if kind == 1 else -math.pi / 2
    angle = start + turn + 2 * math.pi / count * np.arange(count)
    return np.stack([x + reach * radius * np.cos(angle), y + reach * radius * np.sin(angle)], axis=1)


def bounds(kind: int, place: npt.NDArray[np.float64], turn: float) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a shape (see `corners`; kind 0 is a disc).

    >>> bounds(0, np.array([10.0, 20.0, 3.0]), 0.0)
    (7.0, 17.0, 13.0, 23.0)
    """
    x, y, radius = (float(value) for value in place)
    if kind == 0:
        return x - radius, y - radius, x + radius, y + radius
    points = corners(kind, place, turn)
    (left, top), (right, bottom) = points.min(0), points.max(0)
    return float(left), float(top), float(right), float(bottom)


def coverage(kind: int, place: npt.NDArray[np.float64], turn: float, x: Array, y: Array) -> Array:
    """Share of each pixel that a shape covers, in [0, 1]: ½ − its signed distance from the shape's edge, cut off.

    Args:
        kind: 0 disc, 1 square, 2 triangle.
        place: x, y of the centre and the radius of a disc of the same area.
        turn: see `corners`.
        x: of the pixels' centres, any shape.
        y: likewise.
    """
    if kind == 0:
        distance = np.hypot(x - place[0], y - place[1]) - place[2]
    else:
        points = corners(kind, place, turn)
        sides = np.roll(points, -1, axis=0) - points
        normals = np.stack([sides[:, 1], -sides[:, 0]], axis=1) / np.linalg.norm(sides, axis=1, keepdims=True)
        levels = (normals * points).sum(1)
        distance = np.max([nx * x + ny * y - level for (nx, ny), level in zip(normals, levels, strict=True)], axis=0)
    share: Array = np.clip(0.5 - distance, 0, 1).astype(np.float32)
    return share
