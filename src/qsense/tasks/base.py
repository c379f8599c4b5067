"""What every task is: quantizer → (white balance) → standardisation → normalisation → network, in one visible place.

Open it to see what a task owes the platform, and in which order its parts run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from qsense.data.module import ExperimentData
from qsense.quant.network.quantizer import NetworkQuantizer
from qsense.quant.sensor.memory.base import MemoryConverter
from qsense.quant.sensor.memory.whole import WholeConverter
from qsense.quant.sensor.sensor import Sensor
from qsense.tasks.standardise import Standardise
from qsense.tasks.white_balance import WhiteBalance


class DivergedError(RuntimeError):
    """A parameter became NaN or infinite: what is trained from here on measures nothing."""


class Task(LightningModule):
    """A network behind a simulated sensor, with its loss, metrics and recipe in the subclass.

    Args:
        network: built network, fed with `input_of` a batch; already rewritten by `network_quantizer`.
        sensor: built sensor quantizer.
        class_names: names of the K classes, in index order.
        network_quantizer: what has rewritten the network's layers, or None; its parameters keep their own groups.
        standardise: map what the sensor delivers to mean 0 and standard deviation 1 per channel, by numbers that
            `calibrate` takes of the training data once; they are kept with the run. False hands its levels on.
        sensor_delay: epochs before the sensor's own parameters start to move; until then the network adapts to them.

    Raises:
        ValueError: a negative delay.

    Attributes:
        takes: the kind of data it works on, like its data modules' `gives`.
        network_facts: what a network of this task is built from; the data module has an attribute for each.
        task_facts: what the task itself is told, likewise.
        monitor: the headline metric of `results()`.
        mode: "max" or "min", whichever is better.
        white_balance: gains of colours behind the converter; None where a task has none.
    """

    takes: ClassVar[str]
    network_facts: ClassVar[tuple[str, ...]]
    task_facts: ClassVar[tuple[str, ...]] = ("class_names",)
    monitor: ClassVar[str]
    mode: ClassVar[str] = "max"
    test_score: Any  # of the subclass: counts the test's batches

    def __init__(
        self,
        network: nn.Module,
        sensor: Sensor,
        class_names: tuple[str, ...],
        network_quantizer: NetworkQuantizer | None = None,
        standardise: bool = False,
        sensor_delay: int = 0,
    ) -> None:
        super().__init__()
        if sensor_delay < 0:
            raise ValueError(f"sensor_delay={sensor_delay} must be 0 or more epochs")
        self.sensor_delay = sensor_delay
        self.network = network
        self.sensor = sensor
        self.class_names = class_names
        self.network_quantizer = network_quantizer
        self.white_balance: WhiteBalance | None = None
        self.standardise = Standardise(sensor.signal) if standardise else None
        self._results: dict[str, Any] = {}

    def forward(self, x: Any) -> Any:
        """Predictions for samples as the sensor gets them."""
        return self.network(self.input_of(x))

    def input_of(
        self,
        x: Tensor,
        condition: Sequence[int] | None = None,
        gains: Sequence[Sequence[float]] | Tensor | None = None,
    ) -> Tensor:
        """What the network is given for samples as the sensor gets them.

        Quantize → (white balance) → standardise → normalise: the order of the house.

        Args:
            x: native codes or values, a batch.
            condition: of each example, an index into the signal's `conditions`; None where there are none.
            gains: the camera's white balance of each example, red, green and blue [B, 3], for a task that goes by it.
        """
        return self.from_levels(self.sensor(x, condition), condition, gains)

    def from_levels(
        self,
        levels: Tensor,
        condition: Sequence[int] | Tensor | None = None,
        gains: Sequence[Sequence[float]] | Tensor | None = None,
    ) -> Tensor:
        """What the network is given for levels that the sensor delivers: (white balance) → standardise → normalise."""
        if self.white_balance is not None:
            levels = self.white_balance(levels, self.sensor, condition, gains)
        if self.standardise is not None:
            levels = self.standardise(levels)
        return self.normalise(levels)

    def normalise(self, x: Tensor) -> Tensor:
        """From (standardised) levels to what the network expects; a task whose network expects those leaves them."""
        return x

    @torch.no_grad()
    def predict(self, batch: Any) -> Any:
        """Probabilities of the classes, float32 [B, K], of a batch as `forward` takes it, in evaluation mode."""
        training = self.training
        self.eval()
        logits = self(batch)
        self.train(training)
        return logits.float().softmax(dim=-1)

    def parameter_groups(self, lr: float) -> list[dict[str, Any]]:
        """The network's own parameters, then groups of its quantizer, of white balance and of the sensor."""
        groups = self.network_quantizer.parameter_groups(self.network, lr) if self.network_quantizer else []
        grouped = {id(parameter) for group in groups for parameter in group["params"]}
        others = [parameter for parameter in self.network.parameters() if id(parameter) not in grouped]
        learned = [] if self.white_balance is None else list(self.white_balance.parameters())
        gains = [{"params": learned, "lr": lr, "weight_decay": 0.0}] if learned else []
        return [{"params": others}, *groups, *gains, *self.sensor.parameter_groups(lr)]

    def trajectory(self) -> dict[str, list[float]]:
        """For logs: what sensor and white balance have learned, by name."""
        gains = {} if self.white_balance is None else self.white_balance.trajectory()
        return self.sensor.trajectory() | gains

    def calibrate(self, data: ExperimentData) -> None:
        """Fit the sensor's quantizer to samples of the training data, where it wants any, then the map behind it.

        Once, before training. Training that resumes does so again, and then the checkpoint's state takes over.
        """
        if self.sensor.wants_samples:
            self.sensor.fit(data.sensor_sample())
        if isinstance(self.sensor, MemoryConverter):
            data.fit(self.sensor)
        if isinstance(self.sensor, WholeConverter):
            data.convert(self.sensor)
        if self.standardise is not None:
            self.standardise.fit(self.delivered(data))

    @torch.no_grad()
    def delivered(self, data: ExperimentData) -> Tensor:
        """What is standardised for samples of the training data, [n, channels], in evaluation mode: levels, white
        balanced where the task does that."""
        training = self.sensor.training
        self.sensor.eval()  # training may see a noisy surrogate
        conditions = data.sample_conditions()
        levels: Tensor = self.sensor(data.sensor_sample(), conditions)
        if self.white_balance is not None:
            levels = self.white_balance(levels, self.sensor, conditions, data.sample_gains())
        self.sensor.train(training)
        return levels

    def setup(self, stage: str) -> None:
        if isinstance(self.sensor, WholeConverter):  # the tables of the checkpoint that is tested
            self.trainer.datamodule.convert(self.sensor)  # type: ignore[attr-defined]

    def on_fit_start(self) -> None:
        if self.network_quantizer:
            self.network_quantizer.prepare(self.device)

    def on_train_epoch_start(self) -> None:
        epochs = self.trainer.max_epochs
        if epochs is not None and epochs > 1:  # else nobody knows when training ends
            self.sensor.progress(self.current_epoch / (epochs - 1))

    def optimizer_step(self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Any = None) -> None:
        """Lightning's step, but at a rate of 0 for the sensor's own groups as long as `sensor_delay` holds them.

        Momentum and Adam's moments see their gradients all the same, and the schedule's own rates stay as they are.
        """
        own = {id(parameter) for parameter in self.sensor.parameters()} if epoch < self.sensor_delay else set()
        held = [group for group in optimizer.param_groups if any(id(p) in own for p in group["params"])]
        rates = [group["lr"] for group in held]
        for group in held:
            group["lr"] = 0.0
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        for group, rate in zip(held, rates, strict=True):
            group["lr"] = rate

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        with torch.no_grad():
            self.sensor.clamp_()

    def on_train_epoch_end(self) -> None:
        # Once per epoch, so that nothing waits for the device in between.
        broken = [name for name, parameter in self.named_parameters() if not parameter.isfinite().all()]
        if broken:
            raise DivergedError(
                f"training diverged: {len(broken)} parameters are not finite after epoch {self.current_epoch + 1}, "
                f"first {broken[0]}. Lower task.lr or quant.sensor.lr, or clip gradients (trainer.gradient_clip_val=1)"
            )

    def objective(self, batch: Any) -> Tensor:
        """The loss that training minimises, of one batch; each task says it."""
        raise NotImplementedError

    def on_test_epoch_start(self) -> None:
        self.test_score.reset()

    def results(self) -> dict[str, Any]:
        """What the last test measured: {"metrics": {…}, …}, plain numbers ready for `metrics.json`; empty before one.

        The keys beside "metrics" are the subclass's: "per_class" {score: {class: value}}, "groups" of the test
        {"condition": {score: {group: value}}, …}, "confusion" (rows = truth) and what else `runs/result.py` allows.
        """
        return self._results
