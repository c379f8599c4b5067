"""Firmware plans of random numbers, small enough for any test."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from qsense.chip.converter import Native
from qsense.chip.firmware import reference
from qsense.chip.firmware.plan import InputCodes, Plan
from qsense.quant.network.integer.numbers import LSTM, Convolution, IntegerNetwork, Layer, Linear, Pool, scale

Random = np.random.Generator


def codes(random: Random, bits: int, *shape: int) -> np.ndarray:
    """Weights' codes."""
    top = (1 << (bits - 1)) - 1
    return random.integers(-top, top + 1, shape).astype(np.int16)


def convolution(
    random: Random, planes: int, inputs: int, outputs: int, kernel: int,
    groups: int = 1, dilation: int = 1, bits: int = 4, activation_bits: int = 8,
) -> Convolution:  # fmt: skip
    """A convolution with its ReLU, whose outputs fill a good part of their range."""
    weight = codes(random, bits, outputs, inputs // groups, kernel)
    spread = float(np.abs(weight).sum(axis=(1, 2)).mean()) * 20 + 1
    high = (1 << activation_bits) - 1
    bias = random.integers(-int(spread), int(spread) + 1, outputs)
    return Convolution(
        f"conv{outputs}", planes, weight, bits, groups, dilation, bias, scale(high / (4 * spread)), 0, high, 0.01
    )


def lstm(random: Random, inputs: int, hidden: int, bits: int = 4, state_bits: int = 16) -> LSTM:
    """An LSTM whose gates are neither all open nor all shut."""
    w, r = codes(random, bits, 4 * hidden, inputs), codes(random, bits, 4 * hidden, hidden)
    bias = random.integers(-4000, 4001, 4 * hidden)
    by_ih, by_hh = scale(20 / (inputs * (1 << bits))), scale(4000 / (hidden * (1 << (bits + state_bits - 1))))
    return LSTM("lstm", w, r, bits, bits, bias, by_ih, by_hh, state_bits)


def linear(random: Random, inputs: int, classes: int, bits: int = 8) -> Linear:
    """A classifier."""
    return Linear("classifier", codes(random, bits, classes, inputs), bits, random.integers(-99, 100, classes), 1e-4)


def deepconvlstm(seed: int = 0, axes: int = 3, bits: int = 4, state_bits: int = 16, stride: int = 10) -> Plan:
    """Four convolutions plane by plane and an LSTM, over windows of 30 samples of a sensor of 12 bits."""
    random = np.random.default_rng(seed)
    widths = [1, 5, 4, 6, 3]
    layers = [convolution(random, axes, i, o, 4, bits=bits) for i, o in itertools.pairwise(widths)]
    last: list[Layer] = [lstm(random, axes * widths[-1], 7, bits, state_bits), linear(random, 7, 4)]
    return plan(random, axes, (*layers, *last), stride)


def depthwise(seed: int = 0, axes: int = 3, stride: int = 10) -> Plan:
    """Depthwise-separable convolutions and a pool, over windows of 30 samples of a sensor of 12 bits."""
    random = np.random.default_rng(seed)
    layers = (
        convolution(random, 1, axes, 8, 5),
        convolution(random, 1, 8, 8, 3, groups=8, dilation=2),
        convolution(random, 1, 8, 6, 1),
        Pool(6, 30 - 4 - 4, 0.01 / 22),
        linear(random, 6, 4),
    )
    return plan(random, axes, layers, stride)


def grouped(seed: int = 0, axes: int = 2, stride: int = 10) -> Plan:
    """A convolution in groups, a dilated one, and two LSTMs one above the other."""
    random = np.random.default_rng(seed)
    layers = (
        convolution(random, axes, 1, 6, 4, bits=2),
        convolution(random, axes, 6, 4, 3, groups=2, bits=6),
        convolution(random, axes, 4, 5, 2, dilation=5, bits=7),
        lstm(random, axes * 5, 6, 4, 8),
        lstm(random, 6, 5, 3, 16),
        linear(random, 5, 4),
    )
    return plan(random, axes, layers, stride)


def plan(random: Random, axes: int, layers: tuple[Layer, ...], stride: int) -> Plan:
    """Around an integer network: native counts, thresholds, names."""
    thresholds = np.sort(random.integers(0, 4096, (axes, 254)), axis=1).astype(np.int32)
    network = IntegerNetwork(axes, -127, 127, 0.02, layers)
    return Plan(
        name="random", converter=None, native=Native(12, -2.0, 2.0, 0, 4095),
        input=InputCodes(None, thresholds, -127), network=network, window=30, stride=stride, rate_hz=50.0,
        channels=tuple(f"axis{c}" for c in range(axes)), class_names=("rest", "walk", "run", "jump"),
    )  # fmt: skip


def balanced(plan: Plan) -> Plan:
    """The same with biases of the classifier by which each class wins now and then."""
    counts = np.random.default_rng(0).integers(0, 1 << plan.native.bits, (1500, len(plan.channels)))
    logits = reference.classify(plan, np.repeat(counts, 5, axis=0)[:1500]).logits
    last = plan.network.layers[-1]
    assert isinstance(last, Linear)
    centred = replace(last, bias=last.bias - np.median(logits, axis=0).astype(np.int64))
    return replace(plan, network=replace(plan.network, layers=(*plan.network.layers[:-1], centred)))
