"""COCO's average precision and recall of an object detector, over all frames of an epoch at once."""

from __future__ import annotations

import gc
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from faster_coco_eval import COCO, COCOeval_faster
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities.data import dim_zero_cat

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Average precision or recall; at which overlap (None: the mean over .50, .55 … .95); sizes; at most how many per frame.
FIGURES: dict[str, tuple[str, float | None, str, int]] = {
    "map": ("precision", None, "all", 100),
    "ap50": ("precision", 0.5, "all", 100),
    "ap75": ("precision", 0.75, "all", 100),
    "ap_small": ("precision", None, "small", 100),
    "ap_medium": ("precision", None, "medium", 100),
    "ap_large": ("precision", None, "large", 100),
    "ar1": ("recall", None, "all", 1),
    "ar10": ("recall", None, "all", 10),
    "ar100": ("recall", None, "all", 100),
    "ar_small": ("recall", None, "small", 100),
    "ar_medium": ("recall", None, "medium", 100),
    "ar_large": ("recall", None, "large", 100),
}
OVERLAPS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
SIZES = ("all", "small", "medium", "large")  # areas up to 32², up to 96², above, in the frame's own pixels²
MOST = (1, 10, 100)


@dataclass(frozen=True, eq=False)
class Boxes:
    """Boxes in some frames: of objects, or of what a detector takes for objects.

    Args:
        frame: which frame each box is in, 0 … F − 1, int64 [n].
        corners: left, top, right, bottom in the frame's own pixels, float64 [n, 4].
        labels: classes 0 … K − 1, int64 [n].
        scores: of predictions, float64 [n]; among equal ones the earlier box comes first. None for objects.
        area: of objects, pixels², float64 [n]; None for predictions, whose boxes' areas count.
        crowd: of objects, bool [n]: a crowd is neither hit nor missed. None for predictions.
    """

    frame: Ints
    corners: Floats
    labels: Ints
    scores: Floats | None = None
    area: Floats | None = None
    crowd: npt.NDArray[np.bool_] | None = None

    @property
    def counted_out(self) -> npt.NDArray[np.bool_]:
        """Which are crowds, bool [n]."""
        return np.zeros(len(self.labels), dtype=np.bool_) if self.crowd is None else self.crowd

    def of(self, frames: Ints) -> Boxes:
        """Those in some frames, which are ascending numbers and count from 0 in what is returned.

        >>> boxes = Boxes(np.array([0, 2, 3]), np.zeros((3, 4)), np.array([5, 6, 7]))
        >>> some = boxes.of(np.array([2, 3]))
        >>> some.frame.tolist(), some.labels.tolist()
        ([0, 1], [6, 7])
        """
        here = np.isin(self.frame, frames)
        place = np.searchsorted(frames, self.frame[here])
        columns = (self.corners, self.labels, self.scores, self.area, self.crowd)
        return Boxes(place, *(None if column is None else column[here] for column in columns))  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class Epoch:
    """All frames of an epoch with what was found and what is there, in the order of their ids.

    Args:
        ids: of the F frames, int64 [F].
        predictions: what a detector found.
        objects: what is there.
        condition: of each frame, an index into the signal's conditions, int64 [F].
        exposure: of each frame, as `detection_groups.exposure_step` gives it, int64 [F].
    """

    ids: Ints
    predictions: Boxes
    objects: Boxes
    condition: Ints
    exposure: Ints


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What COCO's protocol measures; −1 where no object speaks for an entry.

    Args:
        precision: at overlaps × recalls 0, .01 … 1 × classes × sizes × most, [10, 101, K, 4, 3].
        recall: the highest, at overlaps × classes × sizes × most, [10, K, 4, 3].
    """

    precision: Floats
    recall: Floats

    def figure(self, name: str) -> float:
        """One of `FIGURES`, in [0, 1]; NaN where no object speaks for it."""
        return self.average(*FIGURES[name])

    def average(self, kind: str, overlap: float | None, size: str, most: int) -> float:
        """Average "precision" or "recall", see `FIGURES`; NaN where no object speaks for it."""
        values: Floats = getattr(self, kind)[..., SIZES.index(size), MOST.index(most)]
        return mean_of_known(values if overlap is None else values[OVERLAPS.index(overlap)])

    def class_precision(self) -> list[float]:
        """Average precision of every class over all overlaps, [K]; NaN for one without objects."""
        values = self.precision[..., SIZES.index("all"), MOST.index(100)]
        return [mean_of_known(values[:, :, label]) for label in range(values.shape[2])]


def mean_of_known(values: Floats) -> float:
    """
    >>> mean_of_known(np.array([0.5, -1.0, 1.0])), mean_of_known(np.array([-1.0]))
    (0.75, nan)
    """
    known = values[values > -1]
    return float(known.mean()) if known.size else math.nan


def evaluate(frames: int, predictions: Boxes, objects: Boxes, classes: int) -> Evaluation:
    """Match predictions with objects as COCO does, by faster-coco-eval (pycocotools' figures, in a fifth of the time).

    Args:
        frames: how many there are, with and without boxes.
        predictions: what the detector found; the 100 of highest score per frame and class count.
        objects: what is there.
        classes: K.

    Raises:
        ValueError: boxes, scores or areas that are not finite, or labels that are no class.
    """
    for what, boxes in (("predictions", predictions), ("objects", objects)):
        for name, values in (("boxes", boxes.corners), ("scores", boxes.scores), ("areas", boxes.area)):
            if values is not None and not np.isfinite(values).all():
                bad = (~np.isfinite(values)).reshape(len(values), -1).any(axis=1).sum()
                raise ValueError(f"{bad} of {len(values)} {what} have {name} that are not finite")
        wrong = boxes.labels[(boxes.labels < 0) | (boxes.labels >= classes)]
        if len(wrong):
            raise ValueError(f"{what}: label {wrong[0]} is none of {classes} classes, which count from 0")
    with _no_garbage_collection():
        truth, found = _coco(frames, objects, classes), _coco(frames, predictions, classes)
        coco = COCOeval_faster(truth, found, "bbox", print_function=_silent)
        coco.evaluate()
    return Evaluation(np.asarray(coco.eval["precision"]), np.asarray(coco.eval["recall"]))


def as_sides(corners: Floats) -> Floats:
    """Left, top, right, bottom → left, top, width, height, [n, 4], as the library takes boxes."""
    return np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)


def _silent(*_: object) -> None:
    """What the library has to say at every evaluation: nothing that a reader of logs needs."""


def _coco(frames: int, boxes: Boxes, classes: int) -> COCO:
    """Boxes as the library takes them: one dictionary each, built from whole columns."""
    sides = as_sides(boxes.corners)
    count = len(boxes.labels)
    area = sides[:, 2] * sides[:, 3] if boxes.area is None else boxes.area
    crowd = np.zeros(count, dtype=np.int64) if boxes.crowd is None else boxes.crowd.astype(np.int64)
    scores = np.zeros(count) if boxes.scores is None else boxes.scores
    columns = (range(1, count + 1), *(c.tolist() for c in (boxes.frame, boxes.labels, sides, area, crowd, scores)))
    coco = COCO(print_function=_silent)
    coco.dataset = {
        "images": [{"id": frame} for frame in range(frames)],
        "categories": [{"id": label} for label in range(classes)],
        "annotations": [
            {"id": i, "image_id": f, "category_id": label, "bbox": box, "area": a, "iscrowd": c, "score": s}
            for i, f, label, box, a, c, s in zip(*columns, strict=True)
        ],
    }
    coco.createIndex()
    return coco


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Keep Python from looking for cycles among some 10⁵ new dictionaries, which takes longer than making them."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class Truth(Protocol):
    """What is known of a frame (see `qsense.data.frames.dataset.Frame`)."""

    @property
    def id(self) -> int:
        """Unique among the frames."""

    @property
    def boxes(self) -> npt.NDArray[np.floating]:
        """[m, 4], left, top, right, bottom."""

    @property
    def labels(self) -> Ints:
        """[m]."""

    @property
    def crowd(self) -> npt.NDArray[np.bool_]:
        """[m]."""

    @property
    def area(self) -> npt.NDArray[np.floating]:
        """[m]."""

    @property
    def condition(self) -> int:
        """Index into the signal's conditions."""


class DetectionScore(Metric):
    """COCO's twelve figures over an epoch, and average precision by class.

    They are computed once, from all predictions: a mean over batches would be another, wrong number. Predictions and
    objects are kept as a few tensors that gather like any other state; a frame that comes twice (samplers of several
    processes repeat some, to fill up) counts once. torchmetrics' own `MeanAveragePrecision`, over the same library,
    counts it twice, is off by up to 1e-4 and takes 1.5 times as long (`benchmarks/coco_eval.py`).

    Args:
        class_names: names of the K classes in index order, without background.

    Raises:
        ValueError: no class.

    >>> from types import SimpleNamespace
    >>> found = {"boxes": torch.tensor([[0.0, 0.0, 40.0, 32.0]]), "scores": torch.ones(1), "labels": torch.tensor([0])}
    >>> box, area = np.array([[0.0, 0.0, 40.0, 40.0]]), np.array([1600.0])
    >>> crowd = np.array([False])
    >>> car = SimpleNamespace(id=7, boxes=box, labels=np.array([0]), crowd=crowd, area=area, condition=0)
    >>> score = DetectionScore(("car", "bicycle"))
    >>> score.update([found], [car])  # an overlap of 0.8: a hit at 7 of the 10 overlaps that count
    >>> {name: round(value, 3) for name, value in score.compute().items() if name[:2] != "ar"}
    {'map': 0.7, 'ap50': 1.0, 'ap75': 1.0, 'ap_medium': 0.7}
    >>> {name: value and round(value, 3) for name, value in score.per_class()["map"].items()}
    {'car': 0.7, 'bicycle': None}
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False

    frames: list[Tensor] | Tensor  # int64 [·, 5]: id, predictions, objects, condition, exposure
    predictions: list[Tensor] | Tensor  # float64 [·, 6]: box, label, score
    objects: list[Tensor] | Tensor  # float64 [·, 7]: box, label, area, crowd

    def __init__(self, class_names: Sequence[str]) -> None:
        super().__init__()
        if not class_names:
            raise ValueError("a detection score needs at least one class")
        self.class_names = tuple(class_names)
        for state in ("frames", "predictions", "objects"):
            self.add_state(state, [], dist_reduce_fx="cat")
        self._evaluation: Evaluation | None = None
        self._epoch: Epoch | None = None

    def update(
        self, predictions: Sequence[dict[str, Tensor]], truth: Sequence[Truth], exposure: Sequence[int] | None = None
    ) -> None:
        """Add a batch.

        Args:
            predictions: per frame `boxes` [n, 4] in the frame's own pixels, `scores` [n] and `labels` [n].
            truth: the frames, in the same order.
            exposure: the group of each frame by `detection_groups.exposure_step`; None: not known.

        Raises:
            ValueError: not one of each per frame.
        """
        if len(predictions) != len(truth):
            raise ValueError(f"predictions of {len(predictions)} frames for {len(truth)} frames")
        steps = [-1] * len(truth) if exposure is None else exposure
        counts = [
            [t.id, len(p["labels"]), len(t.labels), t.condition, step]
            for p, t, step in zip(predictions, truth, steps, strict=True)
        ]
        found = [
            torch.cat([p["boxes"].double(), p["labels"].double()[:, None], p["scores"].double()[:, None]], 1).detach()
            for p in predictions
        ]
        there = [np.column_stack([t.boxes, t.labels, t.area, t.crowd]) for t in truth]
        self._append("frames", torch.tensor(counts, dtype=torch.int64).view(-1, 5))
        self._append("predictions", torch.cat([torch.empty(0, 6, dtype=torch.float64, device=self.device), *found]))
        self._append("objects", torch.from_numpy(np.concatenate([np.empty((0, 7)), *there])))

    def _append(self, state: str, rows: Tensor) -> None:
        getattr(self, state).append(rows.to(self.device))

    def compute(self) -> dict[str, float]:
        """Those of `FIGURES` that some object speaks for, each in [0, 1]; without any object, `map` alone, NaN.

        Raises:
            ValueError: predictions that are not finite, or a label that is no class.
        """
        self._evaluation = self._evaluate()
        figures = {name: self._evaluation.figure(name) for name in FIGURES}
        return {name: value for name, value in figures.items() if name == "map" or not math.isnan(value)}

    def per_class(self) -> dict[str, dict[str, float | None]]:
        """Average precision by class, `{"map": {"car": …}}`, None for one without objects; call it before `reset`."""
        self.compute()  # answered from memory if it was asked before
        assert self._evaluation is not None
        values = [None if math.isnan(value) else value for value in self._evaluation.class_precision()]
        return {"map": dict(zip(self.class_names, values, strict=True))}

    def evaluated(self) -> tuple[Epoch, Evaluation]:
        """What was scored, and all that was measured of it; call it before `reset`."""
        self.compute()
        assert self._epoch is not None
        assert self._evaluation is not None
        return self._epoch, self._evaluation

    def reset(self) -> None:
        super().reset()
        self._evaluation = self._epoch = None

    def _evaluate(self) -> Evaluation:
        self._epoch = epoch = self._gathered()
        return evaluate(len(epoch.ids), epoch.predictions, epoch.objects, len(self.class_names))

    def _gathered(self) -> Epoch:
        frames, found, there = (_rows(self.frames, 5), _rows(self.predictions, 6), _rows(self.objects, 7))
        # In the order of the ids, so that neither batches nor processes decide between equal scores.
        _, first, place = np.unique(frames[:, 0], return_index=True, return_inverse=True)
        once = np.isin(np.arange(len(frames)), first)
        counts = frames[:, 1:3].astype(np.int64)
        kept = [np.repeat(once, counts[:, column]) for column in range(2)]
        frame = [np.repeat(place, counts[:, column])[kept[column]] for column in range(2)]
        found, there = found[kept[0]], there[kept[1]]
        ids, _, _, condition, exposure = frames[first].astype(np.int64).T
        return Epoch(
            ids,
            Boxes(frame[0], found[:, :4], found[:, 4].astype(np.int64), scores=found[:, 5]),
            Boxes(frame[1], there[:, :4], there[:, 4].astype(np.int64), area=there[:, 5], crowd=there[:, 6] > 0),
            condition,
            exposure,
        )


def _rows(state: list[Tensor] | Tensor, width: int) -> npt.NDArray[Any]:
    """A state on the host, [n, width]."""
    rows: npt.NDArray[Any] = dim_zero_cat(state).cpu().numpy() if len(state) else np.empty((0, width))
    return rows
