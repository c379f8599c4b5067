"""The ADC whose decision levels are all learned by themselves (N2UQ).

Open it for the most general curve: a free level for each code.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Unpack

import torch
from torch import Tensor, nn

from qsense.quant.sensor.piecewise import PiecewiseCurve, pull_back
from qsense.quant.sensor.settings import LearnedSettings
from qsense.signal import Signal

NARROWEST = 2.0**-24  # of the range


class Thresholds(PiecewiseCurve):
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

    **With a `start`** the curve is straight between the fitted decision levels themselves, under either rounding: from
    the bottom of the range through (T_k, z_k), where code k begins, to its top. Learned are where the first interval
    begins and the widths, as exp(`log_width`) times the fitted ones, so that the levels are taken over to the last bit.

    >>> levels = Thresholds(Signal(channels=1, low=0.0, high=1.0, unit=""), bits=2)
    >>> with torch.no_grad():
    ...     _ = levels.log_width.copy_(torch.tensor([[0.3, 0.6, 1.8]]).log())
    >>> [round(t, 4) for t in levels.thresholds()[0].tolist()]
    [0.05, 0.2, 0.6]
    """

    cuts: Tensor | None  # the fitted levels, float32

    def __init__(self, signal: Signal, bits: int, **settings: Unpack[LearnedSettings]) -> None:
        super().__init__(signal, bits, **settings)
        self.start = nn.Parameter(torch.full((self.rows, 1), self.bottom))
        # Of a width over that of even ones, so that the start is exact: rounded up, the top code would never occur.
        self.log_width = nn.Parameter(torch.zeros(self.rows, self.steps))
        self.register_buffer("cuts", torch.full((self.rows, self.steps), torch.nan) if self.starts_at else None)
        self._placed = False  # whether `cuts` are known to be there: looking at them may mean waiting for the device

    def pullback(
        self, u: Tensor, grad: Tensor, wants_u: bool, wants: Sequence[bool]
    ) -> tuple[Tensor | None, list[Tensor | None]]:
        """Summed per interval, then by autograd from its ends to what is learned; zero beyond the intervals."""
        with torch.enable_grad():
            knots, heights = self.knots(u.dtype)
        ends = knots.detach()
        inside = u.clamp(ends[:, :1], ends[:, -1:])
        grad_u, grad_knots, _ = pull_back(inside, grad * (inside == u), ends, heights)
        wanted = [p for p, want in zip((self.start, self.log_width), wants, strict=True) if want]
        gradients = iter(torch.autograd.grad(knots, wanted, grad_knots) if wanted else ())
        return grad_u, [next(gradients) if want else None for want in wants]

    @torch.no_grad()
    def begin_at(self, levels: Tensor) -> None:
        """Exactly there."""
        assert self.cuts is not None
        self.cuts.copy_(levels)
        self.log_width.zero_()
        self.start.fill_(self.bottom)

    @torch.no_grad()
    def clamp_(self) -> None:
        """Keep widths from 2^-24 of the range to all of it, and the start within it; fitted ones may be narrower."""
        if self.cuts is None:
            self.log_width.clamp_(math.log(self.steps * NARROWEST), math.log(self.steps))
        else:
            shares = self._fitted_widths(self.cuts) / self.span
            self.log_width.clamp_((NARROWEST / shares).log().clamp_max(0.0), shares.log().neg())
        self.start.clamp_(self.bottom, 1.0)

    def trajectory(self) -> dict[str, list[float]]:
        """u25, u50, u75: where a quarter, half and three quarters of the codes are reached, in unit coordinates."""
        return self.at_quarters(self.inverse, "u")

    def knots(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """d_0 … d_L; from a `start`, d_0, the decision levels, and the end of the range."""
        if self.cuts is not None:
            return self._moved(dtype)
        widths = self.log_width.to(dtype).exp() * (self.span / self.steps)
        knots = torch.cat([self.start.to(dtype), widths], 1).cumsum(1)
        heights = torch.linspace(self.bottom, 1.0, self.steps + 1, dtype=dtype, device=knots.device)
        return knots, heights.expand(self.rows, -1)

    def _moved(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """The knots of a start. What has been learned is added to them, so that nothing learned adds exactly 0."""
        assert self.cuts is not None
        if not self._placed and self.cuts.isnan().any():
            raise RuntimeError(
                f"{type(self).__name__} starts from fitted levels and has none yet: show it training data first, "
                "sensor.fit(samples) (`qsense.train` does), or load a trained run's state"
            )
        self._placed = True
        cuts, start = self.cuts.to(dtype), self.start.to(dtype)
        wider = self._fitted_widths(cuts) * self.log_width.to(dtype).expm1()
        levels = cuts + (start - self.bottom) + wider.cumsum(1)
        end = levels[:, -1:].detach().clamp_min(1.0)
        heights = torch.cat([cuts.new_tensor([self.bottom]), self.code_starts().to(cuts), cuts.new_ones(1)])
        return torch.cat([start, levels, end], 1), heights.expand(self.rows, -1)

    def _fitted_widths(self, cuts: Tensor) -> Tensor:
        """Of the intervals that end at each level, the first of which begins at the bottom of the range."""
        return torch.cat([cuts[:, :1] - self.bottom, cuts.diff(dim=1)], 1)
