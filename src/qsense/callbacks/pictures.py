"""Pictures of a finished run: drawn one by one, saved, shown in the loggers.

Open it to write a callback that draws: it needs `drawings`, and `begin` where it compares with the start of training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure

from qsense.callbacks.base import AfterTest
from qsense.data.module import ExperimentData
from qsense.plots.style import PARAMETERS, save
from qsense.plots.transfer import plot_transfer
from qsense.quant.sensor.base import SensorQuantizer
from qsense.quant.sensor.sensor import Sensor
from qsense.runs.loggers import log_picture
from qsense.runs.mishaps import tolerated
from qsense.runs.settings import FORMATS
from qsense.runs.words import in_bits
from qsense.tasks.base import Task

GRID = 2001  # points at which a curve is drawn; odd, so that the middle of the range is one of them
MOST_IN_TITLE = 2  # learned parameters
Floats = npt.NDArray[np.floating]
Drawing = Callable[[Any, Any], Figure | None]  # of a task and its data; None where there is nothing to draw


class Pictures(AfterTest):
    """Write `<folder>/<name>.png` after the test for each of its drawings, and show them in the loggers.

    A drawing that fails is logged, and costs neither the others nor the run's result.

    Args:
        folder: for the pictures.
        formats: in which each is written beside PNG, "pdf" or "svg", or a list of these; "png" adds none.

    Raises:
        ValueError: another format.
    """

    def __init__(self, folder: str, formats: str | Sequence[str] = "png") -> None:
        wanted = [formats] if isinstance(formats, str) else list(formats)
        if unknown := [form for form in wanted if form not in FORMATS]:
            raise ValueError(f"formats={unknown[0]!r} must be {', '.join(FORMATS)} or a list of these")
        self.folder = Path(folder)
        self.formats = list(dict.fromkeys(["png", *wanted]))
        self.initial: Floats | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        # Before a checkpoint is restored, so that a resumed run still knows where it began.
        if stage == "fit" and isinstance(pl_module, self.works_on):
            self.begin(pl_module)

    def begin(self, task: Any) -> None:
        """Look at the task before training; nothing by default."""

    def drawings(self, trainer: Trainer) -> Mapping[str, Drawing]:
        """The drawings by the pictures' names, in order; each callback overrides this."""
        raise NotImplementedError

    def finish(self, trainer: Trainer, task: Any, data: Any) -> None:
        for name, draw in self.drawings(trainer).items():
            self.keep(trainer, name, draw, task, data)

    def keep(self, trainer: Trainer, name: str, draw: Drawing, task: Any, data: Any) -> None:
        """Draw one picture, write it in each format and show it."""
        with tolerated(f"the picture {name}"):
            figure = draw(task, data)
            if figure is not None:
                for form in self.formats:
                    save(figure, self.folder / f"{name}.{form}")
                log_picture(trainer.loggers, name, self.folder / f"{name}.png")


def heading(task: Task, data: ExperimentData) -> str:
    """A picture's title: the data set, the quantizers and their bits, and what the sensor's has learned, as in
    "SBHAR: Gamma, 2 bits, γ = 0.312"."""
    network = task.network_quantizer
    parts = [title_of(task.sensor)] * (bool(task.sensor.bits) or network is None)
    parts += [] if network is None else [f"network {in_bits(network.weight_bits)}"]
    return f"{data.dataset.name}: {', '.join(parts)}"


def title_of(sensor: Sensor) -> str:
    """A sensor's quantizer, its bits and what it has learned, as far as that is few numbers that have a symbol: of one
    for each axis, the least and the largest, as in "Gamma, 4 bits, γ = 0.31 … 0.47"."""
    if not sensor.bits:
        return "not quantized"
    parts = [type(sensor).__name__, in_bits(sensor.bits)]
    learned = {PARAMETERS[name]: values for name, values in sensor.trajectory().items() if name in PARAMETERS}
    for symbol, values in list(learned.items())[:MOST_IN_TITLE]:
        if len(symbol) == 1:
            ends = sorted({f"{value:.3g}" for value in (min(values), max(values))}, key=float)
            parts.append(f"{symbol} = {' … '.join(ends)}")
    return ", ".join(parts)


def own_scale(data: ExperimentData) -> tuple[Floats, str] | None:
    """What the ends of the normalised range stand for in the sensor's own unit: [channels, 2] and the unit.

    None where values are not normalised, or where nobody has stated a range.
    """
    known = data.statistics
    if known.get("low") is not None and known.get("high") is not None:
        return np.stack([np.array(known["low"]), np.array(known["high"])], axis=1), data.signal.unit or "own unit"
    if data.gives == "images" and known.get("white"):
        return np.array([[0.0, float(known["white"])]] * data.signal.channels), "native counts (DN)"
    return None


def curve_of(sensor: SensorQuantizer, grid: Floats) -> Floats:
    """A sensor's transfer curve at `grid` [G], in its unit, [rows, G]."""
    curve: Floats = sensor.transfer(torch.from_numpy(grid).to(sensor.thresholds().device)).cpu().numpy()
    return curve


def plot_sensor(sensor: SensorQuantizer, grid: Floats, samples: npt.ArrayLike, **labels: Any) -> Figure:
    """A sensor's curve, thresholds and levels over its data, by `plot_transfer`."""
    thresholds, levels = sensor.thresholds().cpu().numpy(), sensor.levels().cpu().numpy()
    return plot_transfer(grid, curve_of(sensor, grid), samples, thresholds, levels, **labels)
