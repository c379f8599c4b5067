"""The map between converter and network: mean 0 and deviation 1, from training data alone, kept with the run."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import DictConfig, open_dict
from tests.quick import LITTLE, NO_PICTURES
from tests.refusal import refused

from qsense.data.module import ExperimentData
from qsense.experiment.build import build
from qsense.experiment.compose import options
from qsense.experiment.identity import run_id
from qsense.experiment.load import load
from qsense.quant.sensor.identity import Identity
from qsense.signal import Signal
from qsense.tasks.base import Task
from qsense.tasks.detection import DetectionTask
from qsense.tasks.standardise import Standardise
from qsense.train import train

Compose = Callable[..., DictConfig]
BRIEF = ["trainer=smoke", "logger=none", *NO_PICTURES, "callback.progress=null", "bits=2"]
TASKS = ["har", pytest.param("classification", marks=pytest.mark.slow), "detection"]
AXES = Signal(channels=2, low=-1.0, high=1.0, unit="g", names=("along", "across"))


def prepared(config: DictConfig) -> tuple[ExperimentData, Task]:
    data, task = build(config)
    data.prepare_data()
    data.setup("fit")
    return data, task


def the_map(task: Task) -> dict[str, torch.Tensor]:
    assert task.standardise is not None
    return {name: tensor.clone() for name, tensor in task.standardise.state_dict().items()}


@pytest.mark.parametrize("task", TASKS)
def test_every_converter_delivers_mean_0_and_deviation_1(composed: Compose, task: str) -> None:
    data, _ = prepared(composed(f"task={task}"))
    sample, conditions = data.sensor_sample(20_000), data.sample_conditions(20_000)
    data.sensor_sample = lambda: sample  # type: ignore[assignment, misc, method-assign]
    data.sample_conditions = lambda: conditions  # type: ignore[assignment, misc, method-assign]
    for sensor in options("quant/sensor"):
        config = composed(f"task={task}", f"quant/sensor={sensor}", "bits=4")
        if ".memory." in config.quant.sensor._target_:
            continue  # below
        _, built = build(config)
        built.train()
        built.calibrate(data)
        assert built.standardise is not None
        assert built.sensor.training
        with torch.no_grad():
            seen = built.standardise(built.eval().sensor(sample, conditions)).double()
        deviation = seen.std(0, correction=0)
        torch.testing.assert_close(seen.mean(0), torch.zeros_like(deviation), atol=1e-5, rtol=0)
        torch.testing.assert_close(deviation, torch.ones_like(deviation), atol=1e-5, rtol=0)


@pytest.mark.parametrize("sensor", ["dpcm", "adpcm"])
def test_behind_a_converter_with_memory_it_is_of_what_is_decoded(composed: Compose, sensor: str) -> None:
    data, task = prepared(composed(f"quant={sensor}", "bits=1"))
    before = data.sensor_sample()
    task.calibrate(data)
    decoded = data.sensor_sample()  # the windows' samples, from recordings that were converted
    assert not torch.equal(before, decoded)
    assert task.standardise is not None
    seen = task.standardise(decoded).double()
    torch.testing.assert_close(seen.mean(0), torch.zeros(3, dtype=torch.float64), atol=1e-5, rtol=0)
    torch.testing.assert_close(seen.std(0, correction=0), torch.ones(3, dtype=torch.float64), atol=1e-5, rtol=0)


def test_the_map_is_per_channel_of_series_and_of_images() -> None:
    subject = Standardise(AXES)
    x = torch.tensor([[0.0, 1.0], [0.5, 3.0], [1.0, 2.0]])
    subject.fit(x)
    expected = ((x.numpy() - x.numpy().mean(0)) / x.numpy().std(0)).astype(np.float32)
    torch.testing.assert_close(subject(x), torch.from_numpy(expected))
    assert torch.equal(subject(x[None])[0], subject(x))
    assert torch.equal(subject(x.t()[None, :, :, None])[0, :, :, 0].t(), subject(x))  # 4-D: channels come second


def test_a_constant_channel_keeps_its_scale_and_is_named(caplog: pytest.LogCaptureFixture) -> None:
    subject = Standardise(AXES)
    with caplog.at_level(logging.WARNING):
        subject.fit(torch.tensor([[0.1, 0.1], [0.7, 0.1], [0.3, 0.1]]))
    assert subject.scale[1] == 1
    assert subject.scale[0] < 1
    assert "across" in caplog.text
    assert "along" not in caplog.text


def test_whoever_is_held_out_does_not_move_it(composed: Compose) -> None:
    maps = []
    for factor in (1.0, 0.5):
        data, task = prepared(composed("quant=lloyd_max", "data.normalise=range", "bits=3"))
        test: Any = data.part("test")
        held_out = np.isin(np.arange(len(test.samples)), (test.start[:, None] + test.window).ravel())
        for name in ("train", "validation", "test"):
            part: Any = data.part(name)
            part.samples = np.where(held_out[:, None], factor * part.samples, part.samples)
        task.calibrate(data)
        maps.append(the_map(task))
    assert all(torch.equal(maps[0][name], maps[1][name]) for name in maps[0])


@pytest.mark.parametrize("task", TASKS)
def test_it_stays_with_the_run(composed: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str) -> None:
    options = [*BRIEF, f"task={task}", "quant=gamma", *LITTLE[task]]
    train(composed(*options))
    run = tmp_path / "runs" / "run"
    result: dict[str, Any] = json.loads((run / "metrics.json").read_text())
    data, built = prepared(composed(*options))
    built.calibrate(data)
    assert built.standardise is not None
    assert result["standardised"] == built.standardise.record()
    assert json.loads((run / "adc.json").read_text())["standardised"] == result["standardised"]

    sample = data.sensor_sample()
    monkeypatch.setattr(type(data), "sensor_sample", None)  # evaluation does not look at training data
    again = load(run)
    assert all(torch.equal(again.task.state_dict()[f"standardise.{name}"], the_map(built)[name]) for name in ("mean",))
    assert again.evaluate()["metrics"] == result["metrics"]

    # A run that resumes goes on with the map of its checkpoint.
    (run / "metrics.json").unlink()
    monkeypatch.setattr(type(data), "sensor_sample", lambda self, count=0: sample[:1000])
    train(composed(*options))
    resumed = json.loads((run / "metrics.json").read_text())
    assert (resumed["metrics"], resumed["standardised"]) == (result["metrics"], result["standardised"])


def test_a_run_recorded_without_the_key_is_what_it_was(composed: Compose) -> None:
    off = composed("task.standardise=false")
    old = off.copy()
    with open_dict(old):
        del old.task.standardise
    assert run_id(old) == run_id(off) != run_id(composed())
    for config in (off, old):
        task = build(config)[1]
        assert task.standardise is None
        assert not any("standardise" in name for name in task.state_dict())


def test_images_are_scaled_once(composed: Compose) -> None:
    data, task = prepared(composed("task=classification"))
    task.calibrate(data)
    x = data.example()
    assert task.standardise is not None
    assert torch.equal(task.input_of(x), task.standardise(task.sensor(x)))


def test_frames_are_scaled_per_plane_and_then_become_rgb(composed: Compose) -> None:
    data, task = prepared(composed("task=detection", "quant=none"))
    task.calibrate(data)
    x = data.example()
    assert isinstance(task, DetectionTask)
    assert task.standardise is not None
    planes = task.standardise(task.sensor(x))
    assert planes.shape[1] == 4
    assert torch.equal(task.input_of(x), task.to_rgb(planes))


def test_pretrained_weights_keep_the_scale_that_they_expect(
    composed: Compose, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    network = build(composed("task=classification", "task.standardise=false"))[1].network
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    own = ["task=classification", f"model.weights={tmp_path}/weights.pth"]
    with caplog.at_level(logging.INFO):
        task = build(composed(*own))[1]
    assert task.standardise is None
    assert "task.standardise" in caplog.text
    assert run_id(composed(*own)) == run_id(composed(*own, "task.standardise=false"))  # as they compute the same


def test_weights_of_a_run_on_another_scale_are_warned_of(
    composed: Compose, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train(composed(*BRIEF))
    first = tmp_path / "runs" / "first"
    (tmp_path / "runs" / "run").rename(first)
    build(composed(*BRIEF, f"init_from={first}"))
    assert "task.standardise" not in caplog.text
    build(composed(*BRIEF, f"init_from={first}", "task.standardise=false"))
    assert "task.standardise=true" in caplog.text


def test_rounded_greens_are_no_standardised_planes() -> None:
    raw = Signal(channels=4, low=0.0, high=1.0, unit="full scale", native_bits=12, bayer="RGGB")
    facts = (torch.nn.Identity(), Identity(raw), ("car",), (0.5,) * 3, (0.25,) * 3)
    with refused(ValueError, "floor_green", "standardise", "false"):
        DetectionTask(*facts, floor_green=True, standardise=True)
