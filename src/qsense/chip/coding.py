"""How a sensor's native counts are written: in offset binary, or in two's complement.

Open it to see what `coding=` of an export changes: counts stay counts, 0 … 2^n − 1, wherever a converter computes, and
each form writes them as this says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Whole = TypeVar("Whole", int, npt.NDArray[np.int64])
Real = TypeVar("Real", float, npt.NDArray[np.float64], npt.NDArray[np.int64])


@dataclass(frozen=True)
class Coding:
    """The numbers and words of n-bit counts.

    Args:
        bits: n.
        signed: two's complement; else offset binary, whose numbers and words are the counts themselves.

    >>> Coding(12, True).number(0), Coding(12, True).word(0), Coding(12, False).number(0)
    (-2048, 2048, 0)
    """

    bits: int
    signed: bool = False

    @property
    def middle(self) -> int:
        """What numbers lie below their counts."""
        return 1 << (self.bits - 1) if self.signed else 0

    @property
    def lowest(self) -> int:
        """The number of count 0."""
        return -self.middle

    @property
    def highest(self) -> int:
        """The number of the highest count."""
        return (1 << self.bits) - 1 - self.middle

    @property
    def name(self) -> str:
        """In words."""
        return "two's complement" if self.signed else "offset binary"

    def number(self, count: Real) -> Real:
        """The number that a count is read as."""
        return count - self.middle

    def word(self, count: Whole) -> Whole:
        """The bits of a count as a number without sign; the same again gives the count back."""
        return count ^ self.middle
