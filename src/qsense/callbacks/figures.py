"""Draw what a run learned: transfer curve or stream of codes, learned values over epochs, confusion matrix.

Open it to change a picture that every task has; detectors and quantized networks have more, in files of their own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from lightning.pytorch import Trainer
from matplotlib.figure import Figure

from qsense.callbacks.pictures import GRID, Drawing, Floats, Pictures, curve_of, heading, own_scale, plot_sensor
from qsense.callbacks.stream import stream
from qsense.callbacks.trajectory import Trajectory
from qsense.data.module import ExperimentData
from qsense.plots.confusion import plot_confusion
from qsense.plots.trajectory import plot_trajectory
from qsense.quant.sensor.base import SensorQuantizer
from qsense.tasks.base import Task

MOST_CLASSES = 100  # in the picture of the confusion matrix, whose side is half an inch for each


class Figures(Pictures):
    """Write `<folder>/{transfer,stream,trajectory,confusion}.png` after the test, and show them in the loggers.

    Each is drawn where it makes sense: no curve without a quantizer, a stream instead where that has memory, no
    trajectory where nothing is learned.
    """

    def begin(self, task: Task) -> None:
        if isinstance(task.sensor, SensorQuantizer):
            self.initial = curve_of(task.sensor, grid_of(task.sensor))

    def drawings(self, trainer: Trainer) -> dict[str, Drawing]:
        rows = [row for c in trainer.callbacks if isinstance(c, Trajectory) for row in c.rows]  # type: ignore[attr-defined]
        return {
            "transfer": self.transfer,
            "stream": stream,
            "trajectory": lambda task, data: trajectory(task, data, rows),
            "confusion": confusion,
        }

    def transfer(self, task: Task, data: ExperimentData) -> Figure | None:
        """The learned curve over the training data; None for a sensor that is not quantized, and for raw frames, whose
        own picture shows it over a histogram of codes (`DetectionFigures`)."""
        sensor = task.sensor
        if not isinstance(sensor, SensorQuantizer) or task.takes == "frames":
            return None
        normalised = data.statistics.get("normalise", "none") != "none"
        return plot_sensor(
            sensor,
            grid_of(sensor),
            data.training_sample(),
            initial=self.initial,
            names=data.signal.names,
            unit="normalised" if normalised else data.signal.unit,
            title=heading(task, data),
            own=own_scale(data),
        )


def trajectory(task: Task, data: ExperimentData, rows: Sequence[dict[str, float]]) -> Figure | None:
    """What was learned over the epochs, from a row of `Trajectory` for each; None where nothing is."""
    if not rows or len(rows[0]) < 2:
        return None
    sensor = task.sensor
    names = sensor.signal.names if sensor.per_channel else sensor.signal.conditions if sensor.rows > 1 else ()
    return plot_trajectory(pd.DataFrame(rows), names, heading(task, data))


def confusion(task: Task, data: ExperimentData) -> Figure | None:
    """The test's confusion matrix; None for a task without one, or with more classes than a picture can show."""
    counts = task.results().get("confusion")
    if counts is None or len(counts) > MOST_CLASSES:
        return None
    return plot_confusion(counts, data.class_names, heading(task, data))


def grid_of(sensor: SensorQuantizer) -> Floats:
    """Analog values over the sensor's range at which its curve is drawn, [GRID], evenly spread, in its unit."""
    signal = sensor.signal
    assert signal.low is not None
    assert signal.high is not None
    return np.linspace(signal.low, signal.high, GRID)
