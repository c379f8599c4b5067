"""Pictures of a finished run: drawn one by one, saved, shown in the loggers.

Open it to write a callback that draws: it needs `drawings`, and `begin` where it compares with the start of training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure

from qsense.callbacks.base import AfterTest
from qsense.plots.style import save
from qsense.plots.transfer import plot_transfer
from qsense.quant.sensor.base import SensorQuantizer
from qsense.runs.loggers import log_figure
from qsense.runs.mishaps import tolerated

GRID = 2001  # points at which a curve is drawn; odd, so that the middle of the range is one of them
Floats = npt.NDArray[np.floating]
Drawing = Callable[[Any, Any], Figure | None]  # of a task and its data; None where there is nothing to draw


class Pictures(AfterTest):
    """Write `<folder>/<name>.png` after the test for each of its drawings, and show them in the loggers.

    A drawing that fails is logged, and costs neither the others nor the run's result.

    Args:
        folder: for the pictures.
    """

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self.initial: Floats | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        # Before a checkpoint is restored, so that a resumed run still knows where it began.
        if stage == "fit" and isinstance(pl_module, self.works_on):
            self.begin(pl_module)

    def begin(self, task: Any) -> None:
        """Look at the task before training; nothing by default."""

    def drawings(self, trainer: Trainer) -> Mapping[str, Drawing]:
        """The drawings by the pictures' names, in order."""
        raise NotImplementedError

    def finish(self, trainer: Trainer, task: Any, data: Any) -> None:
        for name, draw in self.drawings(trainer).items():
            with tolerated(f"the picture {name}"):
                figure = draw(task, data)
                if figure is not None:
                    save(figure, self.folder / f"{name}.png")
                    log_figure(trainer.loggers, name, figure)


def curve_of(sensor: SensorQuantizer, grid: Floats) -> Floats:
    """A sensor's transfer curve at `grid` [G], in its unit, [rows, G]."""
    curve: Floats = sensor.transfer(torch.from_numpy(grid).to(sensor.thresholds().device)).cpu().numpy()
    return curve


def plot_sensor(sensor: SensorQuantizer, grid: Floats, samples: npt.ArrayLike, **labels: Any) -> Figure:
    """A sensor's curve, thresholds and levels over its data, by `plot_transfer`."""
    thresholds, levels = sensor.thresholds().cpu().numpy(), sensor.levels().cpu().numpy()
    return plot_transfer(grid, curve_of(sensor, grid), samples, thresholds, levels, **labels)
