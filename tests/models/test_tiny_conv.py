"""TinyConv: its size, its shapes, what it reaches, and how far below DeepConvLSTM its work is."""

from __future__ import annotations

import torch
from tests.refusal import refused

from qsense.metrics.cost import count
from qsense.models.deepconvlstm import DeepConvLSTM
from qsense.models.tiny_conv import TinyConv
from qsense.quant.network.layers import layers


def macs(network: torch.nn.Module) -> int:
    names = [layer.name for layer in layers(network)]
    return sum(work.macs for work in count(network, names, torch.zeros(1, 50, 3)))


def test_it_is_small() -> None:
    """SBHAR: 3 axes, windows of 50, 13 classes; a microcontroller's flash and time."""
    tiny, small = TinyConv(3, 50, 13), DeepConvLSTM(3, 50, 13, filters=16, hidden=64)
    assert sum(p.numel() for p in tiny.parameters()) <= 20_000
    assert macs(tiny) < 0.3 * macs(small)


def test_shapes() -> None:
    network = TinyConv(6, 40, 4, width=8, kernel=3, dilations=(1, 2, 4, 8))
    assert network(torch.randn(5, 40, 6)).shape == (5, 4)
    # What a position of the last convolution sees: (kernel − 1)·(1 + Σ dilations) + 1 samples.
    assert network.pool.kernel_size in (40 - 2 * 16, (40 - 2 * 16,))


def test_the_chain_is_the_forward_pass() -> None:
    network = TinyConv(3, 50, 13).eval()
    x = torch.randn(4, 50, 3)
    signal = x.transpose(1, 2)
    for module in network.chain()[:-1]:
        signal = module(signal)
    assert torch.equal(network.classifier(signal.flatten(1)), network(x))


def test_each_axis_and_each_sample_counts() -> None:
    network = TinyConv(3, 50, 13)
    x = torch.randn(8, 50, 3, requires_grad=True)
    network(x).square().sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum(0).count_nonzero() == 150


def test_a_short_window_is_refused() -> None:
    with refused(ValueError, "window=30", "kernel=5", "dilations=[1, 2, 4]", 33):
        TinyConv(3, 30, 13)
