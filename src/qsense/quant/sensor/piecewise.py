"""Functions made of straight pieces, one row of knots per curve."""

from __future__ import annotations

import torch
from torch import Tensor


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
    rows, count = knots.shape
    table = knots.detach()[0] if rows == 1 else knots.detach().contiguous()
    x = x if rows == 1 else x.expand(rows, -1)
    index = torch.searchsorted(table, x.detach().contiguous(), right=right).clamp_(1, count - 1)
    if rows > 1:
        index += torch.arange(rows, device=x.device)[:, None] * count
    place = index.view(-1)
    (left, low), (end, high) = (
        tuple(t.reshape(-1).gather(0, at).view(x.shape) for t in (knots, heights)) for at in (place - 1, place)
    )
    return torch.lerp(low, high, (x - left) / (end - left).clamp_min(torch.finfo(x.dtype).tiny))
