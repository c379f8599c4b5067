"""Macro-F1 over all classes: window by window, and spread over the samples that each window speaks for."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric

MOST_CLASSES = 1000  # of which a matrix has a million counts, in metrics.json, too


def add_counts(confusion: Tensor, pred: Tensor, y: Tensor) -> None:
    """Count predictions into a confusion matrix in place, without reading anything back from the device.

    Args:
        confusion: counts so far, int64 [K, K], rows = truth, columns = prediction.
        pred: predicted classes, int64, any shape.
        y: true classes, int64, same shape as `pred`; −1 where there is nothing to score.

    Raises:
        IndexError: a class is K or more (on a GPU: a device-side assertion).

    >>> confusion = torch.zeros(2, 2, dtype=torch.int64)
    >>> add_counts(confusion, pred=torch.tensor([0, 1, 1, 0]), y=torch.tensor([0, 1, 0, -1]))
    >>> confusion
    tensor([[1, 1],
            [0, 1]])
    """
    # Not torchmetrics' MulticlassConfusionMatrix: it filters padding out and uses bincount, both of which wait for the
    # device, and its flat index y·K + pred counts a class out of range in another row. Here padding adds 0.
    counted = (y >= 0).to(confusion.dtype)
    confusion.index_put_((y.clamp_min(0), pred), counted, accumulate=True)


def f1_per_class(confusion: Tensor, absent: float = 0.0) -> Tensor:
    """F1 of every class, 2·TP / (2·TP + FP + FN), float64 [K] in [0, 1].

    Args:
        confusion: counts [K, K], rows = truth, columns = prediction.
        absent: the score of a class that neither occurs nor is predicted; it counts all the same.

    >>> f1_per_class(torch.tensor([[2, 1, 0], [0, 3, 0], [0, 0, 0]]))
    tensor([0.8000, 0.8571, 0.0000], dtype=torch.float64)
    """
    confusion = confusion.double()
    hits = confusion.diagonal()
    seen = confusion.sum(dim=0) + confusion.sum(dim=1)  # 2·TP + FP + FN
    return torch.where(seen > 0, 2 * hits / seen.clamp_min(1), absent)


def macro_f1(confusion: Tensor, absent: float = 0.0) -> float:
    """Plain mean of `f1_per_class` over all K classes, NULL and absent ones included; in [0, 1].

    This is scikit-learn's `f1_score(average="macro", labels=range(K), zero_division=absent)`. The macro averages of
    torchmetrics leave absent classes out, which scores a subject higher the fewer activities it performs.

    >>> round(macro_f1(torch.tensor([[2, 1, 0], [0, 3, 0], [0, 0, 0]])), 4)
    0.5524
    """
    return float(f1_per_class(confusion, absent).mean())


def accuracy(confusion: Tensor) -> float:
    """Share of correct predictions, in [0, 1]; 0 where nothing was counted.

    >>> round(accuracy(torch.tensor([[2, 1], [0, 3]])), 4)
    0.8333
    """
    return float(confusion.diagonal().sum()) / max(float(confusion.sum()), 1.0)


class HARScore(Metric):
    """Scores of an activity recogniser over an epoch: on windows, and on the samples they cover.

    γ-Quant's headline is the sample-wise macro-F1: the prediction of window i is spread over the samples from its start
    to the next window's start, and the last window of a recording to its end. The data module states which samples
    these are (`Windows.covered`), so that recordings, folds and batches need no bookkeeping here.

    Counts are kept per device and summed over processes; `update` never waits for the device.

    Args:
        class_names: names of the K classes in index order, NULL included.

    Raises:
        ValueError: fewer than two classes, or more than `MOST_CLASSES`.

    >>> score = HARScore(("NULL", "walk"))
    >>> covered = torch.tensor([[0, 0, -1], [1, 0, 1]])  # labels of the samples; −1 pads
    >>> score.update(torch.tensor([0, 1]), torch.tensor([0, 1]), covered)
    >>> {name: round(value, 3) for name, value in score.compute().items()}
    {'f1_sample': 0.8, 'f1_sample_absent_1': 0.8, 'f1_window': 1.0, 'accuracy_sample': 0.8, 'accuracy_window': 1.0}
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False

    window_confusion: Tensor
    sample_confusion: Tensor

    def __init__(self, class_names: tuple[str, ...]) -> None:
        super().__init__()
        if len(class_names) < 2:
            raise ValueError(f"a score needs at least two classes, got {list(class_names)}")
        if len(class_names) > MOST_CLASSES:
            raise ValueError(
                f"{len(class_names)} classes: an activity recogniser counts each pair of classes, and takes "
                f"{MOST_CLASSES} at most; are the labels (data.dataset.labels) really activities?"
            )
        self.class_names = tuple(class_names)
        counts = torch.zeros(len(class_names), len(class_names), dtype=torch.int64)
        self.add_state("window_confusion", counts, dist_reduce_fx="sum")
        self.add_state("sample_confusion", counts.clone(), dist_reduce_fx="sum")

    def update(self, pred: Tensor, y: Tensor, covered: Tensor) -> None:
        """Count one batch.

        Args:
            pred: predicted classes int64 [B], or logits [B, K].
            y: labels of the windows, int64 [B].
            covered: labels of the samples that each window speaks for, int64 [B, S], padded with −1.
        """
        pred = pred.argmax(dim=1) if pred.ndim == 2 else pred
        add_counts(self.window_confusion, pred, y)
        add_counts(self.sample_confusion, pred.unsqueeze(1).expand_as(covered), covered)

    def compute(self) -> dict[str, float]:
        """Macro-F1 and accuracy, each in [0, 1], under the names of `metrics.json`."""
        samples, windows = self.sample_confusion.cpu(), self.window_confusion.cpu()
        return {
            "f1_sample": macro_f1(samples),
            "f1_sample_absent_1": macro_f1(samples, absent=1.0),
            "f1_window": macro_f1(windows),
            "accuracy_sample": accuracy(samples),
            "accuracy_window": accuracy(windows),
        }

    def per_class(self) -> dict[str, dict[str, float]]:
        """F1 of every class by name: `{"f1_sample": {"NULL": …}, "f1_window": {…}}`; call it before `reset`."""
        confusions = {"f1_sample": self.sample_confusion, "f1_window": self.window_confusion}
        return {
            score: dict(zip(self.class_names, f1_per_class(confusion.cpu()).tolist(), strict=True))
            for score, confusion in confusions.items()
        }
