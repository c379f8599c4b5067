"""Draw what a run learned: transfer curve over the data, learned values over epochs, confusion matrix."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from matplotlib.figure import Figure

from qsense.callbacks.trajectory import Trajectory
from qsense.plots.confusion import plot_confusion
from qsense.plots.style import save
from qsense.plots.trajectory import plot_trajectory
from qsense.plots.transfer import plot_transfer
from qsense.quant.sensor.base import SensorQuantizer
from qsense.runs.loggers import log_figure
from qsense.tasks.base import Task

log = logging.getLogger(__name__)
GRID = 2001  # points at which a curve is drawn; odd, so that the middle of the range is one of them
Floats = npt.NDArray[np.floating]


class Figures(Callback):
    """Write `<folder>/{transfer,trajectory,confusion}.png` after the test, and show them in the loggers.

    Each is drawn where it makes sense: no curve without a quantizer, no trajectory where nothing is learned.
    """

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self.initial: Floats | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        # Before a checkpoint is restored, so that a resumed run still knows where it began.
        if stage == "fit" and isinstance(pl_module, Task):
            self.initial = curve_of(pl_module)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.is_global_zero or not isinstance(pl_module, Task):
            return
        for name, draw in (("transfer", self.transfer), ("trajectory", self.trajectory), ("confusion", self.confusion)):
            try:
                figure = draw(trainer, pl_module)
                if figure is not None:
                    save(figure, self.folder / f"{name}.png")
                    log_figure(trainer.loggers, name, figure)
            except Exception:  # a picture must not cost a trained run its result
                log.exception("the picture %s could not be drawn", name)

    def transfer(self, trainer: Trainer, task: Task) -> Figure | None:
        """The learned curve over the training data; None for a sensor that is not quantized, and for raw frames, whose
        own picture shows it over a histogram of codes (`DetectionFigures`)."""
        curve, sensor = curve_of(task), task.sensor
        if curve is None or not isinstance(sensor, SensorQuantizer) or task.takes == "frames":
            return None
        data = trainer.datamodule  # type: ignore[attr-defined]
        normalised = data.statistics.get("normalise", "none") != "none"
        return plot_transfer(
            grid_of(task),
            curve,
            data.training_sample(),
            sensor.thresholds().cpu().numpy(),
            sensor.levels().cpu().numpy(),
            initial=self.initial,
            names=data.signal.names,
            unit="normalised" if normalised else data.signal.unit,
            title=f"{type(task.sensor).__name__}, {task.sensor.bits} bits",
        )

    def trajectory(self, trainer: Trainer, task: Task) -> Figure | None:
        """What was learned over the epochs; None where nothing is."""
        rows = [row for c in trainer.callbacks if isinstance(c, Trajectory) for row in c.rows]  # type: ignore[attr-defined]
        if not rows or len(rows[0]) < 2:
            return None
        return plot_trajectory(pd.DataFrame(rows), task.sensor.signal.names if task.sensor.per_channel else ())

    def confusion(self, trainer: Trainer, task: Task) -> Figure | None:
        """The test's confusion matrix; None for a task without one."""
        counts = task.results().get("confusion")
        return None if counts is None else plot_confusion(counts, trainer.datamodule.class_names)  # type: ignore[attr-defined]


def grid_of(task: Task) -> Floats:
    """Analog values over the sensor's range at which its curve is drawn."""
    signal = task.sensor.signal
    assert signal.low is not None
    assert signal.high is not None
    return np.linspace(signal.low, signal.high, GRID)


def curve_of(task: Task) -> Floats | None:
    """The transfer curve over `grid_of`, [rows, GRID] in the sensor's unit; None for a sensor that is not quantized."""
    sensor = task.sensor
    if not isinstance(sensor, SensorQuantizer):
        return None
    curve: Floats = sensor.transfer(torch.from_numpy(grid_of(task)).to(task.device)).cpu().numpy()
    return curve
