"""Two reductions that both hand-written backward passes share."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def inside(grad: Tensor, x: Tensor, low: Tensor | float, high: Tensor) -> Tensor:
    """`grad` where low ≤ x ≤ high, else 0; low and high hold one number each."""
    if x.is_cpu and not torch.compiler.is_compiling():
        # One fused pass, four times faster than comparing and selecting; it takes plain numbers, which would stall
        # another device, and excludes its bounds: hence the next numbers outside.
        real = np.float64 if x.dtype == torch.float64 else np.float32
        below, above = np.nextafter(real(float(low)), real(-np.inf)), np.nextafter(real(high.item()), real(np.inf))
        result: Tensor = torch.ops.aten.hardtanh_backward(grad, x, float(below), float(above))
        return result
    return torch.where((x >= low) & (x <= high), grad, 0.0)


def inner(a: Tensor, b: Tensor) -> Tensor:
    """Σ a·b, without a temporary where memory order allows."""
    if a.is_contiguous() and b.is_contiguous() and not torch.compiler.is_compiling():
        return torch.dot(a.view(-1), b.view(-1))
    return (a * b).sum()
