"""A γ ADC per condition: each sample has its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from tests.refusal import refused, warned

from qsense.quant.sensor.gamma import Gamma
from qsense.quant.sensor.gamma_per_condition import GammaPerCondition
from qsense.signal import Signal

SENSORS = {
    "codes": Signal(4, 0.0, 1.0, unit="full scale", native_bits=12, conditions=("day", "night", "dusk")),
    "24-bit codes": Signal(4, 0.0, 1.0, unit="full scale", native_bits=24, conditions=("day", "night", "dusk")),
    "images": Signal(4, 0.0, 1.0, unit="full scale", conditions=("day", "night", "dusk")),
    "series": Signal(3, -1.0, 1.0, unit="g", conditions=("day", "night", "dusk")),
}
CONDITIONS = [1, 0, 0, 1, 1, 0]  # no dusk


def make(kind: str, **changes: Any) -> GammaPerCondition:
    quantizer = GammaPerCondition(SENSORS[kind], 3, **changes)
    with torch.no_grad():
        for i, p in enumerate(quantizer.parameters()):
            p.add_(0.1 * i)
    quantizer.clamp_()
    return quantizer


def batch(kind: str) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    if kind == "series":
        return torch.rand(6, 500, 3, generator=generator) * 2 - 1
    x = torch.rand(6, 4, 30, 40, generator=generator)
    bits = SENSORS[kind].native_bits
    return x if bits is None else (x * ((1 << bits) - 1)).round().to(torch.int32)


def alone(quantizer: GammaPerCondition, condition: int, **changes: Any) -> Gamma:
    gamma = Gamma(quantizer.signal, 3, **changes)
    gamma.load_state_dict(quantizer.converters[condition].state_dict())
    return gamma


@pytest.mark.parametrize("kind", SENSORS)
def test_each_sample_has_the_quantizer_of_its_condition(kind: str) -> None:
    quantizer, x = make(kind), batch(kind)
    x = x if x.dtype == torch.int32 else x.requires_grad_()
    y = quantizer(x, CONDITIONS)
    grad = torch.randn(y.shape)
    y.backward(grad)
    found = [p.grad for p in quantizer.parameters()]
    codes = quantizer.encode(x.detach(), CONDITIONS)
    assert y.dtype == torch.float32
    assert torch.equal(y, quantizer.decode(codes))
    each = len(found) // 3
    for condition in (0, 1):
        single = alone(quantizer, condition)
        index = [i for i, c in enumerate(CONDITIONS) if c == condition]
        part = x.detach()[index]
        part = part if x.dtype == torch.int32 else part.requires_grad_()
        expected = single(part)
        assert torch.equal(y[index], expected)
        assert torch.equal(codes[index], single.encode(part.detach()))
        assert torch.equal(quantizer.thresholds()[condition], single.thresholds()[0])
        expected.backward(grad[index])
        if x.grad is not None:
            torch.testing.assert_close(x.grad[index], part.grad, rtol=1e-6, atol=0)
        for mine, p in zip(found[condition * each : (condition + 1) * each], single.parameters(), strict=True):
            assert p.grad is not None
            torch.testing.assert_close(mine, p.grad, rtol=1e-5, atol=1e-4)
    assert all(g is not None and not g.any() for g in found[2 * each :])  # dusk: zero, not missing


def test_there_is_one_row_per_condition_to_look_at() -> None:
    quantizer = make("series")
    assert quantizer.rows == 3
    assert quantizer.thresholds().shape == (3, 7)
    assert quantizer.levels().shape == (8,)
    grid = torch.linspace(-1, 1, 50, dtype=torch.float64)
    curves = quantizer.transfer(grid)
    assert curves.shape == (3, 50)
    for condition in range(3):
        assert torch.equal(curves[condition], alone(quantizer, condition).transfer(grid)[0])
    learned = quantizer.trajectory()
    assert learned == {
        "gamma": [pytest.approx(0.4 * 2.718281828 ** (0.1 * i), rel=1e-6) for i in (0, 2, 4)],
        "mu": [pytest.approx(m) for m in (0.1, 0.3, 0.5)],
    }


def test_noise_is_that_of_each_converter() -> None:
    quantizer, x = make("codes", surrogate="noise"), batch("codes")
    torch.manual_seed(0)
    y = quantizer(x, CONDITIONS)
    assert len(y.unique()) > 1000
    torch.manual_seed(0)
    expected = [
        alone(quantizer, c, surrogate="noise")(x[a:b]) for c, a, b in ((1, 0, 1), (0, 1, 3), (1, 3, 5), (0, 5, 6))
    ]
    assert torch.equal(y, torch.cat(expected))
    assert torch.equal(quantizer.eval()(x, CONDITIONS), make("codes").eval()(x, CONDITIONS))


def test_several_conditions_must_be_stated() -> None:
    quantizer, x = make("images"), batch("images")
    conditions = ("0 (day)", "1 (night)", "2 (dusk)")
    for call in (quantizer, quantizer.encode):
        with refused(ValueError, "GammaPerCondition", 3, "condition=[…]", *conditions):
            call(x)
        for wrong in (3, -1):
            with refused(ValueError, f"condition={wrong}", *conditions):
                call(x, [0, 0, 0, 0, wrong, 0])
        with refused(ValueError, 2, "conditions", 6):
            call(x, [0, 1])


def test_an_empty_batch_and_a_single_condition_are_fine() -> None:
    quantizer = make("images")
    assert quantizer(torch.empty(0, 4, 5, 5), []).shape == (0, 4, 5, 5)
    single = GammaPerCondition(replace(SENSORS["images"], conditions=()), 3, gamma=0.3)
    x = batch("images")
    assert torch.equal(single(x), Gamma(SENSORS["images"], 3, gamma=0.3)(x))
    assert torch.equal(single(x), single(x, [0] * 6))
    with refused(ValueError, "condition=1", 0):
        single(x, [1] * 6)


def test_other_quantizers_take_conditions_and_ignore_them() -> None:
    gamma, x = Gamma(SENSORS["codes"], 3), batch("codes")
    assert torch.equal(gamma(x, CONDITIONS), gamma(x))
    assert torch.equal(gamma.encode(x, CONDITIONS), gamma.encode(x))


def test_it_can_be_saved_and_loaded() -> None:
    quantizer, fresh = make("codes"), GammaPerCondition(SENSORS["codes"], 3)
    fresh.load_state_dict(quantizer.state_dict())
    x = batch("codes")
    assert torch.equal(fresh(x, CONDITIONS), quantizer(x, CONDITIONS))
    assert fresh.parameter_groups(0.1)[0]["params"] == list(fresh.parameters())


def test_bad_arguments() -> None:
    with refused(ValueError, "gamma=-1", "Gamma", "null"):
        GammaPerCondition(SENSORS["codes"], 3, gamma=-1)
    with refused(ValueError, "bits=0", "GammaPerCondition", 1, 16):
        GammaPerCondition(SENSORS["codes"], 0)


def test_the_authors_gamma_under_each_condition() -> None:
    adc = GammaPerCondition(SENSORS["codes"], 4, parametrization="relu")
    assert [name for name, _ in adc.named_parameters()] == [f"converters.{c}.raw_gamma" for c in range(3)]
    assert "weight_decay" not in adc.parameter_groups(1.0)[0]
    with torch.no_grad():
        adc.get_parameter("converters.1.raw_gamma").fill_(0.0)
    with warned(UserWarning, 0, "quant.sensor.parametrization=exp"):
        adc.progress(0.5)
