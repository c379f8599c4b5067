"""mmdetection's ways, each against its rule written out slowly, or against torchvision with one function replaced."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import DictConfig
from tests.refusal import refused
from torch import Tensor, nn
from torch.nn.functional import l1_loss
from torchvision.models.detection import roi_heads, rpn
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import box_iou, roi_align
from torchvision.ops.feature_pyramid_network import LastLevelP6P7

from qsense.models.faster_rcnn import FasterRCNN
from qsense.models.mmdetection import LowQualityMatcher
from qsense.models.paa import PAA
from qsense.models.retinanet import RetinaNet

Batches = Callable[[int], tuple[Tensor, list[dict[str, Tensor]]]]


def slow_matches(iou: np.ndarray[Any, Any], high: float, low: float, least: float) -> list[int]:
    """mmdetection's assigner: -2 ignored, -1 negative, else the object; low quality object by object."""
    objects, anchors = iou.shape
    assigned = [-2] * anchors
    for anchor in range(anchors):
        best = int(iou[:, anchor].argmax())
        if iou[best, anchor] < low:
            assigned[anchor] = -1
        if iou[best, anchor] >= high:
            assigned[anchor] = best
    for one in range(objects):
        if iou[one].max() >= least:
            for anchor in range(anchors):
                if iou[one, anchor] == iou[one].max():
                    assigned[anchor] = one
    return assigned


@given(st.integers(1, 5), st.integers(1, 30), st.integers(0, 2**31))
def test_low_quality_matches_are_mmdetections(objects: int, anchors: int, seed: int) -> None:
    iou = np.random.default_rng(seed).integers(0, 11, (objects, anchors)) / 10  # with many ties
    found = LowQualityMatcher(0.7, 0.3, 0.3)(torch.from_numpy(iou))
    assert found.tolist() == slow_matches(iou, 0.7, 0.3, 0.3)


def faster_rcnn(**options: Any) -> FasterRCNN:
    torch.manual_seed(0)
    return FasterRCNN(3, depth=18, width=16, channels=16, hidden=32, norm="group", **options)


def retinanet(**options: Any) -> RetinaNet:
    torch.manual_seed(0)
    return RetinaNet(3, depth=18, width=16, channels=16, tower=1, norm="group", **options)


def losses(network: nn.Module, images: Tensor, targets: list[dict[str, Tensor]]) -> dict[str, float]:
    torch.manual_seed(1)  # samples are drawn
    return {name: loss.item() for name, loss in network(images, None, targets).items()}


def test_boxes_are_learned_by_l1(large_batch: Batches, monkeypatch: pytest.MonkeyPatch) -> None:
    images, targets = large_batch(192)
    ours, smooth = faster_rcnn(box_loss="l1"), faster_rcnn()
    found, before = losses(ours, images, targets), losses(smooth, images, targets)
    for module in (rpn, roi_heads):
        assert module.F.smooth_l1_loss is torch.nn.functional.smooth_l1_loss
    monkeypatch.setattr(
        "torch.nn.functional.smooth_l1_loss", lambda x, y, beta, reduction: l1_loss(x, y, reduction=reduction)
    )
    expected = losses(smooth, images, targets)
    assert found == pytest.approx(expected, rel=1e-6)
    assert found["box"] != pytest.approx(before["box"], rel=1e-3)
    assert found["proposal_box"] != pytest.approx(before["proposal_box"], rel=1e-3)
    monkeypatch.undo()
    with torch.no_grad():
        one, other = ours.eval()(images), smooth.eval()(images)
    assert all(torch.equal(a["scores"], b["scores"]) for a, b in zip(one, other, strict=True))


def test_proposals_read_an_aligned_grid_of_the_level_of_their_size() -> None:
    pool = faster_rcnn(aligned=True).roi_heads.box_roi_pool
    features = {str(i): torch.randn(2, 4, 256 >> (i + 2), 256 >> (i + 2)) for i in range(4)}
    corners = 200 * torch.rand(40, 2)
    boxes = torch.cat([corners, corners + 4 + torch.linspace(0, 600, 40)[:, None]], dim=1)
    found = pool(features, [boxes[:25], boxes[25:]], [(256, 256)] * 2)
    levels = set()
    for place, box in enumerate(boxes):
        side = math.sqrt(float((box[2] - box[0]) * (box[3] - box[1])))
        level = min(max(math.floor(math.log2(side / 56 + 1e-6)), 0), 3)  # mmdetection's finest scale is 56
        levels.add(level)
        frame = features[str(level)][int(place >= 25)][None]
        expected = roi_align(frame, [box[None]], 7, 0.25 / 2**level, sampling_ratio=0, aligned=True)
        torch.testing.assert_close(found[place], expected[0])
    assert levels == {0, 1, 2, 3}


def test_an_aligned_grid_is_not_half_a_pixel_off() -> None:
    """The mean of a ramp over a box is its value in the box's middle, where pixel i lies at i + ½."""
    ramp = (torch.arange(64.0) + 0.5).expand(1, 1, 64, 64).contiguous()
    box = torch.tensor([[16.0, 32, 128, 96]])
    means = {}
    for aligned in (False, True):
        pool = faster_rcnn(coarsest=2, anchor_scale=2.0, aligned=aligned).roi_heads.box_roi_pool
        means[aligned] = pool({"0": ramp}, [box], [(256, 256)]).mean().item()
    assert means[True] == pytest.approx(72 / 4, abs=1e-4)
    assert means[False] == pytest.approx(72 / 4 + 0.5, abs=1e-4)


def test_fewer_proposals_are_kept_than_looked_at(large_batch: Batches) -> None:
    network = faster_rcnn(proposals_train=200, proposals_kept=30)
    images, _ = large_batch(192)
    assert network.rpn.pre_nms_top_n() == 200
    features = network.backbone(images)
    network.rpn.eval()  # without targets; the counts are those of training
    network.rpn._post_nms_top_n["testing"] = network.rpn._post_nms_top_n["training"]
    proposals, _ = network.rpn(ImageList(images, [(128, 192)] * 2), features)
    assert [len(own) for own in proposals] == [30, 30]
    assert faster_rcnn(proposals_train=200).rpn.post_nms_top_n() == 200


def test_losses_over_the_batch_weigh_every_positive_alike(large_batch: Batches) -> None:
    images, targets = large_batch(192)
    targets[1] = {"boxes": torch.tensor([[20.0, 20, 50, 50]]), "labels": torch.tensor([1])}
    network, frames = retinanet(loss_average="batch"), retinanet()
    found = losses(network, images, targets)
    each = [losses(frames, image[None], [target]) for image, target in zip(images, targets, strict=True)]
    features = list(frames.backbone(images[:1]).values())
    anchors = frames.anchors(ImageList(images, [(128, 192)]), features)[0]
    counts = [int((frames.matcher(box_iou(target["boxes"], anchors)) >= 0).sum()) for target in targets]
    assert counts[0] != counts[1]
    for name, loss in found.items():
        total = sum(count * own[name] for count, own in zip(counts, each, strict=True))
        assert loss == pytest.approx(total / sum(counts), rel=1e-5)


def test_a_frame_without_objects_counts_as_one_positive(large_batch: Batches) -> None:
    images, targets = large_batch(192)
    empty = [targets[1]] * 2
    assert losses(retinanet(loss_average="batch"), images, empty) == pytest.approx(
        losses(retinanet(), images, empty), rel=1e-6
    )


@pytest.mark.parametrize("channels", [16, 128])  # 128: as many as the ResNet's last stage has
def test_levels_beyond_the_resnets_are_made_from_its_last_stage(channels: int) -> None:
    network = RetinaNet(3, depth=18, width=16, channels=channels, tower=1, norm="group", extra_from="C5")
    block = network.backbone.fpn.extra_blocks
    assert isinstance(block, LastLevelP6P7)
    assert block.p6.in_channels == 128
    images = torch.randn(1, 3, 128, 128)
    stages = network.backbone.body(images)
    expected = block.p6(list(stages.values())[-1])
    found = network.backbone(images)
    assert list(found) == ["0", "1", "2", "p6", "p7"]
    torch.testing.assert_close(found["p6"], expected)
    torch.testing.assert_close(found["p7"], block.p7(expected.relu()))


@pytest.mark.parametrize("make", [FasterRCNN, RetinaNet, PAA])
@pytest.mark.parametrize(("stages", "parts"), [(-1, ()), (0, ("conv1", "bn1")), (1, ("conv1", "bn1", "layer1"))])
def test_frozen_stages_are_those_of_mmdetection(make: Any, stages: int, parts: tuple[str, ...]) -> None:
    network = make(3, depth=18, width=8, channels=8, norm="group", frozen_stages=stages)
    frozen = {name for name, p in network.named_parameters() if not p.requires_grad}
    expected = {
        name for name, _ in network.named_parameters() if name.startswith(tuple(f"backbone.body.{p}." for p in parts))
    }
    assert frozen == expected
    assert bool(frozen) == bool(parts)


@pytest.mark.filterwarnings("ignore:norm=frozen")
@pytest.mark.parametrize("norm", ["frozen", "group"])
@pytest.mark.parametrize("learned", [False, True], ids=["fixed sensor", "learned sensor"])
def test_frozen_stages_learn_nothing_and_keep_nothing_for_it(norm: Any, learned: bool) -> None:
    """No gradient and no graph, unless the sensor before them learns: its gradient is what it is without freezing."""
    torch.manual_seed(0)
    network = RetinaNet(3, depth=18, width=8, channels=8, tower=1, norm=norm, frozen_stages=1).train()
    images = torch.randn(2, 3, 64, 64, requires_grad=learned)
    needs_graph = {}
    for name in ("layer1", "layer2"):
        part = network.backbone.body.get_submodule(name)
        part.register_forward_hook(lambda _m, _x, y, name=name: needs_graph.update({name: y.requires_grad}))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    target = {"boxes": torch.tensor([[8.0, 8, 40, 40]]), "labels": torch.tensor([1])}
    torch.stack(list(network(images, None, [target] * 2).values())).sum().backward()
    assert needs_graph == {"layer1": learned, "layer2": True}
    for name, p in network.named_parameters():
        first = name.startswith(tuple(f"backbone.body.{part}." for part in ("conv1", "bn1", "layer1")))
        assert (p.grad is None) == first
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())  # statistics, too
    if learned:
        frozen, images.grad = images.grad, None
        network.requires_grad_(True)
        torch.stack(list(network(images, None, [target] * 2).values())).sum().backward()
        torch.testing.assert_close(images.grad, frozen)


def test_what_cannot_be_is_refused() -> None:
    small: dict[str, Any] = {"depth": 18, "width": 8, "channels": 8}
    for stages in (-2, 5):
        with refused(ValueError, f"frozen_stages={stages}", -1, 4):
            RetinaNet(3, **small, norm="group", frozen_stages=stages)
    with refused(ValueError, "frozen_stages=1", "norm=frozen", "group"):
        RetinaNet(3, **small, norm="batch", frozen_stages=1)
    with refused(ValueError, "extra_from='C4'", "P5", "C5"):
        RetinaNet(3, **small, norm="group", extra_from="C4")  # type: ignore[arg-type]
    with refused(ValueError, "loss_average='epoch'", "frame", "batch"):
        RetinaNet(3, **small, norm="group", loss_average="epoch")  # type: ignore[arg-type]
    with refused(ValueError, "box_loss='l2'", "smooth_l1", "l1"):
        FasterRCNN(3, **small, norm="group", box_loss="l2")  # type: ignore[arg-type]
    with refused(ValueError, "low_quality_iou=0.8", 0, 0.7):
        FasterRCNN(3, **small, norm="group", low_quality_iou=0.8)


@pytest.mark.parametrize(
    ("detector", "changed"),
    [
        ("faster_rcnn", {"proposals_kept": 1000, "box_loss": "l1", "low_quality_iou": 0.3, "aligned": True}),
        ("retinanet", {"extra_from": "C5", "loss_average": "batch", "frozen_stages": 1}),
        ("paa", {"frozen_stages": 1}),
    ],
)
def test_the_experiments_change_what_they_say(
    detector: str, changed: dict[str, Any], composed: Callable[..., DictConfig]
) -> None:
    ours, theirs = (composed(f"experiment=pascal_raw_{detector}{end}") for end in ("", "_mmdet"))
    assert {key: value for key, value in theirs.model.items() if value != ours.model[key]} == changed
    assert {key: value for key, value in theirs.task.items() if value != ours.task[key]} == {"floor_green": "code"}
    for group in ("data", "trainer", "quant"):
        assert theirs[group] == ours[group]
