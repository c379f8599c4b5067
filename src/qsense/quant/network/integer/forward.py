"""A network computed on integer codes: evaluation as `numbers.py` defines it, training with straight-through gradients.

Open it to see how torch computes what a microcontroller will, layer by layer; gradients are those of `codes.py`, and an
LSTM's steps are in `recurrence.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from qsense.quant.network.activations import ActivationQuantizer
from qsense.quant.network.integer.chain import Stage, of_states, positions_of, stages
from qsense.quant.network.integer.codes import (
    Codes,
    Cut,
    by_of,
    input_levels,
    largest,
    learned_range,
    product,
    requantize,
    whole,
    working,
)
from qsense.quant.network.integer.recurrence import recur
from qsense.quant.network.layers import QUANTIZED, weight_levels, weight_names
from qsense.quant.network.levels import Uniform
from qsense.quant.network.weights import without_autocast

STATE_BITS = (16, 8)


class Integer(nn.Module):
    """The forward pass of a network in integer arithmetic; `to_integers` puts it before the network's own.

    Attributes:
        state_bits: of LSTM states.
    """

    state_bits: int

    def forward(self, x: Tensor) -> Tensor:
        """Logits [B, K] of windows [B, T, C]: accumulators times their unit."""
        acc, unit = accumulate(self, x)
        logits: Tensor = (acc.double() * unit).float()
        return logits


@cache
def _in_integers(plain: type[nn.Module]) -> type[nn.Module]:
    names = {"__module__": plain.__module__, "__qualname__": plain.__qualname__, "__doc__": plain.__doc__}
    return type(plain.__name__, (Integer, plain), names)


def to_integers(network: nn.Module, state_bits: int) -> None:
    """Let a quantized or frozen network, in place, compute in integers from now on.

    Raises:
        ValueError: another number of bits, or a network that integers do not cover.
    """
    if state_bits not in STATE_BITS:
        raise ValueError(f"state_bits={state_bits!r}: LSTM states have {' or '.join(map(str, STATE_BITS))} bits")
    _refuse_floats(network)
    if not isinstance(network, Integer):
        network.__class__ = _in_integers(type(network))  # type: ignore[arg-type]
    network.__dict__["state_bits"] = state_bits


def _refuse_floats(network: nn.Module) -> None:
    """Weights and inputs that have no uniform codes of at most 8 bits."""
    listed = stages(network)
    for stage in listed:
        if not isinstance(stage.module, QUANTIZED):
            continue
        levels = weight_levels(stage.module)
        uniform = [type(levels.get(name)) is Uniform for name in weight_names(stage.module)]
        if stage not in of_states(listed):
            quantizer = getattr(stage.module, "input_quantizer", None)
            uniform.append(quantizer is not None and type(quantizer.levels or quantizer.choices[True]) is Uniform)
        if not all(uniform):
            raise ValueError(
                f"arithmetic=integer: layer {stage.name} of {type(network).__name__} must have weights and input of "
                "levels=uniform, activation_levels=uniform, first_last_range=abs_max, and not be skipped"
            )


@contextmanager
def in_float(network: nn.Module) -> Iterator[None]:
    """Within it, a network in integers calls its layers as its own class does: for counting what they multiply."""
    own = type(network)
    if issubclass(own, Integer):
        network.__class__ = own.__bases__[1]
    try:
        yield
    finally:
        network.__class__ = own


@torch.compiler.disable  # type: ignore[untyped-decorator]
def accumulate(network: nn.Module, x: Tensor) -> tuple[Tensor, float]:
    """The classifier's accumulators [B, K], whole numbers, and their unit, of windows [B, T, C]."""
    assert isinstance(network, Integer)
    listed = stages(network)
    with without_autocast(x.device.type):
        signal = enter(listed[0].module, x.float())
        for stage in listed[:-1]:
            signal = pass_through(stage, signal, network.state_bits)
        layer = product(listed[-1].module, signal.unit)
        dtype = working(largest(layer.weight, signal.most, layer.bias), x.device)
        codes = signal.codes.to(dtype)
        return functional.linear(codes, layer.weight.to(dtype), layer.bias.to(dtype)), layer.unit


def enter(first: nn.Module, x: Tensor) -> Codes:
    """The first layer's input codes, in its own layout."""
    levels, unit = input_levels(first, x)
    alpha, pact = learned_range(first)
    codes = levels.grid(x.detach(), x.new_tensor(unit))
    coded = Cut.apply(x, 1 / unit, codes, levels.lowest_code, levels.highest_code, alpha, pact)
    return Codes(coded.unsqueeze(1) if isinstance(first, nn.Conv2d) else coded.transpose(1, 2), unit, levels.top)


def pass_through(stage: Stage, signal: Codes, state_bits: int) -> Codes:
    """One layer before the classifier."""
    match stage.module:
        case nn.Conv1d() | nn.Conv2d():
            return convolve(stage, signal)
        case nn.LSTM():
            return recur(stage, signal, state_bits)
        case nn.AvgPool1d() as pool:
            positions = positions_of(pool)
            if signal.codes.shape[-1] != positions:
                raise ValueError(f"layer {stage.name}: {signal.codes.shape[-1]} positions instead of {positions}")
            return Codes(signal.codes.sum(-1), signal.unit / positions, signal.most * positions)
        case _:  # dropout
            return signal._replace(codes=stage.module(signal.codes))


def convolve(stage: Stage, signal: Codes) -> Codes:
    """A convolution, its ReLU, and the codes of the layer that follows."""
    module, coder = stage.module, stage.coder
    assert isinstance(module, nn.Conv1d | nn.Conv2d)
    assert coder is not None
    layer = product(module, signal.unit)
    dtype = working(largest(layer.weight, signal.most, layer.bias), layer.weight.device)
    convolution: Any = functional.conv2d if isinstance(module, nn.Conv2d) else functional.conv1d
    operands = (each.to(dtype) for each in (signal.codes, layer.weight, layer.bias))
    acc = whole(convolution(*operands, dilation=module.dilation, groups=module.groups))
    quantizer = coder.input_quantizer
    values = None
    if isinstance(quantizer, ActivationQuantizer) and quantizer.levels is None:  # a first batch
        values = acc.detach() * layer.unit
        values = values.relu_() if stage.relu else values
    levels, unit = input_levels(coder, values)
    low = 0 if stage.relu else levels.lowest_code
    by = by_of(stage.name, layer.unit / unit)
    codes = requantize(acc.detach(), by, low, levels.highest_code).float()
    alpha, pact = learned_range(coder)
    least = by.value if stage.relu else low  # a ReLU passes no gradient at 0
    return Codes(Cut.apply(acc, by.value, codes, least, levels.highest_code, alpha, pact), unit, levels.top)
