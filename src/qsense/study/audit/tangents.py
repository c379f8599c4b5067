"""Do gradient estimators point where the true loss falls? Slopes beside finite differences, on a trained network.

The loss of a hard quantizer is a staircase in its parameters, whose derivative is 0 or nothing; over thousands of
samples its stairs are small, and a difference over a step that many samples cross is what a gradient ought to be:

    Δ(h) = (L(θ + h) − L(θ − h)) / 2h.

Both are means over the same batches, so that each has a standard error, and so has the true slope's sign.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from qsense.experiment import signatures

if TYPE_CHECKING:
    from qsense.tasks.base import Task

Table = npt.NDArray[np.float64]
STEPS = (0.02, 0.05, 0.1)  # h, for every parameter: ln γ, and μ and others in unit coordinates
AT = (-0.2, 0.0, 0.2)  # distances from what was learned at which slopes are compared
SPAN = 0.4  # of the loss curve, to both sides
POINTS = 17  # of the loss curve
MOST = 8  # entries of parameters that are looked at


@dataclass(frozen=True, eq=False)
class Tangents:
    """Slopes of the loss along one entry of a quantizer's parameters.

    Args:
        name: the entry: "log_gamma", or "log_gamma[2]" where there are several.
        value: what was learned.
        at: places of the slopes, as distances from `value`, [P].
        steps: h of the finite differences, [S].
        differences: Δ(h) at each place in each batch, [P, S, batches].
        slopes: each estimator's gradient there, {estimator: [P, batches]}.
        x: places of the loss curve, as distances from `value`, [G].
        loss: the true loss there, averaged over batches, [G].
        levels: the true loss at the places of the slopes, [P].
    """

    name: str
    value: float
    at: Table
    steps: Table
    differences: Table
    slopes: dict[str, Table]
    x: Table
    loss: Table
    levels: Table


@dataclass(frozen=True)
class Agreement:
    """How an estimator compares with finite differences over all entries and places of a quantizer.

    Args:
        estimator: its name.
        cosine: between both as vectors over all entries and places.
        right: at how many places it has the sign of a finite difference that is sure (beyond 2 standard errors).
        sure: at how many places there is such a one.
        ratio: median over those places of estimator ÷ finite difference.
        batches: share of single batches in which the signs agree, over all places.
    """

    estimator: str
    cosine: float
    right: int
    sure: int
    ratio: float
    batches: float


def agreements(tangents: Sequence[Tangents], step: float = STEPS[-1]) -> list[Agreement]:
    """Each estimator against the finite differences of one step.

    Args:
        tangents: one per entry, with the same estimators.
        step: h, one of theirs.

    Raises:
        ValueError: nothing to compare, or a step that was not taken.
    """
    if not tangents:
        raise ValueError(
            "tangents is empty, so there is no slope to compare: give those of at least one learned parameter"
        )
    if step not in tangents[0].steps:
        raise ValueError(f"step={step:g}: differences were taken over {', '.join(f'{h:g}' for h in tangents[0].steps)}")
    place = list(tangents[0].steps).index(step)
    true = np.concatenate([each.differences[:, place] for each in tangents])  # [places, batches]
    mean, error = _mean(true), _error(true)
    sure = np.abs(mean) > 2 * error
    rows = []
    for estimator in tangents[0].slopes:
        own = np.concatenate([each.slopes[estimator] for each in tangents])
        slope = _mean(own)
        length = float(np.linalg.norm(slope) * np.linalg.norm(mean))
        rows.append(
            Agreement(
                estimator,
                float(slope @ mean) / length if length else float("nan"),
                int((np.sign(slope) == np.sign(mean))[sure].sum()),
                int(sure.sum()),
                float(np.median(slope[sure] / mean[sure])) if sure.any() else float("nan"),
                float((np.sign(own) == np.sign(true)).mean()),
            )
        )
    return rows


def _mean(values: Table) -> Table:
    mean: Table = values.mean(axis=-1)
    return mean


def _error(values: Table) -> Table:
    """Standard error of the mean over the last axis; infinite for a single batch."""
    count = values.shape[-1]
    if count == 1:
        return np.full(values.shape[:-1], np.inf)
    error: Table = values.std(axis=-1, ddof=1) / np.sqrt(count)
    return error


def estimators(sensor: nn.Module) -> tuple[str, ...]:
    """The surrogates that a quantizer's class allows.

    >>> from qsense.quant.sensor.gamma import Gamma
    >>> from qsense.signal import Signal
    >>> estimators(Gamma(Signal(channels=1, low=-1.0, high=1.0, unit="g"), bits=2))[:2]
    ('ste', 'noise')
    """
    known = signatures.arguments(f"{type(sensor).__module__}.{type(sensor).__qualname__}") or {}
    return known["surrogate"].choices if "surrogate" in known else ()


def compare_slopes(
    task: Task,
    batches: Sequence[Any],
    names: Sequence[str] = (),
    at: Sequence[float] = AT,
    steps: Sequence[float] = STEPS,
) -> list[Tangents]:
    """Slopes of every learned entry of a task's sensor quantizer, the others being left where they are.

    The network is in evaluation (no dropout), but for detectors, which state a loss only in training.

    Args:
        task: with trained weights; left as it was.
        batches: as its `objective` takes them.
        names: estimators to compare; none: all that the quantizer's class allows.
        at: distances from what was learned.
        steps: h of the finite differences.

    Raises:
        ValueError: a quantizer without a learned parameter or without estimators, or no batch.
    """
    sensor: Any = task.sensor
    entries = [
        (name, parameter, index)
        for name, parameter in sensor.named_parameters()
        if parameter.requires_grad
        for index in range(parameter.numel())
    ][:MOST]
    names = tuple(names) or estimators(sensor)
    if not entries or not names:
        lacks = "parameter to learn" if not entries else "gradient estimator to choose"
        raise ValueError(f"{type(sensor).__name__} has no {lacks}: there are no slopes to compare")
    if not batches:
        raise ValueError("batches is empty, so there is no batch to take a loss of: give at least one of training data")
    before = {module: module.training for module in task.modules()}
    surrogate = sensor.surrogate
    try:
        return [_tangents(task, batches, entry, names, np.array(at), np.array(steps)) for entry in entries]
    finally:
        sensor.surrogate = surrogate
        for module, training in before.items():
            module.training = training


def _tangents(
    task: Task,
    batches: Sequence[Any],
    entry: tuple[str, nn.Parameter, int],
    names: Sequence[str],
    at: Table,
    steps: Table,
) -> Tangents:
    name, parameter, index = entry
    x = np.linspace(-SPAN, SPAN, POINTS)

    def true(distance: float) -> Table:
        with _moved(parameter, index, distance):
            return _losses(task, batches)

    def slope(estimator: str, distance: float) -> Table:
        with _moved(parameter, index, distance):
            return _slopes(task, batches, parameter, index, estimator)

    return Tangents(
        name if parameter.numel() == 1 else f"{name}[{index}]",
        float(parameter.detach().view(-1)[index]),
        at,
        steps,
        np.stack([np.stack([(true(d + h) - true(d - h)) / (2 * h) for h in steps]) for d in at]),
        {estimator: np.stack([slope(estimator, d) for d in at]) for estimator in names},
        x,
        np.array([true(d).mean() for d in x]),
        np.array([true(d).mean() for d in at]),
    )


@contextmanager
def _moved(parameter: nn.Parameter, index: int, distance: float) -> Iterator[None]:
    """Within it, one entry of a parameter stands elsewhere."""
    entry = parameter.detach().view(-1)[index]
    before = entry.clone()
    entry.add_(distance)
    try:
        yield
    finally:
        entry.copy_(before)


def _set_modes(task: Task, sensor_trains: bool) -> None:
    task.train(task.takes == "frames")  # detectors state a loss only in training
    task.sensor.train(sensor_trains)


def _losses(task: Task, batches: Sequence[Any]) -> Table:
    """The loss behind the hard quantizer in each batch."""
    _set_modes(task, sensor_trains=False)
    found = []
    with torch.no_grad():
        for number, batch in enumerate(batches):
            torch.manual_seed(number)  # a detector samples its proposals
            found.append(float(task.objective(batch)))
    return np.array(found)


def _slopes(task: Task, batches: Sequence[Any], parameter: nn.Parameter, index: int, estimator: str) -> Table:
    """What an estimator takes for the derivative by one entry in each batch."""
    _set_modes(task, sensor_trains=True)
    sensor: Any = task.sensor
    sensor.surrogate = estimator
    found = []
    for number, batch in enumerate(batches):
        torch.manual_seed(number)
        (gradient,) = torch.autograd.grad(task.objective(batch), [parameter])
        found.append(float(gradient.view(-1)[index]))
    return np.array(found)


def of_run(run: Path, examples: int, allow: Sequence[str] = ()) -> list[Tangents]:
    """The slopes of a finished run's quantizer, over the first examples that it was trained on.

    Args:
        run: the run's folder.
        examples: how many at least (whole batches).
        allow: modules or classes of the user's own that it may be built from, as in `load`.

    Raises:
        FileNotFoundError, ConfigError, ValueError: the run cannot be loaded, or there are no slopes to compare.
    """
    from qsense.experiment.load import load

    again = load(run, allow=allow)
    again.data.prepare_data()
    again.data.setup("fit")
    batches: list[Any] = []
    count = 0
    for batch in again.data.train_dataloader():
        batches.append(again.data.on_after_batch_transfer(batch, 0))
        count += len(batches[-1].x)
        if count >= examples:
            break
    return compare_slopes(again.task, batches)
