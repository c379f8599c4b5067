"""The whole numbers of a network in integer arithmetic, and the way there for one that was trained in floats.

Open it to get codes, biases and multipliers as arrays, or to quantize after training.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from qsense.quant.network.activations import ActivationQuantizer, attach, calibrate, detach
from qsense.quant.network.integer import numbers
from qsense.quant.network.integer.chain import Stage, of_states, positions_of, stages
from qsense.quant.network.integer.codes import by_of, input_levels, largest, product
from qsense.quant.network.integer.forward import Integer, enter, to_integers
from qsense.quant.network.integer.recurrence import gates
from qsense.quant.network.layers import frozen_levels, quantizers, weight_levels

LARGEST = 1 << 31  # accumulators are int32


@torch.no_grad()
def extract(network: nn.Module) -> numbers.IntegerNetwork:
    """All numbers that a network in integer arithmetic computes with; the network stays as it is.

    Args:
        network: trained or calibrated, frozen or not.

    Raises:
        ValueError: it is not in integer arithmetic, has seen no data yet, or an accumulator might not fit 32 bits.
    """
    name = type(network).__name__
    if not isinstance(network, Integer):
        raise ValueError(f"{name} computes in floats: train with arithmetic=integer, or call after_training()")
    listed = stages(network)
    coders = [m for m in network.modules() if isinstance(m, ActivationQuantizer)]
    if any(coder.levels is None for coder in coders):
        raise ValueError(f"{name} is not calibrated yet: train a batch, call calibrate(), or load a trained state")
    levels, input_unit = input_levels(listed[0].module)
    axes = _axes(listed)
    unit, most = input_unit, levels.top
    layers: list[numbers.Layer] = []
    for stage in listed:
        match stage.module:
            case nn.Conv1d() | nn.Conv2d():
                convolution = _convolution(stage, unit, most, axes)
                unit, most = convolution.unit, convolution.high
                layers.append(convolution)
            case nn.LSTM() as module:
                for number in range(module.num_layers):
                    lstm = _lstm(stage.name, module, number, unit, most, network.state_bits)
                    unit, most = lstm.unit, (1 << (network.state_bits - 1)) - 1
                    layers.append(lstm)
            case nn.AvgPool1d() as pool:
                assert isinstance(layers[-1], numbers.Convolution)
                positions = positions_of(pool)
                unit, most = unit / positions, most * positions
                layers.append(numbers.Pool(layers[-1].outputs, positions, unit))
            case nn.Linear():
                layers.append(_linear(stage, unit, most))
    return numbers.IntegerNetwork(axes, levels.lowest_code, levels.highest_code, input_unit, tuple(layers))


@torch.no_grad()
def input_codes(network: nn.Module, x: Tensor) -> Tensor:
    """The codes, int16, that a network in integer arithmetic takes for windows [B, T, C], in the same shape."""
    codes = enter(stages(network)[0].module, x).codes
    return (codes.squeeze(1) if codes.dim() == 4 else codes.transpose(1, 2)).to(torch.int16)


@torch.no_grad()
def after_training(network: nn.Module, x: Tensor, state_bits: int = 16, bits: int = 8, **settings: Any) -> None:
    """Put a trained network, in place, into integer arithmetic; nothing is trained again.

    A network in full precision is quantized: weights and activations up to their largest magnitudes, these on x. One
    whose weights and activations were quantized in float arithmetic keeps them and their α, and x calibrates what
    integers need besides: the first layer's input, if it was left as it came, and what enters a pool, which float
    arithmetic quantizes behind it.

    Args:
        network: in full precision, or quantized and not frozen.
        x: windows as the network is given them, [B, T, C]; some hundred of the training data.
        state_bits: of LSTM states, 16 or 8.
        bits: of weights and activations, of a network in full precision.
        settings: other arguments of `NetworkQuantizer`, for a network in full precision.

    Raises:
        ValueError: a network that integers do not cover, or one that is frozen.
    """
    from qsense.quant.network.quantizer import quantize_network

    if any(frozen_levels(module) for module in network.modules()):
        raise ValueError(f"{type(network).__name__} is frozen: put it into integers before freezing it")
    if not any(True for module in network.modules() for _ in quantizers(module)):
        # All weights up to their largest magnitude, as of a last layer: the others' ways are for weights that learn.
        settings = {"first_last_bits": bits, "last": ["*"], **settings}
        settings |= {"arithmetic": "integer", "state_bits": state_bits}
        quantize_network(network, bits, **settings).calibrate(network, x)
        return
    listed = stages(network)
    first, classifier = listed[0].module, listed[-1]
    anew: dict[str, nn.Module] = {}
    if not hasattr(first, "input_quantizer"):
        quantizer = ActivationQuantizer(8, percentile=1.0).requires_grad_(False).to(x.device)
        attach(first, quantizer.train(first.training))
        anew[listed[0].name] = quantizer
    if any(isinstance(stage.module, nn.AvgPool1d) for stage in listed):
        anew[classifier.name] = classifier.module.get_submodule("input_quantizer")
    for stage in of_states(listed):
        detach(stage.module)
    to_integers(network, state_bits)
    if anew:
        calibrate(network, anew, x)


def _axes(listed: list[Stage]) -> int:
    """Axes of the sensor: features of the first convolution, or the planes that an LSTM takes together."""
    modules = [stage.module for stage in listed]
    if isinstance(modules[0], nn.Conv1d):
        return modules[0].in_channels
    features = [module.out_channels for module in modules if isinstance(module, nn.Conv2d)]
    return next(module.input_size for module in modules if isinstance(module, nn.LSTM)) // features[-1]


def _convolution(stage: Stage, unit: float, most: int, axes: int) -> numbers.Convolution:
    module, coder = stage.module, stage.coder
    assert isinstance(module, nn.Conv1d | nn.Conv2d)
    assert coder is not None
    layer = product(module, unit)
    _fits(stage.name, layer.weight, most, layer.bias)
    levels, step = input_levels(coder)
    return numbers.Convolution(
        name=stage.name,
        planes=axes if isinstance(module, nn.Conv2d) else 1,
        weight=_codes(layer.weight.flatten(2)),
        bits=weight_levels(module)["weight"].bits,
        groups=module.groups,
        dilation=module.dilation[0],
        bias=_whole(layer.bias),
        by=by_of(stage.name, layer.unit / step),
        low=0 if stage.relu else levels.lowest_code,
        high=levels.highest_code,
        unit=step,
    )


def _lstm(name: str, module: nn.LSTM, layer: int, unit: float, most: int, state_bits: int) -> numbers.LSTM:
    name = f"{name}.{layer}"
    of_input, of_state = gates(module, layer, unit, state_bits)
    _fits(name, of_input.weight, most)
    _fits(name, of_state.weight, (1 << (state_bits - 1)) - 1)
    bits = weight_levels(module)
    return numbers.LSTM(
        name=name,
        weight_ih=_codes(of_input.weight),
        weight_hh=_codes(of_state.weight),
        bits_ih=bits[f"weight_ih_l{layer}"].bits,
        bits_hh=bits[f"weight_hh_l{layer}"].bits,
        bias=_whole(of_input.bias),
        by_ih=by_of(name, math.ldexp(of_input.unit, numbers.GATE)),
        by_hh=by_of(name, math.ldexp(of_state.unit, numbers.GATE)),
        state_bits=state_bits,
    )


def _linear(stage: Stage, unit: float, most: int) -> numbers.Linear:
    assert isinstance(stage.module, nn.Linear)
    layer = product(stage.module, unit)
    _fits(stage.name, layer.weight, most, layer.bias)
    bits = weight_levels(stage.module)["weight"].bits
    return numbers.Linear(stage.name, _codes(layer.weight), bits, _whole(layer.bias), layer.unit)


def _fits(name: str, weight: Tensor, most: int, bias: Tensor | None = None) -> None:
    if (bound := largest(weight, most, bias)) >= LARGEST:
        raise ValueError(
            f"layer {name}: an accumulator may reach {bound:.3g}, beyond int32's {LARGEST - 1}: "
            "fewer bits (quant.network.bits, state_bits) or a smaller layer fit"
        )


def _codes(weight: Tensor) -> numbers.Codes:
    return weight.cpu().numpy().astype(np.int16)


def _whole(bias: Tensor) -> numbers.Ints:
    return bias.cpu().numpy().astype(np.int64)
