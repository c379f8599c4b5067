"""Image classification with the recipes of FAT (Tao et al.): SGD, milestones, top-1 and top-5.

Open it to change the recipe, or what `metrics.json` holds of a classifier.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torchmetrics import MeanMetric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassConfusionMatrix

from qsense.data.images.module import Images
from qsense.metrics.hits import ClassHits
from qsense.quant.network.quantizer import NetworkQuantizer
from qsense.quant.sensor.sensor import Sensor
from qsense.tasks.images import ImageTask
from qsense.tasks.schedules import falling, warm_up

LARGEST_CONFUSION = 100  # classes; a million counts help nobody who reads metrics.json


class ClassificationTask(ImageTask):
    """Cross-entropy with label smoothing, SGD with momentum, a learning rate that falls at milestones; top-1, top-5.

    In warm-up epoch e = 0 … w − 1 the learning rate is (e + 1)/(w + 1) of what it would be.

    The results hold accuracy by class (0 for one that was not tested) and the confusion matrix of up to 100 classes.

    Args (the others are those of `ImageTask`):
        network: (B, C, H, W) → (B, K) logits.
        warmup: epochs over which the learning rate rises first.
        label_smoothing: share of a label spread over all classes, in [0, 1); in training alone.

    Raises:
        ValueError: an argument out of its range.
    """

    takes = "images"
    network_facts = ("channels", "num_classes")
    monitor = "top1"

    def __init__(
        self,
        network: nn.Module,
        sensor: Sensor,
        class_names: tuple[str, ...],
        mean: tuple[float, ...],
        std: tuple[float, ...],
        network_quantizer: NetworkQuantizer | None = None,
        standardise: bool = False,
        lr: float = 0.04,
        momentum: float = 0.9,
        weight_decay: float = 5e-4,
        milestones: Sequence[int] = (150, 225),
        lr_factor: float = 0.1,
        warmup: int = 0,
        label_smoothing: float = 0.0,
        sensor_delay: int = 0,
    ) -> None:
        recipe = (lr, momentum, weight_decay, milestones, lr_factor, warmup)
        super().__init__(network, sensor, class_names, mean, std, network_quantizer, standardise, *recipe, sensor_delay)
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"label_smoothing={label_smoothing} must be in [0, 1)")
        self.label_smoothing = label_smoothing
        self.val_score = score(len(class_names))
        self.test_score = score(len(class_names))
        if len(class_names) <= LARGEST_CONFUSION:
            self.test_score.add_metrics({"confusion": MulticlassConfusionMatrix(len(class_names), validate_args=False)})
        else:
            self.test_score.add_metrics({"hits": ClassHits(len(class_names))})
        # "disable" keeps a NaN a NaN, and waits for no device; it also ignores weights, so losses come one per image.
        self.test_loss = MeanMetric(nan_strategy="disable")

    def objective(self, batch: Images) -> Tensor:
        return cross_entropy(self(batch.x).float(), batch.y, label_smoothing=self.label_smoothing)

    def training_step(self, batch: Images, batch_idx: int) -> Tensor:
        loss = self.objective(batch)
        self.log("train/loss", loss, on_step=True, on_epoch=False, prog_bar=True)
        return loss

    def validation_step(self, batch: Images, batch_idx: int) -> None:
        logits = self(batch.x).float()
        self.val_score.update(logits, batch.y)
        self.log("val/loss", cross_entropy(logits, batch.y), batch_size=len(batch.y), sync_dist=True)

    def on_test_epoch_start(self) -> None:
        super().on_test_epoch_start()
        self.test_loss.reset()

    def test_step(self, batch: Images, batch_idx: int) -> None:
        logits = self(batch.x).float()
        self.test_score.update(logits, batch.y)
        self.test_loss.update(cross_entropy(logits, batch.y, reduction="none"))

    def on_test_epoch_end(self) -> None:
        scores = {**self.test_score.compute(), "loss": self.test_loss.compute()}
        confusion, hits = scores.pop("confusion", None), scores.pop("hits", None)
        metrics = {name: float(value) for name, value in scores.items()}
        self.log_dict({f"test/{name}": value for name, value in metrics.items()})
        if hits is None:
            hits = confusion.diagonal().double() / confusion.sum(dim=1).clamp_min(1)
        self._results = {
            "metrics": metrics,
            "per_class": {"accuracy": dict(zip(self.class_names, hits.tolist(), strict=True))},
        }
        if confusion is not None:
            self._results["confusion"] = confusion.tolist()

    def lr_share(self, epoch: int) -> float:
        """By how much the learning rates of an epoch are multiplied."""
        return warm_up(epoch + 1, self.warmup + 1) * falling(epoch, self.milestones, self.lr_factor)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        optimizer = torch.optim.SGD(
            self.parameter_groups(self.lr), lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay
        )
        return {"optimizer": optimizer, "lr_scheduler": torch.optim.lr_scheduler.LambdaLR(optimizer, self.lr_share)}


def score(classes: int) -> MetricCollection:
    """Top-1 and, where it says anything, top-5: shares of all images, in [0, 1]."""
    tops = (1, 5) if classes > 5 else (1,)
    return MetricCollection(
        {f"top{k}": MulticlassAccuracy(classes, top_k=k, average="micro", validate_args=False) for k in tops}
    )
