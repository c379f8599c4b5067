"""Quantized weights: normalise, transform, quantize (FAT, Algorithm 1), and the 8-bit weights of first and last layers.

Open it to see how weights are quantized, with FAT's transform and without.

**Scale.** Weights are quantized as (W - mean)/std, and multiplied by std afterwards. Where batch norm follows, that
changes neither the network's output nor any gradient (batch norm ignores the scale of its input), and elsewhere it is
needed; so nothing has to be known about what follows, and running statistics of a trained network stay valid. Without
`rescale` weights keep unit variance, as the authors have it. The mean is not added back: it would not be a level.
Weights that pass no transform may be *centred* alone, W - mean, as in the authors' MobileNetV2: their α then has the
weights' own unit and does not follow their standard deviation.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from qsense.quant.network.activations import inverse_softplus, positive
from qsense.quant.network.gradients import inner, inner_difference, zero_outside
from qsense.quant.network.levels import Levels, Uniform, Wide
from qsense.quant.network.spectrum import Spectrum, transform, transform_backward
from qsense.quant.ste import straight_through

SMALLEST_STD = 1e-8  # weights that are all equal become zeros, not NaN


class Quantized(NamedTuple):
    """A weight on its grid: the quantized weight is grid · unit; the rest is for backward."""

    grid: Tensor  # [C, N]
    unit: Tensor
    transformed: Tensor  # W_t, [C, N]
    std: Tensor
    spectrum: Spectrum | None


def without_autocast(device: str) -> AbstractContextManager[Any]:
    """Autocast off; where it is off already nothing is entered, as that would cost as much as a pass or two."""
    return torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else nullcontext()


@dataclass(frozen=True)
class Recipe:
    """How one weight is quantized: levels, score scale (None: no transform), scale, the options of FAT's gradients."""

    levels: Levels
    score_scale: float | None
    rescale: bool
    clip_grad: bool
    pact: bool
    divide: bool = True  # by the standard deviation; False: centred alone

    def quantize(self, weight: Tensor, alpha: Tensor, mixing: Tensor | None) -> Quantized:
        """Weights [C, …] → their grid; float16 and bfloat16 are computed in float32, under autocast too."""
        with without_autocast(weight.device.type):
            rows = weight.flatten(1).to(torch.promote_types(weight.dtype, torch.float32))
            rows = rows - rows.mean()
            if self.divide:
                std = (inner(rows, rows) / (rows.numel() - 1)).sqrt().clamp_min(SMALLEST_STD)  # unbiased
                rows = rows / std
            else:
                std = rows.new_ones(())
            spectrum = None
            if mixing is not None and self.score_scale is not None:
                rows, spectrum = transform(rows, mixing, self.score_scale)
            unit = self.levels.unit(alpha)
            grid = self.levels.grid(rows, unit)
            return Quantized(grid, unit * std if self.rescale else unit, rows, std, spectrum)


def assemble(grid: Tensor, unit: Tensor, like: Tensor) -> Tensor:
    """grid · unit in the shape and dtype of `like`; adding 0 turns -0 into 0, for which there is one code."""
    return (grid * unit).add_(0.0).view(like.shape).to(like.dtype)


class Fat(torch.autograd.Function):
    """One weight through normalisation (mean and std held fixed), transform and quantizer, with one backward.

    With y the normalised result: dW_t = g (or g·1[inside] with `clip_grad`), and
    dα = Σ g·(sign x outside, q - x inside) = (⟨g, y⟩ - ⟨g·1[inside], W_t⟩)/α; `pact` leaves the inside out.
    """

    @staticmethod
    def forward(ctx: Any, weight: Tensor, alpha: Tensor, mixing: Tensor | None, recipe: Recipe) -> Tensor:
        quantized = recipe.quantize(weight, alpha, mixing)
        result = assemble(quantized.grid, quantized.unit, weight)
        spectrum = quantized.spectrum or (None, None, None)
        ctx.save_for_backward(result, alpha, mixing, quantized.transformed, quantized.std, *spectrum)
        ctx.recipe = recipe
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        result, alpha, mixing, transformed, std, *spectrum = ctx.saved_tensors
        recipe: Recipe = ctx.recipe
        with without_autocast(grad.device.type):
            g = grad.reshape(transformed.shape).to(transformed.dtype)
            # `result` carries the factor std where `rescale` is on, `transformed` never does.
            y = result.reshape(transformed.shape).to(transformed.dtype)
            factor = std if recipe.rescale else 1.0
            passed = zero_outside(g, transformed, alpha, signed=True)
            exact = (y, 1.0) if recipe.pact else (transformed, factor)
            grad_alpha = inner_difference(g, y, passed, *exact) / alpha
            grad_mixing = None
            if recipe.clip_grad:
                g = passed
            if mixing is not None and recipe.score_scale is not None:
                g, grad_mixing = transform_backward(g, mixing, recipe.score_scale, Spectrum(*spectrum))
                grad_mixing = (grad_mixing * factor).to(mixing.dtype)
            grad_weight = (g if recipe.rescale else g / std).view(grad.shape).to(grad.dtype)
        return grad_weight, grad_alpha.to(alpha.dtype), grad_mixing, None


class WeightQuantizer(nn.Module, ABC):
    """A parametrization of one weight tensor. In evaluation without gradients the result is computed once and kept.

    It is computed anew after training mode, after loading a state, after a move to another device or dtype, and when
    the weight or the quantizer's own parameters have changed in place.
    """

    levels: Levels

    def __init__(self) -> None:
        super().__init__()
        self._cached: tuple[int, Tensor] | None = None

    @abstractmethod
    def grid(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Grid values [C, N] and their unit: what `freeze` stores."""

    def code_levels(self, weight: Tensor) -> Levels:
        """The levels whose codes this weight takes: `levels`, where it cannot reach beyond them."""
        return self.levels

    @abstractmethod
    def quantize(self, weight: Tensor) -> Tensor:
        """The quantized weight, with its gradients."""

    def forward(self, weight: Tensor) -> Tensor:
        if self.training or torch.is_grad_enabled():
            return self.quantize(weight)
        version = 0
        if not torch.compiler.is_compiling() and not torch.is_inference(weight):
            version = sum(tensor._version for tensor in (weight, *self.parameters()))
        if self._cached is None or self._cached[0] != version:
            self._cached = (version, self.quantize(weight))
        return self._cached[1]

    def right_inverse(self, weight: Tensor) -> Tensor:
        """Setting the weight sets what is quantized."""
        return weight

    def train(self, mode: bool = True) -> WeightQuantizer:
        self._cached = None
        return super().train(mode)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> WeightQuantizer:
        self._cached = None
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def _load_from_state_dict(self, *args: Any) -> None:
        self._cached = None
        super()._load_from_state_dict(*args)

    def extra_repr(self) -> str:
        return f"{self.levels}"


class LearnedWeight(WeightQuantizer):
    """Weights with a learned clipping range α = softplus(rho), transformed (FAT) or not.

    Args:
        weight: the weight [C, …]; one filter per output channel.
        levels: signed levels.
        transform: "none"; "fat": M = σ(A·S), A learned from 1/C on; "fat_scaled": scores divided by √N.
        alpha: clipping range to start from, in standard deviations of this weight.
        rescale: multiply by the weight's standard deviation afterwards.
        clip_grad: no gradient for weights beyond α (Algorithm 1) instead of all of it.
        alpha_grad: "full", or "pact" for a gradient from clipped weights alone.
        divide: by the weight's standard deviation; False (without a transform alone): subtract the mean, no more.

    Raises:
        ValueError: a weight of a single number, which has no standard deviation.
    """

    def __init__(
        self,
        weight: Tensor,
        levels: Levels,
        transform: str,
        alpha: float,
        rescale: bool,
        clip_grad: bool,
        alpha_grad: str,
        divide: bool = True,
    ) -> None:
        super().__init__()
        if weight.numel() < 2:
            raise ValueError("a weight of a single number cannot be normalised: list its layer under skip")
        rows, width = weight.flatten(1).shape
        scale = {"none": None, "fat": 1.0, "fat_scaled": width**-0.5}[transform]
        self.levels = levels
        self.recipe = Recipe(levels, scale, rescale, clip_grad, alpha_grad == "pact", divide)
        start = torch.tensor(float(alpha))
        if not divide:
            start = start * weight.detach().float().std().clamp_min(SMALLEST_STD).cpu()
        self.rho = nn.Parameter(inverse_softplus(start).to(weight))
        self.mixing = None if scale is None else nn.Parameter(weight.new_full((rows, rows), 1.0 / rows))

    @property
    def alpha(self) -> Tensor:
        """The clipping range, a tensor of no dimensions."""
        return positive(self.rho)

    def quantize(self, weight: Tensor) -> Tensor:
        result: Tensor = Fat.apply(weight, self.alpha, self.mixing, self.recipe)
        return result

    @torch.no_grad()
    def grid(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        quantized = self.recipe.quantize(weight, self.alpha, self.mixing)
        return quantized.grid, quantized.unit

    @torch.no_grad()
    def mask(self, weight: Tensor) -> Tensor:
        """The learned mask M [C, N//2 + 1] of this weight, for pictures; ones without a transform."""
        spectrum = self.recipe.quantize(weight, self.alpha, self.mixing).spectrum
        width = weight.flatten(1).shape[1]
        return weight.new_ones(weight.shape[0], width // 2 + 1) if spectrum is None else spectrum.mask


class AbsMaxWeight(WeightQuantizer):
    """Weights of a first or last layer: evenly spaced levels up to the largest magnitude; straight-through gradient.

    Args:
        bits: bits per weight, sign included.
    """

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.levels = Uniform(bits, signed=True)

    @torch.no_grad()
    def grid(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        rows = weight.detach().flatten(1).to(torch.promote_types(weight.dtype, torch.float32))
        unit = self.levels.unit(rows.abs().max().clamp_min(SMALLEST_STD))
        return self.levels.grid(rows, unit), unit

    def quantize(self, weight: Tensor) -> Tensor:
        return straight_through(weight, lambda w: assemble(*self.grid(w), like=w), lambda w, grad, *_: (grad, ()))


class MaxWeight(AbsMaxWeight):
    """The same with levels up to the largest *weight*, as FAT's authors have it; none is clipped.

    Weights below minus the largest take codes of more than `bits` bits, of how many `code_levels` says. In the authors'
    3-bit ResNet-20 that is one of the stem's 432 weights, with the code -134, and clipping it costs seven of 1 017
    images. Where no weight is above zero, levels reach to the largest magnitude.
    """

    def __init__(self, bits: int) -> None:
        super().__init__(bits)
        self.beyond = Wide(Wide.most, signed=True)

    @torch.no_grad()
    def grid(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        rows = weight.detach().flatten(1).to(torch.promote_types(weight.dtype, torch.float32))
        largest = rows.max()
        reach = torch.where(largest > 0, largest, rows.abs().max())
        unit = self.levels.unit(reach.clamp_min(SMALLEST_STD))
        return self.beyond.grid(rows, unit), unit

    def code_levels(self, weight: Tensor) -> Levels:
        highest = self.grid(weight)[0].abs().max().nan_to_num().item()
        bits = int(highest).bit_length() + 1
        return self.levels if bits <= self.levels.bits else Wide(bits, signed=True)
