"""Training in integers: gradients are those of the float arithmetic, 0 where something is cut off, and a net learns."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from tests.quant.network.integer.networks import NETWORKS, plain, windows
from torch import Tensor, nn
from torch.nn import functional

from qsense.models.deepconvlstm import DeepConvLSTM
from qsense.quant.network.integer.codes import Cut
from qsense.quant.network.integer.numbers import GATE, scale
from qsense.quant.network.integer.recurrence import Recurrence
from qsense.quant.network.quantizer import NetworkQuantizer


def gradients(network: nn.Module, x: Tensor) -> dict[str, Tensor]:
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    x = x.clone().requires_grad_()
    labels = torch.arange(len(x)) % 5
    functional.cross_entropy(network.train()(x), labels).backward()
    own = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
    assert x.grad is not None
    return own | {"x": x.grad}


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_are_those_of_float_arithmetic(name: str) -> None:
    """At 8 bits both arithmetics differ by rounding alone."""
    x = windows(name, 40).cumsum(1) / 2
    network = plain(name)
    other = copy.deepcopy(network)
    NetworkQuantizer(8, arithmetic="integer").apply(network)
    NetworkQuantizer(8).apply(other)
    own, expected = gradients(network, x), gradients(other, x)
    # What enters a classifier is coded before a pool, and states are codes already.
    assert set(expected) - set(own) <= {"classifier.input_quantizer.rho"}
    for key, mine in own.items():
        if mine.numel() > 1:
            theirs = expected[key]
            assert functional.cosine_similarity(mine.flatten(), theirs.flatten(), dim=0) > 0.98, key
            assert mine.norm() / theirs.norm() == pytest.approx(1, abs=0.1), key


def test_every_parameter_gets_a_gradient_but_the_inputs_range() -> None:
    for name in NETWORKS:
        network = plain(name)
        NetworkQuantizer(4, transform="fat", arithmetic="integer").apply(network)
        own = gradients(network, windows(name, 40))
        without = {key for key, _ in network.named_parameters()} - set(own)
        assert without == {"convolutions.0.input_quantizer.rho"}


def test_an_lstms_gradient_is_torchs() -> None:
    """Backward through time beside `torch.nn.LSTM`, whose weights and input are the same numbers."""
    torch.manual_seed(0)
    lstm = nn.LSTM(4, 5, batch_first=True, bias=False).double()
    by_input, by_state = (p for p in lstm.parameters())
    step = 2.0**-7
    with torch.no_grad():
        by_state.copy_((by_state / step).round() * step)
        by_input.copy_(torch.randn(20, 4))
    x = torch.randn(8, 12, 4, dtype=torch.float64)
    weighing = torch.randn(8, 12, 5, dtype=torch.float64)
    expected = lstm(x)[0]
    (expected * weighing).sum().backward()
    z = functional.linear(x, by_input.detach()).mul(1 << GATE).round().requires_grad_()
    codes = (by_state.detach() / step).round().float().requires_grad_()
    h = Recurrence.apply(z, codes, scale(step * 2.0 ** (GATE - 15)), 16) / (1 << 15)
    torch.testing.assert_close(h.double(), expected, atol=0.01, rtol=0)
    (h * weighing).sum().backward()
    assert codes.grad is not None
    assert z.grad is not None
    torch.testing.assert_close(codes.grad.double() / step, by_state.grad, atol=0.02, rtol=0.02)
    mine = torch.einsum("btz,bti->zi", z.grad * (1 << GATE), x)
    torch.testing.assert_close(mine, by_input.grad, atol=0.05, rtol=0.02)


def test_what_is_cut_off_passes_no_gradient_but_to_its_range() -> None:
    x = torch.tensor([-1.0, 2.0, 7.4, 7.6, 20.0], requires_grad=True)
    alpha = torch.tensor(3.5, requires_grad=True)  # 7 codes of 0.5 each
    codes = x.detach().div(0.5).round().clamp(0, 7)
    y: Any = Cut.apply(x, 2.0, codes, 0, 7, alpha)
    y.backward(torch.tensor([1.0, 10.0, 100.0, 1000.0, 10000.0]))
    assert x.grad is not None
    assert alpha.grad is not None
    assert x.grad.tolist() == [0, 20, 0, 0, 0]
    # Values are codes · α/7, so 7/α for each one that is cut off at α, and here code − v = 0 inside.
    assert alpha.grad.item() == pytest.approx((100 + 1000 + 10000) * 7 / 3.5)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("bits", "state_bits"), [pytest.param(8, 16, marks=pytest.mark.slow), (4, 8)])
def test_a_network_learns_by_heart(name: str, bits: int, state_bits: int) -> None:
    torch.manual_seed(0)
    network = NETWORKS[name]()
    if isinstance(network, DeepConvLSTM):
        network.dropout.p = 0.0
    quantizer = NetworkQuantizer(bits, arithmetic="integer", state_bits=state_bits)  # type: ignore[arg-type]
    quantizer.apply(network)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    x, labels = windows(name, 10), torch.arange(10) % 5
    for _ in range(80):
        optimizer.zero_grad()
        functional.cross_entropy(network.train()(x), labels).backward()
        optimizer.step()
    with torch.no_grad():
        assert (network.eval()(x).argmax(1) == labels).float().mean() >= 0.9


def test_autocast_changes_nothing() -> None:
    network = plain("deepconvlstm")
    quantizer = NetworkQuantizer(4, arithmetic="integer")
    quantizer.apply(network)
    x = windows("deepconvlstm")
    quantizer.calibrate(network, x)
    with torch.no_grad():
        expected = network.eval()(x)
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(network(x), expected)
