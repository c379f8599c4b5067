"""The linear ADC over a learned part of the range: a programmable gain and offset before it (LSQ+).

Open it for an ADC that learns which part of the range matters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Unpack

import torch
from torch import Tensor, nn

from qsense.quant.sensor.base import SensorQuantizer
from qsense.quant.sensor.settings import LearnedSettings
from qsense.signal import Signal

NARROWEST = 2.0**-12  # of the whole range


class Range(SensorQuantizer):
    """Evenly spaced levels from a learned lower to a learned upper end; samples beyond take the first and last code.

    LSQ+ (Bhalgat et al., "LSQ+: Improving low-bit quantization through learnable offsets and better initialization",
    2020, eqs. 3-4) learns a step s and an offset β with code = round(clamp((x - β)/s, 0, L)), L = 2^bits - 1; the ends
    a = β and b = β + L·s say the same. In unit coordinates, S = 2 for bipolar signals and 1 for unipolar ones,

        z = bottom + S·(u - a)/(b - a),  ∂u = S/(b - a),  ∂a = -S·(1 - f)/(b - a),  ∂b = -S·f/(b - a),

    with f = (u - a)/(b - a), where 0 ≤ f ≤ 1; else all are 0. LSQ's scale g = 1/√(N·L) for N samples of one example
    (Esser et al., 2020, section 2.2) multiplies the gradients of a and b.

    **What the network sees** are the codes, spread evenly over the *nominal* range, as with every other curve here,
    and not s·code + β as in LSQ+: an ADC behind an amplifier does not know its gain, one row of levels then serves all
    channels, and what one curve changes are decision levels alone. For the network the two differ by a gain and an
    offset of its input, which its first layer can undo; LSQ+'s own gradient through that gain and offset falls away.

    Args:
        low: lower end to start from, in unit coordinates; None: the range's.
        high: upper end to start from, above `low` by at least 1/4096 of the range; None: the range's.
        settings: as in `SensorQuantizer`.

    >>> half = Range(Signal(channels=3, low=-8.0, high=8.0, unit="g"), bits=2, low=-0.5, high=0.25)
    >>> half.thresholds().tolist(), half.levels().tolist()
    ([[-3.0, -1.0, 1.0]], [-8.0, -2.6666666666666665, 2.6666666666666665, 8.0])
    """

    searched: ClassVar[Mapping[str, tuple[float, float]]] = {"low": (-1.0, 1.0), "high": (-1.0, 1.0)}

    def __init__(
        self,
        signal: Signal,
        bits: int,
        low: float | None = None,
        high: float | None = None,
        **settings: Unpack[LearnedSettings],
    ) -> None:
        super().__init__(signal, bits, **settings)
        start, stop = self.bottom if low is None else low, 1.0 if high is None else high
        self.narrowest = NARROWEST * self.span
        if not (self.bottom <= start and start + self.narrowest <= stop <= 1):
            raise ValueError(
                f"low={low!r}, high={high!r}: Range needs {self.bottom:g} ≤ low < high ≤ 1, in units of the range and "
                "at least 1/4096 of it apart, or null for its ends"
            )
        self.low = nn.Parameter(torch.full((self.rows,), float(start)))
        self.high = nn.Parameter(torch.full((self.rows,), float(stop)))

    def curve(self, u: Tensor) -> Tensor:
        """z, straight from the lower to the upper end and beyond."""
        low, width = self._learned(u.dtype)
        return (u - low) / width * self.span + self.bottom

    def inverse(self, z: Tensor) -> Tensor:
        """u = a + (b - a)·(z - bottom)/S."""
        low, width = self._learned(z.dtype)
        return low + width * ((z - self.bottom) / self.span)

    def pullback(
        self, u: Tensor, grad: Tensor, wants_u: bool, wants: Sequence[bool]
    ) -> tuple[Tensor | None, list[Tensor | None]]:
        """The closed forms of the class."""
        low, width = self._learned(u.dtype)
        inside = u.clamp(self.bottom, 1.0)
        share = (inside - low).div_(width)
        h = inside.eq(u).logical_and_(share >= 0).logical_and_(share <= 1) * grad
        h.mul_(self.span / width)
        grad_high = share.mul_(h).sum(1).neg_() if any(wants) else None
        grad_low = h.sum(1).neg_().sub_(grad_high) if grad_high is not None else None
        ends = [grad_end if want else None for grad_end, want in zip((grad_low, grad_high), wants, strict=True)]
        return h if wants_u else None, ends

    def gradient_scale(self, samples: int) -> float:
        """LSQ's g = 1/√(N·L)."""
        return 1.0 / math.sqrt(max(samples, 1) * self.steps)

    @torch.no_grad()
    def clamp_(self) -> None:
        """Keep both ends within the range, the upper one above the lower one."""
        self.low.clamp_(self.bottom, 1.0 - self.narrowest)
        self.high.clamp_(max=1.0).copy_(torch.maximum(self.high, self.low + self.narrowest))

    def trajectory(self) -> dict[str, list[float]]:
        """Both ends in unit coordinates, one value per curve."""
        return {name: p.detach().tolist() for name, p in (("low", self.low), ("high", self.high))}

    def _learned(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """a and b - a, [rows, 1]."""
        low = self.low.to(dtype)[:, None]
        return low, self.high.to(dtype)[:, None] - low
