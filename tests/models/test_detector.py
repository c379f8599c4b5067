"""Anchors, and how detections are picked."""

from __future__ import annotations

import pytest
import torch
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList

from qsense.models.detector import Anchors, clipped, inside, suppressed, top_per_level


def grid(anchors: AnchorGenerator, height: int, width: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    features = [torch.zeros(1, 1, -(-height // stride), -(-width // stride), dtype=dtype) for stride in (8, 64)]
    images = ImageList(torch.zeros(1, 3, height, width), [(height, width)])
    found: torch.Tensor = anchors(images, features)[0]
    return found


def test_anchors_are_torchvisions_where_sizes_are_multiples_of_strides() -> None:
    sizes = [(32.0, 40.0), (256.0, 322.0)]
    ours = Anchors([8, 64], sizes, (0.5, 1.0, 2.0))
    theirs = AnchorGenerator(tuple(sizes), ((0.5, 1.0, 2.0),) * 2)
    assert torch.equal(grid(ours, 128, 192), grid(theirs, 128, 192))


def test_anchors_depend_neither_on_padding_nor_on_the_features_type() -> None:
    ours = Anchors([8, 64], [(8.0,), (64.0,)])
    alone, padded = grid(ours, 96, 96), grid(ours, 128, 160)
    assert {tuple(anchor) for anchor in alone.tolist()} <= {tuple(anchor) for anchor in padded.tolist()}
    theirs = AnchorGenerator(((8,), (64,)), ((1.0,),) * 2)
    assert not {tuple(a) for a in grid(theirs, 96, 96).tolist()} <= {tuple(a) for a in grid(theirs, 128, 160).tolist()}
    wide = grid(ours, 96, 1344, torch.bfloat16)
    assert wide.dtype == torch.float32
    assert torch.equal(wide, grid(ours, 96, 1344))
    assert alone[1].tolist() == [4, -4, 12, 4]


def test_anchors_in_the_padding_are_outside() -> None:
    anchors = grid(Anchors([8, 64], [(8.0,), (64.0,)]), 64, 64)
    assert inside(anchors, [(64, 64)]).all()
    found = inside(anchors, [(24, 33), (64, 64)])
    assert found.shape == (2, 65)
    assert found[0].sum() == 3 * 5 + 1
    assert found[1].all()


def test_top_per_level_by_hand() -> None:
    scores = torch.tensor([[0.9, 0.1], [0.3, 0.8], [0.2, torch.nan], [0.05, 0.4]])
    anchors, labels, values = top_per_level(scores, [2, 2], threshold=0.2, most=2)
    assert anchors.tolist() == [0, 1, 3]
    assert labels.tolist() == [0, 1, 1]
    assert values.tolist() == pytest.approx([0.9, 0.8, 0.4])


def test_clipping_and_suppression_by_hand() -> None:
    boxes, there = clipped(torch.tensor([[-5.0, 2, 4, 9], [12, 1, 20, 4], [1, 1, torch.nan, 2]]), (8, 10))
    assert boxes[0].tolist() == [0, 2, 4, 8]
    assert there.tolist() == [0]
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 8], [0, 0, 10, 8], [50, 50, 60, 60]])
    scores, labels = torch.tensor([0.9, 0.8, 0.7, 0.95]), torch.tensor([0, 0, 1, 0])
    assert suppressed(boxes, scores, labels, 0.5, 100).tolist() == [3, 0, 2]
    assert suppressed(boxes, scores, labels, 0.9, 100).tolist() == [3, 0, 1, 2]
    assert suppressed(boxes, scores, labels, 0.5, 2).tolist() == [3, 0]
