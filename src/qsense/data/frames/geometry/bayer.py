"""Bayer mosaics, their four colour planes, and what a detector sees of these.

Open it for the order of colours and planes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from qsense.signal import BAYER

if TYPE_CHECKING:  # data sets pack mosaics without importing torch
    from torch import Tensor

T = TypeVar("T", bound=np.generic)

# Row and column of R, G1, G2, B within the 2 × 2 cell; G1 is the green on red's row.
Offsets = tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int]]


def offsets(pattern: str) -> Offsets:
    """Row and column, within the cell of a mosaic, of red, the green beside it, the green beside blue, and blue.

    Raises:
        ValueError: no Bayer pattern; the four are named.

    >>> offsets("GRBG")
    ((0, 1), (0, 0), (1, 1), (1, 0))
    """
    if pattern not in BAYER:
        raise ValueError(f"pattern={pattern!r}: a Bayer pattern is one of {', '.join(BAYER)}")
    row, column = divmod(pattern.index("R"), 2)
    return (row, column), (row, 1 - column), (1 - row, column), (1 - row, 1 - column)


def even(mosaic: npt.NDArray[T]) -> npt.NDArray[T]:
    """The mosaic [..., H, W] without a last row or column that completes no cell (a view)."""
    height, width = mosaic.shape[-2:]
    return mosaic[..., : height - height % 2, : width - width % 2]


def pack(mosaic: npt.NDArray[T], pattern: str = "RGGB") -> npt.NDArray[T]:
    """A mosaic's planes R, G1, G2, B; G1 is the green on red's row.

    Args:
        mosaic: [..., H, W] of any type, H and W even (`even` makes them so).
        pattern: colours of its top left 2 × 2 cell, row by row.

    Returns:
        [..., 4, H/2, W/2], a copy.

    Raises:
        ValueError: an odd height or width, or no Bayer pattern.

    >>> pack(np.array([[1, 2], [3, 4]]), "BGGR").ravel().tolist()
    [4, 3, 2, 1]
    """
    height, width = mosaic.shape[-2:]
    if height % 2 or width % 2:
        raise ValueError(f"a mosaic of {height} rows and {width} columns has incomplete cells: both must be even")
    return np.stack([mosaic[..., row::2, column::2] for row, column in offsets(pattern)], axis=-3)


def unpack(planes: npt.NDArray[T], pattern: str = "RGGB") -> npt.NDArray[T]:
    """The mosaic that `pack` makes these planes of: [..., 4, h, w] → [..., 2·h, 2·w].

    Raises:
        ValueError: not four planes, or no Bayer pattern.

    >>> unpack(np.array([4, 3, 2, 1]).reshape(4, 1, 1), "BGGR").tolist()
    [[1, 2], [3, 4]]
    """
    if planes.ndim < 3 or planes.shape[-3] != 4:
        raise ValueError(f"an array of shape {list(planes.shape)} has no four planes on its third dimension from last")
    *leading, _, height, width = planes.shape
    mosaic = np.empty((*leading, 2 * height, 2 * width), planes.dtype)
    for plane, (row, column) in enumerate(offsets(pattern)):
        mosaic[..., row::2, column::2] = planes[..., plane, :, :]
    return mosaic


def to_rgb(planes: Tensor, floor_steps: int = 0) -> Tensor:
    """Red, the mean of the two greens, and blue: [..., 4, h, w] in the order R, G1, G2, B → [..., 3, h, w].

    Args:
        planes: values in [0, 1], on any device.
        floor_steps: round the mean green down to a multiple of 1/floor_steps, as γ-Quant's authors do in integers; 0:
            a plain mean. The gradient goes straight through. At most 2^20, as a float32 holds no half of finer steps.

    Raises:
        ValueError: not four planes.

    >>> import torch
    >>> to_rgb(torch.tensor([0.0, 1.0, 0.5, 0.25]).reshape(4, 1, 1)).flatten().tolist()
    [0.0, 0.75, 0.25]
    >>> round(to_rgb(torch.tensor([0.0, 1.0, 0.5, 0.25]).reshape(4, 1, 1), floor_steps=255)[1].item() * 255, 4)
    191.0
    """
    import torch

    if planes.dim() < 3 or planes.shape[-3] != 4:
        raise ValueError(f"a tensor of shape {list(planes.shape)} has no four planes on its third dimension from last")
    red, green1, green2, blue = planes.unbind(-3)
    green = (green1 + green2) / 2
    if floor_steps:
        # A level is often a multiple of 1/floor_steps but for the last bits of a float: it stays where it is.
        slack = max(2**-10, floor_steps * 2**-23)
        floor = (floor_steps * green.detach() + slack).floor_().div_(floor_steps)
        green = floor + (green - green.detach())
    return torch.stack([red, green, blue], dim=-3)
