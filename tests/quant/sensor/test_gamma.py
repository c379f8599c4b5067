"""The γ ADC: what is particular to it."""

from __future__ import annotations

import warnings
from typing import Literal

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.refusal import refused, warned

from qsense.quant.sensor.gamma import Gamma
from qsense.signal import Signal

BIPOLAR = Signal(channels=3, low=-1.0, high=1.0, unit="g")
UNIPOLAR = Signal(channels=4, low=0.0, high=1.0, unit="counts")


def test_defaults() -> None:
    assert Gamma(BIPOLAR, 2).trajectory() == {"gamma": [0.4], "mu": [0.0]}
    assert Gamma(UNIPOLAR, 2, per_channel=True).trajectory() == {"gamma": [1.0] * 4}
    assert Gamma(BIPOLAR, 2, lr=0.01).parameter_groups(1e-4)[0]["lr"] == 0.01


@pytest.mark.parametrize("signal", [BIPOLAR, UNIPOLAR])
def test_no_flips_in_a_million(signal: Signal) -> None:
    """Against eqs. 6-7 in float64; the few samples nearest to a decision level against 50 digits."""
    gamma = Gamma(signal, 4, gamma=0.4, mu=0.05 if signal.bipolar else 0.0)
    exponent = gamma.log_gamma.double().exp().item()
    x32 = np.random.default_rng(0).uniform(-1 if signal.bipolar else 0, 1, 1_000_000).astype(np.float32)
    x = x32.astype(np.float64)
    if signal.bipolar:
        mu = np.float64(np.float32(0.05))
        z = np.where(x >= mu, 1, -1) * (np.abs(x - mu) + 1e-3) ** exponent
        v = np.clip(15 * (z + 1) / 2, 0, 15)
    else:
        v = 15 * x**exponent
    codes = np.floor(v + 0.5)
    found = gamma.encode(torch.from_numpy(x32)).numpy()
    assert np.array_equal(found, codes)
    mpmath.mp.dps = 50
    power = mpmath.exp(mpmath.mpf(gamma.log_gamma.item()))
    for i in np.argsort(np.abs(v % 1 - 0.5))[:50]:
        if signal.bipolar:
            sign = 1 if x[i] >= mu else -1
            exact = (15 * sign * (abs(mpmath.mpf(x[i]) - mu) + mpmath.mpf(1e-3)) ** power + 15) / 2
        else:
            exact = 15 * mpmath.mpf(x[i]) ** power
        assert found[i] == mpmath.floor(max(exact, 0) + mpmath.mpf(1) / 2)


@settings(max_examples=60)
@given(gamma=st.floats(1e-3, 30), bits=st.integers(2, 12), rounding=st.sampled_from(["round", "floor"]))
def test_extreme_exponents_stay_ordered_finite_and_keep_zero_at_zero(
    gamma: float, bits: int, rounding: Literal["round", "floor"]
) -> None:
    for signal in (BIPOLAR, UNIPOLAR):
        quantizer = Gamma(signal, bits, gamma=gamma, rounding=rounding)
        thresholds = quantizer.thresholds()
        assert thresholds.isfinite().all()
        assert (thresholds.diff() >= 0).all()
        x = torch.tensor([0.0, 1e-30, 1e-8, 0.5, 1.0]).requires_grad_()
        quantizer(x).sum().backward()
        assert quantizer.log_gamma.grad is not None
        assert x.grad is not None
        assert x.grad.isfinite().all()
        assert quantizer.log_gamma.grad.isfinite().all()
    assert quantizer.encode(torch.tensor([0.0])).item() == 0


def test_unipolar_gradients_at_zero() -> None:
    gamma = Gamma(UNIPOLAR, 4, gamma=0.136)
    x = torch.zeros(5, requires_grad=True)
    gamma(x).sum().backward()
    assert x.grad is not None
    assert gamma.log_gamma.grad is not None
    assert x.grad.tolist() == [0.0] * 5
    assert gamma.log_gamma.grad.item() == 0.0


def test_negative_zero_lies_at_the_centre() -> None:
    gamma = Gamma(BIPOLAR, 2, gamma=0.5)
    found = []
    for zero in (0.0, -0.0):
        gamma.zero_grad()
        gamma(torch.tensor([zero])).sum().backward()
        found.append((gamma.encode(torch.tensor([zero])).item(), gamma.log_gamma.grad.item()))  # type: ignore[union-attr]
    assert found[0] == found[1]


def test_parameter_gradients_of_millions_of_samples_are_accurate() -> None:
    gamma = Gamma(BIPOLAR, 4)
    x, grad = torch.rand(2_000_000) * 2 - 1, torch.randn(2_000_000)
    single = torch.autograd.grad(gamma(x), list(gamma.parameters()), grad)
    exact = torch.autograd.grad(gamma.double()(x.double()), list(gamma.parameters()), grad.double())
    for mine, reference in zip(single, exact, strict=True):
        assert abs(mine.item() - reference.item()) < 1e-6 * 2_000_000**0.5  # the sum is that of 2·10⁶ random signs


@pytest.mark.parametrize(
    ("signal", "rounding", "frozen"),
    [(BIPOLAR, "round", True), (BIPOLAR, "floor", True), (UNIPOLAR, "floor", True), (UNIPOLAR, "round", False)],
)
def test_at_one_bit_gamma_is_frozen_exactly_where_it_changes_nothing(
    signal: Signal, rounding: Literal["round", "floor"], frozen: bool
) -> None:
    if frozen:
        with warned(UserWarning, "gamma", "1 bit"):
            gamma = Gamma(signal, 1, rounding=rounding)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            gamma = Gamma(signal, 1, rounding=rounding)
    assert gamma.log_gamma.requires_grad is not frozen
    before = gamma.thresholds()
    with torch.no_grad():
        gamma.log_gamma.add_(0.5)
    assert torch.equal(before, gamma.thresholds()) is frozen
    assert len(gamma.parameter_groups(1e-3)) == (gamma.mu is not None or not frozen)


@pytest.mark.parametrize("signal", [BIPOLAR, UNIPOLAR])
def test_the_authors_gamma_is_a_raw_value_through_relu(signal: Signal) -> None:
    """Values against eqs. 6-7 in NumPy, gradients against autograd through ReLU; then the steps of SGD with decay."""
    adc = Gamma(signal, 4, gamma=0.6, parametrization="relu").double()
    assert [name for name, _ in adc.named_parameters()] == (["raw_gamma", "mu"] if signal.bipolar else ["raw_gamma"])
    low = -1 if signal.bipolar else 0
    x = torch.from_numpy(np.random.default_rng(0).uniform(low, 1, (1000, 1)))
    raw = torch.full((), 0.6, dtype=torch.float32).double().requires_grad_()
    mu = torch.zeros((), dtype=torch.float64, requires_grad=True)
    z = x.pow(raw.relu()) if low == 0 else torch.where(x >= mu, 1, -1) * ((x - mu).abs() + 1e-3).pow(raw.relu())
    v = (15 * (z.clamp(low, 1) - low) / (1 - low)).detach()
    np.testing.assert_array_equal(adc.encode(x).numpy(), np.floor(v.numpy() + 0.5))
    grad = torch.randn_like(x)
    expected = torch.autograd.grad(z.clamp(low, 1), [raw, mu], grad, allow_unused=True)
    (adc(x) * grad).sum().backward()
    for parameter, reference in zip(adc.parameters(), expected, strict=False):
        assert parameter.grad is not None
        torch.testing.assert_close(parameter.grad[0], reference)
    before = [(p.item(), p.grad.item()) for p in adc.parameters() if p.grad is not None]
    torch.optim.SGD(adc.parameter_groups(1e-5), lr=1.0, weight_decay=0.1).step()
    after = [value - 1e-5 * (slope + 0.1 * value) for value, slope in before]
    assert [p.item() for p in adc.parameters()] == pytest.approx(after, rel=1e-12)


def test_only_the_authors_gamma_decays() -> None:
    assert Gamma(BIPOLAR, 4).parameter_groups(1.0)[0]["weight_decay"] == 0.0
    assert "weight_decay" not in Gamma(BIPOLAR, 4, parametrization="relu").parameter_groups(1.0)[0]


@pytest.mark.parametrize("signal", [BIPOLAR, UNIPOLAR])
def test_a_dead_gamma_learns_no_more_and_is_told_once(signal: Signal) -> None:
    adc = Gamma(signal, 4, parametrization="relu")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        adc.progress(0.0)
    with torch.no_grad():
        adc.raw_gamma.fill_(-0.02)
    adc(torch.rand(100, 3)).sum().backward()
    assert adc.raw_gamma.grad is not None
    assert adc.raw_gamma.grad.item() == 0.0
    assert adc.trajectory()["gamma"] == [0.0]
    assert adc.encode(torch.tensor([0.01, 0.5, 1.0])).tolist() == [15] * 3
    with warned(UserWarning, "-0.02", "quant.sensor.lr", "quant.sensor.parametrization=exp"):
        adc.progress(0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        adc.progress(1.0)


def test_centre_is_kept_within_the_range() -> None:
    gamma = Gamma(BIPOLAR, 2, per_channel=True)
    with torch.no_grad():
        gamma.mu.copy_(torch.tensor([-3.0, 0.2, 1.5]))  # type: ignore[union-attr]
    gamma.clamp_()
    assert gamma.trajectory()["mu"] == [-1.0, 0.2, 1.0]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"gamma": 0.0}, ("gamma=0.0", "Gamma", "null")),
        ({"gamma": float("nan")}, ("gamma=nan", "Gamma", "null")),
        ({"mu": 1.5}, ("mu=1.5", "Gamma", -1, 1)),
        ({"epsilon": 0}, ("epsilon=0", "Gamma", 0, 1)),
        ({"parametrization": "relu", "start": "lloyd_max"}, ("start='lloyd_max'", "Gamma", "parametrization=relu")),
        ({"parametrization": "softplus"}, ("parametrization='softplus'", "Gamma", "exp", "relu")),
        ({"lr": -1.0}, ("lr=-1.0", "Gamma", 0, "null")),
        ({"per_channel": "yes"}, ("per_channel='yes'", "Gamma", "true", "false")),
    ],
)
def test_bad_arguments(arguments: dict[str, object], named: tuple[object, ...]) -> None:
    with refused(ValueError, *named):
        Gamma(BIPOLAR, 2, **arguments)  # type: ignore[arg-type]


def test_a_unipolar_signal_has_no_centre_and_channels_must_match() -> None:
    with refused(ValueError, "mu=0.1", "low=0", "mu=0"):
        Gamma(UNIPOLAR, 2, mu=0.1)
    with refused(ValueError, "[2, 3]", 3, -1, 4):
        Gamma(UNIPOLAR, 2, per_channel=True)(torch.zeros(2, 3))


def test_per_channel_curves_treat_each_channel_as_a_quantizer_of_its_own() -> None:
    together = Gamma(BIPOLAR, 3, per_channel=True)
    with torch.no_grad():
        together.log_gamma.copy_(torch.tensor([-1.0, -0.5, 0.1]))
        together.mu.copy_(torch.tensor([0.0, 0.1, -0.2]))  # type: ignore[union-attr]
    x, grad = torch.rand(7, 50, 3) * 2 - 1, torch.randn(7, 50, 3)
    y = together(x)
    y.backward(grad)
    for c in range(3):
        alone = Gamma(Signal(channels=1, low=-1.0, high=1.0, unit="g"), 3)
        with torch.no_grad():
            alone.log_gamma.fill_(together.log_gamma[c])
            alone.mu.fill_(together.mu[c])  # type: ignore[union-attr, index]
        part = alone(x[..., c : c + 1])
        part.backward(grad[..., c : c + 1])
        assert torch.equal(part, y[..., c : c + 1])
        for name in ("log_gamma", "mu"):
            torch.testing.assert_close(
                getattr(alone, name).grad[0], getattr(together, name).grad[c], rtol=1e-5, atol=1e-6
            )
