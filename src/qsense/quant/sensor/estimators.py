"""What stands in for the derivative of rounding, which is 0 or infinite: one of five, the same for every curve.

Open it to choose `surrogate`, or to add one.

With L = 2^bits - 1 steps, v = L·z on the scale of codes, t = v + ½ (rounding "round") or v (rounding "floor"), a
sample's code is floor(t). `g` is the code's gradient, and the gradient of v is

| name | training sees | gradient of v |
|---|---|---|
| `ste` | the quantized values | g: straight through (Bengio et al., 2013) |
| `noise` | v plus uniform noise of one step (Ballé et al., 2017) | g |
| `soft` | v itself, for curves that are staircases already (Shlezinger & Eldar, 2021) | g |
| `ewgs` | the quantized values | g·(1 + δ·sign(g)·e), e = t - floor(t) - ½ (Lee et al., 2021, eq. 4) |
| `rect` | the quantized values | g/w within ±w/2 of a decision level, else 0 (Bengio's for the sign, at every level) |

Evaluation always sees the quantized values. Only `noise` and `soft` change what training sees; the others change
gradients alone. The error e is that of the discretisation, x_n - x_q of the paper, here in steps: its δ on the scale of
[0, 1] is L times this one. The window of `rect` has the area of the step, so that on evenly spread samples it agrees
with `ste` on average (but for the top level under "floor", where half of its window lies beyond the range); w = 1 would
be `ste` itself.
"""

from __future__ import annotations

from typing import get_args

import torch
from torch import Tensor

from qsense.quant.sensor.settings import Surrogate

SURROGATES: tuple[str, ...] = get_args(Surrogate)
SMOOTH = ("noise", "soft")  # training sees no codes
SHAPED = ("ewgs", "rect")  # the gradient depends on where between two decision levels a sample lies
DELTA = 0.2  # δ: gradients change by up to a tenth, at a decision level
WINDOW = 0.5  # w, in steps


def ewgs(t: Tensor, grad: Tensor, size: Tensor) -> Tensor:
    """Element-wise gradient scaling: g·(1 + δ·sign(g)·e) = g + δ·e·|g|.

    In the second form the sum over samples with the same t needs no more than the sums of g and of |g|.

    Args:
        t: place on the scale of codes, see above.
        grad: g, or its sum over the samples at t.
        size: |g|, or its sum.

    >>> ewgs(torch.tensor([1.0, 1.5, 1.75]), torch.tensor([-1.0, 3.0, 2.0]), torch.tensor([1.0, 3.0, 2.0])).tolist()
    [-1.100000023841858, 3.0, 2.0999999046325684]
    """
    return grad + size * (t - t.floor()).sub_(0.5).mul_(DELTA)


def rect(t: Tensor, grad: Tensor, steps: int) -> Tensor:
    """A rectangular window around each of the decision levels t = 1 … steps.

    >>> rect(torch.tensor([0.1, 0.8, 1.25, 1.4]), torch.ones(4), steps=3).tolist()
    [0.0, 2.0, 2.0, 0.0]
    """
    nearest = t.round().clamp_(1, steps)
    return grad * ((t - nearest).abs_() <= WINDOW / 2) / WINDOW


def blur_(out: Tensor, step: float, rounding: str, surrogate: str) -> None:
    """What quantizing does on average to values of the unrounded curve, in place: v + ½ - n or, under floor, v - n.

    n is uniform in [0, 1) for "noise", its mean ½ for "soft".

    Args:
        out: what the network would see of v.
        step: distance of two levels there.
        rounding: "round" or "floor".
        surrogate: "noise" or "soft".
    """
    half = 0.5 if rounding == "round" else 0.0
    if surrogate == "noise":
        out.add_(torch.rand_like(out).neg_().add_(half), alpha=step)
    elif rounding == "floor":
        out.sub_(0.5 * step)
