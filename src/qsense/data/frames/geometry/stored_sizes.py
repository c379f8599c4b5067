"""At which sizes the planes of a frame are stored: at most at one short side, or at every size at which they are read.

Open it to see which of its sizes a stored frame gives.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from qsense.data.cache import digest
from qsense.data.frames.geometry.nearest import resize, target_size

if TYPE_CHECKING:  # data sets convert without importing torch
    from torch import Tensor

Codes = npt.NDArray[Any]
T = TypeVar("T", npt.NDArray[Any], "Tensor")


@dataclass(frozen=True)
class ShortSides:
    """Every size at which frames are read. Each is made of the native planes, so that no pixel comes from a resize of a
    resize, and to read one is to copy it.

    What is stored of a frame is [C, 1, samples]: within a plane one size after the other, the largest first, each row
    by row.

    Args:
        sides: the short sides.
        longest: the long side is at most this, see `target_size`.
    """

    sides: tuple[int, ...]
    longest: int

    def __str__(self) -> str:
        """A name for folders."""
        return f"{len(self.sides)}sizes-{digest(self.sides, self.longest)[:12]}"

    def sizes(self, height: int, width: int) -> list[tuple[int, int]]:
        """The sizes of a frame whose native planes have this height and width, the largest first, each once.

        >>> ShortSides((480, 800), 1333).sizes(2006, 3017), ShortSides((750, 800), 1333).sizes(1080, 1920)
        ([(800, 1203), (480, 722)], [(750, 1333)])
        """
        every = (target_size(height, width, side, self.longest) for side in sorted(self.sides, reverse=True))
        return list(dict.fromkeys(every))

    def packed(self, planes: Codes) -> Codes:
        """Native planes [C, h, w] at every size: [C, 1, samples]."""
        sizes = self.sizes(*planes.shape[-2:])
        return np.concatenate([resize(planes, size).reshape(len(planes), 1, -1) for size in sizes], axis=-1)


ShortSide = int | ShortSides | None


@dataclass(frozen=True, eq=False)
class Sheets:
    """One frame, to be read at any of its sizes.

    Args:
        codes: what `ShortSides.packed` made of its native planes, or these, which are resized then.
        native: height and width of its native planes.
        sides: at which it is read.
        packed: which of the two `codes` are.

    Raises:
        ValueError: they are not what `packed` says.
    """

    codes: Codes
    native: tuple[int, int]
    sides: ShortSides
    packed: bool

    def __post_init__(self) -> None:
        if self.codes.shape[-2] != (1 if self.packed else self.native[0]):
            wanted = "ShortSides.packed, 1 row" if self.packed else f"native planes, {self.native[0]} rows"
            raise ValueError(
                f"codes of shape {list(self.codes.shape)}: {wanted} expected, as `prepare` was told; see FrameDataset"
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of its native planes, [C, h, w]."""
        return (len(self.codes), *self.native)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of its codes."""
        return self.codes.dtype

    @property
    def largest(self) -> Codes:
        """The planes [C, h, w] at the largest size."""
        return self.at(self.sides.sizes(*self.native)[0])

    def at(self, size: tuple[int, int]) -> Codes:
        """The planes [C, h, w] at one of the sizes, a view if they are stored.

        Raises:
            ValueError: they are not stored at this size.
        """
        if not self.packed:
            return resize(self.codes, size)
        start, sizes = 0, self.sides.sizes(*self.native)
        for each in sizes:
            samples = math.prod(each)
            if each == size:
                return self.codes[:, 0, start : start + samples].reshape(-1, *size)
            start += samples
        raise ValueError(f"size={size}: the frame is stored at {', '.join(map(str, sizes))}")


def planes_at(frame: Codes | Sheets, size: tuple[int, int]) -> Codes:
    """A frame's planes [C, h, w] at this size: resized, or as they are stored at it."""
    return frame.at(size) if isinstance(frame, Sheets) else resize(frame, size)


def largest_planes(frame: Codes | Sheets) -> Codes:
    """A frame's planes [C, h, w] as they are stored, of several sizes the largest."""
    return frame.largest if isinstance(frame, Sheets) else frame


def shrunk_size(height: int, width: int, short_side: int | None) -> tuple[int, int]:
    """Height and width at a shorter side of `short_side`; smaller frames keep theirs, and all do where it is None.

    >>> shrunk_size(2006, 3017, 800), shrunk_size(300, 400, 800), shrunk_size(2006, 3017, None)
    ((800, 1203), (300, 400), (2006, 3017))
    """
    if short_side is None or min(height, width) <= short_side:
        return height, width
    return target_size(height, width, short_side, longest=max(height, width))


def shrunk(planes: T, short_side: int | None) -> T:
    """Planes [C, h, w] at the size that `shrunk_size` says, by nearest neighbour."""
    height, width = planes.shape[-2:]
    return resize(planes, shrunk_size(height, width, short_side))


def as_stored(planes: Codes, short_side: ShortSide) -> Codes:
    """Native planes [C, h, w] as they are stored: `shrunk`, or `packed` at every size of several."""
    return short_side.packed(planes) if isinstance(short_side, ShortSides) else shrunk(planes, short_side)


def stored_samples(height: int, width: int, short_side: ShortSide) -> int:
    """How many samples are stored of a native plane of this height and width.

    >>> stored_samples(2006, 3017, 800), stored_samples(2006, 3017, ShortSides((480, 800), 1333))
    (962400, 1308960)
    """
    if isinstance(short_side, ShortSides):
        return sum(map(math.prod, short_side.sizes(height, width)))
    return math.prod(shrunk_size(height, width, short_side))
