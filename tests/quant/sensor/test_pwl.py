"""The ADC with a curve of straight pieces, and the interpolation that several curves share."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.refusal import refused

from qsense.quant.sensor.linear import Linear
from qsense.quant.sensor.piecewise import FEW, interpolate, pull_back
from qsense.quant.sensor.pwl import PiecewiseLinear
from qsense.signal import Signal

BIPOLAR = Signal(channels=2, low=-1.0, high=1.0, unit="g")
UNIPOLAR = Signal(channels=1, low=0.0, high=1.0, unit="")


def bent(signal: Signal, bits: int = 3, pieces: int = 5, **arguments: object) -> PiecewiseLinear:
    quantizer = PiecewiseLinear(signal, bits, pieces, **arguments).double()  # type: ignore[arg-type]
    with torch.no_grad():
        quantizer.logits.copy_(torch.from_numpy(np.random.default_rng(0).normal(0, 1.5, quantizer.logits.shape)))
    return quantizer


@pytest.mark.parametrize("signal", [BIPOLAR, UNIPOLAR])
def test_it_starts_as_the_linear_converter(signal: Signal) -> None:
    found, linear = PiecewiseLinear(signal, 4), Linear(signal, 4)
    torch.testing.assert_close(found.thresholds(), linear.thresholds(), rtol=0, atol=1e-14)


@pytest.mark.parametrize("signal", [BIPOLAR, UNIPOLAR])
def test_curve_levels_and_gradients_by_numpy(signal: Signal) -> None:
    quantizer = bent(signal, output="code")
    theta = quantizer.logits.detach().numpy()[0]
    rises = np.exp(theta) / np.exp(theta).sum()
    knots = np.linspace(quantizer.bottom, 1, 6)
    heights = np.concatenate([[0.0], np.cumsum(rises)])
    rng = np.random.default_rng(1)
    u = rng.uniform(quantizer.bottom, 1, 500)
    z = quantizer.curve(torch.from_numpy(u)[None]).detach().numpy()[0]
    np.testing.assert_allclose(
        (z - quantizer.bottom) / (1 - quantizer.bottom), np.interp(u, knots, heights), rtol=1e-12
    )
    cuts = np.interp((np.arange(1, 8) - 0.5) / 7, heights, knots)
    np.testing.assert_allclose(quantizer.thresholds()[0].numpy(), cuts, rtol=1e-12, atol=1e-15)

    grad = rng.normal(size=500)
    x = torch.from_numpy(u)[:, None].expand(-1, signal.channels).clone().requires_grad_()
    arriving = torch.from_numpy(grad)[:, None].expand(-1, signal.channels)
    of_x, of_theta = torch.autograd.grad(quantizer(x), [x, quantizer.logits], arriving)
    k = np.searchsorted(knots, u, side="right") - 1
    width = knots[1] - knots[0]
    np.testing.assert_allclose(of_x.numpy()[:, 0], 7 * grad * rises[k] / width, rtol=1e-10)
    # ∂z/∂p_j: 1 above piece j, the sample's share within it; and p is a softmax
    of_rise = np.array([(grad * np.clip((u - knots[j]) / width, 0, 1)).sum() for j in range(5)])
    expected = 7 * signal.channels * rises * (of_rise - (of_rise * rises).sum())
    np.testing.assert_allclose(of_theta.numpy()[0], expected, rtol=1e-9, atol=1e-9)


def test_what_is_kept_and_shown() -> None:
    quantizer = PiecewiseLinear(BIPOLAR, 3, 4, per_channel=True)
    assert quantizer.trajectory() == {"z25": [-0.5, -0.5], "z50": [0.0, 0.0], "z75": [0.5, 0.5]}
    with torch.no_grad():
        quantizer.logits.copy_(torch.tensor([[5.0, 5.0, 5.0, 5.0], [999.0, -999.0, 0.0, 0.0]]))
    before = quantizer.thresholds()[0]
    quantizer.clamp_()
    assert quantizer.logits.tolist() == [[0.0] * 4, [12.0, -12.0, 0.0, 0.0]]
    assert torch.equal(quantizer.thresholds()[0], before)
    assert (quantizer.thresholds().diff() > 0).all()


@pytest.mark.parametrize("pieces", [1, 1025, 4.0, True])
def test_bad_pieces(pieces: int) -> None:
    with refused(ValueError, f"pieces={pieces}", "PiecewiseLinear", 2, 1024):
        PiecewiseLinear(BIPOLAR, 3, pieces)


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("count", [2, 9, FEW, FEW + 1])
def test_interpolation_is_numpys_and_exact_at_knots(rows: int, count: int) -> None:
    rng = np.random.default_rng(2)
    knots, heights = np.sort(rng.normal(size=(rows, count))), rng.normal(size=(rows, count))
    x = rng.uniform(knots[:, :1], knots[:, -1:], (rows, 300))
    found = interpolate(torch.from_numpy(x), torch.from_numpy(knots), torch.from_numpy(heights))
    for row in range(rows):
        expected = np.interp(x[row], knots[row], heights[row])
        np.testing.assert_allclose(found[row].numpy(), expected, rtol=1e-9, atol=1e-9)
    at_knots = interpolate(torch.from_numpy(knots), torch.from_numpy(knots), torch.from_numpy(heights))
    assert torch.equal(at_knots, torch.from_numpy(heights))


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("count", [2, 9, FEW + 1])
def test_its_gradients_are_those_of_autograd(rows: int, count: int) -> None:
    rng = np.random.default_rng(3)
    knots = torch.from_numpy(np.sort(rng.normal(size=(rows, count)))).requires_grad_()
    heights = torch.from_numpy(rng.normal(size=(rows, count))).requires_grad_()
    x = torch.from_numpy(rng.normal(size=(rows, 400))).requires_grad_()
    grad = torch.from_numpy(rng.normal(size=(rows, 400)))
    expected = torch.autograd.grad(interpolate(x, knots, heights), [x, knots, heights], grad)
    found = pull_back(x.detach(), grad, knots.detach(), heights.detach())
    for mine, reference in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-9, atol=1e-9)


def test_interpolation_chooses_a_side_where_knots_coincide() -> None:
    knots, heights = torch.tensor([[0.0, 0.5, 0.5, 1.0]]), torch.tensor([[0.0, 1.0, 2.0, 3.0]])
    x = torch.tensor([0.5])
    assert interpolate(x, knots, heights).item() == 2.0
    assert interpolate(x, knots, heights, right=False).item() == 1.0
    assert interpolate(torch.tensor([2.0]), knots, heights).item() == 5.0
