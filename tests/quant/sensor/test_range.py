"""The linear ADC over a learned range."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.refusal import refused

from qsense.quant.sensor.linear import Linear
from qsense.quant.sensor.range import Range
from qsense.signal import Signal

BIPOLAR = Signal(channels=3, low=-8.0, high=8.0, unit="g")
UNIPOLAR = Signal(channels=2, low=0.0, high=1.0, unit="")


@pytest.mark.parametrize("signal", [BIPOLAR, UNIPOLAR])
def test_it_starts_as_the_linear_converter(signal: Signal) -> None:
    for bits in (1, 3, 8):
        found, linear = Range(signal, bits), Linear(signal, bits)
        torch.testing.assert_close(found.thresholds(), linear.thresholds(), rtol=1e-14, atol=1e-14)
        assert torch.equal(found.levels(), linear.levels())


def test_codes_are_those_of_lsq_plus() -> None:
    """round(clamp((x - β)/s, 0, L)), eq. 3, with step and offset for ends; half up."""
    quantizer = Range(BIPOLAR, 3, low=-0.25, high=0.625)
    beta, step = -0.25 * 8, (0.625 + 0.25) * 8 / 7
    x = np.random.default_rng(0).uniform(-9, 9, (5000, 3))
    expected = np.floor(np.clip((x - beta) / step, 0, 7) + 0.5)
    assert np.array_equal(quantizer.encode(torch.from_numpy(x)).numpy(), expected)
    assert torch.equal(quantizer.levels(), Linear(BIPOLAR, 3).levels())  # the nominal range's


def test_gradients_by_their_formulas_with_lsqs_scale() -> None:
    quantizer = Range(BIPOLAR, 3, low=-0.25, high=0.5, per_channel=True).double()
    rng = np.random.default_rng(1)
    x, grad = rng.uniform(-9, 9, (4, 100, 3)), rng.normal(size=(4, 100, 3))
    leaf = torch.from_numpy(x).requires_grad_()
    of_x, of_low, of_high = torch.autograd.grad(
        quantizer(leaf), [leaf, *quantizer.parameters()], torch.from_numpy(grad)
    )
    share = (x / 8 + 0.25) / 0.75
    inside = (share >= 0) & (share <= 1)
    scale = 1 / np.sqrt(100 * 7)  # N: samples of one example, whatever the batch
    np.testing.assert_allclose(of_x.numpy(), grad * inside * 2 / 0.75, rtol=1e-12)
    np.testing.assert_allclose(
        of_low.numpy(), scale * (-16 / 0.75 * grad * inside * (1 - share)).sum((0, 1)), rtol=1e-10
    )
    np.testing.assert_allclose(of_high.numpy(), scale * (-16 / 0.75 * grad * inside * share).sum((0, 1)), rtol=1e-10)


def test_ends_stay_within_the_range_and_apart() -> None:
    quantizer = Range(BIPOLAR, 2, per_channel=True)
    with torch.no_grad():
        quantizer.low.copy_(torch.tensor([-3.0, 0.5, 7.0]))
        quantizer.high.copy_(torch.tensor([4.0, 0.2, 9.0]))
    quantizer.clamp_()
    learned = quantizer.trajectory()
    assert learned["low"] == pytest.approx([-1, 0.5, 1 - 2**-11])
    assert learned["high"] == pytest.approx([1, 0.5 + 2**-11, 1])
    assert (quantizer.thresholds().diff() > 0).all()


def test_it_learns_the_range_of_the_data() -> None:
    """Samples within a fifth of the range, a loss that wants them told apart."""
    torch.manual_seed(0)
    quantizer = Range(UNIPOLAR, 2)
    optimizer = torch.optim.Adam(quantizer.parameters(), lr=0.02)
    x = 0.3 + 0.2 * torch.rand(2000, 2)
    for _ in range(150):
        loss = (quantizer(x) - (x - 0.3) / 0.2).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        quantizer.clamp_()
    assert quantizer.low.item() == pytest.approx(0.3, abs=0.03)
    assert quantizer.high.item() == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize(("low", "high"), [(-1.5, None), (0.5, 0.5), (0.5, 0.2), (None, 1.1), (float("nan"), None)])
def test_bad_ends(low: float | None, high: float | None) -> None:
    with refused(ValueError, f"low={low}", f"high={high}", "Range", -1, 1, "null"):
        Range(BIPOLAR, 4, low, high)
