"""Accuracy by class without a matrix of pairs: that of the matrix where there is one, and affordable where not."""

from __future__ import annotations

import pytest
import torch
from tests.refusal import refused
from torchmetrics.classification import MulticlassConfusionMatrix

from qsense.metrics.f1 import MOST_CLASSES, HARScore
from qsense.metrics.hits import ClassHits
from qsense.tasks.classification import LARGEST_CONFUSION


@pytest.mark.parametrize("classes", [2, 7, LARGEST_CONFUSION])
def test_it_is_the_diagonal_of_the_confusion_matrix(classes: int) -> None:
    generator = torch.Generator().manual_seed(classes)
    score, matrix = ClassHits(classes), MulticlassConfusionMatrix(classes)
    for _ in range(3):
        logits = torch.randn(50, classes, generator=generator).round(decimals=1)  # with ties
        y = torch.randint(0, classes - 1, (50,), generator=generator)  # the last class has no example
        score.update(logits, y)
        matrix.update(logits, y)
    counts = matrix.compute()
    assert torch.equal(score.compute(), counts.diagonal().double() / counts.sum(dim=1).clamp_min(1))
    assert score.compute()[-1] == 0


def test_ten_thousand_classes_take_little() -> None:
    score = ClassHits(10_000)
    score.update(torch.tensor([9_999, 3]), torch.tensor([9_999, 4]))
    assert score.compute().sum() == 1
    assert sum(state.numel() for state in (score.hits, score.counts)) == 20_000


def test_more_activities_than_a_matrix_is_for_are_refused() -> None:
    HARScore(tuple(map(str, range(MOST_CLASSES))))
    with refused(ValueError, 10_000, MOST_CLASSES, "data.dataset.labels"):
        HARScore(tuple(map(str, range(10_000))))
