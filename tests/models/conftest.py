"""Shared by the detectors' tests: scenes that are easy to learn, and small networks that learn them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from qsense.models.detector import Detector
from qsense.models.faster_rcnn import FasterRCNN
from qsense.models.fcos import FCOS
from qsense.models.paa import PAA
from qsense.models.retinanet import RetinaNet

Scene = tuple[Tensor, list[dict[str, Tensor]]]
PYRAMID: dict[str, Any] = {"depth": 18, "width": 16, "channels": 32, "finest": 2, "coarsest": 4}
SMALL: dict[str, Any] = {**PYRAMID, "anchor_scale": 2.0}
SAMPLES: dict[str, Any] = {"rpn_samples": 64, "proposals_train": 100, "proposals_test": 50, "roi_samples": 32}
MMDETECTION: dict[str, Any] = {"proposals_kept": 80, "box_loss": "l1", "low_quality_iou": 0.3, "aligned": True}
MAKERS: dict[str, Callable[..., Detector]] = {
    "faster_rcnn": partial(FasterRCNN, 3, aspect_ratios=(1.0,), hidden=64, **SMALL, **SAMPLES),
    "faster_rcnn_mmdet": partial(FasterRCNN, 3, aspect_ratios=(1.0,), hidden=64, **SMALL, **SAMPLES, **MMDETECTION),
    "retinanet": partial(RetinaNet, 3, aspect_ratios=(1.0,), tower=1, **SMALL),
    "retinanet_mmdet": partial(RetinaNet, 3, aspect_ratios=(1.0,), tower=1, loss_average="batch", **SMALL),
    "paa": partial(PAA, 3, tower=1, **SMALL),
    "fcos": partial(FCOS, 3, tower=1, reach=4.0, **PYRAMID),
}


def make_scene(frames: int = 4, size: int = 64, seed: int = 0) -> Scene:
    """Rectangles in noise, one to four per frame, 8 … 24 pixels wide, bright in the colour of their class."""
    generator = torch.Generator().manual_seed(seed)
    images = 0.3 * torch.randn(frames, 3, size, size, generator=generator)
    targets = []
    half = size // 2
    for image in images:
        corners = torch.tensor([[0, 0], [half, 0], [0, half], [half, half]])
        count = int(torch.randint(1, 5, (1,), generator=generator))
        corners = corners[torch.randperm(4, generator=generator)[:count]] + torch.randint(
            1, 8, (count, 2), generator=generator
        )
        boxes = torch.cat([corners, corners + torch.randint(8, 24, (count, 2), generator=generator)], dim=1)
        labels = torch.randint(0, 3, (count,), generator=generator)
        for (left, top, right, bottom), label in zip(boxes.tolist(), labels.tolist(), strict=True):
            image[label, top:bottom, left:right] += 2
        targets.append({"boxes": boxes.float(), "labels": labels})
    return images, targets


@pytest.fixture
def scene() -> Callable[..., Scene]:
    """Makes scenes."""
    return make_scene


@pytest.fixture(params=MAKERS)
def make(request: pytest.FixtureRequest) -> Callable[..., Detector]:
    """Makes each kind of detector, small."""
    maker = MAKERS[request.param]

    def seeded(norm: str = "group", **more: object) -> Detector:
        torch.manual_seed(0)
        return maker(norm=norm, **more)

    return seeded


@pytest.fixture
def large_batch() -> Callable[[int], Scene]:
    """A batch of a width for the comparison with torchvision: one frame with two objects, one without any."""

    def batch(width: int) -> Scene:
        boxes = torch.tensor([[10.0, 20, 60, 90], [80, 30, 180, 120]])
        empty = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
        return torch.randn(2, 3, 128, width), [{"boxes": boxes, "labels": torch.tensor([0, 2])}, empty]

    return batch
