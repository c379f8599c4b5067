"""The network's warm-up before the sensor's curve moves: the same in every task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from lightning import Trainer
from lightning.pytorch.callbacks import Callback
from omegaconf import DictConfig
from tests.quick import LITTLE
from tests.refusal import refused

from qsense.experiment.build import build
from qsense.experiment.errors import ConfigError
from qsense.runs.settings import decisive

Compose = Callable[..., DictConfig]
TASKS = ("har", "classification", "detection")


class Watched(Callback):
    """After each epoch: the sensor's parameters, one of the network's, the rates, and the sensor's optimiser state."""

    def __init__(self) -> None:
        self.epochs: list[dict[str, Any]] = []

    def on_train_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        (optimizer,) = trainer.optimizers
        (sensor,) = [p for p in pl_module.sensor.parameters() if p.requires_grad][:1]
        state = {name: value.clone() for name, value in optimizer.state[sensor].items() if torch.is_tensor(value)}
        self.epochs.append(
            {
                "sensor": [p.detach().clone() for p in pl_module.sensor.parameters()],
                "network": next(pl_module.network.parameters()).detach().clone(),
                "rates": [group["lr"] for group in optimizer.param_groups],
                "state": state,
            }
        )


def trained(composed: Compose, task: str, delay: int) -> list[dict[str, Any]]:
    """A few epochs of two batches, in the order of which nothing is random but by the seed."""
    own = [f"task={task}", "quant=gamma", "bits=2", f"task.sensor_delay={delay}", "quant.sensor.lr=0.01"]
    config = composed(*own, *(LITTLE[task] if task == "detection" else ()))
    data, subject = build(config)
    watched = Watched()
    runner = Trainer(
        accelerator="cpu", max_epochs=3, limit_train_batches=2, limit_val_batches=0, callbacks=[watched], logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    torch.manual_seed(0)
    runner.fit(subject, datamodule=data)
    return watched.epochs


@pytest.mark.parametrize("task", TASKS)
def test_the_curve_waits_while_the_network_learns(composed: Compose, task: str) -> None:
    first, second, third = trained(composed, task, delay=2)
    begun = build(composed(f"task={task}", "quant=gamma", "bits=2"))[1]
    for epoch in (first, second):
        assert all(torch.equal(a, b) for a, b in zip(epoch["sensor"], begun.sensor.parameters(), strict=True))
        assert any(value.any() for value in epoch["state"].values())  # moments see what they will go on with
    assert not torch.equal(first["network"], second["network"])
    assert not torch.equal(second["sensor"][0], third["sensor"][0])
    free = trained(composed, task, delay=0)
    assert not torch.equal(free[0]["sensor"][0], first["sensor"][0])
    assert [epoch["rates"] for epoch in free] == [epoch["rates"] for epoch in (first, second, third)]


@pytest.mark.parametrize("task", TASKS)
def test_a_negative_delay_is_refused(composed: Compose, task: str) -> None:
    with refused(ConfigError, "sensor_delay=-1", 0, "epochs"):
        build(composed(f"task={task}", "task.sensor_delay=-1"))


@pytest.mark.parametrize("task", ["HARTask", "ClassificationTask"])
def test_runs_from_before_it_keep_their_names(task: str) -> None:
    old: dict[str, Any] = {"task": {"_target_": f"qsense.tasks.x.{task}", "lr": 0.1}}
    assert decisive({"task": old["task"] | {"sensor_delay": 0}}) == decisive(old)
    assert decisive({"task": old["task"] | {"sensor_delay": 1}}) != decisive(old)


def test_runs_of_detection_have_always_recorded_it() -> None:
    recorded = {"task": {"_target_": "qsense.tasks.detection.DetectionTask", "sensor_delay": 0}}
    assert decisive(recorded)["task"]["sensor_delay"] == 0
