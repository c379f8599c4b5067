"""Draw what a run learned: transfer curve over the data, learned values over epochs, confusion matrix."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from matplotlib.figure import Figure

from qsense.callbacks.trajectory import Trajectory
from qsense.loggers import log_figure
from qsense.plots.confusion import plot_confusion
from qsense.plots.style import save
from qsense.plots.trajectory import plot_trajectory
from qsense.plots.transfer import plot_transfer
from qsense.tasks.base import Task

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
        for name, figure in self.draw(trainer, pl_module).items():
            save(figure, self.folder / f"{name}.png")
            log_figure(trainer.loggers, name, figure)

    def draw(self, trainer: Trainer, task: Task) -> dict[str, Figure]:
        """The pictures by name."""
        figures = {}
        data = trainer.datamodule  # type: ignore[attr-defined]
        sensor, signal = task.sensor, data.signal
        curve = curve_of(task)
        if curve is not None:
            title = f"{type(sensor).__name__}, {sensor.bits} bits"
            figures["transfer"] = plot_transfer(
                grid_of(task),
                curve,
                data.training_sample(),
                sensor.thresholds().cpu().numpy(),
                sensor.levels().cpu().numpy(),
                initial=self.initial,
                names=signal.names,
                unit="normalised" if data.statistics["normalise"] != "none" else signal.unit,
                title=title,
            )
        rows = [row for c in trainer.callbacks if isinstance(c, Trajectory) for row in c.rows]  # type: ignore[attr-defined]
        if rows and len(rows[0]) > 1:
            figures["trajectory"] = plot_trajectory(pd.DataFrame(rows), signal.names if sensor.per_channel else ())
        if "confusion" in task.results():
            figures["confusion"] = plot_confusion(task.results()["confusion"], data.class_names)
        return figures


def grid_of(task: Task) -> Floats:
    """Analog values over the sensor's range at which its curve is drawn."""
    signal = task.sensor.signal
    assert signal.low is not None
    assert signal.high is not None
    return np.linspace(signal.low, signal.high, GRID)


def curve_of(task: Task) -> Floats | None:
    """The transfer curve over `grid_of`, [rows, GRID] in the sensor's unit; None for a sensor that is not quantized."""
    sensor = task.sensor
    if not sensor.bits:
        return None
    with torch.no_grad():
        u = sensor.to_unit(torch.from_numpy(grid_of(task)).to(task.device))
        z = sensor.curve(u).clamp(sensor.bottom, 1.0).expand(sensor.rows, -1)
        curve: Floats = (sensor.offset + sensor.scale * z).cpu().numpy()
    return curve
