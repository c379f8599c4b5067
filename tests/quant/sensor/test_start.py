"""Learned curves that begin with levels fitted to the training data."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.quant.sensor.test_contract import CODED, SENSORS, build, samples
from tests.refusal import refused

from qsense.quant.sensor.base import SensorQuantizer
from qsense.quant.sensor.gamma import Gamma
from qsense.quant.sensor.gamma_norm import GammaNorm
from qsense.quant.sensor.gamma_per_condition import GammaPerCondition
from qsense.quant.sensor.linear import Linear
from qsense.quant.sensor.lloyd_max import LloydMax
from qsense.quant.sensor.log_eps import LogEps
from qsense.quant.sensor.log_gamma import LogGamma
from qsense.quant.sensor.mulaw import MuLaw
from qsense.quant.sensor.pwl import PiecewiseLinear
from qsense.quant.sensor.quantile import Quantile
from qsense.quant.sensor.range import Range
from qsense.quant.sensor.soft_tanh import SoftTanh
from qsense.quant.sensor.thresholds import Thresholds
from qsense.runs.settings import decisive
from qsense.signal import Signal

BIPOLAR = Signal(channels=3, low=-16.0, high=16.0, unit="g", rate_hz=50.0)
RAW = Signal(channels=4, low=0.0, high=1.0, unit="full scale", native_bits=12, black=64, white=4000, bayer="RGGB")
SIGNALS = {"bipolar": BIPOLAR, "raw": RAW}
FITTED = {"quantile": Quantile, "lloyd_max": LloydMax}
STARTED = [name for name in CODED if "start" in SENSORS[name]]


def shown(signal: Signal, seed: int = 0) -> torch.Tensor:
    """Training samples: three axes that feel gravity, or dark native codes of which some saturate."""
    rng = np.random.default_rng(seed)
    if signal.bipolar:
        return torch.from_numpy(rng.laplace((0.0, 1.0, -0.3), (0.5, 1.0, 0.2), (4000, 3))).float()
    return torch.from_numpy(rng.lognormal(5, 1, (4000, 4)).clip(0, 4095).astype(np.int64))


def quiet(kind: Any, *args: Any, **settings: Any) -> SensorQuantizer:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantizer: SensorQuantizer = kind(*args, **settings)
    return quantizer


def levels(start: str, signal: Signal, bits: int, **settings: Any) -> torch.Tensor:
    fitted = FITTED[start](signal, bits, **settings)
    fitted.fit(shown(signal))
    return fitted.thresholds()


@pytest.mark.parametrize("kind", [Thresholds, SoftTanh])
@pytest.mark.parametrize("of", SIGNALS)
@pytest.mark.parametrize("start", FITTED)
@pytest.mark.parametrize("rounding", ["round", "floor"])
@pytest.mark.parametrize("bits", [1, 2, 4, 9])
def test_free_levels_are_taken_over_bit_for_bit(
    kind: type[SensorQuantizer], of: str, start: str, rounding: str, bits: int
) -> None:
    signal = SIGNALS[of]
    for per_channel in (False, True):
        quantizer = quiet(kind, signal, bits, start=start, rounding=rounding, per_channel=per_channel)
        assert quantizer.wants_samples
        quantizer.fit(shown(signal))
        expected = levels(start, signal, bits, rounding=rounding, per_channel=per_channel)
        assert torch.equal(quantizer.thresholds(), expected)
        quantizer.clamp_()  # as after the first step
        assert torch.equal(quantizer.thresholds(), expected)


@pytest.mark.parametrize("kind", [Thresholds, SoftTanh])
@pytest.mark.parametrize("rounding", ["round", "floor"])
@pytest.mark.parametrize("of", SIGNALS)
def test_started_levels_learn_by_the_curves_gradients(kind: type[SensorQuantizer], rounding: str, of: str) -> None:
    signal = SIGNALS[of]
    quantizer = quiet(kind, signal, 3, start="lloyd_max", rounding=rounding, surrogate="ste", per_channel=True)
    quantizer.fit(shown(signal))
    before = quantizer.thresholds()
    with torch.no_grad():
        widths = quantizer.get_parameter("log_width")
        widths.add_(torch.linspace(-0.5, 0.7, widths.numel()).view_as(widths))
    quantizer.clamp_()
    quantizer.double()
    moved = quantizer.thresholds()
    assert (moved.diff() >= 0).all()
    assert not torch.equal(moved, before)
    x = torch.rand(300, signal.channels, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x = (quantizer.offset + quantizer.scale * (quantizer.bottom + quantizer.span * x)).requires_grad_()
    grad = torch.randn_like(x)
    wanted = [x, *quantizer.parameters()]
    found = torch.autograd.grad(quantizer(x), wanted, grad)
    z = quantizer.curve(quantizer.to_unit(x).t()).t()
    y = torch.where((z >= quantizer.bottom) & (z <= 1), z, z.detach()) * quantizer.scale
    for mine, reference in zip(found, torch.autograd.grad(y, wanted, grad), strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-6, atol=1e-9)


def squares(quantizer: SensorQuantizer, target: torch.Tensor) -> torch.Tensor:
    """Per row, in unit coordinates."""
    return quantizer.to_unit(quantizer.thresholds() - target + quantizer.offset).square().sum(1)


def grid(kind: type[SensorQuantizer], signal: Signal, bits: int, rounding: str) -> list[SensorQuantizer]:
    """The curve at many values of what it learns, built by its own arguments."""
    centres = np.linspace(-0.6, 0.6, 13) if signal.bipolar else [0.0]
    choices: dict[type[SensorQuantizer], list[dict[str, Any]]] = {
        Gamma: [{"gamma": g, "mu": m} for g in np.geomspace(0.02, 20, 40) for m in centres],
        GammaNorm: [{"gamma": g, "mu": m} for g in np.geomspace(0.02, 20, 40) for m in centres],
        LogEps: [{"epsilon": e} for e in np.geomspace(1e-6, 1000, 300)],
        LogGamma: [{"gamma": g} for g in np.geomspace(0.02, 20, 300)],
        MuLaw: [{"mu": m, "learn": learn} for m in np.geomspace(1e-3, 1e6, 300) for learn in (True,)],
        Range: [
            {"low": a, "high": b}
            for a in np.linspace(-1 if signal.bipolar else 0, 0.9, 25)
            for b in np.linspace(-0.9, 1, 25)
            if b > a + 0.01
        ],
    }
    return [quiet(kind, signal, bits, rounding=rounding, **choice) for choice in choices[kind]]


@pytest.mark.parametrize("kind", [Gamma, GammaNorm, LogEps, LogGamma, MuLaw, Range])
@pytest.mark.parametrize("of", SIGNALS)
@pytest.mark.parametrize(
    ("bits", "rounding"), [(1, "round"), pytest.param(2, "round", marks=pytest.mark.slow), (3, "floor"), (6, "round")]
)
def test_a_few_numbers_come_as_close_as_the_best_of_a_grid(
    kind: type[SensorQuantizer], of: str, bits: int, rounding: str
) -> None:
    signal = SIGNALS[of]
    others = grid(kind, signal, bits, rounding)
    for start in FITTED:
        quantizer = quiet(kind, signal, bits, start=start, rounding=rounding, per_channel=True)
        quantizer.fit(shown(signal))
        target = levels(start, signal, bits, rounding=rounding, per_channel=True)
        best = torch.stack([squares(other, target) for other in others]).min(0).values
        assert (squares(quantizer, target) <= best * (1 + 1e-9) + 1e-12).all()
        if bits == 2 and start == "lloyd_max":
            assert (squares(quantizer, target) < squares(others[0], target)).all()


@settings(max_examples=25)
@given(places=st.lists(st.floats(-1, 1, width=32), min_size=7, max_size=7))
def test_gamma_is_nearest_to_whatever_levels(places: list[float]) -> None:
    target = torch.tensor([sorted(places)])
    quantizer = Gamma(Signal(1, -1.0, 1.0, "g"), 3, start="lloyd_max")
    quantizer.begin_at(target)
    best = torch.inf
    z = quantizer.code_starts()
    for gamma in torch.logspace(-2.5, 1.4, 150, dtype=torch.float64):
        shape = z.sign() * (z.abs() ** (1 / gamma) - 1e-3).clamp_min(0)
        mu = (target.double() - shape).mean().clamp(-1, 1)  # of least squares for this γ
        best = min(best, float((mu + shape - target).square().sum()))
    assert float(squares(quantizer, target.double())) <= best * (1 + 1e-7) + 1e-9


def test_what_is_frozen_or_not_learned_keeps_its_meaning() -> None:
    with pytest.warns(UserWarning, match="gamma"):
        one_bit = Gamma(BIPOLAR, 1, gamma=0.5, start="quantile", per_channel=True)
    one_bit.fit(shown(BIPOLAR))
    assert one_bit.trajectory()["gamma"] == [0.5] * 3
    torch.testing.assert_close(one_bit.thresholds(), levels("quantile", BIPOLAR, 1), rtol=0, atol=1e-5)
    law = MuLaw(BIPOLAR, 3, start="lloyd_max")  # placed by the data, and then fixed
    law.fit(shown(BIPOLAR))
    assert not list(law.parameters())
    assert float(law.log_epsilon) != pytest.approx(-np.log(255))


def test_straight_pieces_pass_through_levels_that_they_can_reach() -> None:
    signal = Signal(1, -1.0, 1.0, "g")
    curve = PiecewiseLinear(signal, 3, pieces=16, start="lloyd_max")
    apart = torch.tensor([[-0.9, -0.55, -0.3, 0.05, 0.2, 0.5, 0.7]])  # each in a piece of its own
    curve.begin_at(apart)
    torch.testing.assert_close(curve.thresholds(), apart.double(), rtol=0, atol=2e-5)
    dense = torch.tensor([[-0.1, -0.08, -0.03, 0.0, 0.02, 0.06, 0.3]])
    curve.begin_at(dense)
    fitted = squares(curve, dense.double())
    knots = np.linspace(-1, 1, 17)
    straight = np.interp(knots, [-1, *dense[0].tolist(), 1], [-1, *curve.code_starts().tolist(), 1])
    with torch.no_grad():
        curve.logits.copy_(torch.from_numpy(np.diff(straight))[None].log())
    assert fitted <= squares(curve, dense.double()) * (1 + 1e-5)


@pytest.mark.parametrize("name", STARTED)
def test_every_curve_that_offers_a_start_takes_it(name: str) -> None:
    signal = Signal(channels=3, low=-1.0, high=1.0, unit="g")
    first, again = (build(name, signal, 3, start="lloyd_max") for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), again.state_dict().values(), strict=True))
    x = samples(signal, 500).requires_grad_()
    y = first(x)
    assert torch.equal(y, first.decode(first.encode(x)))
    y.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in first.parameters())
    buffer = io.BytesIO()
    torch.save(first.state_dict(), buffer)
    buffer.seek(0)
    other = build(name, signal, 3, start="quantile")
    other.load_state_dict(torch.load(buffer, weights_only=True), strict=True)
    assert torch.equal(other(x), y)
    plain = build(name, signal, 3)
    assert not plain.wants_samples
    for values in first.trajectory().values():
        assert np.isfinite(values).all()


def test_a_start_that_cannot_be_is_refused() -> None:
    with refused(ValueError, "start='median'", "Gamma", "null", "quantile", "lloyd_max"):
        Gamma(BIPOLAR, 2, start="median")  # type: ignore[arg-type]

    class Cubic(SensorQuantizer):
        def curve(self, u: torch.Tensor) -> torch.Tensor:
            return u**3

    with refused(ValueError, "start='quantile'", "Cubic", "null"):
        Cubic(BIPOLAR, 2, start="quantile")
    for kind in (Linear, GammaPerCondition, LloydMax):
        with pytest.raises(TypeError, match="start"):
            quiet(kind, BIPOLAR, 2, start="quantile")
    unfitted = Thresholds(BIPOLAR, 2, start="quantile")
    for use in (lambda: unfitted(torch.zeros(5, 3)), unfitted.thresholds):
        with refused(RuntimeError, "Thresholds", "sensor.fit(samples)", "qsense.train"):
            use()


@pytest.mark.parametrize("kind", [Gamma, Thresholds, PiecewiseLinear])
def test_samples_that_no_levels_can_be_fitted_to_are_refused(kind: type[SensorQuantizer]) -> None:
    quantizer = quiet(kind, BIPOLAR, 2, start="lloyd_max")
    with refused(ValueError, kind.__name__, "[4, 2]", "channels = 3"):
        quantizer.fit(torch.zeros(4, 2))
    with refused(ValueError, kind.__name__, "finite"):
        quantizer.fit(torch.full((4, 3), torch.nan))


def test_runs_from_before_it_keep_their_names() -> None:
    old: dict[str, Any] = {"sensor": {"_target_": "qsense.quant.sensor.gamma.Gamma", "bits": 2}, "network": None}
    new = {"sensor": old["sensor"] | {"start": None}, "network": None}
    assert decisive({"quant": new}) == decisive({"quant": old})
    new["sensor"]["start"] = "quantile"
    assert decisive({"quant": new}) != decisive({"quant": old})
