"""FCOS against torchvision's own, whose resizing and normalising is switched off."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import DictConfig
from tests.refusal import refused
from torch import Tensor, nn
from torchvision.models.detection import fcos as torchvisions
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops import FrozenBatchNorm2d
from torchvision.ops.feature_pyramid_network import LastLevelP6P7

from qsense.experiment.build import build
from qsense.metrics.cost import count
from qsense.models.fcos import FCOS, responsible

IDENTITY = {"min_size": 128, "max_size": 256, "image_mean": [0.0] * 3, "image_std": [1.0] * 3, "_skip_resize": True}
Batches = Callable[[int], tuple[Tensor, list[dict[str, Tensor]]]]


def make_torchvisions(depth: int, norm: type[nn.Module], classes: int = 3) -> torchvisions.FCOS:
    """As `fcos_resnet50_fpn` makes it, of any depth, and as if it had been trained.

    Batch norm has statistics, and boxes have a size: untrained ones are empty, which we drop and torchvision does not.
    """
    backbone = resnet_fpn_backbone(
        backbone_name=f"resnet{depth}",
        weights=None,
        norm_layer=norm,
        trainable_layers=5,
        returned_layers=[2, 3, 4],
        extra_blocks=LastLevelP6P7(256, 256),
    )
    network = torchvisions.FCOS(backbone, classes, score_thresh=0.005, **IDENTITY)
    nn.init.constant_(network.head.regression_head.bbox_reg.bias, 1.0)
    for name, value in network.state_dict().items():
        if name.endswith("running_mean"):
            value.normal_(std=0.1)
        elif name.endswith("running_var"):
            value.uniform_(0.5, 2.0)
    return network


@pytest.fixture
def pair() -> tuple[FCOS, nn.Module]:
    """Both with the same weights."""
    torch.manual_seed(0)
    theirs = make_torchvisions(18, nn.BatchNorm2d)
    ours = FCOS(3, depth=18, norm="batch", score_threshold=0.005)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def same_detections(ours: nn.Module, theirs: nn.Module, images: Tensor) -> bool:
    with torch.no_grad():
        found, expected = ours.eval()(images), theirs.eval()(list(images))
    assert all(len(one["scores"]) == 100 for one in found)
    return all(torch.equal(a[key], b[key]) for a, b in zip(found, expected, strict=True) for key in a)


def test_predictions_are_torchvisions(pair: tuple[FCOS, nn.Module], large_batch: Batches) -> None:
    assert same_detections(*pair, large_batch(256)[0])


def test_losses_are_torchvisions(pair: tuple[FCOS, nn.Module], large_batch: Batches) -> None:
    ours, theirs = pair
    images, targets = large_batch(256)
    found, expected = ours(images, None, targets), theirs(list(images), targets)
    assert {name: loss.item() for name, loss in found.items()} == {
        "classification": expected["classification"].item(),
        "box": expected["bbox_regression"].item(),
        "centerness": expected["bbox_ctrness"].item(),
    }


@cache
def small_and_its_places() -> tuple[FCOS, Tensor, list[int]]:
    network = FCOS(3, depth=18, width=8, channels=8, tower=0, norm="batch")
    return network, *network._outputs(torch.zeros(1, 3, 256, 256), [(256, 256)])[1:]


@given(st.lists(st.tuples(*[st.integers(0, 200)] * 2, *[st.integers(1, 300)] * 2), max_size=5), st.integers(0, 99))
def test_places_learn_what_torchvisions_do(corners: list[tuple[int, int, int, int]], seed: int) -> None:
    """Where areas are equal, or so close that torchvision's float32 takes them for equal, either may be learned."""
    boxes = torch.tensor([(x, y, x + w, y + h) for x, y, w, h in corners], dtype=torch.float32).reshape(-1, 4)
    boxes = boxes + torch.rand(boxes.shape, generator=torch.Generator().manual_seed(seed)) / 4
    ours, squares, counts = small_and_its_places()
    found = ours._matches(squares, counts, boxes)
    seen: list[Tensor] = []

    class Head:
        def compute_loss(self, targets: object, outputs: object, anchors: object, matches: list[Tensor]) -> None:
            seen.extend(matches)

    theirs = torchvisions.FCOS.__new__(torchvisions.FCOS)
    nn.Module.__init__(theirs)
    theirs.center_sampling_radius = 1.5
    object.__setattr__(theirs, "head", Head())
    theirs.compute_loss([{"boxes": boxes}], {}, [squares], counts)
    (expected,) = seen
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)
    differ = found != expected
    assert ((found < 0) == (expected < 0)).all()
    assert (areas[found[differ]] <= areas[expected[differ]] + 1e-3).all()
    assert (areas[expected[differ]] - areas[found[differ]] <= 16).all()


def test_responsible_by_hand() -> None:
    places = torch.tensor([[8.0, 8.0], [24.0, 8.0], [8.0, 0.0]])
    boxes = torch.tensor([[0.0, 0, 32, 16]])
    limits = [torch.full((3,), value) for value in (9.0, 0.0, 64.0)]
    assert responsible(places, boxes, *limits).flatten().tolist() == [True, True, False]  # on the edge: not within
    limits[0] = torch.full((3,), 8.0)
    assert not responsible(places, boxes, *limits).any()  # 8 pixels from the centre along x
    limits = [torch.tensor([9.0, 9.0, 9.0]), torch.tensor([0.0, 24.0, 0.0]), torch.tensor([24.0, 64.0, 64.0])]
    assert not responsible(places, boxes, *limits).any()  # 24 pixels: neither level's


@pytest.mark.parametrize("classes", [1, 91])
def test_parameters_of_the_published_size(classes: int) -> None:
    with torch.device("meta"):
        theirs = torchvisions.fcos_resnet50_fpn(weights=None, weights_backbone=None, num_classes=classes)
        ours = FCOS(classes, norm="batch")
    assert {k: v.shape for k, v in ours.state_dict().items()} == {k: v.shape for k, v in theirs.state_dict().items()}


def test_a_file_saved_by_torchvision_gives_its_detections(large_batch: Batches, tmp_path: Path) -> None:
    """As the published COCO weights: of frozen batch norm, which has no counters, and 91 classes."""
    torch.manual_seed(0)
    published = make_torchvisions(50, FrozenBatchNorm2d, classes=91).eval()
    torch.save(published.state_dict(), tmp_path / "coco.pth")
    ours = FCOS(91, norm="frozen", weights=str(tmp_path / "coco.pth"), score_threshold=0.005)
    # torchvision's frozen layer rounds otherwise than batch norm in evaluation mode, which can swap two detections.
    theirs = make_torchvisions(50, nn.BatchNorm2d, classes=91)
    theirs.load_state_dict(published.state_dict(), strict=False)
    images, _ = large_batch(128)
    assert same_detections(ours, theirs, images)
    with torch.no_grad():
        features, expected = ours.backbone(images), published.backbone(images)
    for one, other in zip(features.values(), expected.values(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4 * other.abs().max().item())
    with refused(ValueError, tmp_path / "coco.pth", "head.classification_head.cls_logits.weight", (3, 256, 3, 3)):
        FCOS(3, norm="frozen", weights=str(tmp_path / "coco.pth"))


def test_such_a_file_starts_a_network_of_other_classes(composed: Callable[..., DictConfig], tmp_path: Path) -> None:
    torch.manual_seed(0)
    theirs = make_torchvisions(18, FrozenBatchNorm2d, classes=91)
    torch.save(theirs.state_dict(), tmp_path / "coco.pth")
    settings = ("model=fcos", "model.depth=18", "model.pretrained=null", "model.norm=batch")
    _, task = build(composed("task=detection", *settings, f"init_from={tmp_path / 'coco.pth'}"))
    assert isinstance(task.network, FCOS)
    state, given = task.network.state_dict(), theirs.state_dict()
    assert {
        name for name in given if state[name].shape != given[name].shape or not torch.equal(state[name], given[name])
    } == {f"head.classification_head.cls_logits.{part}" for part in ("weight", "bias")}


def test_every_layer_of_the_head_is_counted_on_every_level() -> None:
    network = FCOS(3, depth=18, width=8, channels=8, tower=2, norm="batch", finest=2, coarsest=4).eval()
    names = [name for name, module in network.head.named_modules() if isinstance(module, nn.Conv2d)]
    counts = count(network, [f"head.{name}" for name in names], torch.zeros(1, 3, 64, 64))
    places = 16**2 + 8**2 + 4**2
    assert len(counts) == 2 * 2 + 3 + 1  # two towers, three results, and the backbone, which is not asked for
    weights = {f"head.{name}": network.head.get_submodule(name).weight.numel() for name in names}
    assert {each.name: each.macs for each in counts if each.name} == {
        name: number * places for name, number in weights.items()
    }


@pytest.mark.parametrize("wrong", ["center_radius", "reach"])
def test_impossible_arguments_are_refused(wrong: str) -> None:
    with refused(ValueError, f"{wrong}=0", 0):
        FCOS(3, depth=18, norm="batch", **{wrong: 0})
    with refused(ValueError, "tower=-1", 0):
        FCOS(3, depth=18, norm="batch", tower=-1)
