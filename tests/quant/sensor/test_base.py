"""The base class carries a curve that is nothing but a curve."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from qsense.quant.sensor.base import SensorQuantizer
from qsense.quant.sensor.gamma import Gamma
from qsense.quant.sensor.log import Log
from qsense.signal import Signal


class Companding(SensorQuantizer):
    """tanh-shaped curve with a learned steepness: what a newcomer would write."""

    def __init__(self, signal: Signal, bits: int, per_channel: bool = False) -> None:
        super().__init__(signal, bits, per_channel=per_channel)
        self.steepness = nn.Parameter(torch.full((self.rows, 1), 2.0))

    def curve(self, u: Tensor) -> Tensor:
        return torch.tanh(self.steepness * u) / torch.tanh(self.steepness)


class BareGamma(Gamma):
    """γ with the base class's general inverse and gradient."""

    inverse = SensorQuantizer.inverse
    pullback = SensorQuantizer.pullback


class BareLog(Log):
    inverse = SensorQuantizer.inverse
    pullback = SensorQuantizer.pullback


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("low", [-1.0, 0.0, -8.0])
def test_a_new_curve_needs_only_its_curve(low: float, per_channel: bool) -> None:
    signal = Signal(channels=3, low=low, high=max(-low, 1.0), unit="g")
    quantizer = Companding(signal, 3, per_channel)
    with torch.no_grad():
        quantizer.steepness.add_(torch.linspace(0, 1, quantizer.rows)[:, None])
    x = ((torch.rand(5, 40, 3) * 2.2 - 1.1) * quantizer.scale).requires_grad_()
    y = quantizer(x)
    assert torch.equal(y, quantizer.decode(quantizer.encode(x)))
    with torch.no_grad():
        z = quantizer.curve(quantizer.to_unit(x.double()).clamp(quantizer.bottom, 1).view(-1, 3).t()).t().view(x.shape)
    v = 7 * (z + 1) / 2 if signal.bipolar else 7 * z
    assert torch.equal(quantizer.encode(x), (v + 0.5).floor().int())
    grad = torch.randn_like(x)
    y.backward(grad)
    leaf = x.detach().double().requires_grad_()
    copy = Companding(signal, 3, per_channel).double()
    copy.load_state_dict(quantizer.state_dict())
    full = quantizer.scale * copy.curve(copy.to_unit(leaf).view(-1, 3).t()).t().view(x.shape).clamp(copy.bottom, 1)
    full.backward(grad.double())
    torch.testing.assert_close(x.grad, leaf.grad.float(), rtol=1e-4, atol=1e-5)  # type: ignore[union-attr]
    assert quantizer.steepness.grad is not None
    assert copy.steepness.grad is not None
    torch.testing.assert_close(quantizer.steepness.grad, copy.steepness.grad.float(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("low", [-1.0, 0.0])
def test_general_inverse_and_gradient_agree_with_the_closed_forms(low: float, per_channel: bool) -> None:
    signal = Signal(channels=3, low=low, high=1.0, unit="g")
    closed, bare = (
        cls(signal, 5, gamma=0.3, mu=0.11 if low else 0.0, per_channel=per_channel) for cls in (Gamma, BareGamma)
    )
    # below its jump, the curve of γ with μ > 0 starts beyond -1: those levels are beyond the range
    reachable = bare.thresholds().isfinite()
    torch.testing.assert_close(bare.thresholds()[reachable], closed.thresholds()[reachable], rtol=1e-12, atol=1e-15)
    x = torch.rand(50, 3) * (1 - low) + low
    assert torch.equal(closed.encode(x), bare.encode(x))
    grad = torch.randn_like(x)
    x.requires_grad_()
    mine, general = (torch.autograd.grad(q(x), [x, *q.parameters()], grad) for q in (closed, bare))
    for a, b in zip(mine, general, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
    log, plain = Log(signal, 5), BareLog(signal, 5)
    torch.testing.assert_close(log.thresholds(), plain.thresholds(), rtol=1e-12, atol=1e-15)
    of_log, of_plain = (torch.autograd.grad(q(x), x, grad)[0] for q in (log, plain))
    torch.testing.assert_close(of_log, of_plain, rtol=1e-4, atol=1e-5)
