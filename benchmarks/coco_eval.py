"""What COCO's figures cost at the end of an epoch: qsense against pycocotools, and torchmetrics' own metric.

    python benchmarks/coco_eval.py [--quick] [--frames 2000] [--rounds 5]

2 000 frames of 3 classes with 3 objects and 100 predictions each, from a detector's tensors to the twelve figures. The
contestants take turns, so that a change in the machine's mood hits all alike; medians are shown, and ratios of each
turn's times. Goal: at least 5 × as fast as pycocotools, with the same figures.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torchmetrics.detection import MeanAveragePrecision

from qsense.data.frames.dataset import Frame
from qsense.metrics.detection import FIGURES, DetectionScore

CLASSES, OBJECTS, PREDICTIONS = 3, 3, 100
SIZE = 1000  # pixels of a frame's sides, which COCO's figures do not depend on


Epoch = tuple[list[dict[str, Tensor]], list[Frame]]


def simulate(frames: int) -> Epoch:
    """A detector that finds most objects, some of them several times, and much that is none; Poisson many objects."""
    rng = np.random.default_rng(0)
    predictions, truth = [], []
    for id in range(frames):
        m = int(rng.poisson(OBJECTS))
        corner, side = rng.uniform(0, 500, (m, 2)), np.exp(rng.normal(4, 0.8, (m, 2)))
        boxes = np.concatenate([corner, corner + side], axis=1)
        labels = rng.integers(0, CLASSES, m)
        near = rng.random(PREDICTIONS) < (0.2 if m else 0)
        start, extent = rng.uniform(0, 500, (PREDICTIONS, 2)), np.exp(rng.normal(4, 0.8, (PREDICTIONS, 2)))
        found = np.concatenate([start, start + extent], axis=1)
        which = rng.integers(0, max(m, 1), PREDICTIONS)
        if m:
            found = np.where(near[:, None], boxes[which] + rng.normal(0, 6, (PREDICTIONS, 4)), found)
        found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 1)
        said = np.where(near, labels[which], rng.integers(0, CLASSES, PREDICTIONS)) if m else np.zeros(PREDICTIONS)
        scores = np.where(near, rng.beta(4, 2, PREDICTIONS), rng.beta(1, 5, PREDICTIONS))
        predictions.append(
            {
                "boxes": torch.from_numpy(found).float(),
                "scores": torch.from_numpy(scores).float(),
                "labels": torch.from_numpy(said.astype(np.int64)),
            }
        )
        area = side.prod(axis=1).astype(np.float32)
        none = np.zeros(m, dtype=np.bool_)
        truth.append(Frame(id, str(id), SIZE, SIZE, boxes.astype(np.float32), labels, none, area))
    return predictions, truth


def qsense(epoch: Epoch) -> list[float]:
    """Ours."""
    score = DetectionScore([f"class {label}" for label in range(CLASSES)])
    for start in range(0, len(epoch[0]), 16):
        score.update(epoch[0][start : start + 16], epoch[1][start : start + 16])
    figures = score.compute()
    return [figures[name] for name in FIGURES]


def pycocotools(epoch: Epoch) -> list[float]:
    """The reference, fed with one array of all predictions."""
    rows = []
    objects: list[dict[str, object]] = []
    for prediction, frame in zip(*epoch, strict=True):
        boxes = prediction["boxes"].double().numpy()
        boxes[:, 2:] -= boxes[:, :2]
        ids = np.full((len(boxes), 1), frame.id)
        columns = (prediction["scores"].double().numpy()[:, None], prediction["labels"].numpy()[:, None])
        rows.append(np.concatenate([ids, boxes, *columns], axis=1))
        for box, label, area in zip(frame.boxes.tolist(), frame.labels.tolist(), frame.area.tolist(), strict=True):
            left, top, right, bottom = box
            where = {"image_id": frame.id, "category_id": label, "bbox": [left, top, right - left, bottom - top]}
            objects.append({"id": len(objects) + 1, "area": area, "iscrowd": 0, **where})
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "images": [{"id": frame.id} for frame in epoch[1]],
            "categories": [{"id": label} for label in range(CLASSES)],
            "annotations": objects,
        }
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(np.concatenate(rows)), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    figures: list[float] = evaluation.stats.tolist()
    return figures


def torchmetrics(epoch: Epoch) -> list[float]:
    """torchmetrics' own metric with the same library behind it."""
    score = MeanAveragePrecision(backend="faster_coco_eval")
    for start in range(0, len(epoch[0]), 16):
        truth = [
            {
                "boxes": torch.from_numpy(frame.boxes),
                "labels": torch.from_numpy(frame.labels),
                "iscrowd": torch.from_numpy(frame.crowd.astype(np.int64)),
                "area": torch.from_numpy(frame.area),
            }
            for frame in epoch[1][start : start + 16]
        ]
        score.update(epoch[0][start : start + 16], truth)
    figures = score.compute()
    names = "map map_50 map_75 map_small map_medium map_large mar_1 mar_10 mar_100 mar_small mar_medium mar_large"
    return [float(figures[name]) for name in names.split()]


CONTESTANTS: dict[str, Callable[[Epoch], list[float]]] = {
    "pycocotools": pycocotools,
    "torchmetrics": torchmetrics,
    "qsense": qsense,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="200 frames, once")
    options = parser.parse_args()
    frames, rounds = (200, 1) if options.quick else (options.frames, options.rounds)
    epoch = simulate(frames)
    seconds: dict[str, list[float]] = {name: [] for name in CONTESTANTS}
    figures: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, evaluate in CONTESTANTS.items():
            start = time.perf_counter()
            figures[name] = evaluate(epoch)
            seconds[name].append(time.perf_counter() - start)

    table = Table(title=f"{frames} frames, {OBJECTS} objects and {PREDICTIONS} predictions each, {rounds} rounds")
    for heading in ("", "seconds", "× as fast as pycocotools", "largest difference", "mAP"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name in CONTESTANTS:
        ratio = statistics.median(a / b for a, b in zip(seconds["pycocotools"], seconds[name], strict=True))
        apart = max(abs(a - b) for a, b in zip(figures["pycocotools"], figures[name], strict=True))
        median = statistics.median(seconds[name])
        table.add_row(name, f"{median:.2f}", f"{ratio:.1f}", f"{apart:.0e}", f"{figures[name][0]:.4f}")
    Console().print(table)


if __name__ == "__main__":
    main()
