"""Slopes against tasks whose true slope is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from tests.refusal import refused
from torch import Tensor, nn

from qsense.data.series.batch import Windows
from qsense.quant.sensor.gamma import Gamma
from qsense.quant.sensor.linear import Linear
from qsense.signal import Signal
from qsense.study.audit.tangents import STEPS, Tangents, agreements, compare_slopes, estimators
from qsense.tasks.har import HARTask

SIGNAL = Signal(channels=2, low=-1.0, high=1.0, unit="g")


class Means(nn.Module):
    """Logits that are linear in what the sensor lets through, with dropout that an audit must switch off."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 3)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.linear(self.dropout(x.abs().mean(1)))
        return logits


def task(sensor: Any = None) -> HARTask:
    torch.manual_seed(0)
    return HARTask(Means(), sensor or Gamma(SIGNAL, bits=8, gamma=0.6), ("NULL", "walk", "run"))


def batches(count: int = 4) -> list[Windows]:
    torch.manual_seed(1)
    still = torch.full((64, 1), -1)
    return [Windows(torch.rand(64, 50, 2) * 2 - 1, torch.randint(3, (64,)), still) for _ in range(count)]


def test_with_many_bits_every_estimator_is_the_derivative() -> None:
    built = task()
    found = compare_slopes(built, batches())
    assert [each.name for each in found] == ["log_gamma", "mu"]
    assert set(found[0].slopes) == set(estimators(built.sensor))
    assert found[0].value == pytest.approx(np.log(0.6))
    assert found[0].differences.shape == (3, len(STEPS), 4)
    by_name = {each.estimator: each for each in agreements(found[:1])}
    ste = by_name["ste"]
    assert ste.cosine > 0.999
    assert ste.ratio == pytest.approx(1, abs=0.02)
    assert ste.right == ste.sure == 3
    assert ste.batches == 1.0
    assert by_name["noise"].cosine > 0.98


def test_the_loss_is_that_of_the_hard_quantizer_without_dropout() -> None:
    built = task(Gamma(SIGNAL, bits=1, gamma=0.6))  # γ is frozen, μ is the one threshold
    data = batches(1)
    (found,) = compare_slopes(built, data, ["ste"], at=[0.0])
    assert found.name == "mu"
    built.eval()
    with torch.no_grad():
        assert found.levels[0] == pytest.approx(float(built.objective(data[0])), abs=1e-7)


def test_a_wrong_estimator_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Gamma.pullback

    def wrong(self: Gamma, u: Tensor, grad: Tensor, wants_u: bool, wants: Any) -> Any:
        of_u, of_parameters = right(self, u, -2 * grad, wants_u, wants)
        return of_u, of_parameters

    monkeypatch.setattr(Gamma, "pullback", wrong)
    (ste,) = agreements(compare_slopes(task(), batches(), ["ste"])[:1])
    assert ste.cosine < -0.999
    assert ste.right == 0
    assert ste.ratio == pytest.approx(-2, abs=0.05)


def test_the_task_is_left_as_it_was() -> None:
    built = task()
    built.train()
    built.network.eval()
    before = {name: tensor.clone() for name, tensor in built.state_dict().items()}
    compare_slopes(built, batches(1), ["noise"], at=[0.0], steps=[0.1])
    assert built.training
    assert not built.network.training
    assert built.sensor.surrogate == "ste"
    assert all(torch.equal(tensor, before[name]) for name, tensor in built.state_dict().items())


def test_a_curve_per_axis_has_its_entries_numbered() -> None:
    found = compare_slopes(task(Gamma(SIGNAL, bits=2, per_channel=True)), batches(1), ["ste"], at=[0.0], steps=[0.1])
    assert [each.name for each in found] == ["log_gamma[0]", "log_gamma[1]", "mu[0]", "mu[1]"]


def made_up(differences: list[float], slopes: list[float]) -> Tangents:
    """One place, several batches."""
    one = np.array([slopes])
    empty = np.zeros(1)
    return Tangents("γ", 0.0, empty, np.array([0.1]), np.array([[differences]]), {"own": one}, empty, empty, empty)


def test_signs_count_only_where_the_difference_is_sure() -> None:
    sure, unsure = made_up([1.0, 1.1, 0.9], [2.0, 2.0, 2.0]), made_up([-1.0, 1.0, 0.1], [3.0, 3.0, 3.0])
    (found,) = agreements([sure, unsure], step=0.1)
    assert (found.right, found.sure) == (1, 1)
    assert found.ratio == pytest.approx(2)
    assert found.batches == pytest.approx(5 / 6)
    (alone,) = agreements([made_up([1.0], [1.0])], step=0.1)  # a single batch has no standard error
    assert (alone.right, alone.sure) == (0, 0)


def test_what_has_no_slopes_is_refused() -> None:
    with refused(ValueError, "Linear"):
        compare_slopes(task(Linear(SIGNAL, bits=2)), batches(1))
    with refused(ValueError, "batch"):
        compare_slopes(task(), [])
    with refused(ValueError, "slope"):
        agreements([])
    with refused(ValueError, "step=0.7", 0.1):
        agreements([made_up([1.0], [1.0])], step=0.7)
