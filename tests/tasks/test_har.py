"""HARTask: its loss, its optimiser, its order of operations, its scores."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from qsense.data.series.batch import Windows
from qsense.quant.sensor.gamma import Gamma
from qsense.quant.sensor.identity import Identity
from qsense.signal import Signal
from qsense.tasks.har import HARTask

SIGNAL = Signal(channels=2, low=-1.0, high=1.0, unit="g", rate_hz=50.0)
NAMES = ("NULL", "walk", "run")


class Mean(nn.Module):
    """A network that remembers what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 3)
        self.seen: torch.Tensor | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen = x
        logits: torch.Tensor = self.linear(x.mean(1))
        return logits


def task(**recipe: float) -> HARTask:
    return HARTask(Mean(), Gamma(SIGNAL, bits=2, lr=0.03), NAMES, **recipe)  # type: ignore[arg-type]


def test_the_network_sees_the_sensors_levels() -> None:
    built = task()
    x = torch.rand(4, 50, 2) * 2 - 1
    built(x)
    assert isinstance(built.network, Mean)
    assert built.network.seen is not None
    assert isinstance(built.sensor, Gamma)
    torch.testing.assert_close(built.network.seen, built.sensor.decode(built.sensor.encode(x)))
    assert len(built.network.seen.unique()) <= 4


def test_the_loss_is_weighted_as_the_paper_says() -> None:
    built = task()
    counts = np.array([6, 3, 1])
    built.class_weights = torch.tensor(counts.sum() / (3 * counts), dtype=torch.float32)
    logits = torch.randn(10, 3, dtype=torch.float64)
    y = torch.tensor([0] * 6 + [1] * 3 + [2])
    log_p = logits.numpy() - np.log(np.exp(logits.numpy()).sum(1, keepdims=True))
    weight = (counts.sum() / (3 * counts))[y.numpy()]
    expected = -(weight * log_p[np.arange(10), y.numpy()]).sum() / weight.sum()
    assert built.loss(logits, y).item() == pytest.approx(expected, rel=1e-5)


def test_a_class_of_weight_zero_adds_nothing() -> None:
    built = task()
    built.class_weights = torch.tensor([1.0, 1.0, 0.0])
    logits = torch.randn(2, 3)
    alone = built.loss(logits[:1], torch.tensor([0]))
    torch.testing.assert_close(built.loss(logits, torch.tensor([0, 2])), alone)


def test_the_quantizer_has_an_optimiser_group_of_its_own() -> None:
    built = task(lr=0.1, weight_decay=0.5)
    optimizer = built.configure_optimizers()["optimizer"]
    network, sensor = optimizer.param_groups
    assert (network["lr"], network["weight_decay"]) == (0.1, 0.5)
    assert (sensor["lr"], sensor["weight_decay"]) == (0.03, 0.0)
    every = {id(p) for p in built.parameters()}
    assert {id(p) for group in optimizer.param_groups for p in group["params"]} == every


def test_the_learning_rate_falls_in_steps() -> None:
    built = task(lr=1.0, lr_step=2, lr_factor=0.5)
    recipe = built.configure_optimizers()
    rates = []
    for _ in range(5):
        rates.append(recipe["optimizer"].param_groups[0]["lr"])
        recipe["optimizer"].step()
        recipe["lr_scheduler"].step()  # type: ignore[union-attr]
    assert rates == [1.0, 1.0, 0.5, 0.5, 0.25]


def test_without_a_quantizer_there_is_one_group() -> None:
    built = HARTask(Mean(), Identity(SIGNAL), NAMES)
    assert len(built.configure_optimizers()["optimizer"].param_groups) == 1


def test_mu_is_put_back_into_the_range_after_a_step() -> None:
    built = task()
    assert isinstance(built.sensor, Gamma)
    assert built.sensor.mu is not None
    with torch.no_grad():
        built.sensor.mu.fill_(7.0)
    built.on_train_batch_end(None, None, 0)
    assert built.sensor.mu.item() == 1.0


def test_scores_count_samples_as_well_as_windows() -> None:
    built = task()
    with torch.no_grad():
        assert isinstance(built.network, Mean)
        built.network.linear.weight.zero_()
        built.network.linear.bias.copy_(torch.tensor([0.0, 1.0, 0.0]))  # always "walk"
    covered = torch.full((2, 75), -1)
    covered[0, :25] = 1
    covered[1, :75] = torch.tensor([1] * 50 + [2] * 25)
    batch = Windows(torch.zeros(2, 50, 2), torch.tensor([1, 1]), covered)
    built.log = lambda *_, **__: None  # type: ignore[method-assign]
    built.log_dict = lambda *_, **__: None  # type: ignore[method-assign]
    built.on_test_epoch_start()
    built.test_step(batch, 0)
    built.on_test_epoch_end()
    results = built.results()
    assert results["metrics"]["f1_window"] == pytest.approx(1 / 3)  # absent classes count 0
    assert results["metrics"]["f1_sample"] == pytest.approx(2 * 75 / (2 * 75 + 25) / 3)
    assert results["metrics"]["f1_sample_absent_1"] == pytest.approx((1 + 2 * 75 / (2 * 75 + 25) + 0) / 3)
    assert results["confusion"] == [[0, 0, 0], [0, 2, 0], [0, 0, 0]]
    assert results["confusion_sample"] == [[0, 0, 0], [0, 75, 0], [0, 25, 0]]
