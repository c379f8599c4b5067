"""Quantizers that are fitted on training data: what they are shown, and that it stays with the run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import DictConfig
from tests.quick import LITTLE, NO_PICTURES

from qsense.data.module import ExperimentData
from qsense.experiment.build import build
from qsense.experiment.load import load
from qsense.quant.sensor.fitted import Fitted
from qsense.quant.sensor.thresholds import Thresholds
from qsense.train import train

Compose = Callable[..., DictConfig]
BRIEF = ["trainer=smoke", "logger=none", *NO_PICTURES, "callback.progress=null", "bits=2"]


@pytest.mark.parametrize(
    ("task", "quant"),
    [
        ("har", "quantile"),
        pytest.param("har", "lloyd_max", marks=pytest.mark.slow),
        ("classification", "lloyd_max"),
        ("detection", "quantile"),
    ],
)
def test_levels_come_from_training_data_alone_and_stay_with_the_run(
    composed: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str, quant: str
) -> None:
    options = [*BRIEF, f"task={task}", f"quant={quant}", "quant.sensor.per_channel=true", *LITTLE[task]]
    train(composed(*options))
    run = tmp_path / "runs" / "run"
    result: dict[str, Any] = json.loads((run / "metrics.json").read_text())
    cuts = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]["sensor.cuts"]

    data, built = build(composed(*options))
    data.prepare_data()
    data.setup("fit")
    for loader in ("val_dataloader", "test_dataloader"):  # whatever is held out is not looked at
        monkeypatch.setattr(type(data), loader, None)
    x = data.sensor_sample()
    assert torch.equal(x, data.sensor_sample())
    assert 1000 < len(x) <= 1_100_000
    assert x.is_floating_point() == (data.signal.native_bits is None)
    built.calibrate(data)
    assert isinstance(built.sensor, Fitted)
    assert torch.equal(built.sensor.state_dict()["cuts"], cuts)
    share = torch.bincount(built.sensor.encode(x[:, :1].expand(-1, x.shape[1]))[:, 0], minlength=4) / len(x)
    assert (share > 0).all()
    monkeypatch.undo()

    def refuse(self: ExperimentData, count: int = 0) -> torch.Tensor:
        raise AssertionError("evaluation must not look at training data")

    monkeypatch.setattr(type(data), "sensor_sample", refuse)
    assert load(run).evaluate()["metrics"] == result["metrics"]
    monkeypatch.undo()

    # A run that resumes goes on with the levels of its checkpoint.
    (run / "metrics.json").unlink()
    monkeypatch.setattr(type(data), "sensor_sample", lambda self: x[:100] * 0 + x[:1])
    train(composed(*options))
    assert json.loads((run / "metrics.json").read_text())["metrics"] == result["metrics"]


def test_a_learned_curve_starts_where_the_training_data_say(composed: Compose, tmp_path: Path) -> None:
    options = [*BRIEF, "quant=thresholds", "quant.sensor.start=lloyd_max", "quant.sensor.per_channel=true"]
    train(composed(*options))
    run = tmp_path / "runs" / "run"
    state = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    fitted, started = (build(composed(*given)) for given in ((*BRIEF, "quant=lloyd_max"), options))
    for data, task in (fitted, started):
        data.prepare_data()
        data.setup("fit")
        task.calibrate(data)
    one, other = started[1].sensor, fitted[1].sensor
    assert isinstance(one, Thresholds)
    assert isinstance(other, Fitted)
    assert torch.equal(one.thresholds(), other.thresholds())
    assert torch.equal(state["sensor.cuts"], other.cuts)
    assert state["sensor.log_width"].abs().max() > 0  # and it has learned since
    again = load(run)
    assert torch.equal(again.task.sensor.state_dict()["log_width"], state["sensor.log_width"])
    assert again.evaluate()["metrics"] == json.loads((run / "metrics.json").read_text())["metrics"]


def test_quantizers_that_learn_by_gradients_are_shown_nothing(
    composed: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, task = build(composed("quant=gamma", "task.standardise=false"))
    monkeypatch.setattr(type(data), "sensor_sample", None)
    task.calibrate(data)


def test_held_out_activities_change_no_level(composed: Compose) -> None:
    """Normalised by the training subjects, a fold's levels do not know the subject that it holds out."""
    fitted = []
    for fold in (0, 1):
        data, task = build(composed("quant=quantile", "bits=3", "data.normalise=train", f"fold={fold}"))
        data.prepare_data()
        data.setup("fit")
        task.calibrate(data)
        assert isinstance(task.sensor, Fitted)
        fitted.append(task.sensor.thresholds())
        expected = data.part("train").sample(1_000_000)
        assert torch.equal(data.sensor_sample(), torch.from_numpy(expected))
    assert not torch.equal(*fitted)
