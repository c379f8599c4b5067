"""The ADC whose decision levels are all learned by themselves (N2UQ)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from qsense.quant.sensor.base import SensorQuantizer
from qsense.quant.sensor.piecewise import interpolate, pull_back
from qsense.signal import Signal

NARROWEST = 2.0**-24  # of the range


class Thresholds(SensorQuantizer):
    """2^bits - 1 free decision levels, learned by the generalised straight-through estimator.

    Liu et al., "Nonuniform-to-Uniform Quantization: Towards Accurate Quantization via Generalized Straight-Through
    Estimation" (2022, section 3.2): from a start d_0 follow L = 2^bits - 1 intervals of learned widths w_k, d_k =
    d_{k-1} + w_k, one for each step from a code to the next. If the code of a sample in the k-th interval were drawn,
    k with probability (u - d_{k-1})/w_k and else k - 1, its expectation would be straight in each interval, and that is
    the curve here, through (d_k, k/L). Its derivative is what G-STE passes on: 1/w_k in the k-th interval, the more the
    narrower it is. Rounding to the nearer code puts the decision levels in the middle of the intervals, (d_{k-1} +
    d_k)/2; under "floor" they are d_1 … d_L.

    The widths are learned as exp(`log_width`) times that of even ones. What the network sees are the codes, evenly
    spread, as in the paper.

    Args:
        signal: what the sensor delivers.
        bits: resolution, 1 … 16.
        per_channel: levels of its own for each channel instead of the same for all.
        lr: own learning rate of the levels; None means the network's.
        rounding: "round" (half up) or "floor".
        surrogate: how gradients pass the rounding: "ste", "noise", "soft", "ewgs" or "rect" (`estimators.py`).
        output: "level" (in the sensor's unit) or "code".

    Raises:
        ValueError: an argument outside what is listed.

    >>> levels = Thresholds(Signal(channels=1, low=0.0, high=1.0, unit=""), bits=2)
    >>> with torch.no_grad():
    ...     _ = levels.log_width.copy_(torch.tensor([[0.3, 0.6, 1.8]]).log())
    >>> [round(t, 4) for t in levels.thresholds()[0].tolist()]
    [0.05, 0.2, 0.6]
    """

    def __init__(
        self,
        signal: Signal,
        bits: int,
        per_channel: bool = False,
        lr: float | None = None,
        rounding: Literal["round", "floor"] = "round",
        surrogate: Literal["ste", "noise", "soft", "ewgs", "rect"] = "ste",
        output: Literal["level", "code"] = "level",
    ) -> None:
        super().__init__(signal, bits, rounding, surrogate, output, per_channel, lr)
        steps = (1 << bits) - 1
        self.start = nn.Parameter(torch.full((self.rows, 1), self.bottom))
        # Of a width over that of even ones, so that the start is exact: rounded up, the top code would never occur.
        self.log_width = nn.Parameter(torch.zeros(self.rows, steps))

    def curve(self, u: Tensor) -> Tensor:
        """z, straight between the ends of the intervals."""
        return interpolate(u, *self._knots(u.dtype))

    def inverse(self, z: Tensor) -> Tensor:
        """u, straight between the ends of the intervals."""
        knots, heights = self._knots(z.dtype)
        return interpolate(z, heights, knots, right=False)

    def pullback(
        self, u: Tensor, grad: Tensor, wants_u: bool, wants: Sequence[bool]
    ) -> tuple[Tensor | None, list[Tensor | None]]:
        """Summed per interval, then by autograd from its ends to what is learned; zero beyond the intervals."""
        with torch.enable_grad():
            knots, heights = self._knots(u.dtype)
        ends = knots.detach()
        inside = u.clamp(ends[:, :1], ends[:, -1:])
        of_u, of_knots, _ = pull_back(inside, grad * (inside == u), ends, heights)
        learned = [p for p, want in zip((self.start, self.log_width), wants, strict=True) if want]
        found = iter(torch.autograd.grad(knots, learned, of_knots) if learned else ())
        return of_u, [next(found) if want else None for want in wants]

    @torch.no_grad()
    def clamp_(self) -> None:
        """Keep widths from 2^-24 of the range to all of it, and the start within it."""
        steps = (1 << self.bits) - 1
        self.log_width.clamp_(math.log(steps * NARROWEST), math.log(steps))
        self.start.clamp_(self.bottom, 1.0)

    def trajectory(self) -> dict[str, list[float]]:
        """u25, u50, u75: where a quarter, half and three quarters of the codes are reached, in unit coordinates."""
        z = torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64, device=self._device())
        u = self.inverse(z * (1.0 - self.bottom) + self.bottom).detach().expand(self.rows, -1).float()
        return {name: column.tolist() for name, column in zip(("u25", "u50", "u75"), u.t(), strict=True)}

    def _knots(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """d and its z, [rows, 2^bits]."""
        widths = self.log_width.to(dtype).exp() * ((1.0 - self.bottom) / ((1 << self.bits) - 1))
        knots = torch.cat([self.start.to(dtype), widths], 1).cumsum(1)
        heights = torch.linspace(self.bottom, 1.0, 1 << self.bits, dtype=dtype, device=knots.device)
        return knots, heights.expand(self.rows, -1)
