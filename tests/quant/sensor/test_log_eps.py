"""The logarithmic ADC with a learned offset."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import torch
from tests.refusal import refused, warned

from qsense.quant.sensor.log import Log
from qsense.quant.sensor.log_eps import LogEps
from qsense.signal import Signal

BIPOLAR = Signal(channels=3, low=-1.0, high=1.0, unit="g")
UNIPOLAR = Signal(channels=1, low=0.0, high=1.0, unit="")
RAW = Signal(channels=4, low=0.0, high=1.0, unit="full scale", native_bits=14)


def test_thresholds_to_fifty_digits() -> None:
    mpmath.mp.dps = 50
    quantizer = LogEps(UNIPOLAR, 5, epsilon=0.01)
    epsilon = mpmath.exp(mpmath.mpf(quantizer.log_epsilon.item()))
    for k, found in enumerate(quantizer.thresholds()[0].tolist(), start=1):
        z = (k - mpmath.mpf(1) / 2) / 31
        exact = epsilon * ((1 + epsilon) / epsilon) ** z - epsilon
        assert abs(found - exact) <= 4e-15 * exact


@pytest.mark.parametrize("signal", [BIPOLAR, UNIPOLAR, RAW])
def test_it_starts_as_the_fixed_curve_of_the_sensor(signal: Signal) -> None:
    log = Log(signal, 4, native_bits=signal.native_bits or 12)
    torch.testing.assert_close(LogEps(signal, 4).double().thresholds(), log.thresholds(), rtol=1e-6, atol=0)


def test_gradient_of_epsilon_by_its_formula() -> None:
    quantizer = LogEps(BIPOLAR, 3, epsilon=0.05).double()
    u = np.linspace(-1, 1, 301)
    grad = np.cos(7 * u)
    x = torch.from_numpy(u)[:, None].expand(-1, 3)
    (found,) = torch.autograd.grad(quantizer(x), quantizer.log_epsilon, torch.from_numpy(grad)[:, None].expand(-1, 3))
    epsilon = np.exp(quantizer.log_epsilon.item())
    depth = np.log1p(1 / epsilon)
    z = np.log1p(np.abs(u) / epsilon) / depth
    slope = np.sign(u) * (z / (1 + epsilon) - np.abs(u) / (np.abs(u) + epsilon)) / depth
    assert found.item() == pytest.approx(3 * (grad * slope).sum(), rel=1e-10)


def test_epsilon_is_kept_in_its_range_and_shown() -> None:
    quantizer = LogEps(BIPOLAR, 2, per_channel=True, epsilon=0.25)
    assert quantizer.trajectory() == {"epsilon": [0.25, 0.25, 0.25]}
    with torch.no_grad():
        quantizer.log_epsilon.copy_(torch.tensor([-99.0, 0.0, 99.0]))
    quantizer.clamp_()
    assert quantizer.trajectory()["epsilon"] == pytest.approx([2**-24, 1, 1024], rel=1e-6)


def test_at_one_bit_epsilon_is_frozen_where_it_changes_nothing() -> None:
    with warned(UserWarning, "epsilon", "1 bit"):
        quantizer = LogEps(BIPOLAR, 1)
    assert quantizer.parameter_groups(0.1) == []
    assert LogEps(UNIPOLAR, 1).log_epsilon.requires_grad


@pytest.mark.parametrize("epsilon", [0.0, -1.0, float("nan"), 1e9])
def test_bad_epsilon(epsilon: float) -> None:
    with refused(ValueError, f"epsilon={epsilon}", "LogEps", "2^-24", 1024, "null"):
        LogEps(BIPOLAR, 4, epsilon=epsilon)
