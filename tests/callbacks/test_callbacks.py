"""Callbacks: an epoch's seed, what is learned, and the pictures of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from qsense.callbacks.figures import Figures, grid_of
from qsense.callbacks.pictures import curve_of
from qsense.callbacks.trajectory import Trajectory
from qsense.experiment.seeding import Reseed
from qsense.quant.sensor.gamma import Gamma
from qsense.quant.sensor.identity import Identity
from qsense.quant.sensor.linear import Linear
from qsense.quant.sensor.sensor import Sensor
from qsense.signal import Signal
from qsense.tasks.har import HARTask

SIGNAL = Signal(channels=2, low=-1.0, high=1.0, unit="g", rate_hz=50.0, names=("x", "y"))


def task(sensor: Sensor) -> HARTask:
    built = HARTask(nn.Linear(2, 2), sensor, ("NULL", "walk"))
    built.log = lambda *_, **__: None  # type: ignore[method-assign]
    return built


def at(epoch: int, rank: int = 0) -> Any:
    return SimpleNamespace(current_epoch=epoch, global_rank=rank, is_global_zero=rank == 0)


def test_an_epochs_randomness_is_its_own() -> None:
    built = task(Identity(SIGNAL))

    def draw(seed: int, fold: int, epoch: int, rank: int = 0) -> float:
        Reseed(seed, fold).on_train_epoch_start(at(epoch, rank), built)
        return torch.rand(()).item()

    assert draw(0, 1, 2) == draw(0, 1, 2)
    draws = [draw(0, 1, 2), draw(0, 1, 3), draw(0, 2, 2), draw(1, 1, 2), draw(0, 1, 2, rank=1)]
    assert len(set(draws)) == 5


def test_the_trajectory_travels_in_the_checkpoint(tmp_path: Path) -> None:
    built = task(Gamma(SIGNAL, bits=2, per_channel=True))
    first = Trajectory(str(tmp_path))
    first.on_train_start(at(0), built)
    first.on_train_epoch_end(at(0), built)
    second = Trajectory(str(tmp_path))
    second.load_state_dict(first.state_dict())
    second.on_train_start(at(1), built)
    with torch.no_grad():
        assert isinstance(built.sensor, Gamma)
        assert built.sensor.mu is not None
        built.sensor.mu[1] = 0.25
    second.on_train_epoch_end(at(1), built)
    table = pd.read_csv(tmp_path / "learned.csv")
    assert list(table.columns) == ["epoch", "gamma_0", "gamma_1", "mu_0", "mu_1"]
    assert table.epoch.tolist() == [0, 1, 2]
    assert table.mu_1.tolist() == [0, 0, 0.25]


def test_what_learns_nothing_leaves_no_table(tmp_path: Path) -> None:
    built = task(Linear(SIGNAL, bits=2))
    callback = Trajectory(str(tmp_path))
    callback.on_train_start(at(0), built)
    callback.on_train_epoch_end(at(0), built)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("low", [-1.0, -8.0, 0.0])
def test_curves_are_drawn_in_the_sensors_unit(low: float) -> None:
    signal = Signal(channels=2, low=low, high=8.0 if low else 4095.0, unit="counts")
    sensor = Linear(signal, bits=4)
    np.testing.assert_allclose(curve_of(sensor, grid_of(sensor)), grid_of(sensor)[None], atol=1e-9 * 4095)


@pytest.mark.parametrize("signal", [SIGNAL, Signal(channels=2, low=None, high=None, unit="g")])
def test_an_unquantized_sensor_has_no_curve(signal: Signal) -> None:
    built, figures = task(Identity(signal)), Figures("")
    figures.begin(built)
    assert figures.initial is None
    assert figures.transfer(built, None) is None  # type: ignore[arg-type]
