"""Differential pulse code modulation: fixed levels for what prediction leaves (Cutler, 1952; O'Neal, 1966).

Open it to see how the levels are placed in closed loop.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Unpack

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from qsense.quant.sensor.equal_shares import equal_shares
from qsense.quant.sensor.lloyd import lloyd
from qsense.quant.sensor.memory import kernel
from qsense.quant.sensor.memory.base import MemoryConverter
from qsense.quant.sensor.memory.constants import HIGHEST, LOWEST, Constants
from qsense.quant.sensor.memory.settings import Settings
from qsense.signal import Signal

Ints = npt.NDArray[np.int64]
Levels = npt.NDArray[np.int32]
FACTORS = tuple(2 ** (k / 4) for k in range(-2, 13))  # of the mean change, that one bit may start from
ROUNDS = 24  # of placing levels by the residuals that the levels before them left


class DPCM(MemoryConverter):
    """Sends which of 2^bits fixed levels the residual is nearest to.

    Code k = how many thresholds are ≤ the residual; thresholds lie half way between two levels. The levels leave the
    least squared error of the training recordings (Lloyd-Max), in closed loop: residuals depend on the levels, so
    levels are placed by the residuals that the former ones left, again and again, and those are kept that have left
    the least error of the decoded values.

    Their number is even, and where residuals are as often negative as positive none of them is zero: a constant signal
    is decoded as one that swings between the two inner levels, with 2 bits on SBHAR by 0.06 to 0.08 g peak to peak. A
    level moved to zero was tried there (fold 3): 1 to 2 dB less overall and 3 to 4 dB less in calm stretches, as a
    swing keeps about the right mean, and a dead zone does not.

    Args:
        signal: see the base class, as for the other arguments.
        bits: 1 … 8.
    """

    most_bits: ClassVar[int] = 8
    residual_levels: Tensor

    def __init__(self, signal: Signal, bits: int, **settings: Unpack[Settings]) -> None:
        super().__init__(signal, bits, **settings)
        self.register_buffer("residual_levels", torch.zeros(self.rows, 1 << bits, dtype=torch.int32))

    def constants(self) -> tuple[Constants, ...]:
        return tuple(
            self._constants(centre, levels)
            for centre, levels in zip(self.centre.tolist(), self.residual_levels.cpu().numpy(), strict=True)
        )

    def _constants(self, centre: int, levels: npt.NDArray[np.integer]) -> Constants:
        middles = (levels[1:].astype(np.int64) + levels[:-1] + 1) >> 1  # half way, rounded up
        return Constants(
            self.bits, self.native_bits, centre, self.leak, self.slope, self.refresh,
            tuple(middles.tolist()), tuple(levels.tolist()), compand=self.compand,
        )  # fmt: skip

    def place(self, counts: kernel.Counts, bounds: kernel.Bounds) -> None:
        for channel, centre in enumerate(self.centre.tolist()):
            samples = np.ascontiguousarray(counts[:, channel : channel + 1])
            levels = self._levels(samples, bounds, centre)
            self.residual_levels[channel] = torch.from_numpy(levels)

    def _levels(self, counts: kernel.Counts, bounds: kernel.Bounds, centre: int) -> Levels:
        """Levels [2^bits] for one channel."""
        sample = self.scaled(counts)[:, 0]

        def decoded(levels: Levels) -> tuple[Constants, Ints, float]:
            constants = replace(self._constants(centre, levels), refresh=0)  # levels are not for what refreshes send
            value = kernel.convert([constants], counts, bounds)[1][:, 0].astype(np.int64)
            return constants, value, float(((sample - value) ** 2).mean())

        starts = _starts(np.diff(sample, prepend=sample[:1]), self.bits)
        levels = best = starts[0] if len(starts) == 1 else min(starts, key=lambda start: decoded(start)[2])
        least = np.inf
        for _ in range(ROUNDS):
            constants, value, error = decoded(levels)
            if error < least:
                least, best = error, levels
            residual = sample - _predictions(constants, value, bounds)
            placed = _nearest(residual, np.array(constants.thresholds))
            if np.array_equal(placed, levels):
                break
            levels = placed
        return best


def _predictions(constants: Constants, value: Ints, bounds: Ints) -> Ints:
    """What was expected at each moment, from the values [time] that were decoded."""
    starts = bounds[:-1][np.diff(bounds) > 0]
    last = np.concatenate([[0], value[:-1]])
    last[starts] = constants.centre
    before = np.concatenate([[0], last[:-1]])
    before[starts] = constants.centre
    expected = last
    if constants.leak:
        expected = expected - ((last - constants.centre) >> constants.leak)
    if constants.slope:
        expected = expected + ((last - before) >> constants.slope)
    within: Ints = np.clip(expected, LOWEST, HIGHEST)
    return within


def _starts(change: Ints, bits: int) -> list[Levels]:
    """Levels to start from, by the changes from sample to sample.

    Two levels are mostly too small for the signal, so that their residuals hang on themselves more than on the signal,
    and rounds from one start end far from the best levels: −d, d for some multiples of the mean change are tried, too.
    """
    if bits > 1:
        return [_spread(change, bits)]
    mean = np.abs(change).mean()
    return [_spread(change, bits), *(_apart(np.round(np.array([-1, 1]) * factor * mean)) for factor in FACTORS)]


def _spread(residual: Ints, bits: int) -> Levels:
    """Levels to start from: medians of equal shares of the residuals of a prediction without error."""
    values, weights = np.unique(residual, return_counts=True)
    edges = equal_shares(values.astype(np.float64), weights.astype(np.float64), 2 << bits, values[0], values[-1])
    return _apart(np.round(edges[::2]))


def _nearest(residual: Ints, thresholds: Ints) -> Levels:
    """Levels of least squared error for these residuals (Lloyd), from the present thresholds."""
    values, weights = np.unique(residual, return_counts=True)
    boundaries = lloyd(values.astype(np.float64), weights.astype(np.float64), thresholds.astype(np.float64))
    cell = np.searchsorted(boundaries, values, side="right")
    weight = np.bincount(cell, weights, len(boundaries) + 1)
    means = np.bincount(cell, weights * values, len(boundaries) + 1) / np.maximum(weight, 1)
    outer = np.concatenate([values[:1], boundaries, values[-1:]])
    return _apart(np.round(np.where(weight > 0, means, (outer[1:] + outer[:-1]) / 2)))


def _apart(levels: npt.NDArray[np.floating[Any]]) -> Levels:
    """Whole levels that ascend by at least 1."""
    whole = levels.astype(np.int64)
    rising = np.maximum.accumulate(whole - np.arange(len(whole))) + np.arange(len(whole))
    return np.clip(rising, 2 * LOWEST, 2 * HIGHEST).astype(np.int32)
