"""Quantized activations with a learned clipping range α (FAT, eqs. 1-2).

Open it to see how the range of a layer's input is found in a first batch, and learned.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from qsense.quant.network.levels import Levels, make_levels

SAMPLE = 1 << 20  # values looked at to find a percentile


class Clip(torch.autograd.Function):
    """y = the level nearest to x within [0, α] or [-α, α].

    Backward, with x' = x/α and q = y/α: dx = g·1[x inside], and dα = Σ g·(sign x' outside, q - x' inside), which is
    (⟨g, y⟩ - ⟨dx, x⟩)/α. With `pact` the inside counts nothing: (⟨g, y⟩ - ⟨dx, y⟩)/α.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, alpha: Tensor, levels: Levels, pact: bool) -> Tensor:
        unit = levels.unit(alpha)
        working = x.to(torch.promote_types(x.dtype, torch.float32))
        y = levels.quantize(working, unit, unit.reciprocal()).to(x.dtype)
        ctx.save_for_backward(x, y, alpha)  # the layer behind keeps y, too: it takes no memory
        ctx.levels, ctx.pact = levels, pact
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, y, alpha = ctx.saved_tensors
        grad_x, grad_alpha = ctx.levels.gradients(grad, x, y, alpha, ctx.pact)
        return grad_x, grad_alpha, None, None


def positive(rho: Tensor) -> Tensor:
    """softplus(rho), never below a millionth: far below zero softplus rounds to 0, and dividing by it gives NaN."""
    return functional.softplus(rho).clamp_min(1e-6)


def inverse_softplus(alpha: Tensor) -> Tensor:
    """The number whose softplus is alpha (> 0): alpha + ln(1 - e^-alpha)."""
    return alpha + torch.log(-torch.expm1(-alpha))


class ActivationQuantizer(nn.Module):
    """Quantizes what flows into one layer.

    α = softplus(rho) is always positive. The first batch seen in training mode (or by `NetworkQuantizer.calibrate`)
    decides whether the layer's input is *signed* (any value below zero), and fills α with a percentile of |x|, unless
    a number was given. From then on both belong to the state. Float16 and bfloat16 are quantized in float32.

    Args:
        bits: bits per value; signed inputs spend one on the sign.
        levels: "uniform" or "log".
        alpha: clipping range to start from; None: the first batch's percentile.
        percentile: of the first batch's magnitudes, in (0, 1].
        alpha_grad: "full", or "pact" for a gradient from clipped values alone.

    Raises:
        ValueError: bits that these levels do not take.
    """

    signed_state: Tensor

    def __init__(
        self,
        bits: int,
        levels: str = "uniform",
        alpha: float | None = None,
        percentile: float = 0.999,
        alpha_grad: str = "full",
    ) -> None:
        super().__init__()
        self.bits = bits
        self.choices = {signed: make_levels(levels, bits, signed) for signed in (False, True)}
        self.levels: Levels | None = None  # unknown until a batch was seen
        self.layer = "a layer"  # as an error names it
        self.given = alpha is not None
        self.percentile = percentile
        self.pact = alpha_grad == "pact"
        self.rho = nn.Parameter(inverse_softplus(torch.tensor(1.0 if alpha is None else float(alpha))))
        self.register_buffer("signed_state", torch.tensor(-1, dtype=torch.int8))  # -1 unknown, 0 unsigned, 1 signed

    @property
    def alpha(self) -> Tensor:
        """The clipping range, a tensor of no dimensions."""
        return positive(self.rho)

    @torch.no_grad()
    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def calibrate(self, x: Tensor) -> None:
        """Decide the sign and, unless it was given, fill α from one batch."""
        signed = bool((x < 0).any())
        if not self.given:
            magnitude = x.detach().flatten()[:: max(1, x.numel() // SAMPLE)].abs().float()
            rank = min(magnitude.numel(), math.ceil(self.percentile * magnitude.numel()))
            alpha = magnitude.kthvalue(rank).values
            largest = magnitude.max()
            if not torch.isfinite(largest):
                raise ValueError(f"{self.layer}'s input is not finite in the first batch, so it cannot be scaled")
            alpha = torch.where(alpha > 0, alpha, torch.where(largest > 0, largest, 1.0))  # a (nearly) dead layer
            self.rho.copy_(inverse_softplus(alpha))
        self.signed_state.fill_(int(signed))
        self.levels = self.choices[signed]

    def known_levels(self, x: Tensor | None) -> Levels:
        """The levels of the state, or of x, the first batch, in training mode."""
        if self.levels is None:
            if not self.training or x is None:
                raise RuntimeError(
                    "activations are not calibrated yet: train a batch, call calibrate(), or load a trained state"
                )
            self.calibrate(x)
        assert self.levels is not None
        return self.levels

    def forward(self, x: Tensor) -> Tensor:
        levels = self.known_levels(x)
        y: Tensor = Clip.apply(x, self.alpha, levels, self.pact)
        return y

    def _load_from_state_dict(self, *args: Any) -> None:
        super()._load_from_state_dict(*args)
        state = int(self.signed_state)
        self.levels = None if state < 0 else self.choices[bool(state)]

    def extra_repr(self) -> str:
        sign = "not calibrated" if self.levels is None else "signed" if self.levels.signed else "unsigned"
        return f"bits={self.bits}, {type(self.choices[False]).__name__.lower()}, {sign}"


class FrozenActivation(nn.Module):
    """The same levels with a fixed unit and nothing to learn."""

    unit: Tensor
    inverse: Tensor

    def __init__(self, levels: Levels, unit: Tensor) -> None:
        super().__init__()
        self.levels = levels
        self.bits = levels.bits
        self.register_buffer("unit", unit)
        self.register_buffer("inverse", unit.reciprocal(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        working = x.to(torch.promote_types(x.dtype, torch.float32))
        return self.levels.quantize(working, self.unit, self.inverse).to(x.dtype)

    def extra_repr(self) -> str:
        return f"{self.levels}"


def quantize_input(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Forward pre-hook: a plain function that finds the quantizer on the module, so that copies of a network work."""
    quantizer: Any = module.input_quantizer
    return (quantizer(inputs[0]), *inputs[1:])


def attach(module: nn.Module, quantizer: nn.Module) -> None:
    """Let `quantizer` treat the first input of `module`, in place of the one before."""
    if not hasattr(module, "input_quantizer"):
        module.register_forward_pre_hook(quantize_input)
    module.input_quantizer = quantizer


def detach(module: nn.Module) -> None:
    """Let the first input of `module` through as it comes, from now on."""
    if hasattr(module, "input_quantizer"):
        for key in [key for key, hook in module._forward_pre_hooks.items() if hook is quantize_input]:
            del module._forward_pre_hooks[key]
        del module.input_quantizer


@torch.no_grad()
def calibrate(network: nn.Module, quantizers: dict[str, nn.Module], *inputs: Any) -> None:
    """Fill some of a network's activations' α, by their layers' names, from one forward pass in evaluation mode.

    Raises:
        ValueError: some layer saw no input.
    """
    modes = {module: module.training for module in network.modules()}
    network.eval()
    for quantizer in quantizers.values():
        assert isinstance(quantizer, ActivationQuantizer)
        quantizer.levels = None
        quantizer.training = True  # fills at the next forward
    try:
        network(*inputs)
    finally:
        for module, training in modes.items():
            module.training = training
    missed = [name for name, quantizer in quantizers.items() if quantizer.levels is None]
    if missed:
        raise ValueError(f"no input reached {', '.join(missed)}: call them in the network's forward, or skip them")
