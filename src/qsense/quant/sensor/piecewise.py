"""Curves made of straight pieces: one row of knots per curve.

Open it to write a curve by where it bends, or to see how samples find their piece.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

from qsense.quant.sensor.base import SensorQuantizer

FEW = 34  # knots


class PiecewiseCurve(SensorQuantizer):
    """A curve that is straight between its `knots`; a subclass says where they are, and adds `pullback`."""

    @abstractmethod
    def knots(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """u of the knots, ascending, and their z, both [rows, m], m ≥ 2, in this dtype."""

    def curve(self, u: Tensor) -> Tensor:
        """z, straight between the knots."""
        return interpolate(u, *self.knots(u.dtype))

    def inverse(self, z: Tensor) -> Tensor:
        """u, straight between the knots; at a knot's z exactly that knot."""
        knots, heights = self.knots(z.dtype)
        return interpolate(z, heights, knots, right=False)

    def at_quarters(self, function: Callable[[Tensor], Tensor], name: str) -> dict[str, list[float]]:
        """For logs: `curve` or `inverse` at a quarter, half and three quarters of the interval, one value per curve."""
        quarters = torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64, device=self.device)
        values = function(quarters * self.span + self.bottom).detach().expand(self.rows, -1).float()
        return {f"{name}{percent}": of_rows.tolist() for percent, of_rows in zip((25, 50, 75), values.t(), strict=True)}


def interpolate(x: Tensor, knots: Tensor, heights: Tensor, right: bool = True) -> Tensor:
    """The function that is straight between (knots, heights), and goes on straight beyond its ends.

    At a knot it is exactly that knot's height. Differentiable in all three.

    Args:
        x: where to evaluate, [n] or [rows, n]; of any shape where there is one row.
        knots: ascending, [rows, m], m ≥ 2.
        heights: there, [rows, m].
        right: of knots that coincide, whether x on them counts as beyond the last or as before the first.

    >>> knots, heights = torch.tensor([[0.0, 0.5, 1.0]]), torch.tensor([[0.0, 0.8, 1.0]])
    >>> interpolate(torch.tensor([[0.25, 0.5, 0.75]]), knots, heights)
    tensor([[0.4000, 0.8000, 0.9000]])
    """
    x = x if len(knots) == 1 else x.expand(len(knots), -1)
    place = _pieces(x, knots, right)
    (left, low), (end, high) = ([_at(t, at, x) for t in (knots, heights)] for at in (place, place + 1))
    return torch.lerp(low, high, (x - left) / (end - left).clamp_min(torch.finfo(x.dtype).tiny))


def pull_back(x: Tensor, grad: Tensor, knots: Tensor, heights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of Σ grad · interpolate(x, knots, heights) with respect to x, the knots and the heights.

    With f the share of its piece that lies before x, the ends of the piece get 1 - f and f of x's gradient, the knots
    times minus the slope: two sums per piece, whatever the number of samples.

    Args:
        x: finite, [rows, n].
        grad: [rows, n].
        knots: ascending, [rows, m], m ≥ 2.
        heights: there, [rows, m].

    >>> knots, heights = torch.tensor([[0.0, 0.5, 1.0]]), torch.tensor([[0.0, 0.8, 1.0]])
    >>> pull_back(torch.tensor([[0.125]]), torch.tensor([[1.0]]), knots, heights)
    (tensor([[1.6000]]), tensor([[-1.2000, -0.4000, -0.0000]]), tensor([[0.7500, 0.2500, 0.0000]]))
    """
    place = _pieces(x, knots, right=True)
    width = knots.diff().clamp_min_(torch.finfo(x.dtype).tiny)
    slope = torch.nn.functional.pad(heights.diff().div_(width), (0, 1))  # as many as knots, so that places fit
    after = (x - _at(knots, place, x)).div_(_at(torch.nn.functional.pad(width, (0, 1)), place, x)).mul_(grad)
    before = grad - after
    # In float64, so that the order in which a GPU adds moves hardly a digit.
    first, second = (
        torch.zeros(slope.numel(), dtype=torch.float64, device=x.device)
        .scatter_add_(0, place, part.reshape(-1).double())
        .view_as(slope)
        .to(x.dtype)
        for part in (before, after)
    )
    grad_heights, grad_knots = first + second.roll(1, 1), slope * first + (slope * second).roll(1, 1)
    return grad * _at(slope, place, x), grad_knots.neg_(), grad_heights


def _pieces(x: Tensor, knots: Tensor, right: bool) -> Tensor:
    """The knot before each x, as a place in the flattened knots [x's size]; beyond the ends, of the piece there."""
    rows, count = knots.shape
    x, knots = x.detach(), knots.detach()
    if count <= FEW:  # comparisons that write 1.0 and 0.0 are vectorised, and a search is not
        passed, hit = torch.zeros_like(x), torch.empty_like(x)
        for j in range(1, count - 1):
            knot = knots[0, j] if rows == 1 else knots[:, j, None]
            passed.add_(torch.ge(x, knot, out=hit) if right else torch.gt(x, knot, out=hit))
        index = passed.long()
    else:
        table = knots[0] if rows == 1 else knots.contiguous()
        index = torch.searchsorted(table, x.contiguous(), right=right).sub_(1).clamp_(0, count - 2)
    if rows > 1:
        index += torch.arange(rows, device=x.device)[:, None] * count
    return index.reshape(-1)


def _at(table: Tensor, place: Tensor, x: Tensor) -> Tensor:
    return table.reshape(-1).index_select(0, place).view(x.shape)
