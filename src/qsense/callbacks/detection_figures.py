"""Draw what a detector's sensor learned and what it finds: curve over the raw histogram, predictions, a scene.

Open it to change a detector's pictures, or which test frames they show.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from lightning.pytorch import Trainer
from matplotlib.figure import Figure

from qsense.callbacks.pictures import GRID, Drawing, Floats, Pictures, curve_of, heading, plot_sensor, title_of
from qsense.data.frames.batches.batch import FrameBatch
from qsense.data.frames.dataset import Frame
from qsense.data.frames.module import DetectionDataModule
from qsense.plots.groups import plot_groups
from qsense.plots.predictions import Sight, plot_predictions
from qsense.plots.scene import plot_scene
from qsense.quant.sensor.base import SensorQuantizer
from qsense.quant.sensor.fixed import GAMMAS, fixed_curves
from qsense.quant.sensor.identity import Identity
from qsense.quant.sensor.sensor import Sensor
from qsense.tasks.detection import DetectionTask

UNQUANTIZED = 4  # bits at which a scene is drawn for a run whose own sensor has none


class DetectionFigures(Pictures):
    """Write `<folder>/{raw_histogram,predictions,scene,groups}.png` after a detector's test, and show them in the
    loggers.

    The same test frames are drawn in every run on the same data: those with objects, spread evenly. Without a quantizer
    there is no curve to draw. Other tasks are left alone.

    Args (the others are those of `Pictures`):
        frames: how many frames to draw predictions over, at least 1; the first of them is the scene.
        gammas: fixed exponents beside which the scene is drawn, positive.

    Raises:
        ValueError: no frame, or an exponent that is not positive.
    """

    works_on = DetectionTask

    def __init__(
        self, folder: str, frames: int = 3, gammas: tuple[float, ...] = GAMMAS, formats: str | Sequence[str] = "png"
    ) -> None:
        if frames < 1:
            raise ValueError(f"frames={frames} must be at least 1")
        if any(not gamma > 0 for gamma in gammas):
            raise ValueError(f"gammas={list(gammas)} must be positive")
        super().__init__(folder, formats)
        self.frames = frames
        self.gammas = tuple(gammas)

    def begin(self, task: DetectionTask) -> None:
        if isinstance(task.sensor, SensorQuantizer):
            self.initial = curve_of(task.sensor, grid_of(task.sensor))

    def drawings(self, trainer: Trainer) -> dict[str, Drawing]:
        return {
            "raw_histogram": self.raw_histogram,
            "predictions": self.predictions,
            "scene": self.scene,
            "groups": self.groups,
        }

    def groups(self, task: DetectionTask, data: DetectionDataModule) -> Figure | None:
        """Scores by condition, exposure and size; None where nothing was tested."""
        divisions = task.results().get("groups")
        return plot_groups(divisions, heading(task, data)) if divisions else None

    def raw_histogram(self, task: DetectionTask, data: DetectionDataModule) -> Figure | None:
        """The learned curve over the training frames' counts; None for a sensor that is not quantized."""
        sensor, signal = task.sensor, data.signal
        if not isinstance(sensor, SensorQuantizer):
            return None
        samples, names = data.training_sample(), signal.names
        if sensor.rows > 1 and not sensor.per_channel:  # one for each condition
            names = signal.conditions
            samples = np.stack([sample_of(data, index) for index in range(sensor.rows)], axis=1)
        return plot_sensor(
            sensor,
            grid_of(sensor),
            samples,
            initial=self.initial,
            names=names,
            unit=signal.unit,
            title=heading(task, data),
            counts=signal.top - signal.black,
        )

    def predictions(self, task: DetectionTask, data: DetectionDataModule) -> Figure:
        """A few frames, quantized and not, with the detections and the objects over them."""
        sights = []
        for batch in chosen(data, self.frames, task.device):
            detections = {name: values.cpu().numpy() for name, values in task.predict(batch)[0].items()}
            frame, (across, down) = batch.frames[0], batch.scales[0]
            sights.append(
                Sight(
                    frame.name,
                    light_of(task, data, batch),
                    through(task.sensor, batch),
                    detections["boxes"],
                    detections["scores"],
                    detections["labels"],
                    frame.boxes * (across, down, across, down),
                    frame.labels,
                    frame.crowd,
                    gains_of(task, frame),
                )
            )
        return plot_predictions(sights, data.class_names, heading(task, data))

    def scene(self, task: DetectionTask, data: DetectionDataModule) -> Figure:
        """One frame through fixed curves at the run's bits, and through what the run has learned."""
        (batch,) = chosen(data, 1, task.device)
        bits = task.sensor.bits or UNQUANTIZED
        sensors: dict[str, Sensor] = {**fixed_curves(data.signal, bits, self.gammas)}
        if task.sensor.bits:
            sensors["this run"] = task.sensor
        light = data.unconverted(batch)
        seen = [
            through(sensor.to(task.device), batch if sensor is task.sensor else light) for sensor in sensors.values()
        ]
        title = f"{data.dataset.name}, {batch.frames[0].name}: {title_of(task.sensor)}"
        cuts = [
            sensor.thresholds().cpu().numpy() if isinstance(sensor, SensorQuantizer) else None
            for sensor in sensors.values()
        ]
        gains = gains_of(task, batch.frames[0])
        return plot_scene(light_of(task, data, batch), [seen], [bits], list(sensors), title, [cuts], gains)


def grid_of(sensor: SensorQuantizer) -> Floats:
    """Values from half a native count to the top of the range, [GRID], evenly spread over their logarithm."""
    span = sensor.signal.top - sensor.signal.black
    return np.geomspace(0.5 / span, 1, GRID)


def chosen(data: DetectionDataModule, count: int, device: torch.device) -> list[FrameBatch]:
    """The first, … of `count` test frames with objects, spread evenly (any, if none has), each a batch of its own."""
    part = data.test_dataloader().dataset
    with_objects = [index for index, frame in enumerate(part.frames) if len(frame.labels)]  # type: ignore[attr-defined]
    among = with_objects or list(range(len(part.frames)))  # type: ignore[attr-defined]
    taken = [among[place] for place in np.linspace(0, len(among) - 1, min(count, len(among))).astype(int)]
    return [data.on_after_batch_transfer(data.transfer_batch_to_device(part[index], device, 0), 0) for index in taken]


def light_of(task: DetectionTask, data: DetectionDataModule, batch: FrameBatch) -> Floats:
    """The samples of a batch of one before quantization, [planes, h, w] in [0, 1], without padding."""
    return through(Identity(task.sensor.signal), data.unconverted(batch))


def gains_of(task: DetectionTask, frame: Frame) -> Sequence[float] | None:
    """White balance to show a frame with: what the task states, else what the frame does; None: not known."""
    balance = task.white_balance
    return balance.gains.tolist() if balance is not None and balance.source == "stated" else frame.gains


@torch.no_grad()
def through(sensor: Sensor, batch: FrameBatch) -> Floats:
    """The samples of a batch of one after a quantizer, [planes, h, w], without padding."""
    training = sensor.training
    sensor.eval()  # training may see a noisy surrogate
    height, width = batch.sizes[0]
    seen: Floats = sensor(batch.x, batch.condition)[0, :, :height, :width].cpu().numpy()
    sensor.train(training)
    return seen


def sample_of(data: DetectionDataModule, condition: int, count: int = 100_000) -> Floats:
    """`count` samples in [0, 1] of some training frames of one condition, all planes together."""
    frames = [frame for frame in data.dataset.frames("train") if frame.condition == condition][:20]
    if not frames:
        return np.full(count, np.nan)  # nothing to draw a histogram of
    codes = np.concatenate([data.codes(frame).ravel() for frame in frames])
    some = codes[np.linspace(0, len(codes) - 1, count).astype(np.int64)].astype(np.float64)
    black, white = data.signal.black, data.signal.top
    return np.clip((some - black) / (white - black), 0, 1)
