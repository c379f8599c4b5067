"""The integers that a converter with memory is made of, one channel's at a time.

Open it to see what a sender and its receiver must agree on; `recursion.h` says what they do with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.uint16]
LOWEST, HIGHEST = -(1 << 15), (1 << 15) - 1  # of IMA ADPCM's scale, on which all values lie


@dataclass(frozen=True)
class Constants:
    """One channel's converter. Residuals, levels and steps lie on the 16-bit scale of `recursion.h`.

    Args:
        bits: N, of a code.
        native_bits: n, of a sample; N … 16.
        centre: where prediction starts, and what it falls back to.
        leak: prediction falls back by 2^-leak of its distance from the centre at each sample; 0: never.
        slope: it goes on by 2^-slope of the last change; 0: not at all.
        refresh: each of so many samples is sent as a native count, the first to begin with; 0: none.
        thresholds: of fixed levels, the residuals at which codes 1 … 2^N − 1 begin, ascending; empty where there is a
            step instead.
        levels: the residuals that the codes stand for.
        steps: all steps, ascending; empty where levels are fixed.
        moves: by how many places the step moves after each magnitude 0 … 2^(N − 1) − 1; with one bit after a code that
            is unlike, and like, those before it.
        first: place of the step at a start.
        alike: with one bit, how many equal codes in a row are alike.
        step_leak: the step falls back to its first place by 2^-step_leak of the places at each sample; 0: never.
        compand: where each of the 2^n native counts lies on the 16-bit scale, ascending; empty: evenly.
    """

    bits: int
    native_bits: int
    centre: int = 0
    leak: int = 0
    slope: int = 0
    refresh: int = 0
    thresholds: tuple[int, ...] = ()
    levels: tuple[int, ...] = ()
    steps: tuple[int, ...] = ()
    moves: tuple[int, ...] = ()
    first: int = 0
    alike: int = 2
    step_leak: int = 0
    compand: tuple[int, ...] = ()

    @property
    def shift(self) -> int:
        """How far left native counts stand on the 16-bit scale."""
        return 16 - self.native_bits

    @property
    def rate(self) -> float:
        """Bits per sample, refreshes included."""
        return self.bits + (self.native_bits - self.bits) / self.refresh if self.refresh else float(self.bits)


def scaled(counts: npt.NDArray[np.integer], native_bits: int, compand: Sequence[int] = ()) -> npt.NDArray[np.int64]:
    """Native counts 0 … 2^n − 1 on the 16-bit scale, where a companding table says if there is one.

    >>> scaled(np.array([0, 2048, 4095]), 12).tolist()
    [-32768, 0, 32752]
    """
    if len(compand):
        places: npt.NDArray[np.int64] = np.asarray(compand, np.int64)[counts]
        return places
    result: npt.NDArray[np.int64] = (counts.astype(np.int64) - (1 << (native_bits - 1))) << (16 - native_bits)
    return result


def nearest_counts(values: npt.NDArray[np.integer], native_bits: int, compand: Sequence[int] = ()) -> Counts:
    """Native counts that lie nearest to values on the 16-bit scale, the upper one of two.

    >>> nearest_counts(np.array([-32768, 7, 8, 32767]), 12).tolist()
    [0, 2048, 2049, 4095]
    """
    places = scaled(np.arange(1 << native_bits), native_bits, compand)
    upper = (places[1:] + places[:-1] + 1) >> 1  # from where on each count is nearer than the one below
    every = np.searchsorted(upper, np.arange(LOWEST, HIGHEST + 1), side="right").astype(np.uint16)
    counts: Counts = every[values.astype(np.int64) - LOWEST]
    return counts


def same_for_all(channels: Sequence[Constants]) -> tuple[int, int, int]:
    """What all channels of a converter share: bits, native bits, refresh."""
    (shared,) = {(c.bits, c.native_bits, c.refresh) for c in channels}
    return shared
