"""The continuous γ ADC; its values, levels and gradients also stand in `test_sensor_golden.py`."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.refusal import refused, warned

from qsense.quant.sensor.gamma_norm import GammaNorm
from qsense.quant.sensor.log import Log
from qsense.signal import Signal

BIPOLAR = Signal(channels=3, low=-1.0, high=1.0, unit="g")
UNIPOLAR = Signal(channels=4, low=0.0, high=1.0, unit="counts")


def reference(u: np.ndarray, gamma: float, mu: float, epsilon: float) -> np.ndarray:
    """((|u - μ| + ε)^γ - ε^γ) over its value at the end of the side, with u's sign about μ."""
    size = (np.abs(u - mu) + epsilon) ** gamma - epsilon**gamma
    end = np.where(u >= mu, 1 - mu, 1 + mu)
    z: np.ndarray = np.where(u >= mu, 1, -1) * size / ((end + epsilon) ** gamma - epsilon**gamma)
    return z


@pytest.mark.parametrize(("gamma", "mu", "epsilon"), [(0.4, 0.0, 1e-3), (0.2, 0.3, 1e-4), (2.5, -0.6, 0.1)])
def test_curve_is_the_shifted_and_stretched_power(gamma: float, mu: float, epsilon: float) -> None:
    quantizer = GammaNorm(BIPOLAR, 4, gamma, mu, epsilon).double()
    u = np.linspace(-1, 1, 4001)
    exponent, centre = np.exp(quantizer.log_gamma.item()), quantizer.mu.item()  # type: ignore[union-attr]
    found = quantizer.curve(torch.from_numpy(u)[None]).detach().numpy()[0]
    np.testing.assert_allclose(found, reference(u, exponent, centre, epsilon), rtol=1e-11, atol=1e-13)
    assert found[0] == -1
    assert found[-1] == 1
    assert np.abs(np.diff(found)).max() < 0.5  # no jump at the centre
    uni = GammaNorm(UNIPOLAR, 4, gamma, 0.0, epsilon).double()
    found = uni.curve(torch.from_numpy(u[2000:])[None]).detach().numpy()[0]
    np.testing.assert_allclose(found, reference(u[2000:], exponent, 0.0, epsilon), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("signal", [BIPOLAR, UNIPOLAR])
def test_thresholds_to_fifty_digits(signal: Signal) -> None:
    mpmath.mp.dps = 50
    quantizer = GammaNorm(signal, 5, gamma=0.35, mu=0.125 if signal.bipolar else 0.0)
    gamma, mu = mpmath.exp(mpmath.mpf(quantizer.log_gamma.item())), mpmath.mpf(0.125 if signal.bipolar else 0.0)
    epsilon = mpmath.mpf(1e-3)
    for k, found in enumerate(quantizer.thresholds()[0].tolist(), start=1):
        z = mpmath.mpf(2 * k - 1) / 62
        z = 2 * z - 1 if signal.bipolar else z
        end = 1 - mu if z >= 0 else 1 + mu
        power = abs(z) * ((end + epsilon) ** gamma - epsilon**gamma) + epsilon**gamma
        exact = mu + (1 if z >= 0 else -1) * (power ** (1 / gamma) - epsilon)
        assert abs(found - exact) < 1e-14


def test_limits_are_the_linear_and_the_logarithmic_curve() -> None:
    u = torch.linspace(-1, 1, 1001, dtype=torch.float64)[None]
    torch.testing.assert_close(GammaNorm(BIPOLAR, 4, gamma=1.0).double().curve(u), u)
    log = Log(BIPOLAR, 4, native_bits=10)
    flat = GammaNorm(BIPOLAR, 4, gamma=1e-3, epsilon=log.epsilon).double()
    torch.testing.assert_close(flat.curve(u), log.curve(u), rtol=0, atol=2e-3)


@settings(max_examples=60)
@given(gamma=st.floats(1e-3, 32), mu=st.floats(-0.99, 0.99), epsilon=st.floats(1e-9, 1), bits=st.integers(2, 10))
def test_extreme_parameters_stay_ordered_and_finite(gamma: float, mu: float, epsilon: float, bits: int) -> None:
    quantizer = GammaNorm(BIPOLAR, bits, gamma, mu, epsilon)
    thresholds = quantizer.thresholds()
    assert thresholds.isfinite().all()
    assert (thresholds.diff() >= 0).all()
    assert thresholds.abs().max() <= 1 + 1e-12
    x = torch.tensor([-1.0, -0.5, mu, 0.0, 1e-8, 0.5, 1.0]).requires_grad_()
    quantizer(x).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in quantizer.parameters())


def test_parameters_are_kept_where_the_curve_is_defined() -> None:
    quantizer = GammaNorm(BIPOLAR, 2, per_channel=True)
    with torch.no_grad():
        quantizer.mu.copy_(torch.tensor([-3.0, 0.2, 1.5]))  # type: ignore[union-attr]
        quantizer.log_gamma.copy_(torch.tensor([-99.0, 0.0, 99.0]))
    quantizer.clamp_()
    learned = quantizer.trajectory()
    assert learned["gamma"] == pytest.approx([0.001, 1.0, 32.0], rel=1e-6)
    assert learned["mu"] == [-0.99, 0.2, 0.99]


def test_at_one_bit_gamma_is_frozen_where_it_changes_nothing() -> None:
    with warned(UserWarning, "gamma", "1 bit"):
        quantizer = GammaNorm(BIPOLAR, 1, mu=0.25)
    assert quantizer.thresholds().tolist() == [[0.25]]
    assert not quantizer.log_gamma.requires_grad
    assert GammaNorm(UNIPOLAR, 1).log_gamma.requires_grad


@pytest.mark.parametrize(
    ("signal", "arguments", "named"),
    [
        (BIPOLAR, {"gamma": 40.0}, ("gamma=40.0", "GammaNorm", 0.001, 32, "null")),
        (BIPOLAR, {"mu": 1.0}, ("mu=1.0", "GammaNorm", -0.99, 0.99)),
        (UNIPOLAR, {"mu": 0.1}, ("mu=0.1", "low=0", "mu=0")),
        (BIPOLAR, {"epsilon": 0.0}, ("epsilon=0.0", "GammaNorm", "1e-9", 1)),
    ],
)
def test_bad_arguments(signal: Signal, arguments: dict[str, float], named: tuple[object, ...]) -> None:
    with refused(ValueError, *named):
        GammaNorm(signal, 2, **arguments)  # type: ignore[arg-type]


def test_a_raw_gamma_has_the_slope_of_its_logarithm_over_gamma() -> None:
    signal = Signal(channels=1, low=-1.0, high=1.0, unit="g")
    x = torch.linspace(-1, 1, 101)[:, None]
    by_logarithm, raw = GammaNorm(signal, 4, gamma=0.5), GammaNorm(signal, 4, gamma=0.5, parametrization="relu")
    for adc in (by_logarithm, raw):
        (adc(x) * x).sum().backward()
    assert by_logarithm.log_gamma.grad is not None
    assert raw.raw_gamma.grad is not None
    torch.testing.assert_close(raw.raw_gamma.grad, by_logarithm.log_gamma.grad / 0.5)
    with torch.no_grad():
        raw.raw_gamma.fill_(-1.0)
    raw.clamp_()
    assert raw.trajectory()["gamma"] == [0.001], "it cannot die"
