"""Nearest-neighbour resizing by index: samples are repeated or dropped, none is computed, so quantizing commutes.

Open it to see which samples a resized frame keeps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:  # data sets resize while they convert, without importing torch
    from torch import Tensor

T = TypeVar("T", npt.NDArray[Any], "Tensor")


def target_size(height: int, width: int, short_side: int, longest: int = 1333) -> tuple[int, int]:
    """Height and width whose shorter side is `short_side`, unless the longer one would then exceed `longest`.

    The aspect ratio is kept to half a pixel.

    Raises:
        ValueError: a side below 1, or a `longest` below `short_side`.

    >>> target_size(2006, 3017, short_side=800)
    (800, 1203)
    >>> target_size(100, 400, short_side=800)
    (333, 1333)
    """
    if min(height, width, short_side) < 1:
        raise ValueError(f"no side may be below 1: height={height}, width={width}, short_side={short_side}")
    if longest < short_side:
        raise ValueError(f"longest={longest} must be at least short_side={short_side}")
    scale = min(short_side / min(height, width), longest / max(height, width))
    return max(round(height * scale), 1), max(round(width * scale), 1)


def nearest_index(source: int, target: int) -> npt.NDArray[np.int64]:
    """Which of `source` samples each of `target` samples repeats: min(floor(i · source / target), source − 1).

    Computed in float32, as torch's `interpolate(mode="nearest")` does, so that the two agree at every size.

    Raises:
        ValueError: a length below 1.

    >>> nearest_index(4, 6).tolist()
    [0, 0, 1, 2, 2, 3]
    """
    if min(source, target) < 1:
        raise ValueError(f"no length may be below 1: source={source}, target={target}")
    if source == target:
        return np.arange(target)
    scale = np.float32(source) / np.float32(target)
    return np.minimum((np.arange(target, dtype=np.float32) * scale).astype(np.int64), source - 1)


def resize(planes: T, size: tuple[int, int]) -> T:
    """Planes [..., h, w] at `size` (height, width) by the index rule of `nearest_index`: [..., height, width].

    Args:
        planes: a NumPy array, a memory map of one, or a torch tensor on any device; any dtype, integers included.
        size: wanted height and width. Planes that have it are returned as they are.

    >>> resize(np.array([[1, 2], [3, 4]]), (1, 4)).tolist()
    [[1, 1, 2, 2]]
    """
    if tuple(planes.shape[-2:]) == tuple(size):
        return planes
    rows, columns = (nearest_index(*lengths) for lengths in zip(planes.shape[-2:], size, strict=True))
    if isinstance(planes, np.ndarray):
        # Rows first, so that of a memory map only the pages that hold them are read.
        return np.ascontiguousarray(planes.take(rows, axis=-2).take(columns, axis=-1))
    import torch

    for dim, index in ((-2, rows), (-1, columns)):
        planes = planes.index_select(dim, torch.from_numpy(index).to(planes.device, non_blocking=True))
    return planes
