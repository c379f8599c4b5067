"""Faster R-CNN against torchvision's own, whose resizing and normalising is switched off."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torchvision.models.detection import faster_rcnn as torchvisions
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone

from qsense.models.faster_rcnn import FasterRCNN

IDENTITY = {"min_size": 128, "max_size": 192, "image_mean": [0.0] * 3, "image_std": [1.0] * 3, "_skip_resize": True}
Batches = Callable[[int], tuple[Tensor, list[dict[str, Tensor]]]]


@pytest.fixture
def pair() -> tuple[FasterRCNN, nn.Module]:
    """Both with the same weights, with labels that are not all background."""
    torch.manual_seed(0)
    backbone = resnet_fpn_backbone(
        backbone_name="resnet18", weights=None, norm_layer=nn.BatchNorm2d, trainable_layers=5
    )
    theirs = torchvisions.FasterRCNN(backbone, num_classes=4, **IDENTITY)
    ours = FasterRCNN(3, depth=18, norm="batch")
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def test_predictions_are_torchvisions_with_labels_from_zero(
    pair: tuple[FasterRCNN, nn.Module], large_batch: Batches
) -> None:
    ours, theirs = (network.eval() for network in pair)
    images, _ = large_batch(192)
    with torch.no_grad():
        found, expected = ours(images), theirs(list(images))
    assert isinstance(found, list)
    for one, other in zip(found, expected, strict=True):
        assert len(one["scores"]) == 100
        assert torch.equal(one["boxes"], other["boxes"])
        assert torch.equal(one["scores"], other["scores"])
        assert torch.equal(one["labels"], other["labels"] - 1)
        assert one["labels"].min() == 0


def test_losses_are_torchvisions(pair: tuple[FasterRCNN, nn.Module], large_batch: Batches) -> None:
    ours, theirs = pair
    images, targets = large_batch(192)
    shifted = [{**target, "labels": target["labels"] + 1} for target in targets]
    torch.manual_seed(1)  # both draw samples
    found = ours(images, None, targets)
    torch.manual_seed(1)
    expected = theirs(list(images), shifted)
    names = {
        "objectness": "loss_objectness",
        "proposal_box": "loss_rpn_box_reg",
        "classification": "loss_classifier",
        "box": "loss_box_reg",
    }
    assert isinstance(found, dict)
    assert {names[name]: loss.item() for name, loss in found.items()} == {k: v.item() for k, v in expected.items()}


@pytest.mark.parametrize("classes", [1, 5])
def test_parameters_of_the_published_size(classes: int) -> None:
    theirs = torchvisions.fasterrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=classes + 1)
    ours = FasterRCNN(classes, norm="batch")
    assert {k: v.shape for k, v in ours.state_dict().items()} == {k: v.shape for k, v in theirs.state_dict().items()}


def test_proposals_read_the_level_of_their_size() -> None:
    make = partial(FasterRCNN, 3, depth=18, width=8, channels=8, hidden=8, norm="batch")
    boxes = [torch.tensor([[0.0, 0, side, side] for side in (20, 100, 130, 300, 500, 2000)])]
    assert make().roi_heads.box_roi_pool.map_levels(boxes).tolist() == [0, 0, 1, 2, 3, 3]
    small = make(coarsest=4, anchor_scale=2.0)
    boxes = [torch.tensor([[0.0, 0, side, side] for side in (6, 27, 29, 57, 100)])]
    assert small.roi_heads.box_roi_pool.map_levels(boxes).tolist() == [0, 0, 1, 2, 2]
