"""RetinaNet against torchvision's own, whose resizing and normalising is switched off."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tests.refusal import refused
from torch import Tensor, nn
from torchvision.models.detection import retinanet as torchvisions
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops.feature_pyramid_network import LastLevelP6P7

from qsense.models.retinanet import RetinaNet

IDENTITY = {"min_size": 128, "max_size": 256, "image_mean": [0.0] * 3, "image_std": [1.0] * 3, "_skip_resize": True}
Batches = Callable[[int], tuple[Tensor, list[dict[str, Tensor]]]]


@pytest.fixture
def pair() -> tuple[RetinaNet, nn.Module]:
    """Both with the same weights."""
    torch.manual_seed(0)
    backbone = resnet_fpn_backbone(
        backbone_name="resnet18",
        weights=None,
        norm_layer=nn.BatchNorm2d,
        trainable_layers=5,
        returned_layers=[2, 3, 4],
        extra_blocks=LastLevelP6P7(256, 256),
    )
    options = {"score_thresh": 0.005, "detections_per_img": 100, **IDENTITY}
    theirs = torchvisions.RetinaNet(backbone, num_classes=3, **options)
    ours = RetinaNet(3, depth=18, norm="batch", score_threshold=0.005)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def test_predictions_are_torchvisions(pair: tuple[RetinaNet, nn.Module], large_batch: Batches) -> None:
    ours, theirs = (network.eval() for network in pair)
    images, _ = large_batch(256)
    with torch.no_grad():
        found, expected = ours(images), theirs(list(images))
    assert isinstance(found, list)
    for one, other in zip(found, expected, strict=True):
        assert len(one["scores"]) == 100
        for key in one:
            assert torch.equal(one[key], other[key])


def test_losses_are_torchvisions(pair: tuple[RetinaNet, nn.Module], large_batch: Batches) -> None:
    ours, theirs = pair
    images, targets = large_batch(256)
    found, expected = ours(images, None, targets), theirs(list(images), targets)
    assert isinstance(found, dict)
    assert found["classification"].item() == expected["classification"].item()
    assert found["box"].item() == expected["bbox_regression"].item()


@pytest.mark.parametrize("classes", [1, 5])
def test_parameters_of_the_published_size(classes: int) -> None:
    theirs = torchvisions.retinanet_resnet50_fpn(weights=None, weights_backbone=None, num_classes=classes)
    ours = RetinaNet(classes, norm="batch")
    assert {k: v.shape for k, v in ours.state_dict().items()} == {k: v.shape for k, v in theirs.state_dict().items()}


def test_towers() -> None:
    network = RetinaNet(3, depth=18, width=8, channels=16, tower=1, norm="group")
    assert len(network.head.classification_head.conv) == len(network.head.regression_head.conv) == 1
    assert isinstance(network.head.classification_head.conv[0][1], nn.GroupNorm)
    with refused(ValueError, "tower=5", 0, 4):
        RetinaNet(3, tower=5)
