"""A network in integers, evaluated in NumPy by its numbers alone, one window at a time: what torch must equal."""

from __future__ import annotations

import numpy as np

from qsense.quant.network.integer.numbers import (
    GATE,
    LSTM,
    WIDEST,
    Convolution,
    IntegerNetwork,
    Ints,
    Linear,
    Pool,
    requantize,
    sigmoid,
    tanh,
)


def evaluate(network: IntegerNetwork, codes: Ints) -> Ints:
    """The classifier's accumulators [K] of one window's input codes [T, C]."""
    first = network.layers[0]
    assert isinstance(first, Convolution)
    x = codes.astype(np.int64)
    x = x[:, :, None] if first.planes == network.axes else x[:, None, :]  # [T, planes, features]
    for layer in network.layers:
        match layer:
            case Convolution():
                x = convolve(layer, x)
            case Pool(positions=positions):
                assert len(x) == positions
                x = x.reshape(positions, -1).sum(0)
            case LSTM():
                x = recur(layer, x.reshape(len(x), -1))
            case Linear():
                last = x if x.ndim == 1 else x[-1]
                return layer.weight.astype(np.int64) @ last + layer.bias
    raise AssertionError("no classifier")


def convolve(layer: Convolution, x: Ints) -> Ints:
    taps = [x[k * layer.dilation : len(x) - layer.reach + 1 + k * layer.dilation] for k in range(layer.kernel)]
    frames = np.stack(taps, axis=-1)  # [positions, planes, features, kernel]
    size = layer.inputs // layer.groups
    per = layer.outputs // layer.groups
    out = []
    for f in range(layer.outputs):
        first = f // per * size
        products = np.einsum("tpfk,fk->tp", frames[:, :, first : first + size], layer.weight[f].astype(np.int64))
        out.append(products + layer.bias[f])
    return requantize(np.stack(out, axis=-1), layer.by, layer.low, layer.high)


def recur(layer: LSTM, x: Ints) -> Ints:
    h = c = np.zeros(layer.hidden, dtype=np.int64)
    most, shift, states = (1 << (layer.state_bits - 1)) - 1, 31 - layer.state_bits, []
    for frame in x:
        z = requantize(layer.weight_ih.astype(np.int64) @ frame, layer.by_ih, -WIDEST, WIDEST) + layer.bias
        z = z + requantize(layer.weight_hh.astype(np.int64) @ h, layer.by_hh, -WIDEST, WIDEST)
        i, f, g, o = np.split(np.clip(z, -(1 << 15), (1 << 15) - 1), 4)
        c = (sigmoid(f) * c + (1 << 14) >> 15) + (sigmoid(i) * tanh(g) + (1 << 18) >> 30 - GATE)
        c = np.clip(c, -(1 << 15), (1 << 15) - 1)
        h = np.clip((sigmoid(o) * tanh(c) + (1 << (shift - 1))) >> shift, -most, most)
        states.append(h)
    return np.stack(states)
