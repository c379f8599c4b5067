"""What tasks on images and on frames share: normalisation per channel, and a learning rate that warms up and falls.

Open it for the settings that both of their recipes have.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from qsense.quant.network.quantizer import NetworkQuantizer
from qsense.quant.sensor.sensor import Sensor
from qsense.tasks.base import Task


class ImageTask(Task):
    """A task whose sensor delivers [0, 1] and whose network expects every channel normalised.

    There is one scaling, not two: with `standardise` it is by what the converter delivers, else by `mean` and `std`,
    the data set's or those that published weights expect.

    Args (the others are those of `Task`):
        mean: what to subtract per channel, on the scale of [0, 1]; not used with `standardise`, as `std`.
        std: what to divide by per channel, above 0.
        lr: the optimiser's learning rate for the network, above 0.
        momentum: SGD's momentum, in [0, 1).
        weight_decay: L2 penalty on the network's own parameters; the sensor's quantizer has none.
        milestones: epochs at which the learning rate changes, rising.
        lr_factor: what each milestone multiplies it by.
        warmup: over how many epochs (or steps: the subclass says which) it rises first, at least 0.

    Raises:
        ValueError: an argument out of its range.
    """

    task_facts = ("class_names", "mean", "std")

    mean: Tensor
    std: Tensor
    val_score: Any

    def __init__(
        self,
        network: nn.Module,
        sensor: Sensor,
        class_names: tuple[str, ...],
        mean: Sequence[float],
        std: Sequence[float],
        network_quantizer: NetworkQuantizer | None,
        standardise: bool,
        lr: float,
        momentum: float,
        weight_decay: float,
        milestones: Sequence[int],
        lr_factor: float,
        warmup: int,
        sensor_delay: int,
    ) -> None:
        super().__init__(network, sensor, class_names, network_quantizer, standardise, sensor_delay)
        if not lr > 0:
            raise ValueError(f"lr={lr} must be above 0")
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum={momentum} must be in [0, 1)")
        if list(milestones) != sorted(milestones) or any(epoch < 0 for epoch in milestones):
            raise ValueError(f"milestones={list(milestones)} must be epochs in rising order")
        if warmup < 0:
            raise ValueError(f"warmup={warmup} must be 0 or more")
        self.lr = lr
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.milestones = list(milestones)
        self.lr_factor = lr_factor
        self.warmup = warmup
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1))

    def normalise(self, x: Tensor) -> Tensor:
        """From [0, 1] to what the network expects: (x − mean)/std per channel; what is standardised is left so."""
        return (x - self.mean) / self.std if self.standardise is None else x

    def on_validation_epoch_end(self) -> None:
        for name, value in self.val_score.compute().items():
            self.log(f"val/{name}", value, prog_bar=name == self.monitor)
        self.val_score.reset()
