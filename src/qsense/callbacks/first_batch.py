"""Draw the first training batch as the network sees it, before anything is learned: `first_batch.png`.

Open it to change what is shown of a batch; how it looks is in `plots/first_batch.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure
from torch import Tensor

from qsense.callbacks.pictures import Drawing, Pictures
from qsense.data.frames.batches.batch import FrameBatch
from qsense.data.frames.dataset import PLANES
from qsense.data.frames.geometry.bayer import to_rgb
from qsense.data.module import ExperimentData
from qsense.plots.first_batch import MOST_FRAMES, MOST_IMAGES, MOST_WINDOWS, plot_frames, plot_mosaic, plot_windows
from qsense.quant.sensor.base import SensorQuantizer
from qsense.runs.words import in_bits
from qsense.tasks.base import Task
from qsense.tasks.detection import DetectionTask
from qsense.tasks.white_balance import WhiteBalance


class FirstBatch(Pictures):
    """Write `<folder>/first_batch.png` at the first step: windows with their labels, images, or frames with boxes,
    after the converter, standardisation and normalisation. Frames whose white balance is stated are shown in their
    colours, between the first two.

    The converter is asked in evaluation mode, so that nothing random is drawn and training is as it is without.
    """

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        if trainer.global_step == 0 and batch_idx == 0 and trainer.is_global_zero and isinstance(pl_module, Task):
            self.keep(
                trainer,
                "first_batch",
                lambda task, data: first_batch(task, data, batch),
                pl_module,
                trainer.datamodule,  # type: ignore[attr-defined]
            )

    def drawings(self, trainer: Trainer) -> dict[str, Drawing]:
        return {}  # none after the test


def first_batch(task: Task, data: ExperimentData, batch: Any) -> Figure:
    """The picture of some examples of a training batch."""
    title = f"{data.dataset.name}: first training batch, {seen_by(task)}"
    if isinstance(batch, FrameBatch):
        some = slice(MOST_FRAMES)
        targets = batch.targets()[some]
        balanced = in_colour(task, batch, some)
        gains = batch.gains and batch.gains[some]
        seen = (as_seen(task, batch.x[some], batch.condition[some], gains) if balanced is None else balanced).numpy()
        return plot_frames(
            [image[:, :height, :width] for image, (height, width) in zip(seen, batch.sizes, strict=False)],
            [target["boxes"].cpu().numpy() for target in targets],
            [target["labels"].cpu().numpy() for target in targets],
            data.class_names,
            title,
            balanced is not None,
        )
    most = MOST_IMAGES if data.gives == "images" else MOST_WINDOWS
    x = as_seen(task, batch.x[:most])
    labels = [data.class_names[label] for label in batch.y[:most].tolist()]
    if data.gives == "images":
        return plot_mosaic(x, labels, title)
    signal = data.signal
    names = signal.names or tuple(f"axis {axis}" for axis in range(signal.channels))
    assert signal.rate_hz is not None
    note = "level, standardised" if task.standardise is not None else "level"
    return plot_windows(x.numpy(), labels, names, signal.rate_hz, note, title)


def seen_by(task: Task) -> str:
    """ "behind Gamma, 2 bits"."""
    bits = task.sensor.bits
    return f"behind {type(task.sensor).__name__}, {in_bits(bits)}" if bits else "not quantized"


@torch.no_grad()
def in_colour(task: Task, batch: FrameBatch, some: slice) -> Tensor | None:
    """Frames behind the converter, white balanced by gains that the task or the frames state, as colours, on the host;
    None where nobody states any, or where gains of light are no factors of levels."""
    assert isinstance(task, DetectionTask)
    if task.sensor.power() is None:
        return None
    balance = task.white_balance
    if balance is None or balance.source != "stated":
        if not batch.gains:
            return None
        balance = WhiteBalance(task.sensor, "camera")
    training = task.sensor.training
    task.sensor.eval()
    try:
        condition, gains = batch.condition[some], batch.gains and batch.gains[some]
        levels = task.sensor(batch.x[some], condition)
        factors = balance.to(levels.device).factors(levels, task.sensor, condition, gains)[..., None, None]
        white = task.sensor.steps if isinstance(task.sensor, SensorQuantizer) and task.sensor.output == "code" else 1.0
        # Cut off where the first colour saturates, as on a camera's screen: lamps are white and not magenta.
        shown = torch.minimum(levels * factors, white * factors.amin(1, keepdim=True))
        return (to_rgb(shown) if shown.shape[1] == len(PLANES) else shown).float().cpu()
    finally:
        task.sensor.train(training)


@torch.no_grad()
def as_seen(
    task: Task,
    x: Tensor,
    condition: list[int] | None = None,
    gains: Sequence[tuple[float, float, float]] | None = None,
) -> Tensor:
    """What the network is given for some examples, in evaluation mode, on the host."""
    training = task.sensor.training
    task.sensor.eval()
    try:
        return task.input_of(x, condition, gains).float().cpu()
    finally:  # a picture that fails changes no training
        task.sensor.train(training)
