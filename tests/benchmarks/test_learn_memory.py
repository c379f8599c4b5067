"""The gradient by which levels of a DPCM are learned, beside finite differences of the true loss."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from benchmarks.learn_memory import LearnedDPCM
from torch import Tensor
from torch.nn.functional import cosine_similarity

from qsense.signal import Signal

BOUNDS = np.array([0, 30_000, 60_000])


def motion() -> np.ndarray:
    """Two channels of a random walk that comes back, within ±1; float32 [60 000, 2]."""
    steps = np.random.default_rng(0).normal(size=(60_000, 2)) * (0.02, 0.05)
    x = np.zeros_like(steps)
    for t in range(1, len(x)):
        x[t] = 0.97 * x[t - 1] + steps[t]
    return np.clip(x, -1, 1).astype(np.float32)


def delivered(sensor: LearnedDPCM, x: np.ndarray) -> Tensor:
    """What the network sees, all recordings encoded by the present levels."""
    sensor.round_levels()
    codes, values = sensor.convert(x, BOUNDS)
    heard: Tensor = sensor(torch.from_numpy(np.concatenate([values, codes.astype(np.float32)], axis=1)))
    return heard


@pytest.mark.parametrize(
    "loss",
    [
        pytest.param(lambda v, x: 1e3 * ((v - x) ** 2).mean(), id="squared error"),
        pytest.param(lambda v, x: 1e3 * ((v - x).diff(dim=0) ** 2).mean(), id="of changes"),
    ],
)
def test_gradient_points_as_finite_differences_do(loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    x = motion()
    sensor = LearnedDPCM(Signal(2, -1.0, 1.0, "g", rate_hz=50.0), 2)
    sensor.fit_recordings(x, BOUNDS)
    with torch.no_grad():  # away from the fitted levels, where the gradient of the squared error vanishes
        sensor.shift.copy_(0.3 * sensor.fitted / sensor.unit)
    sample = torch.from_numpy(x)
    loss(delivered(sensor, x), sample).backward()
    assert sensor.shift.grad is not None
    difference = torch.zeros_like(sensor.shift)
    with torch.no_grad():
        for place in np.ndindex(*sensor.shift.shape):
            at = []
            for side in (0.05, -0.05):
                sensor.shift[place] += side
                at.append(loss(delivered(sensor, x), sample))
                sensor.shift[place] -= side
            difference[place] = (at[0] - at[1]) / 0.1
    assert cosine_similarity(sensor.shift.grad.flatten(), difference.flatten(), dim=0) > 0.8


def test_gradient_of_squared_error_vanishes_at_fitted_levels() -> None:
    x = motion()
    sensor = LearnedDPCM(Signal(2, -1.0, 1.0, "g", rate_hz=50.0), 2)
    sensor.fit_recordings(x, BOUNDS)
    sample = torch.from_numpy(x)
    sizes: list[float] = []
    for spread in (0.0, 0.3):
        with torch.no_grad():
            sensor.shift.copy_(spread * sensor.fitted / sensor.unit)
        sensor.shift.grad = None
        ((delivered(sensor, x) - sample) ** 2).mean().backward()
        assert sensor.shift.grad is not None
        sizes.append(float(sensor.shift.grad.norm()))
    assert sizes[0] < 0.2 * sizes[1]


def test_codes_leave_values_as_they_are() -> None:
    x = motion()
    sensor = LearnedDPCM(Signal(2, -1.0, 1.0, "g", rate_hz=50.0), 2)
    sensor.fit_recordings(x, BOUNDS)
    assert torch.equal(delivered(sensor, x).detach(), torch.from_numpy(sensor.convert(x, BOUNDS).values))
