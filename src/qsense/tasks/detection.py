"""Object detection on raw frames with a learned ADC (γ-Quant, section 5): any detector, COCO average precision.

Open it to change a detector's recipe, or what happens between the sensor's codes and the detector.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from qsense.data.errors import DataError
from qsense.data.frames.batches.batch import FrameBatch
from qsense.data.frames.geometry.bayer import to_rgb
from qsense.data.frames.module import DetectionDataModule
from qsense.data.module import ExperimentData
from qsense.metrics.detection import DetectionScore
from qsense.metrics.detection_groups import exposure_step, groups_of
from qsense.quant.network.quantizer import NetworkQuantizer
from qsense.quant.sensor.base import SensorQuantizer
from qsense.quant.sensor.memory.whole import WholeConverter
from qsense.quant.sensor.sensor import Sensor
from qsense.tasks.images import ImageTask
from qsense.tasks.schedules import cosine, falling, warm_up
from qsense.tasks.white_balance import WhiteBalance

FINEST_CODES = 1 << 20  # whose halves float32 tells apart


class DetectionTask(ImageTask):
    """The sum of a detector's own losses; SGD or AdamW, warm-up, milestones or a cosine; COCO mAP once per epoch.

    Native codes are quantized sample by sample, Bayer planes become RGB with the two greens averaged, and these are
    normalised by the mean and standard deviation that the detector's weights expect; padding is 0 after that. With
    `white_balance` colours are multiplied first, and a floor of the greens' codes is taken before that. With
    `standardise` each plane is scaled before they become RGB, and RGB is left as it is.

    At optimiser step s of epoch e (a fraction) of E the learning rate is multiplied by
    `warm(s) · lr_factor^(milestones ≤ e)`, or by `warm(s) · ½(1 + cos(π·e/E))`, where `warm` rises linearly from
    `warmup_start` to 1 over `warmup` steps.

    Args (the others are those of `ImageTask`):
        network: (B, 3, H, W), sizes, targets → losses in training, boxes with scores and labels in evaluation.
        class_names: names of the K classes of objects; background is none of them.
        mean: of red, green and blue; `std` likewise.
        optimizer: "sgd" or "adamw".
        momentum: of SGD; also AdamW's first decay rate.
        nesterov: SGD looks ahead (Nesterov); without effect on AdamW.
        schedule: "milestones" or "cosine", which has no milestones.
        warmup: optimiser steps over which the learning rate rises first.
        warmup_start: share of the learning rate at the first step, in [0, 1].
        floor_green: "code": round the mean of the two greens' codes down to a code, as the authors' code does (native
            codes where the sensor is not quantized; no rounding of values, or above 20 native bits). true: down to one
            of 256 levels, as runs of earlier versions did; the same at 8 bits. false: a plain average. Not
            with `standardise`, as these are levels of [0, 1].
        white_balance: gains of red, green and blue between converter and network (`WhiteBalance`): "camera": those that
            each frame states; three numbers; "learned". Not three numbers with `standardise`, which takes any fixed
            gain of a plane out again; of the camera's it takes out what all frames share.

    Raises:
        ValueError: an argument out of its range.
    """

    takes = "frames"
    network_facts = ("object_classes",)
    monitor = "map"

    def __init__(
        self,
        network: nn.Module,
        sensor: Sensor,
        class_names: tuple[str, ...],
        mean: Sequence[float],
        std: Sequence[float],
        network_quantizer: NetworkQuantizer | None = None,
        standardise: bool = False,
        optimizer: Literal["sgd", "adamw"] = "sgd",
        lr: float = 2.5e-3,
        momentum: float = 0.9,
        nesterov: bool = False,
        weight_decay: float = 1e-4,
        schedule: Literal["milestones", "cosine"] = "milestones",
        milestones: Sequence[int] = (),
        lr_factor: float = 0.1,
        warmup: int = 0,
        warmup_start: float = 1e-4,
        sensor_delay: int = 0,
        floor_green: bool | Literal["code"] = False,
        white_balance: Literal["camera", "learned"] | Sequence[float] | None = None,
    ) -> None:
        recipe = (lr, momentum, weight_decay, milestones, lr_factor, warmup)
        super().__init__(network, sensor, class_names, mean, std, network_quantizer, standardise, *recipe, sensor_delay)
        for name, value, allowed in (
            ("optimizer", optimizer, ("sgd", "adamw")),
            ("schedule", schedule, ("milestones", "cosine")),
        ):
            if value not in allowed:
                raise ValueError(f"{name}={value!r} must be {' or '.join(allowed)}")
        if not 0 <= warmup_start <= 1:
            raise ValueError(f"warmup_start={warmup_start} must be in [0, 1]: a share of the learning rate")
        if floor_green not in (False, True, "code"):
            raise ValueError(f"floor_green={floor_green!r} must be false, true or code")
        if floor_green and standardise:
            shown = str(floor_green).lower()
            raise ValueError(f"floor_green={shown} rounds levels of [0, 1]: set floor_green=false or standardise=false")
        if white_balance is not None:
            self.white_balance = WhiteBalance(sensor, white_balance)
            if standardise and self.white_balance.source == "stated":
                raise ValueError(
                    f"white_balance={list(white_balance)} is without effect where standardise=true scales each plane "
                    "by itself: set standardise=false, or white_balance=null, camera or learned"
                )
        self.optimizer = optimizer
        self.nesterov = nesterov
        self.schedule = schedule
        self.warmup_start = warmup_start
        self.floor_steps = code_steps(sensor) if floor_green == "code" else 255 if floor_green else 0
        self.val_score = DetectionScore(class_names)
        self.test_score = DetectionScore(class_names)

    def forward(self, batch: FrameBatch) -> Any:
        """What the network makes of a batch: losses in training, predictions in pixels of `batch.x` in evaluation."""
        images = self.input_of(batch.x, batch.condition, batch.gains)
        return self.network(blank(images, batch.sizes), batch.sizes, batch.targets() if self.training else None)

    def calibrate(self, data: ExperimentData) -> None:
        """As in the base; first, white balance by the camera refuses frames that state none.

        Raises:
            DataError: such a frame; how many there are.
        """
        if self.white_balance is not None and self.white_balance.source == "camera":
            assert isinstance(data, DetectionDataModule)
            frames = [frame for name in ("train", "validation", "test") for frame in data.part(name).frames]
            without = [frame.name for frame in frames if frame.gains is None]
            if without:
                raise DataError(
                    f"task.white_balance=camera: {len(without)} of {len(frames)} frames of {data.dataset.name} state "
                    f"none, first {without[0]}: set task.white_balance=[r,g,b], learned or null"
                )
        super().calibrate(data)

    def from_levels(
        self,
        levels: Tensor,
        condition: Sequence[int] | Tensor | None = None,
        gains: Sequence[Sequence[float]] | Tensor | None = None,
    ) -> Tensor:
        """As in the base; a floor of the greens' codes is taken before gains, which leave no codes."""
        if self.white_balance is not None and self.floor_steps:
            levels = self.to_rgb(levels)
        return super().from_levels(levels, condition, gains)

    def normalise(self, x: Tensor) -> Tensor:
        """From (standardised) levels to what the network expects: RGB; (x − mean)/std per channel, as in the base."""
        return super().normalise(self.to_rgb(x))

    def to_rgb(self, x: Tensor) -> Tensor:
        """Planes of a Bayer mosaic as RGB [B, 3, H, W] with the greens averaged; RGB stays."""
        return to_rgb(x, self.floor_steps) if x.shape[1] == 4 else x

    @torch.no_grad()
    def predict(self, batch: FrameBatch) -> list[dict[str, Tensor]]:
        """Per frame `boxes` [n, 4] in pixels of `batch.x`, `scores` [n] and `labels` [n], best first."""
        training = self.training
        self.eval()
        detections: list[dict[str, Tensor]] = self(batch)
        self.train(training)
        return detections

    def objective(self, batch: FrameBatch) -> Tensor:
        """The sum of the detector's losses, which it states in training only."""
        losses: dict[str, Tensor] = self(batch)
        return _sum(losses)

    def training_step(self, batch: FrameBatch, batch_idx: int) -> Tensor:
        losses: dict[str, Tensor] = self(batch)
        total = _sum(losses)
        parts = {f"train/{name}": loss.detach() for name, loss in losses.items()}
        self.log_dict(parts, on_step=True, on_epoch=False, batch_size=len(batch))
        self.log("train/loss", total.detach(), on_step=True, on_epoch=False, prog_bar=True, batch_size=len(batch))
        return total

    def validation_step(self, batch: FrameBatch, batch_idx: int) -> None:
        self._score(self.val_score, batch)

    def test_step(self, batch: FrameBatch, batch_idx: int) -> None:
        self._score(self.test_score, batch)

    def on_test_epoch_end(self) -> None:
        metrics = self.test_score.compute()
        self.log_dict({f"test/{name}": value for name, value in metrics.items()})
        epoch, evaluation = self.test_score.evaluated()
        groups = groups_of(epoch, evaluation, len(self.test_score.class_names), self.sensor.signal.conditions)
        self._results = {"metrics": metrics, "per_class": self.test_score.per_class(), "groups": groups}

    def _score(self, score: DetectionScore, batch: FrameBatch) -> None:
        """Predictions go back to pixels of the original frames, where the truth is."""
        steps = None if batch.exposure is None else [exposure_step(stops) for stops in batch.exposure]
        score.update(batch.unscaled(self(batch)), batch.frames, steps)

    def results(self) -> dict[str, Any]:
        """COCO's twelve figures of the last test, in [0, 1], average precision by class, and what `groups_of` says."""
        return self._results

    def lr_share(self, step: int, steps_per_epoch: float, epochs: float) -> float:
        """By how much the network's learning rate is multiplied at an optimiser step."""
        epoch = step / steps_per_epoch
        fall = cosine(epoch, epochs) if self.schedule == "cosine" else falling(epoch, self.milestones, self.lr_factor)
        return warm_up(step, self.warmup, self.warmup_start) * fall

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        groups = self.parameter_groups(self.lr)
        optimizer: torch.optim.Optimizer
        if self.optimizer == "sgd":
            optimizer = torch.optim.SGD(
                groups, self.lr, self.momentum, weight_decay=self.weight_decay, nesterov=self.nesterov
            )
        else:
            optimizer = torch.optim.AdamW(groups, self.lr, (self.momentum, 0.999), weight_decay=self.weight_decay)
        total = float(self.trainer.estimated_stepping_batches)
        batches = self.trainer.num_training_batches / self.trainer.accumulate_grad_batches
        steps_per_epoch = max(1.0, math.ceil(batches))
        epochs = max(total / steps_per_epoch, 1e-9)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: self.lr_share(step, steps_per_epoch, epochs)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def code_steps(sensor: Sensor) -> int:
    """How many codes apart 0 and 1 lie in what a sensor delivers; 0 where it delivers values, as one with memory does,
    or codes so fine that float32 holds no half of one.

    >>> from qsense.quant.sensor.linear import Linear
    >>> from qsense.signal import Signal
    >>> code_steps(Linear(Signal(4, 0.0, 1.0, "", native_bits=12), bits=4))
    15
    """
    if isinstance(sensor, SensorQuantizer):
        return sensor.steps if sensor.output == "level" else 1
    if isinstance(sensor, WholeConverter):
        return 0
    signal = sensor.signal
    return signal.top - signal.black if signal.native_bits and signal.codes <= FINEST_CODES else 0


def _sum(losses: dict[str, Tensor]) -> Tensor:
    return torch.stack([loss.float() for loss in losses.values()]).sum()


def blank(images: Tensor, sizes: Sequence[tuple[int, int]]) -> Tensor:
    """Frames with 0 wherever they do not reach: what pads them is no picture of darkness.

    >>> blank(torch.ones(2, 1, 2, 2), [(2, 2), (1, 2)])[1].tolist()
    [[[1.0, 1.0], [0.0, 0.0]]]
    """
    height, width = images.shape[-2:]
    if all(size == (height, width) for size in sizes):
        return images
    down, across = torch.tensor(sizes, device=images.device).t()[:, :, None]
    inside: Tensor = (torch.arange(height, device=images.device) < down)[:, None, :, None]
    inside = inside & (torch.arange(width, device=images.device) < across)[:, None, None, :]
    return images * inside.to(images.dtype)
