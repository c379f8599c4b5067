"""The inverse of a monotone function over the representable numbers, for curves without one of their own.

Open it if decision levels of a new curve come out wrong.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def bisect(curve: Callable[[Tensor], Tensor], z: Tensor, low: float, high: float) -> Tensor:
    """Smallest float64 u in [low, high] with curve(u) ≥ z; +inf where there is none, -inf where low is above z already.

    It halves the *number of floats* in between, so it is exact to the last bit, for steep curves and tiny results too.

    Args:
        curve: non-decreasing, float64 [rows, n] → [rows, n], element by element.
        z: float64 [rows, n].
        low: where to begin.
        high: where to end.

    >>> bisect(lambda u: u**3, torch.tensor([[0.125, 2.0, -9.0]], dtype=torch.float64), -1.0, 1.0).tolist()
    [[0.5, inf, -inf]]
    """

    def ordinal(u: Tensor) -> Tensor:  # number floats in their order, so that halfway means half of the floats
        pattern = u.view(torch.int64)
        return torch.where(pattern < 0, torch.iinfo(torch.int64).min - pattern, pattern)

    def number(ordinals: Tensor) -> Tensor:
        pattern = torch.where(ordinals < 0, torch.iinfo(torch.int64).min - ordinals, ordinals)
        return pattern.view(torch.float64)

    bottom, top = torch.full_like(z, low), torch.full_like(z, high)
    below, above = curve(top) < z, curve(bottom) >= z
    left, right = ordinal(bottom), ordinal(top)
    for _ in range(64):
        middle = (left & right) + ((left ^ right) >> 1)
        reached = curve(number(middle)) >= z
        left, right = torch.where(reached, left, middle), torch.where(reached, middle, right)
    u = number(right).masked_fill(below, torch.inf)
    return u.masked_fill(above, -torch.inf)
