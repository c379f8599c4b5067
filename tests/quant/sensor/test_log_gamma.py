"""The logarithmic ADC with a learned exponent."""

from __future__ import annotations

from typing import Literal

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.refusal import refused, warned

from qsense.quant.sensor.log import Log
from qsense.quant.sensor.log_gamma import LogGamma
from qsense.signal import Signal

BIPOLAR = Signal(channels=3, low=-1.0, high=1.0, unit="g")
UNIPOLAR = Signal(channels=1, low=0.0, high=1.0, unit="")
RAW = Signal(channels=4, low=0.0, high=1.0, unit="full scale", native_bits=14)
BLACK = Signal(channels=4, low=0.0, high=1.0, unit="full scale", native_bits=14, black=512, white=15871)


@pytest.mark.parametrize("gamma", [0.35, 1.7])
def test_thresholds_to_fifty_digits(gamma: float) -> None:
    mpmath.mp.dps = 50
    quantizer = LogGamma(RAW, 5, gamma)
    root = mpmath.exp(-mpmath.mpf(quantizer.log_gamma.item()))
    for k, found in enumerate(quantizer.thresholds()[0].tolist(), start=1):
        z = (k - mpmath.mpf(1) / 2) / 31
        exact = (mpmath.mpf(2**14) ** (z**root) - 1) / (2**14 - 1)
        assert abs(found - exact) <= 2e-14 * exact


@pytest.mark.parametrize("signal", [BIPOLAR, UNIPOLAR, RAW, BLACK])
def test_it_starts_as_the_logarithm(signal: Signal) -> None:
    assert torch.equal(LogGamma(signal, 4).thresholds(), Log(signal, 4).thresholds())
    ten = LogGamma(signal, 4, native_bits=10).thresholds()
    assert torch.equal(ten, Log(signal, 4, native_bits=10).thresholds())


@pytest.mark.parametrize("bits", [2, 4])
def test_codes_are_those_of_the_published_recipe(bits: int) -> None:
    """floor((log(counts + 1)/log 2^n)^ReLU(γ) · (2^bits − 1)), in float64, of all counts of a 14-bit sensor."""
    adc = LogGamma(RAW, bits, 0.62, parametrization="relu", rounding="floor")
    assert adc.decays
    counts = np.arange(2**14)
    exponent = float(np.float32(0.62))
    v = (np.log(counts + 1.0) / np.log(2.0**14)) ** exponent * (2**bits - 1)
    expected = np.floor(v)
    expected[-1] = 2**bits - 1  # what the last bit of a float64 logarithm decides
    assert np.array_equal(adc.encode(torch.from_numpy(counts)[:, None].expand(-1, 4))[:, 0].numpy(), expected)


@pytest.mark.parametrize("signal", [BIPOLAR, RAW])
@pytest.mark.parametrize("parametrization", ["exp", "relu"])
def test_gradients_by_autograd_of_the_formula(signal: Signal, parametrization: Literal["exp", "relu"]) -> None:
    adc = LogGamma(signal, 4, 0.6, parametrization=parametrization).double()
    low = -1.0 if signal.bipolar else 0.0
    x = torch.from_numpy(np.random.default_rng(0).uniform(low, 1, (500, signal.channels))).requires_grad_()
    (p,) = adc.parameters()
    exponent = p.exp() if parametrization == "exp" else p.relu()
    share = (1 + x.abs() / adc.epsilon).log() / np.log1p(1 / adc.epsilon)
    z = x.sign() * share**exponent
    grad = torch.randn_like(z)
    expected = torch.autograd.grad(z, [x, p], grad)
    found = torch.autograd.grad(adc(x), [x, p], grad)
    for mine, reference in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, reference)


def test_dark_samples_pull_at_nothing() -> None:
    adc = LogGamma(RAW, 4, 0.3)
    x = torch.zeros(5, 4, requires_grad=True)
    adc(x).sum().backward()
    assert adc.log_gamma.grad is not None
    assert adc.log_gamma.grad.item() == 0.0
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert adc.encode(torch.zeros(1, 4)).tolist() == [[0] * 4]


@settings(max_examples=60)
@given(gamma=st.floats(1e-3, 30), bits=st.integers(2, 12), rounding=st.sampled_from(["round", "floor"]))
def test_extreme_exponents_stay_ordered_and_finite(
    gamma: float, bits: int, rounding: Literal["round", "floor"]
) -> None:
    for signal in (BIPOLAR, RAW):
        adc = LogGamma(signal, bits, gamma, rounding=rounding)
        thresholds = adc.thresholds()
        assert thresholds.isfinite().all()
        assert (thresholds.diff() >= 0).all()
        x = torch.tensor([[0.0], [1e-30], [1e-8], [0.5], [1.0]]).repeat(1, signal.channels).requires_grad_()
        adc(x).sum().backward()
        assert x.grad is not None
        assert x.grad.isfinite().all()
        assert adc.log_gamma.grad is not None
        assert adc.log_gamma.grad.isfinite().all()
    assert adc.encode(torch.zeros(1, 4)).sum() == 0


def test_a_dead_gamma_is_told_of() -> None:
    adc = LogGamma(RAW, 4, parametrization="relu")
    with torch.no_grad():
        adc.raw_gamma.fill_(-0.02)
    with warned(UserWarning, "quant.sensor.lr", "quant.sensor.parametrization", "-0.02"):
        adc.progress(0.5)


def test_at_one_bit_gamma_is_frozen_where_it_changes_nothing() -> None:
    with warned(UserWarning, "gamma", "1 bit"):
        adc = LogGamma(BIPOLAR, 1)
    assert adc.parameter_groups(0.1) == []
    assert LogGamma(UNIPOLAR, 1).log_gamma.requires_grad


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"gamma": 0.0}, ("gamma=0.0", "LogGamma")),
        ({"gamma": float("nan")}, ("gamma=nan", "LogGamma")),
        ({"native_bits": 40}, ("native_bits=40", "LogGamma", 1, 32, "null")),
        ({"parametrization": "softplus"}, ("parametrization='softplus'", "LogGamma", "exp", "relu")),
        ({"parametrization": "relu", "start": "quantile"}, ("start='quantile'", "LogGamma", "parametrization=relu")),
    ],
)
def test_bad_arguments(arguments: dict[str, object], named: tuple[object, ...]) -> None:
    with refused(ValueError, *named):
        LogGamma(RAW, 4, **arguments)  # type: ignore[arg-type]
