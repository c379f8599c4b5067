"""The reference: windows by themselves, sample by sample, and against sums written out one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.chip.firmware.plans import convolution, deepconvlstm, depthwise, linear, lstm, plan

from qsense.chip.firmware import reference
from qsense.chip.firmware.plan import InputCodes, Plan
from qsense.quant.network.integer.numbers import LSTM, Convolution, Layer, Linear, Pool, Scale, sigmoid, tanh


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Small networks of all kinds, with strides from 1 to beyond the window."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    axes, alike = draw(st.integers(1, 3)), draw(st.booleans())
    planes, features = (axes, 1) if alike else (1, axes)
    layers: list[Layer] = []
    reach = 0
    for _ in range(draw(st.integers(0, 3))):
        kernel, dilation = draw(st.integers(1, 4)), draw(st.integers(1, 3))
        groups = draw(st.sampled_from([1, features]))
        outputs = features if groups > 1 else draw(st.integers(1, 4))
        layers.append(conv := convolution(random, planes, features, outputs, kernel, groups, dilation))
        reach, features = reach + conv.reach - 1, outputs
    window = reach + draw(st.integers(1, 8))
    width = planes * features
    if draw(st.booleans()):
        layers.append(Pool(width, window - reach, 0.1))
    else:
        for _ in range(draw(st.integers(1, 2))):
            layers.append(
                lstm(random, width, hidden := draw(st.integers(1, 4)), state_bits=draw(st.sampled_from([8, 16])))
            )
            width = hidden
    layers.append(linear(random, width, draw(st.integers(2, 4))))
    stride = draw(st.integers(1, window + 3))
    return replace(plan(random, axes, tuple(layers), stride), window=window)


@settings(max_examples=150, deadline=None)
@given(plans(), st.integers(0, 60), st.integers(0, 99))
def test_stream_equals_windows_computed_alone(plan: Plan, samples: int, seed: int) -> None:
    codes = np.random.default_rng(seed).integers(-127, 128, (samples, plan.network.axes))
    alone = reference.windows(plan, codes)
    streamed = list(reference.Stream(plan).all(codes))
    assert len(streamed) == len(alone) == max(0, (samples - plan.window) // plan.stride + 1)
    assert np.array_equal(np.array(streamed).reshape(alone.shape), alone)


def test_stream_tells_a_class_with_the_windows_last_sample() -> None:
    plan = deepconvlstm(stride=10)
    codes = np.random.default_rng(1).integers(-127, 128, (75, 3))
    stream = reference.Stream(plan)
    told = [t for t, each in enumerate(codes) if stream.push(each) is not None]
    assert told == [29, 39, 49, 59, 69]


def rounded(acc: int, by: Scale, low: int, high: int) -> int:
    return min(max((acc * by.multiplier + (1 << (by.shift - 1))) >> by.shift, low), high)


def dot(weights: Iterable[Any], x: Iterable[int]) -> int:
    total: int = sum(int(w) * v for w, v in zip(weights, x, strict=True))
    return total


def convolved(layer: Convolution, x: list[list[list[int]]]) -> list[list[list[int]]]:
    """[time][plane][feature], one output after the other."""
    size, of_group = layer.inputs // layer.groups, layer.outputs // layer.groups

    def output(t: int, p: int, o: int) -> int:
        first = o // of_group * size
        taps = [x[t + k * layer.dilation][p][first : first + size] for k in range(layer.kernel)]
        acc = sum(dot(layer.weight[o, :, k], tap) for k, tap in enumerate(taps))
        return rounded(acc + int(layer.bias[o]), layer.by, layer.low, layer.high)

    times, planes, outputs = range(len(x) - layer.reach + 1), range(layer.planes), range(layer.outputs)
    return [[[output(t, p, o) for o in outputs] for p in planes] for t in times]


def recurred(layer: LSTM, x: list[list[int]]) -> list[int]:
    """h after the last moment, one unit after the other."""
    h, c, far, hidden = [0] * layer.hidden, [0] * layer.hidden, 1 << 24, layer.hidden
    shift, top = 31 - layer.state_bits, 2 ** (layer.state_bits - 1) - 1
    for frame in x:
        z = [
            rounded(dot(layer.weight_ih[row], frame), layer.by_ih, -far, far)
            + rounded(dot(layer.weight_hh[row], h), layer.by_hh, -far, far)
            + int(layer.bias[row])
            for row in range(4 * hidden)
        ]
        z = [min(max(each, -32768), 32767) for each in z]
        for n in range(hidden):
            i, f, g, o = (np.array(z[gate * hidden + n]) for gate in range(4))
            c[n] = int((sigmoid(f) * c[n] + 2**14 >> 15) + (sigmoid(i) * tanh(g) + 2**18 >> 19))
            c[n] = min(max(c[n], -32768), 32767)
            h[n] = min(max(int(sigmoid(o) * tanh(np.array(c[n])) + 2 ** (shift - 1) >> shift), -top), top)
    return h


@pytest.mark.parametrize("make", [deepconvlstm, depthwise])
def test_a_window_by_sums_written_out(make: Callable[..., Plan]) -> None:
    """The definitions of `numbers.py`, one product at a time."""
    plan = make(seed=3)
    codes = np.random.default_rng(2).integers(-127, 128, (plan.window, 3))
    convolutions = [layer for layer in plan.network.layers if isinstance(layer, Convolution)]
    x = codes.reshape(plan.window, convolutions[0].planes, convolutions[0].inputs).tolist()
    for layer in convolutions:
        x = convolved(layer, x)
    flat = [[feature for plane in frame for feature in plane] for frame in x]
    behind, classifier = plan.network.layers[len(convolutions) :]
    h = recurred(behind, flat) if isinstance(behind, LSTM) else [sum(column) for column in zip(*flat, strict=True)]
    assert isinstance(classifier, Linear)
    logits = [dot(row, h) + int(bias) for row, bias in zip(classifier.weight, classifier.bias, strict=True)]
    assert reference.windows(plan, codes).tolist() == [logits]
    assert len(set(logits)) > 1, "this network tells classes apart"


def test_ties_go_to_the_first_class_with_margin_0() -> None:
    found = reference.decided(deepconvlstm(), np.array([[3, 7, 7, 1], [5, -2, 4, 0], [-9, -9, -9, -9]]))
    assert found.winner.tolist() == [1, 0, 0]
    assert found.margin.tolist() == [0, 1, 0]
    assert found.start.tolist() == [0, 10, 20]


@given(st.lists(st.integers(0, 3), max_size=30), st.sampled_from([1, 3, 5]))
def test_majority(winners: list[int], n: int) -> None:
    found = reference.most_frequent(np.array(winners, dtype=np.int64), n)
    for k, each in enumerate(found.tolist()):
        recent = winners[max(0, k - n + 1) : k + 1]
        best = max(recent, key=lambda w: (recent.count(w), max(i for i, r in enumerate(recent) if r == w)))
        assert each == best


def test_thresholds_begin_input_codes_and_tables_name_them() -> None:
    plan = deepconvlstm(axes=1)
    thresholds = np.array([[10, 10, 2000, 1 << 17]], dtype=np.int32)
    plan = replace(plan, input=InputCodes(None, thresholds, -2))
    counts = np.array([[0], [9], [10], [1999], [2000], [4095]])
    assert reference.input_codes(plan, counts).ravel().tolist() == [-2, -2, 0, 0, 1, 1]
    plan = replace(plan, input=InputCodes(np.array([[-5, 0, 3, 9]], dtype=np.int16), None, -127))
    assert reference.input_codes(plan, np.array([[3], [0]])).ravel().tolist() == [9, -5]
