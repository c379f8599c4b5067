"""Which boxes are errors: one frame for each kind, hits as pycocotools counts them, and which frames come first."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.metrics.test_detection import Frame, Prediction, epoch, frame, oracle, prediction, scored

from qsense.metrics.detection import Epoch
from qsense.metrics.detection_errors import (
    BACKGROUND,
    CROWD,
    HIT,
    OTHER_CLASS,
    TWICE,
    WRONG_PLACE,
    Errors,
    best_threshold,
    errors_of,
    worst_first,
)  # fmt: skip

BOX = [0.0, 0.0, 20.0, 20.0]


def judged(predictions: list[Prediction], truth: list[Frame], classes: int = 2) -> tuple[Epoch, Errors]:
    gathered, _ = scored(predictions, truth, classes).evaluated()
    return gathered, errors_of(gathered)


def test_each_kind_of_prediction() -> None:
    truth = frame(0, [BOX, [50, 50, 70, 70], [100, 0, 200, 100]], [0, 1, 0], [False, False, True])
    found = prediction(
        [BOX, [1, 0, 20, 20], [50, 50, 70, 71], [0, 10, 20, 30], [300, 300, 320, 320], [110, 10, 150, 90]],
        [0.9, 0.8, 0.7, 0.6, 0.5, 0.95],
        [0, 0, 0, 0, 1, 0],
    )
    _, errors = judged([found], [truth])
    assert errors.kind.tolist() == [HIT, TWICE, OTHER_CLASS, WRONG_PLACE, BACKGROUND, CROWD]
    assert errors.threshold == pytest.approx(0.9), "each later one costs precision and finds nothing"
    assert errors.counts.tolist() == [True, False, False, False, False, True]
    assert errors.found.tolist() == [True, False, True], "a crowd need not be found"


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31))
def test_hits_are_those_of_pycocotools(seed: int) -> None:
    predictions, truth = epoch(seed, classes=2)
    _, errors = judged(predictions, truth)
    expected = oracle(predictions, truth, 2)
    whole = [each for each in expected.evalImgs if each is not None and each["aRng"] == [0, 1e10]]
    hits = sum(int(((each["dtMatches"][0] > 0) & ~each["dtIgnore"][0]).sum()) for each in whole)
    ignored = sum(int(each["dtIgnore"][0].sum()) for each in whole)
    assert (int((errors.kind == HIT).sum()), int((errors.kind == CROWD).sum())) == (hits, ignored)


def test_equal_scores_count_together() -> None:
    assert best_threshold(np.array([0.5, 0.5, 0.9]), np.array([True, False, True]), 2) == 0.5
    assert best_threshold(np.array([0.4, 0.3]), np.array([False, False]), 2) == 0.4, "as few false alarms as possible"
    assert best_threshold(np.zeros(0), np.zeros(0, dtype=bool), 2) == 1


def test_missed_objects_come_before_false_alarms_before_order() -> None:
    truth = [frame(0, [BOX], [0]), frame(1), frame(2, [BOX, [50, 50, 80, 80]], [0, 0]), frame(3), frame(4, [BOX], [0])]
    far = [200, 200, 220, 220]
    found = [
        prediction([BOX], [0.9], [0]),
        prediction([far], [0.8], [0]),
        prediction(),
        prediction([far], [0.7], [0]),
        prediction([BOX, far], [0.9, 0.65], [0, 0]),
    ]
    gathered, errors = judged(found, truth)
    assert errors.threshold == pytest.approx(0.9)
    assert worst_first(gathered, errors).tolist() == [2, 0, 1, 3, 4], "no other false alarm has such a score"
    loose = Errors(0.0, np.ones(5, dtype=bool), errors.kind, errors.found)
    assert worst_first(gathered, loose).tolist() == [2, 1, 3, 4, 0]


@pytest.mark.parametrize(("found", "there"), [([], []), ([prediction()], [frame(0)])])
@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_nothing_to_judge(found: list[Prediction], there: list[Frame]) -> None:
    gathered, errors = judged(found, there)
    assert errors.threshold == 1
    assert worst_first(gathered, errors).tolist() == list(range(len(there)))
