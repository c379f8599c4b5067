"""Codes that the network sees as thermometers: 2^N − 1 inputs, as many of them 1 as the code says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from omegaconf import DictConfig
from tests.quant.sensor.test_contract import CODED, SENSORS, build, samples
from tests.quick import NO_PICTURES
from tests.refusal import refused

from qsense.chip.converter import convert
from qsense.experiment import build as experiment
from qsense.experiment.errors import ConfigError
from qsense.quant.sensor.gamma import Gamma
from qsense.quant.sensor.gamma_per_condition import GammaPerCondition
from qsense.quant.sensor.linear import Linear
from qsense.signal import Signal
from qsense.train import train

Compose = Callable[..., DictConfig]
SERIES = Signal(channels=3, low=-4.0, high=4.0, unit="g", rate_hz=50.0)
ALLOWED = [name for name in CODED if not name.endswith("per_condition") and "output" in SENSORS[name]]


@pytest.mark.parametrize("name", ALLOWED)
@pytest.mark.parametrize("bits", [1, 3])
def test_inputs_of_a_channel_count_its_code(name: str, bits: int) -> None:
    quantizer, steps = build(name, SERIES, bits, output="thermometer"), 2**bits - 1
    x = samples(SERIES, 600).view(6, 100, 3)
    y, codes = quantizer(x).detach(), quantizer.encode(x)
    assert y.shape == (6, 100, 3 * steps)
    expected = (codes[..., None] > torch.arange(steps)).flatten(2).float()
    assert torch.equal(y, expected)
    assert torch.equal(quantizer.decode(codes), expected)
    assert torch.equal(quantizer.eval()(x), expected)
    image = x.permute(0, 2, 1)[:, :, None, :]
    assert torch.equal(quantizer(image), expected.permute(0, 2, 1)[:, :, None, :])
    x[2, 5, 1] = torch.nan
    assert quantizer(x).isnan().sum() == steps


def test_gradients_are_the_mean_of_the_inputs() -> None:
    x = samples(SERIES, 500).requires_grad_()
    pair = [Gamma(SERIES, 2, output=output) for output in ("code", "thermometer")]
    grad = torch.randn(500, 3, 3)
    found = [
        torch.autograd.grad(quantizer(x), [x, *quantizer.parameters()], g)
        for quantizer, g in zip(pair, (grad.mean(2), grad.flatten(1)), strict=True)
    ]
    for code, inputs in zip(*found, strict=True):
        torch.testing.assert_close(code, inputs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("task", ["har", "classification"])
def test_a_network_is_built_for_so_many_inputs(composed: Compose, task: str) -> None:
    brief = ["trainer=smoke", "logger=none", "callback.progress=null", *NO_PICTURES]
    options = [f"task={task}", "quant=gamma", "bits=2", "quant.sensor.output=thermometer", *brief]
    assert 0 <= train(composed(*options)) <= 1


def test_where_it_makes_no_sense_it_is_refused(composed: Compose) -> None:
    with refused(ValueError, "bits=9", "thermometer", 255, "bits=8"):
        Linear(SERIES, 9, output="thermometer")
    for surrogate in ("noise", "soft"):
        with refused(ValueError, surrogate, "thermometer", "ste", "ewgs", "rect"):
            Gamma(SERIES, 2, output="thermometer", surrogate=surrogate)
    with refused(ValueError, "output='thermometer'", "GammaPerCondition", "level", "code"):
        GammaPerCondition(SERIES, 2, output="thermometer")
    with refused(ConfigError, "quant.sensor.output=thermometer", "level", "code", "centroid", "har", "classification"):
        experiment.build(composed("task=detection", "quant=gamma", "bits=2", "quant.sensor.output=thermometer"))
    with refused(ValueError, "output=thermometer", "output=level", "output=code"):
        convert(Gamma(SERIES, 2, output="thermometer"), "x", {})
