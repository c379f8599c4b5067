"""The ADC with a learned curve of straight pieces (LCQ).

Open it for a curve of any shape, learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import numpy as np
import torch
from torch import Tensor, nn

from qsense.quant.sensor.piecewise import PiecewiseCurve, pull_back
from qsense.quant.sensor.settings import LearnedSettings
from qsense.signal import Signal

STEEPEST = 12.0  # of `logits`: rises differ by at most e^24
LEAST = 1e-6  # of the span that a piece of a fitted start rises by
WEIGHT = 1e4  # of its levels, against how straight it is between them


class PiecewiseLinear(PiecewiseCurve):
    """A rising curve through the ends of the range, straight over each of K equally wide pieces.

    Yamamoto, "Learnable Companding Quantization for Accurate Low-bit Neural Networks" (2021, eqs. 7-8): over piece k
    the curve rises by the k-th share of a softmax,

        z(u) = bottom + S·(Σ_{j<k} p_j + p_k·(u - d_{k-1})/(d_k - d_{k-1})),  p = softmax(θ),

    with S the length of the interval that z covers. The pieces lie over the whole range; LCQ has the same ones on both
    sides of 0, but an axis that feels gravity is not symmetric. What the network sees are the codes, evenly spread, as
    with every other curve here; LCQ expands them again.

    θ is `logits`, one row per curve, 0 at the start: a linear curve.

    Args:
        pieces: K, 2 … 1024; the paper has 16.
        settings: as in `SensorQuantizer`.

    >>> curve = PiecewiseLinear(Signal(channels=1, low=0.0, high=1.0, unit=""), bits=2, pieces=2)
    >>> with torch.no_grad():
    ...     _ = curve.logits.copy_(torch.tensor([[3.0, 1.0]]).log())  # three quarters of the rise in the first half
    >>> [round(t, 4) for t in curve.thresholds()[0].tolist()]
    [0.1111, 0.3333, 0.6667]
    """

    def __init__(self, signal: Signal, bits: int, pieces: int = 16, **settings: Unpack[LearnedSettings]) -> None:
        super().__init__(signal, bits, **settings)
        if isinstance(pieces, bool) or not isinstance(pieces, int) or not 2 <= pieces <= 1024:
            raise ValueError(f"pieces={pieces!r}: PiecewiseLinear needs an integer from 2 to 1024")
        self.pieces = pieces
        self.logits = nn.Parameter(torch.zeros(self.rows, pieces))

    def pullback(
        self, u: Tensor, grad: Tensor, wants_u: bool, wants: Sequence[bool]
    ) -> tuple[Tensor | None, list[Tensor | None]]:
        """Summed per piece, then by autograd from the heights to θ."""
        inside = u.clamp(self.bottom, 1.0)
        with torch.enable_grad():
            knots, heights = self.knots(u.dtype)
        grad_u, _, grad_heights = pull_back(inside, grad * (inside == u), knots, heights.detach())
        return grad_u, list(torch.autograd.grad(heights, self.logits, grad_heights)) if wants[0] else [None]

    @torch.no_grad()
    def begin_at(self, levels: Tensor) -> None:
        """Through (t_k, z_k) wherever the pieces can bend so, else near them.

        Straight lines from level to level, read at the ends of the pieces, keep every level in its piece. z at a level
        is the sum of the rises before it and its share of its own piece's: the rises closest to the z_k, and of these
        the ones nearest to the straight lines', are a bounded linear problem. The better of the two curves is taken.
        """
        from scipy.optimize import lsq_linear  # type: ignore[import-untyped]  # here: it takes a while

        ends, starts = np.linspace(self.bottom, 1.0, self.pieces + 1), self.code_starts().cpu().numpy()
        sums = np.ones((1, self.pieces))  # all rises together make up the span
        for row, level in enumerate(levels.double().cpu().numpy()):
            straight = np.interp(ends, [self.bottom, *level, 1.0], [self.bottom, *starts, 1.0])
            before = np.clip((level[:, None] - ends[:-1]) / (ends[1] - ends[0]), 0.0, 1.0)
            matrix = np.concatenate([WEIGHT * before, WEIGHT * sums, np.eye(self.pieces)])
            wanted = np.concatenate([WEIGHT * (starts - self.bottom), [WEIGHT * self.span], np.diff(straight)])
            solved = lsq_linear(matrix, wanted, (LEAST * self.span, self.span)).x
            curves = [np.maximum(rises, LEAST * self.span) for rises in (solved, np.diff(straight))]
            heights = [np.insert(self.bottom + rises.cumsum(), 0, self.bottom) for rises in curves]
            errors = [((np.interp(starts, height, ends) - level) ** 2).sum() for height in heights]
            self.logits[row] = torch.from_numpy(np.log(curves[int(np.argmin(errors))]))
        self.clamp_()

    @torch.no_grad()
    def clamp_(self) -> None:
        """Centre θ, which only differences of count, and keep every piece rising."""
        self.logits.sub_(self.logits.mean(1, keepdim=True)).clamp_(-STEEPEST, STEEPEST)

    def trajectory(self) -> dict[str, list[float]]:
        """z25, z50, z75: how high the curve is at a quarter, half and three quarters of the range."""
        return self.at_quarters(self.curve, "z")

    def knots(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """The ends of the pieces; the last z is 1 exactly."""
        knots = torch.linspace(self.bottom, 1.0, self.pieces + 1, dtype=dtype, device=self.logits.device)
        rises = self.logits.to(dtype).softmax(1)
        ends = torch.zeros_like(rises[:, :1]), torch.ones_like(rises[:, :1])
        heights = torch.cat([ends[0], rises.cumsum(1)[:, :-1], ends[1]], 1)
        return knots.expand(self.rows, -1), heights * self.span + self.bottom
