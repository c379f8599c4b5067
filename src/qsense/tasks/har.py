"""Human activity recognition: classify windows of accelerometer samples (γ-Quant, section 4).

Open it to change the recipe, or what `metrics.json` holds of an activity recogniser.
"""

from __future__ import annotations

import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from qsense.data.series.batch import Windows
from qsense.metrics.f1 import HARScore
from qsense.quant.network.quantizer import NetworkQuantizer
from qsense.quant.sensor.sensor import Sensor
from qsense.tasks.base import Task


class HARTask(Task):
    """Weighted cross-entropy, Adam, step-wise falling learning rate; macro-F1 over windows and samples.

    Class c weighs n/(K·n_c) over the fold's training windows, 0 where it does not occur in them.

    Args (the others are those of `Task`):
        network: (B, T, C) → (B, K) logits.
        class_names: see `Task`; NULL is one of them.
        lr: Adam's learning rate.
        weight_decay: Adam's L2 penalty on the network's weights; the quantizer has none.
        lr_step: epochs between two reductions of the learning rate.
        lr_factor: what each reduction multiplies it by.
    """

    takes = "series"
    network_facts = ("channels", "window", "num_classes")
    monitor = "f1_sample"

    def __init__(
        self,
        network: nn.Module,
        sensor: Sensor,
        class_names: tuple[str, ...],
        network_quantizer: NetworkQuantizer | None = None,
        standardise: bool = False,
        lr: float = 1e-4,
        weight_decay: float = 1e-6,
        lr_step: int = 10,
        lr_factor: float = 0.9,
        sensor_delay: int = 0,
    ) -> None:
        super().__init__(network, sensor, class_names, network_quantizer, standardise, sensor_delay)
        self.lr = lr
        self.weight_decay = weight_decay
        self.lr_step = lr_step
        self.lr_factor = lr_factor
        self.register_buffer("class_weights", torch.ones(len(class_names)))
        self.val_score = HARScore(class_names)
        self.test_score = HARScore(class_names)

    def setup(self, stage: str) -> None:
        super().setup(stage)
        if stage == "fit":
            self.class_weights = self.trainer.datamodule.class_weights.to(self.device)  # type: ignore[attr-defined]

    def loss(self, logits: Tensor, y: Tensor) -> Tensor:
        """Class-weighted cross-entropy of logits [B, K] and classes [B], averaged over the batch's weights."""
        loss = cross_entropy(logits.float(), y, weight=self.class_weights)
        # Classes absent from training weigh nothing; a batch of only such ones (in validation) has no average.
        return torch.where(self.class_weights[y].sum() > 0, loss, torch.zeros_like(loss))

    def objective(self, batch: Windows) -> Tensor:
        return self.loss(self(batch.x), batch.y)

    def training_step(self, batch: Windows, batch_idx: int) -> Tensor:
        loss = self.objective(batch)
        # Only when the loggers listen: the call takes about 1 % of a step of so small a network.
        every: int = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        if every and (self.trainer.global_step + 1) % every == 0:
            self.log("train/loss", loss, on_step=True, on_epoch=False, prog_bar=True)
        return loss

    def validation_step(self, batch: Windows, batch_idx: int) -> None:
        logits = self(batch.x)
        self.val_score.update(logits, batch.y, batch.covered)
        self.log("val/loss", self.loss(logits, batch.y), batch_size=len(batch.y), sync_dist=True)

    def on_validation_epoch_end(self) -> None:
        score = self.val_score.compute()
        self.log("val/f1", score[self.monitor], prog_bar=True)
        self.log_dict({f"val/{name}": value for name, value in score.items()})
        self.val_score.reset()

    def test_step(self, batch: Windows, batch_idx: int) -> None:
        logits = self(batch.x)
        self.test_score.update(logits, batch.y, batch.covered)
        self.log("test/loss", self.loss(logits, batch.y), batch_size=len(batch.y), sync_dist=True)

    def on_test_epoch_end(self) -> None:
        metrics = self.test_score.compute()
        self.log_dict({f"test/{name}": value for name, value in metrics.items()})
        with self.test_score.sync_context():  # the counts of all processes
            self._results = {
                "metrics": metrics,
                "per_class": self.test_score.per_class(),
                "confusion": self.test_score.window_confusion.tolist(),
                "confusion_sample": self.test_score.sample_confusion.tolist(),
            }

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        optimizer = torch.optim.Adam(self.parameter_groups(self.lr), lr=self.lr, weight_decay=self.weight_decay)
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, self.lr_step, self.lr_factor)
        return {"optimizer": optimizer, "lr_scheduler": schedule}
