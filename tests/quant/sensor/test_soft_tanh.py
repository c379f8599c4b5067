"""The ADC learned as a sharpening staircase."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from omegaconf import DictConfig
from tests.quick import NO_PICTURES
from tests.refusal import refused

from qsense.quant.sensor.soft_tanh import SoftTanh
from qsense.quant.sensor.thresholds import Thresholds
from qsense.signal import Signal
from qsense.train import train

BIPOLAR = Signal(channels=2, low=-1.0, high=1.0, unit="g")
UNIPOLAR = Signal(channels=1, low=0.0, high=1.0, unit="")


@pytest.mark.parametrize("sharpness", [2.0, 6.0, 20.0])
def test_training_sees_a_sum_of_tanh_steps_at_the_levels(sharpness: float) -> None:
    """Each confined to its own cell and as high as the cell; for sharp steps this is the plain sum of all of them."""
    quantizer = SoftTanh(UNIPOLAR, 2, sharpness, 20.0).double()
    widths = np.array([0.15, 0.5, 0.3])
    with torch.no_grad():
        quantizer.start.fill_(0.05)
        quantizer.log_width.copy_(torch.from_numpy(np.log(3 * widths)))
    u = np.linspace(0, 1, 1001)
    place = np.interp(u, 0.05 + np.concatenate([[0.0], np.cumsum(widths)]), np.arange(4.0))
    steps = [np.clip(place - (k - 0.5), -0.5, 0.5) for k in (1, 2, 3)]
    expected = sum(0.5 + 0.5 * np.tanh(sharpness * step) / np.tanh(sharpness / 2) for step in steps) / 3
    found = quantizer(torch.from_numpy(u)[:, None]).detach().numpy()[:, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    if sharpness == 20:
        plain = sum(0.5 + 0.5 * np.tanh(sharpness * (place - (k - 0.5))) for k in (1, 2, 3)) / 3
        np.testing.assert_allclose(found, plain, atol=1e-4)
        hard = quantizer.eval()(torch.from_numpy(u)[:, None]).detach().numpy()[:, 0]
        assert (np.abs(found - hard) < 0.02).mean() > 0.85


@pytest.mark.parametrize("rounding", ["round", "floor"])
def test_levels_do_not_depend_on_the_sharpness(rounding: str) -> None:
    quantizer = SoftTanh(BIPOLAR, 3, rounding=rounding)  # type: ignore[arg-type]
    free = Thresholds(BIPOLAR, 3, rounding=rounding)  # type: ignore[arg-type]
    with torch.no_grad():
        quantizer.log_width.add_(torch.linspace(-0.5, 0.5, 7))
        free.load_state_dict({name: p for name, p in quantizer.state_dict().items() if name != "sharpness"})
    before = quantizer.thresholds()
    assert torch.equal(before, free.thresholds())
    x = torch.rand(1000, 2) * 2 - 1
    codes = quantizer.encode(x)
    for share in (0.3, 1.0):
        quantizer.progress(share)
        assert torch.equal(quantizer.thresholds(), before)
        assert torch.equal(quantizer.encode(x), codes)
        u = x.double().t()
        z = quantizer.curve(u).detach().t()
        assert torch.equal((7 * (z + 1) / 2 + (0.5 if rounding == "round" else 0.0)).floor().int(), codes)


@pytest.mark.parametrize("signal", [UNIPOLAR, BIPOLAR])
def test_under_floor_training_sees_no_level_that_there_is_not(signal: Signal) -> None:
    quantizer = SoftTanh(signal, 2, sharpness=20.0, rounding="floor", output="code")
    ends = torch.tensor([[signal.low] * signal.channels, [signal.high] * signal.channels])
    seen = quantizer.train()(ends).detach()
    assert seen.min() >= -1e-6
    assert torch.equal(seen[0].round(), torch.zeros(signal.channels))


def test_it_sharpens_geometrically() -> None:
    quantizer = SoftTanh(UNIPOLAR, 2, 2.0, 18.0)
    seen = []
    for share in (0.0, 0.5, 1.0):
        quantizer.progress(share)
        seen += quantizer.trajectory()["sharpness"]
    assert seen == pytest.approx([2, 6, 18])
    fresh = SoftTanh(UNIPOLAR, 2)
    fresh.load_state_dict(quantizer.state_dict())
    assert fresh.trajectory()["sharpness"] == pytest.approx([18])


def test_a_run_sharpens_from_its_first_to_its_last_epoch(composed: Callable[..., DictConfig], tmp_path: Path) -> None:
    small = ["data.dataset.subjects=2", "data.dataset.sessions=1", "data.dataset.minutes=2", "model.filters=4"]
    config = composed("quant=soft_tanh", "bits=2", "trainer.max_epochs=3", "logger=none", *NO_PICTURES, *small)
    config.callback.trajectory.folder = str(tmp_path)
    train(config)
    learned = pd.read_csv(tmp_path / "learned.csv")
    assert learned.sharpness_0.tolist() == pytest.approx([2.0, 2.0, 40.0**0.5, 20.0])  # at the start, then by epoch
    assert learned.u50_0.nunique() > 1


@pytest.mark.parametrize(("first", "last"), [(0.0, 20.0), (30.0, 20.0), (2.0, 101.0)])
def test_bad_sharpness(first: float, last: float) -> None:
    with refused(ValueError, f"sharpness={first}", f"final_sharpness={last}", "SoftTanh", 0.01, 100):
        SoftTanh(UNIPOLAR, 2, first, last)
