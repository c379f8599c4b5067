"""Figures of parts of a test against pycocotools on those frames alone, and what groups without boxes say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.metrics.test_detection import Frame, Prediction, epoch, frame, oracle, prediction, scored

from qsense.metrics.detection import DetectionScore
from qsense.metrics.detection_groups import AREAS, Groups, exposure_step, groups_of

CONDITIONS = ("day", "night", "fog")


def conditions_of(truth: list[Frame], seed: int = 0, several: int = 2) -> list[Frame]:
    drawn = np.random.default_rng(seed).integers(0, several, len(truth))
    return [replace(t, condition=int(c)) for t, c in zip(truth, drawn, strict=True)]


def grouped(
    predictions: list[Prediction], truth: list[Frame], exposure: list[int] | None = None, classes: int = 3
) -> dict[str, Groups]:
    score = DetectionScore([f"class {label}" for label in range(classes)])
    for start in range(0, len(truth), 5):
        part = slice(start, start + 5)
        score.update(predictions[part], truth[part], None if exposure is None else exposure[part])
    return groups_of(*score.evaluated(), classes, CONDITIONS)


def agrees(groups: Groups, name: str, predictions: list[Prediction], truth: list[Frame]) -> None:
    """A group's figures are pycocotools' on its frames alone."""
    counted = sum(int((~t.crowd).sum()) for t in truth)
    assert (groups["frames"][name], groups["boxes"][name]) == (len(truth), counted)
    if counted:
        stats = oracle(predictions, truth, 3).stats
        assert groups["map"][name] == pytest.approx(stats[0], abs=1e-12)
        assert groups["ap50"][name] == pytest.approx(stats[1], abs=1e-12)
    else:
        assert groups["map"][name] is groups["ap50"][name] is None


@settings(max_examples=15)
@given(st.integers(0, 2**31))
def test_groups_of_frames_equal_pycocotools_on_the_subset(seed: int) -> None:
    predictions, truth = epoch(seed)
    truth = conditions_of(truth, seed)
    exposure = np.random.default_rng(seed).choice([0, 4, 10], len(truth)).tolist()
    found = grouped(predictions, truth, exposure)
    for index, name in enumerate(CONDITIONS):
        here = [place for place, t in enumerate(truth) if t.condition == index]
        agrees(found["condition"], name, [predictions[i] for i in here], [truth[i] for i in here])
    assert list(found["exposure"]["map"]) == [f"{s}–{s + 2} stops" for s in sorted(set(exposure))]
    for step in set(exposure):
        here = [place for place, each in enumerate(exposure) if each == step]
        name = f"{step}–{step + 2} stops"
        agrees(found["exposure"], name, [predictions[i] for i in here], [truth[i] for i in here])


@settings(max_examples=15)
@given(st.integers(0, 2**31))
def test_sizes_equal_pycocotools(seed: int) -> None:
    predictions, truth = epoch(seed)
    if not any((~t.crowd).any() for t in truth):
        return
    found = grouped(predictions, truth)["size"]
    expected = oracle(predictions, truth, 3)
    precision = expected.eval["precision"]
    for place, name in enumerate(AREAS, 1):
        for figure, overlaps in (("map", slice(None)), ("ap50", slice(0, 1))):
            known = precision[overlaps, :, :, place, -1]
            known = known[known > -1]
            value = found[figure][name]
            assert value == (pytest.approx(known.mean(), abs=1e-12) if known.size else None)
            assert bool(found["boxes"][name]) == bool(known.size)


def test_a_group_without_boxes_has_no_figure() -> None:
    truth = [
        frame(0, [[0, 0, 20, 20]], [0]),
        replace(frame(1), condition=1),
        replace(frame(2, [[0, 0, 90, 90]], [0], [True]), condition=2),
    ]
    found = grouped([prediction([[0, 0, 20, 20]], [0.5], [0])] * 3, truth, classes=1)
    assert found["condition"] == {
        "map": {"day": 1.0, "night": None, "fog": None},
        "ap50": {"day": 1.0, "night": None, "fog": None},
        "frames": {"day": 1, "night": 1, "fog": 1},
        "boxes": {"day": 1, "night": 0, "fog": 0},
    }
    assert found["size"]["boxes"] == {"small": 1, "medium": 0, "large": 0}
    assert found["size"]["frames"] == {"small": 1, "medium": 0, "large": 0}, "a crowd is no object"
    assert found["size"]["map"] == {"small": 1.0, "medium": None, "large": None}
    assert "exposure" not in found, "nobody has said it"


def test_no_conditions_no_division_by_them() -> None:
    predictions, truth = epoch(2)
    assert list(groups_of(*scored(predictions, truth).evaluated(), 3)) == ["size"]


def test_frames_of_unknown_exposure_are_in_no_group() -> None:
    predictions, truth = epoch(3, frames=4)
    found = grouped(predictions, truth, [exposure_step(float("nan")), 2, 2, -1])["exposure"]
    assert list(found["frames"].values()) == [2]


def test_processes_gather_conditions_and_exposures_too() -> None:
    predictions, truth = epoch(5)
    truth = conditions_of(truth, 5)
    exposure = [0, 2] * 6
    alone = grouped(predictions, truth, exposure)
    parts = [[0, *range(1, 12, 2)], [*range(0, 12, 2)]]  # frame 0 came to both
    ranks = []
    for part in parts:
        ranks.append(DetectionScore(["a", "b", "c"]))
        ranks[-1].update([predictions[i] for i in part], [truth[i] for i in part], [exposure[i] for i in part])
    states = ("frames", "predictions", "objects")
    gathered = iter([[torch.cat(list(getattr(rank, state))) for rank in ranks] for state in states])
    ranks[0].distributed_available_fn = lambda: True
    ranks[0].dist_sync_fn = lambda state, group: next(gathered)
    assert groups_of(*ranks[0].evaluated(), 3, CONDITIONS) == alone
