"""Pictures that every run has: results at the end, the first batch at the start; and in which formats."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from tests.refusal import refused
from torch import nn

from qsense.callbacks.figures import Figures
from qsense.callbacks.first_batch import FirstBatch, as_seen
from qsense.callbacks.pictures import Pictures, own_scale
from qsense.callbacks.results import Results
from qsense.data.images.module import ImageDataModule
from qsense.data.series.module import HARDataModule
from qsense.quant.sensor.gamma import Gamma
from qsense.runs.mishaps import noting
from qsense.tasks.har import HARTask


class Mean(nn.Module):
    """Logits from the mean of a window."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.last = nn.Linear(3, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.last(x.mean(dim=1))
        return logits


def task(data: HARDataModule, **settings: Any) -> HARTask:
    sensor = Gamma(data.signal, bits=2, **settings)
    return HARTask(Mean(data.num_classes), sensor, data.class_names, standardise=True)


def trainer(data: Any, **facts: Any) -> Any:
    known = {"is_global_zero": True, "datamodule": data, "loggers": [], "callbacks": [], "sanity_checking": False}
    return SimpleNamespace(
        **known | {"accumulate_grad_batches": 1, "current_epoch": 0, "global_step": 0, "callback_metrics": {}} | facts
    )


def test_rows_hold_an_epochs_mean_loss_and_its_scores(activities: HARDataModule) -> None:
    callback, built = Results(""), task(activities)
    for epoch, losses in enumerate(([2.0, 1.0], [0.5])):
        at = trainer(activities, current_epoch=epoch)
        callback.on_train_epoch_start(at, built)
        for index, loss in enumerate(losses):
            callback.on_train_batch_end(at, built, {"loss": torch.tensor(loss)}, None, index)
        if epoch == 1:
            at.callback_metrics = {"val/loss": torch.tensor(0.75), "val/f1_sample": torch.tensor(0.5), "gamma": 1}
            callback.on_validation_end(at, built)
        callback.on_train_epoch_end(at, built)
    assert callback.rows == [
        {"epoch": 1, "loss": 1.5},
        {"epoch": 2, "loss": 0.5, "val_loss": 0.75, "val_score": 0.5},
    ]
    resumed = Results("")
    resumed.load_state_dict(callback.state_dict())
    assert resumed.rows == callback.rows


def test_the_loss_of_accumulated_batches_is_that_of_each(activities: HARDataModule) -> None:
    callback, built = Results(""), task(activities)
    at = trainer(activities, accumulate_grad_batches=4)
    callback.on_train_epoch_start(at, built)
    callback.on_train_batch_end(at, built, {"loss": torch.tensor(0.5)}, None, 0)  # a quarter of 2.0
    callback.on_train_epoch_end(at, built)
    assert callback.rows == [{"epoch": 1, "loss": 2.0}]


def test_a_sensor_that_fails_in_a_picture_goes_on_training(activities: HARDataModule) -> None:
    built = task(activities)
    built.train()
    with pytest.raises((RuntimeError, ValueError, IndexError)):
        as_seen(built, torch.zeros(1, 5, 7))  # of 3 axes
    assert built.sensor.training


def test_a_sanity_check_and_no_loss_leave_no_trace(activities: HARDataModule) -> None:
    callback, built = Results(""), task(activities)
    at = trainer(activities, sanity_checking=True, callback_metrics={"val/loss": torch.tensor(9.0)})
    callback.on_train_epoch_start(at, built)
    callback.on_validation_end(at, built)
    callback.on_train_batch_end(at, built, None, None, 0)
    callback.on_train_epoch_end(at, built)
    assert callback.rows == [{"epoch": 1}]


@pytest.mark.parametrize("surrogate", ["ste", "noise"])
def test_the_first_batch_is_drawn_once_and_moves_nothing(
    activities: HARDataModule, tmp_path: Path, surrogate: str
) -> None:
    callback, built = FirstBatch(str(tmp_path)), task(activities, surrogate=surrogate)
    built.calibrate(activities)
    batch = next(iter(activities.train_dataloader()))
    before = {name: value.clone() for name, value in built.state_dict().items()}
    state = torch.get_rng_state()
    callback.on_train_batch_start(trainer(activities, global_step=3), built, batch, 0)
    callback.on_train_batch_start(trainer(activities), built, batch, 1)
    assert not list(tmp_path.iterdir())
    callback.on_train_batch_start(trainer(activities), built, batch, 0)
    assert [file.name for file in tmp_path.iterdir()] == ["first_batch.png"]
    assert torch.equal(torch.get_rng_state(), state)
    assert built.training
    assert built.sensor.training
    assert all(torch.equal(value, before[name]) for name, value in built.state_dict().items())


def test_what_is_shown_is_what_the_network_is_given(activities: HARDataModule) -> None:
    built = task(activities)
    built.calibrate(activities)
    batch = next(iter(activities.train_dataloader()))
    seen = as_seen(built, batch.x)
    built.eval()
    torch.testing.assert_close(seen, built.input_of(batch.x).detach())


class Broken(Pictures):
    """One picture that fails, and one that does not."""

    def drawings(self, trainer: Any) -> Any:
        good = Figures("").drawings(trainer)["transfer"]
        return {"bad": lambda task, data: 1 / 0, "transfer": good}


def test_a_picture_is_written_in_each_format_and_a_failure_is_a_mishap(
    activities: HARDataModule, tmp_path: Path
) -> None:
    with noting(tmp_path):
        Broken(str(tmp_path / "figures"), ["pdf", "svg"]).on_test_end(trainer(activities), task(activities))
    assert {file.name for file in (tmp_path / "figures").iterdir()} == {"transfer.png", "transfer.pdf", "transfer.svg"}
    text = (tmp_path / "mishaps.txt").read_text()
    assert "the picture bad" in text
    assert "ZeroDivisionError" in text


def test_other_formats_are_refused() -> None:
    with refused(ValueError, "formats", "jpg", "png", "pdf", "svg"):
        Results("", ["pdf", "jpg"])


def test_the_sensors_own_unit_is_known(activities: HARDataModule, digits: ImageDataModule) -> None:
    found = own_scale(activities)
    assert found is not None
    np.testing.assert_allclose(found[0], np.transpose([activities.statistics["low"], activities.statistics["high"]]))
    assert found[1] == "g"
    counts = own_scale(digits)
    assert counts is not None
    assert counts[0].tolist() == [[0.0, 16.0]]
    assert "DN" in counts[1]
    plain = HARDataModule(activities.dataset, cache=str(activities.cache), normalise="none")
    plain.setup("fit")
    assert own_scale(plain) is None
