"""Accuracy of every class from two counts per class, where a confusion matrix would be too large."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric


class ClassHits(Metric):
    """Share of each class's examples that were predicted right, in [0, 1]; 0 for a class without any.

    It takes 16 bytes per class. A confusion matrix takes 8 for each pair of them: 800 MB for 10 000 classes, which
    torchmetrics' MulticlassRecall makes anew for every batch.

    Args:
        classes: how many there are, K.

    >>> score = ClassHits(3)
    >>> score.update(torch.tensor([[0.9, 0.1, 0.0], [0.9, 0.1, 0.0], [0.0, 0.2, 0.8]]), torch.tensor([0, 1, 2]))
    >>> score.compute().tolist()
    [1.0, 0.0, 1.0]
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False

    hits: Tensor
    counts: Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        for name in ("hits", "counts"):
            self.add_state(name, torch.zeros(classes, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, pred: Tensor, y: Tensor) -> None:
        """Count one batch.

        Args:
            pred: predicted classes int64 [B], or logits [B, K].
            y: true classes, int64 [B].
        """
        pred = pred.argmax(dim=1) if pred.ndim == 2 else pred
        self.counts.index_add_(0, y, torch.ones_like(y))
        self.hits.index_add_(0, y, (pred == y).long())

    def compute(self) -> Tensor:
        """Float64 [K]."""
        return self.hits.double() / self.counts.clamp_min(1)
