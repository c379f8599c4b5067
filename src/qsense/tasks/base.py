"""What every task is: sensor quantizer → normalisation → network, in one visible place."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from qsense.quant.sensor.base import SensorQuantizer


class Task(LightningModule):
    """A network behind a simulated sensor, with its loss, metrics and recipe in the subclass.

    Args:
        network: built network, fed with what the quantizer lets through.
        sensor: built sensor quantizer.

    Attributes:
        network_facts: what a network of this task is built from; the data module has an attribute for each.
        monitor: the headline metric of `results()`.
        mode: "max" or "min", whichever is better.
    """

    network_facts: ClassVar[tuple[str, ...]]
    monitor: ClassVar[str]
    mode: ClassVar[str] = "max"

    def __init__(self, network: nn.Module, sensor: SensorQuantizer) -> None:
        super().__init__()
        self.network = network
        self.sensor = sensor

    def forward(self, x: Tensor) -> Tensor:
        """Predictions for what the sensor saw. The one order of the house: quantize → normalise → network."""
        output: Tensor = self.network(self.normalise(self.sensor(x)))
        return output

    def normalise(self, x: Tensor) -> Tensor:
        """From the sensor's levels to what the network expects; a task whose network expects levels leaves it."""
        return x

    def parameter_groups(self, lr: float) -> list[dict[str, Any]]:
        """The network's parameters, then the quantizer's own group (its `lr` or the network's, no weight decay)."""
        return [{"params": list(self.network.parameters())}, *self.sensor.parameter_groups(lr)]

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        with torch.no_grad():
            self.sensor.clamp_()

    def results(self) -> dict[str, Any]:
        """What the last test measured: {"metrics": {…}, …}, plain numbers ready for `metrics.json`."""
        raise NotImplementedError
