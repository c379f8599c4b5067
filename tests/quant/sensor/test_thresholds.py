"""The ADC of free decision levels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from qsense.quant.sensor.linear import Linear
from qsense.quant.sensor.thresholds import Thresholds
from qsense.signal import Signal

BIPOLAR = Signal(channels=2, low=-1.0, high=1.0, unit="g")
UNIPOLAR = Signal(channels=1, low=0.0, high=1.0, unit="")


def uneven(bits: int = 2, **arguments: object) -> Thresholds:
    quantizer = Thresholds(BIPOLAR, bits, **arguments).double()  # type: ignore[arg-type]
    with torch.no_grad():
        quantizer.start.fill_(-0.9)
        quantizer.log_width.copy_((torch.tensor([0.3, 0.1, 1.2], dtype=torch.float64) / (2 / 3)).log())
    return quantizer


@pytest.mark.parametrize("signal", [BIPOLAR, UNIPOLAR])
def test_it_starts_as_the_linear_converter(signal: Signal) -> None:
    for bits in (1, 2, 8):
        for rounding in ("round", "floor"):
            found = Thresholds(signal, bits, rounding=rounding)
            linear = Linear(signal, bits, rounding=rounding)
            torch.testing.assert_close(found.thresholds(), linear.thresholds(), rtol=0, atol=1e-12)
            top = torch.full((1, signal.channels), signal.high or 0.0)
            assert (found.encode(top) == (1 << bits) - 1).all(), "a saturated sample has the top code"


def test_levels_lie_in_the_middle_of_the_intervals_or_at_their_ends() -> None:
    np.testing.assert_allclose(uneven().thresholds()[0].numpy(), [-0.75, -0.55, 0.1], rtol=1e-12)
    np.testing.assert_allclose(uneven(rounding="floor").thresholds()[0].numpy(), [-0.6, -0.5, 0.7], rtol=1e-12)


def test_gradients_are_those_of_g_ste() -> None:
    """The expectation of a drawn code, differentiated by hand: slope 1/w in an interval, and how its ends move it."""
    quantizer = uneven(output="code")
    rng = np.random.default_rng(0)
    x, grad = rng.uniform(-1.2, 1.2, (500, 2)), rng.normal(size=(500, 2))
    leaf = torch.from_numpy(x).requires_grad_()
    found = torch.autograd.grad(quantizer(leaf), [leaf, *quantizer.parameters()], torch.from_numpy(grad))
    widths = np.array([0.3, 0.1, 1.2])
    ends = -0.9 + np.concatenate([[0.0], np.cumsum(widths)])
    k = np.searchsorted(ends, x, side="right") - 1
    inside = (k >= 0) & (k < 3)
    k = k.clip(0, 2)
    slope = grad * inside / widths[k]
    share = (x - ends[k]) / widths[k]
    np.testing.assert_allclose(found[0].numpy(), slope, rtol=1e-9)
    np.testing.assert_allclose(found[1].item(), -slope.sum(), rtol=1e-9)
    # A wider interval pushes those above it up by as much, and its own samples by their share.
    of_width = [-(slope * np.where(k == j, share, 1.0 * (k > j))).sum() for j in range(3)]
    np.testing.assert_allclose(found[2].numpy()[0], np.array(of_width) * widths, rtol=1e-9)


def test_it_moves_its_levels_to_where_the_classes_part() -> None:
    torch.manual_seed(0)
    quantizer = Thresholds(UNIPOLAR, 1)
    optimizer = torch.optim.Adam(quantizer.parameters(), lr=0.02)
    x = torch.rand(4000, 1)
    for _ in range(200):
        loss = (quantizer(x) - (x > 0.2).float()).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        quantizer.clamp_()
    assert quantizer.thresholds().item() == pytest.approx(0.2, abs=0.03)


def test_what_is_kept_and_shown() -> None:
    quantizer = Thresholds(BIPOLAR, 2, per_channel=True)
    assert {name: len(values) for name, values in quantizer.trajectory().items()} == {"u25": 2, "u50": 2, "u75": 2}
    assert uneven().trajectory()["u50"] == [pytest.approx(-0.55)]
    with torch.no_grad():
        quantizer.start.copy_(torch.tensor([[-9.0], [9.0]]))
        quantizer.log_width.copy_(torch.tensor([[-99.0, 0.0, 99.0]]))
    quantizer.clamp_()
    assert quantizer.start.flatten().tolist() == [-1.0, 1.0]
    widths = quantizer.log_width.exp() * (2 / 3)
    assert widths.min().item() == pytest.approx(2**-23, rel=1e-5)
    assert widths.max().item() == pytest.approx(2.0)
    assert (quantizer.thresholds().diff() >= 0).all()
