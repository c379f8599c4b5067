"""Whole numbers of weights, biases and activations, with the gradients that training needs.

Open it to see how a value becomes a code, or where a gradient comes from.

**Values.** Codes and accumulators are whole numbers in float32, or in float64 where a sum might not fit float32's 24
bits: every sum is exact, in whatever order it is taken. Units are plain numbers.

**Gradients** are those of codes and accumulators as if nothing were rounded, and 0 where something is cut off (`Cut`).
Weights and biases get theirs through their codes, weights' α through the weights, activations' α as in `activations`.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from qsense.quant.network.activations import ActivationQuantizer, FrozenActivation
from qsense.quant.network.gradients import inner
from qsense.quant.network.integer.numbers import ONE, Scale, scale
from qsense.quant.network.layers import quantizers

EXACT = 1 << 24  # whole numbers up to here are exact in float32
LARGEST_SCALE = Scale(ONE - 1, 1).value


class Codes(NamedTuple):
    """What flows from one layer to the next.

    Args:
        codes: whole numbers, [B, features, T, planes] or [B, features, T] in convolutions, then [B, T, features].
        unit: what a code of 1 stands for.
        most: the largest magnitude that a code can have.
    """

    codes: Tensor
    unit: float
    most: int


class Product(NamedTuple):
    """What a layer multiplies and adds.

    Args:
        weight: codes.
        bias: codes, in units of the accumulator; float64.
        unit: what an accumulator of 1 stands for.
    """

    weight: Tensor
    bias: Tensor
    unit: float


class Cut(torch.autograd.Function):
    """Codes of x · factor, which were computed elsewhere: rounded, and cut off at low … high.

    Backward: dx = g · factor where x · factor lies within low … high, else 0. With α, of which the codes' unit is a
    fraction, and v = x · factor: dα = (⟨g, codes⟩ − ⟨g·1[inside], v⟩)/α, and with `pact` codes take v's place.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        factor: float,
        codes: Tensor,
        low: float,
        high: float,
        alpha: Tensor | None = None,
        pact: bool = False,
    ) -> Tensor:
        ctx.save_for_backward(x, codes, alpha)
        ctx.factor, ctx.low, ctx.high, ctx.pact = factor, low, high, pact
        return codes

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, codes, alpha = ctx.saved_tensors
        if ctx.low == -math.inf:  # a weight's codes
            return (grad * ctx.factor).to(x.dtype), None, None, None, None, None, None
        v = x * ctx.factor
        inside = grad.to(v.dtype) * ((v >= ctx.low) & (v <= ctx.high))
        grad_alpha = None
        if alpha is not None and ctx.needs_input_grad[5]:
            v = codes.to(v.dtype) if ctx.pact else v
            grad_alpha = ((inner(grad, codes.to(grad.dtype)) - inner(inside, v)) / alpha).to(alpha.dtype)
        return (inside * ctx.factor).to(x.dtype), None, None, None, None, grad_alpha, None


def half_up(v: Tensor) -> Tensor:
    """The nearest whole number, ties upwards; in place."""
    return v.add_(0.5).floor_()


def requantize(acc: Tensor, by: Scale, low: int, high: int) -> Tensor:
    """`numbers.requantize` in float64, where all of it is exact: |acc| · multiplier < 2^47.

    >>> requantize(torch.tensor([-5.0, -3.0, 3.0, 5.0, 100.0]), scale(0.5), -8, 7).tolist()
    [-2.0, -1.0, 2.0, 3.0, 7.0]
    """
    codes: Tensor = half_up(acc.to(torch.float64, copy=True).mul_(by.value)).clamp_(low, high)
    return codes


def input_levels(coder: nn.Module, values: Tensor | None = None) -> tuple[Any, float]:
    """A layer's input levels and their unit; the first values calibrate them, in training mode."""
    quantizer = coder.input_quantizer
    if isinstance(quantizer, FrozenActivation):
        return quantizer.levels, quantizer.unit.item()
    assert isinstance(quantizer, ActivationQuantizer)
    levels = quantizer.known_levels(values)
    return levels, levels.unit(quantizer.alpha).item()


def learned_range(coder: nn.Module) -> tuple[Tensor | None, bool]:
    """A layer's input α, and whether its gradient is of cut off values alone; frozen layers have none."""
    quantizer = coder.input_quantizer
    return (quantizer.alpha, quantizer.pact) if isinstance(quantizer, ActivationQuantizer) else (None, False)


def weight_codes(module: nn.Module, name: str) -> tuple[Tensor, float]:
    """A weight's codes, with its gradient, and their unit."""
    value: Tensor = getattr(module, name)
    for quantized, original, quantizer in quantizers(module):
        if quantized == name:
            grid, unit = quantizer.grid(original)
            step = unit.item()
            codes = grid.view(value.shape)
            break
    else:
        step = module.__dict__["frozen_units"][name]
        codes = value.detach().div(step).round_()
    return Cut.apply(value, 1 / step, codes, -math.inf, math.inf), step


def rounded(bias: Tensor, unit: float, limit: int) -> Tensor:
    """A bias in whole numbers of a unit, in float64."""
    codes = half_up(bias.detach().double() / unit).clamp_(-limit, limit)
    result: Tensor = Cut.apply(bias, 1 / unit, codes, -limit, limit)
    return result


def product(module: nn.Module, unit: float) -> Product:
    """What a convolution or linear layer multiplies and adds, for an input in a unit."""
    weight, step = weight_codes(module, "weight")
    together = step * unit
    bias = module.bias
    if bias is None:
        return Product(weight, weight.new_zeros(len(weight), dtype=torch.float64), together)
    assert isinstance(bias, Tensor)
    return Product(weight, rounded(bias, together, 1 << 30), together)


def by_of(name: str, ratio: float) -> Scale:
    """`numbers.scale`; beyond its largest number, by which an accumulator of 1 saturates what it goes to, that one."""
    if not math.isfinite(ratio):
        raise ValueError(f"layer {name}: its weights or their ranges are not finite: the training has diverged")
    return scale(min(ratio, LARGEST_SCALE))


def largest(weight: Tensor, most: int, bias: Tensor | None = None) -> float:
    """A bound of the accumulators' magnitude."""
    sums = weight.detach().flatten(1).abs().sum(1, dtype=torch.float64) * most
    return float((sums if bias is None else sums + bias.detach().abs()).max().item())


def working(bound: float, device: torch.device) -> torch.dtype:
    """In what sums up to a bound are exact; other devices than CPUs may shorten or transform float32."""
    return torch.float32 if bound < EXACT and device.type == "cpu" else torch.float64


def whole(acc: Tensor) -> Tensor:
    """Accumulators as they are; other devices than CPUs may transform convolutions, and be right but for 10^-6."""
    return acc if acc.is_cpu else acc + (acc.round() - acc).detach()
