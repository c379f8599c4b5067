"""Adaptive differential pulse code modulation: the step follows the signal by the codes alone (Jayant, 1973).

Open it to see how the step's moves are chosen; at 1 bit this is continuously variable slope delta modulation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Unpack

import numpy as np
import torch
from torch import Tensor

from qsense.quant.sensor.memory import kernel
from qsense.quant.sensor.memory.base import MemoryConverter
from qsense.quant.sensor.memory.constants import Constants, scaled
from qsense.quant.sensor.memory.settings import Settings, require
from qsense.quant.sensor.memory.steps import MOVES, STEPS
from qsense.signal import Signal

FACTORS = (1, 2, 3, 4, 6)  # by which the moves in use are multiplied: slow sensors want a faster step than sound


class ADPCM(MemoryConverter):
    """Sends sign and magnitude of the residual in units of a step that grows after large magnitudes and shrinks after
    small ones (Jayant, "Adaptive Quantization with a One-Word Memory", 1973), in the arithmetic of IMA ADPCM.

    With N bits, magnitude m = 0 … 2^(N−1) − 1 stands for (m + ½) · step / 2^(N−2), in whole shifts of the step, and the
    step moves by `moves[m]` places of IMA's table. With one bit the code is the sign, stands for a whole step, and the
    step grows after `alike` equal codes in a row and shrinks otherwise (CVSD: Greefkes and Riemens, 1970).

    At 16 native bits, leak 0, slope 0, step_leak 0, centre 0, and IMA's moves, 4-bit codes are IMA ADPCM's.

    Args:
        signal: see the base class, as for the other arguments.
        bits: 1 … 5.
        moves: places by which the step moves after each magnitude [2^(N−1)], with one bit after an unlike and an alike
            code [2], each −88 … 88; null: multiples of those in use, the same for all channels, that leave the least
            squared error of the training recordings.
        first: place of the step at a recording's start, 0 … 88; null: of the training samples' mean change.
        alike: with one bit, how many equal codes in a row are alike, 2 … 8.
        step_leak: the step falls back to its first place by 2^-step_leak of the places between them at each sample,
            1 … 10, so that a receiver's wrong step heals after a loss (Goodman and Wilkinson, "A Robust Adaptive
            Quantizer", 1975); 0: never.

    Raises:
        ValueError: an argument out of its range, or another number of moves.
    """

    most_bits: ClassVar[int] = 5
    step_moves: Tensor
    first_place: Tensor

    def __init__(
        self,
        signal: Signal,
        bits: int,
        *,
        moves: Sequence[int] | None = None,
        first: int | None = None,
        alike: int = 2,
        step_leak: int = 0,  # what runs computed that do not state it; the YAML has another
        **settings: Unpack[Settings],
    ) -> None:
        super().__init__(signal, bits, **settings)
        name = type(self).__name__
        require(name, "alike", alike, 2, 8)
        require(name, "step_leak", step_leak, 0, 10)
        if first is not None:
            require(name, "first", first, 0, len(STEPS) - 1)
        wanted = len(MOVES[bits])
        if moves is not None:
            if isinstance(moves, str) or not isinstance(moves, Sequence) or len(moves) != wanted:
                raise ValueError(f"moves={moves!r}: {name} of {bits} bits needs {wanted} numbers, or null")
            for move in moves:
                require(name, "moves", move, 1 - len(STEPS), len(STEPS) - 1)
        self.moves = None if moves is None else tuple(moves)
        self.first, self.alike, self.step_leak = first, alike, step_leak
        self.register_buffer("step_moves", torch.zeros(self.rows, wanted, dtype=torch.int32))
        self.register_buffer("first_place", torch.zeros(self.rows, dtype=torch.int32))

    def constants(self) -> tuple[Constants, ...]:
        return tuple(
            self._constants(*channel)
            for channel in zip(self.centre.tolist(), self.step_moves.tolist(), self.first_place.tolist(), strict=True)
        )

    def _constants(self, centre: int, moves: Sequence[int], first: int) -> Constants:
        return Constants(
            self.bits, self.native_bits, centre, self.leak, self.slope, self.refresh,
            steps=STEPS, moves=tuple(moves), first=first, alike=self.alike, step_leak=self.step_leak,
        )  # fmt: skip

    def place(self, counts: kernel.Counts, bounds: kernel.Bounds) -> None:
        sample = scaled(counts, self.native_bits)
        change = np.abs(np.diff(sample, axis=0, prepend=sample[:1])).mean(0)
        places = np.clip(np.searchsorted(STEPS, change), 0, len(STEPS) - 1)
        first = places if self.first is None else np.full(self.rows, self.first)
        self.first_place.copy_(torch.from_numpy(first.astype(np.int32)))

        def error(moves: Sequence[int]) -> float:
            channels = [
                self._constants(centre, moves, int(place))
                for centre, place in zip(self.centre.tolist(), first, strict=True)
            ]
            value = kernel.convert(channels, counts, bounds)[1]
            squares = ((sample - value) ** 2).mean(0)
            return float((squares / np.maximum(sample.var(0), 1)).mean())  # each channel counts alike

        moves = self.moves or min(candidates(self.bits), key=error)
        self.step_moves.copy_(torch.tensor(moves, dtype=torch.int32).expand(self.rows, -1))


def candidates(bits: int) -> Iterator[tuple[int, ...]]:
    """Moves to choose from: those in use, falls and rises multiplied by factors of their own.

    >>> list(candidates(2))[:3]
    [(-1, 2), (-1, 4), (-1, 6)]
    """
    for fall in FACTORS:
        for rise in FACTORS:
            yield tuple(move * (fall if move < 0 else rise) for move in MOVES[bits])
