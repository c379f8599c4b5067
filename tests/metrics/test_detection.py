"""COCO's figures against pycocotools, on every kind of frame, and how they gather over batches and processes."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from tests.refusal import refused
from torch import Tensor

from qsense.metrics.detection import FIGURES, MOST, OVERLAPS, SIZES, Boxes, DetectionScore, evaluate

Prediction = dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class Frame:
    """What the metric asks of a frame."""

    id: int
    boxes: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    crowd: npt.NDArray[np.bool_]
    area: npt.NDArray[np.float32]
    condition: int = 0


def frame(
    id: int, boxes: Sequence[Sequence[float]] = (), labels: Sequence[int] = (), crowd: Sequence[bool] | None = None
) -> Frame:
    """A frame whose objects fill their boxes."""
    corners = np.array(boxes, dtype=np.float32).reshape(-1, 4)
    area = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
    crowds = np.array(crowd if crowd is not None else [False] * len(labels), dtype=np.bool_)
    return Frame(id, corners, np.array(labels, dtype=np.int64), crowds, area)


def prediction(
    boxes: Sequence[Sequence[float]] = (), scores: Sequence[float] = (), labels: Sequence[int] = ()
) -> Prediction:
    return {
        "boxes": torch.tensor(boxes, dtype=torch.float32).view(-1, 4),
        "scores": torch.tensor(scores, dtype=torch.float32),
        "labels": torch.tensor(labels, dtype=torch.int64),
    }


def epoch(seed: int, frames: int = 12, classes: int = 3, most: int = 40) -> tuple[list[Prediction], list[Frame]]:
    """Frames with crowds, true areas below their boxes', tied scores, absent classes, none or many predictions."""
    rng = np.random.default_rng(seed)
    present = rng.integers(1, classes + 1)
    predictions, truth = [], []
    for id in rng.permutation(frames) * 3:
        m = int(rng.choice([0, 1, 3, 8]))
        corner, side = rng.uniform(0, 300, (m, 2)), np.exp(rng.uniform(1.5, 5.5, (m, 2)))
        boxes = np.concatenate([corner, corner + side], axis=1).astype(np.float32)
        labels = rng.integers(0, present, m)
        area = (side.prod(axis=1) * rng.uniform(0.4, 1, m)).astype(np.float32)
        truth.append(Frame(int(id), boxes, labels, rng.random(m) < 0.15, area))
        n = int(rng.choice([0, 5, most]))
        near = rng.integers(0, m, n) if m else np.zeros(n, dtype=np.int64)
        start = boxes[near] if m else np.tile(np.array([10, 10, 60, 90], dtype=np.float32), (n, 1))
        reach = np.maximum(start[:, 2:] - start[:, :2], 1)
        found = start + np.tile(reach, 2) * rng.normal(0, rng.choice([0, 0.05, 0.3]), (n, 4))
        found = np.concatenate([np.minimum(found[:, :2], found[:, 2:]), np.maximum(found[:, :2], found[:, 2:])], axis=1)
        said = np.where(rng.random(n) < 0.8, labels[near] if m else 0, rng.integers(0, classes, n))
        predictions.append(
            {
                "boxes": torch.from_numpy(found.astype(np.float32)),
                "scores": torch.from_numpy((rng.integers(0, 12, n) / 12).astype(np.float32)),  # many are equal
                "labels": torch.from_numpy(said.astype(np.int64)),
            }
        )
    return predictions, truth


def oracle(predictions: Sequence[Prediction], truth: Sequence[Frame], classes: int) -> COCOeval:
    """pycocotools after its evaluation."""

    def annotation(box: Sequence[float], frame: int, label: int, **more: float) -> dict[str, object]:
        left, top, right, bottom = box
        return {"image_id": frame, "category_id": label, "bbox": [left, top, right - left, bottom - top], **more}

    objects = [
        annotation(box, t.id, label, area=area, iscrowd=int(crowd))
        for t in truth
        for box, label, area, crowd in zip(
            t.boxes.tolist(), t.labels.tolist(), t.area.tolist(), t.crowd.tolist(), strict=True
        )
    ]
    found = [
        annotation(box, t.id, label, score=score)
        for p, t in zip(predictions, truth, strict=True)
        for box, label, score in zip(p["boxes"].tolist(), p["labels"].tolist(), p["scores"].tolist(), strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        coco, results = COCO(), COCO()
        images, categories = [{"id": t.id} for t in truth], [{"id": label} for label in range(classes)]
        coco.dataset = {
            "images": images,
            "categories": categories,
            "annotations": [{"id": i, **a} for i, a in enumerate(objects, 1)],
        }
        coco.createIndex()
        if found:
            results = coco.loadRes(found)
        else:
            results.dataset = {"images": images, "categories": categories, "annotations": []}
            results.createIndex()
        evaluation = COCOeval(coco, results, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def scored(
    predictions: Sequence[Prediction], truth: Sequence[Frame], classes: int = 3, batch: int = 5
) -> DetectionScore:
    score = DetectionScore([f"class {label}" for label in range(classes)])
    for start in range(0, len(truth), batch):
        score.update(predictions[start : start + batch], truth[start : start + batch])
    return score


def agrees(predictions: Sequence[Prediction], truth: Sequence[Frame], classes: int = 3) -> None:
    """All figures, and every class's precision; pycocotools adds 2e-16 to its denominators, this library does not."""
    score, expected = scored(predictions, truth, classes), oracle(predictions, truth, classes)
    figures = score.compute()
    stats = {name: value for name, value in zip(FIGURES, expected.stats.tolist(), strict=True) if value > -1}
    assert figures == pytest.approx(stats, abs=1e-12)
    for label, value in enumerate(score.per_class()["map"].values()):
        entries = expected.eval["precision"][:, :, label, 0, -1]
        known = entries[entries > -1]
        assert value == (pytest.approx(known.mean(), abs=1e-12) if known.size else None)


@settings(max_examples=40)
@given(st.integers(0, 2**31))
def test_all_figures_equal_pycocotools(seed: int) -> None:
    predictions, truth = epoch(seed)
    if any(len(t.labels) and not t.crowd.all() for t in truth):
        agrees(predictions, truth)


def test_more_predictions_than_count() -> None:
    predictions, truth = epoch(1, frames=6, classes=1, most=150)
    assert max(len(p["labels"]) for p in predictions) == 150
    agrees(predictions, truth, classes=1)


def test_order_of_overlaps_sizes_and_numbers_is_the_protocols() -> None:
    parameters = COCOeval(iouType="bbox").params
    assert list(OVERLAPS) == pytest.approx(parameters.iouThrs.tolist())
    assert list(SIZES) == parameters.areaRngLbl
    assert list(MOST) == parameters.maxDets


def test_perfect_predictions() -> None:
    truth = [frame(3, [[0, 0, 20, 20], [30, 30, 90, 90]], [0, 1]), frame(1)]
    found = [prediction([[0, 0, 20, 20], [30, 30, 90, 90]], [0.9, 0.8], [0, 1]), prediction()]
    figures = scored(found, truth, classes=2).compute()
    assert figures == {name: 1.0 for name in FIGURES if "large" not in name}, "no object is large"
    agrees(found, truth, classes=2)


def test_no_predictions_score_zero() -> None:
    truth = [frame(0, [[0, 0, 20, 20]], [0])]
    assert scored([prediction()], truth, classes=1).compute()["map"] == 0
    agrees([prediction()], truth, classes=1)


def test_an_absent_class_does_not_count_and_has_no_precision() -> None:
    truth = [frame(0, [[0, 0, 20, 20]], [0])]
    found = [prediction([[0, 0, 20, 20], [0, 0, 9, 9]], [0.9, 1.0], [0, 1])]
    score = scored(found, truth, classes=3)
    assert score.compute()["map"] == 1
    assert score.per_class() == {"map": {"class 0": 1.0, "class 1": None, "class 2": None}}
    agrees(found, truth)


def test_a_crowd_is_neither_hit_nor_missed() -> None:
    truth = [frame(0, [[0, 0, 100, 100], [200, 0, 240, 40]], [0, 0], [True, False])]
    found = [prediction([[0, 0, 50, 50], [50, 50, 90, 90], [200, 0, 240, 40]], [0.9, 0.8, 0.1], [0, 0, 0])]
    assert scored(found, truth, classes=1).compute()["map"] == 1
    agrees(found, truth, classes=1)


def test_sizes_go_by_true_areas_not_by_boxes() -> None:
    box = [[0.0, 0.0, 40.0, 40.0]]  # medium, but its object covers half of it: small
    truth = [replace(frame(0, box, [0]), area=np.array([800], dtype=np.float32))]
    figures = scored([prediction(box, [0.5], [0])], truth, classes=1).compute()
    assert "ap_medium" not in figures
    assert figures["ap_small"] == 1


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_a_headline_is_never_minus_one() -> None:
    for found, truth in (([], []), ([prediction([[0, 0, 9, 9]], [0.5], [0])], [frame(0)])):
        score = scored(found, truth, classes=1)
        figures = score.compute()
        assert list(figures) == ["map"]
        assert np.isnan(figures["map"])
        assert score.per_class() == {"map": {"class 0": None}}


def test_a_mean_over_batches_would_be_wrong() -> None:
    """One frame is found and the other is taken for something with a higher score: 0.5 per frame, but not together."""
    truth = [frame(0, [[0, 0, 20, 20]], [0]), frame(1, [[0, 0, 20, 20]], [0])]
    found = [prediction([[0, 0, 20, 20]], [0.5], [0]), prediction([[50, 50, 70, 70]], [0.9], [0])]
    alone = [scored(found[i : i + 1], truth[i : i + 1], classes=1).compute()["map"] for i in range(2)]
    assert sum(alone) / 2 == 0.5
    assert scored(found, truth, classes=1, batch=1).compute()["map"] == pytest.approx(0.25, abs=0.01)
    agrees(found, truth, classes=1)


def test_batches_and_order_do_not_matter() -> None:
    predictions, truth = epoch(3)
    expected = scored(predictions, truth).compute()
    for batch in (1, 7, 12):
        assert scored(predictions, truth, batch=batch).compute() == expected
    assert scored(predictions[::-1], truth[::-1]).compute() == expected


def test_reset_forgets() -> None:
    predictions, truth = epoch(4)
    score = scored(predictions, truth)
    score.compute()
    score.reset()
    score.update([prediction()], [frame(0, [[0, 0, 20, 20]], [0])])
    assert score.compute()["map"] == 0
    assert score.per_class()["map"]["class 1"] is None


def test_two_processes_score_their_frames_together() -> None:
    """Rank 0's view of a synchronisation, with a stand-in for all_gather. The sampler gave frame 0 to both."""
    predictions, truth = epoch(5)
    parts = [[0, *range(1, 12, 2)], [*range(0, 12, 2)]]
    ranks = [scored([predictions[i] for i in part], [truth[i] for i in part]) for part in parts]
    states = ("frames", "predictions", "objects")
    gathered = iter([[torch.cat(list(getattr(rank, state))) for rank in ranks] for state in states])
    ranks[0].distributed_available_fn = lambda: True
    ranks[0].dist_sync_fn = lambda state, group: next(gathered)
    assert ranks[0].compute() == scored(predictions, truth).compute()
    assert ranks[0].per_class() == scored(predictions, truth).per_class()


def test_half_precision_and_gradients_are_taken() -> None:
    boxes = torch.tensor([[0.0, 0.0, 20.0, 20.0]], dtype=torch.bfloat16, requires_grad=True)
    found = {"boxes": boxes, "scores": torch.ones(1, dtype=torch.bfloat16), "labels": torch.tensor([0])}
    score = DetectionScore(("car",))
    score.update([found], [frame(0, [[0, 0, 20, 20]], [0])])
    assert not score.predictions[0].requires_grad
    assert score.compute()["map"] == 1


def test_nothing_is_printed_or_logged(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    predictions, truth = epoch(6)
    with caplog.at_level(logging.DEBUG):
        scored(predictions, truth).compute()
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_what_cannot_be_scored_is_refused() -> None:
    with refused(ValueError, "one class"):
        DetectionScore(())
    score = DetectionScore(("car",))
    with refused(ValueError, "1 frames", "2 frames"):
        score.update([prediction()], [frame(0), frame(1)])
    box = [[0.0, 0.0, 20.0, 20.0]]
    for found, truth, named in (
        (prediction(box, [float("nan")], [0]), frame(0), ("predictions", 1, "scores", "finite")),
        (prediction([[0, 0, np.inf, 1]], [1], [0]), frame(0), ("predictions", 1, "boxes", "finite")),
        (prediction(box, [1], [1]), frame(0), ("predictions", "label 1", "1 classes")),
        (prediction(), frame(0, box, [-1]), ("objects", "label -1", "1 classes")),
    ):
        score = scored([found], [truth], classes=1)
        with refused(ValueError, *named):
            score.compute()


def test_the_pure_function_needs_no_metric() -> None:
    corners, frames, labels = np.array([[0.0, 0, 20, 20]]), np.array([1]), np.array([0])
    predictions = Boxes(frames, corners, labels, scores=np.array([0.3]))
    objects = Boxes(frames, corners, labels, area=np.array([400.0]), crowd=np.array([False]))
    evaluation = evaluate(2, predictions, objects, classes=2)
    assert evaluation.precision.shape == (10, 101, 2, 4, 3)
    assert evaluation.recall.shape == (10, 2, 4, 3)
    assert evaluation.figure("ap75") == 1
    assert evaluation.class_precision()[0] == 1
    assert np.isnan(evaluation.class_precision()[1])
