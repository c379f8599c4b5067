"""What hand-written backward passes of quantizers share.

Open it if gradients of weights or activations are slow.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def zero_outside(grad: Tensor, x: Tensor, alpha: Tensor, signed: bool) -> Tensor:
    """`grad` where -α (signed) or 0 ≤ x ≤ α, else 0; α > 0 holds one number."""
    if x.is_cpu and not torch.compiler.is_compiling():
        # One fused pass, four times faster than comparing and selecting; it takes plain numbers, which would stall
        # another device, and excludes its bounds: hence the next numbers outside, in x's own precision.
        bound = alpha.item()
        if x.dtype == torch.float64:
            above, below_zero = math.nextafter(bound, math.inf), math.nextafter(0.0, -1.0)
        else:
            above, below_zero = bound * (1 + 1.25 * 2**-24), -(2.0**-149)  # rounds to float32's next number
        result: Tensor = torch.ops.aten.hardtanh_backward.default(grad, x, -above if signed else below_zero, above)
        return result
    return torch.where((x >= (-alpha if signed else 0.0)) & (x <= alpha), grad, 0.0)


def inner(a: Tensor, b: Tensor) -> Tensor:
    """Σ a·b, without a temporary where memory order allows."""
    if a.is_contiguous() and b.is_contiguous():
        return torch.dot(a.view(-1), b.view(-1))
    return (a * b).sum()


def inner_difference(a: Tensor, b: Tensor, c: Tensor, d: Tensor, factor: Tensor | float = 1.0) -> Tensor:
    """Σ a·b - factor · Σ c·d; a compiler gets one sum to fuse instead of two."""
    if torch.compiler.is_compiling():
        return (a * b - c * d * factor).sum()
    return inner(a, b) - inner(c, d) * factor
