"""What holds for every detector."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.refusal import refused, warned
from torch import Tensor
from torchvision.ops import box_iou

from qsense.models.detector import Detector
from qsense.quant.network.freeze import freeze, load_frozen
from qsense.quant.network.quantizer import NetworkQuantizer

Make = Callable[..., Detector]
Scenes = Callable[..., tuple[Tensor, list[dict[str, Tensor]]]]
FAT = partial(NetworkQuantizer, transform="fat")
NOTHING = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
LAST = {
    "FasterRCNN": ["rpn.head.cls_logits", "rpn.head.bbox_pred", "roi_heads.box_predictor.*"],
    "RetinaNet": ["head.*.cls_logits", "head.*.bbox_reg"],
    "PAA": ["head.classes", "head.boxes", "head.iou"],
    "FCOS": ["head.*.cls_logits", "head.*.bbox_reg", "head.*.bbox_ctrness"],
}


def losses(network: Detector, *arguments: Any) -> dict[str, Tensor]:
    found = network.train()(*arguments)
    assert isinstance(found, dict)
    return found


@torch.no_grad()
def predictions(network: Detector, *arguments: Any) -> list[dict[str, Tensor]]:
    found = network.eval()(*arguments)
    assert isinstance(found, list)
    return found


def same(first: list[dict[str, Tensor]], second: list[dict[str, Tensor]]) -> bool:
    return all(torch.equal(a[key], b[key]) for a, b in zip(first, second, strict=True) for key in a)


def check(found: list[dict[str, Tensor]], sizes: list[tuple[int, int]]) -> None:
    for one, (height, width) in zip(found, sizes, strict=True):
        count = len(one["scores"])
        assert set(one) == {"boxes", "scores", "labels"}
        assert one["boxes"].shape == (count, 4)
        assert one["boxes"].dtype == one["scores"].dtype == torch.float32
        assert one["labels"].shape == (count,)
        assert one["labels"].dtype == torch.int64
        assert (one["boxes"] >= 0).all()
        assert (one["boxes"] <= torch.tensor([width, height, width, height])).all()
        assert (one["boxes"][:, :2] < one["boxes"][:, 2:]).all()
        assert ((one["labels"] >= 0) & (one["labels"] < 3)).all()
        assert ((one["scores"] > 0) & (one["scores"] <= 1)).all()
        assert (one["scores"].diff() <= 0).all()


def test_losses_are_finite_and_reach_every_parameter(make: Make, scene: Scenes) -> None:
    network = make()
    found = losses(network, *scene()[:1], None, scene()[1])
    assert all(loss.shape == () and loss.dtype == torch.float32 and loss.isfinite() for loss in found.values())
    sum(found.values()).backward()  # type: ignore[union-attr]
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []


def test_predictions_lie_within_their_frames(make: Make) -> None:
    network = make(score_threshold=0.0)
    sizes = [(64, 96), (40, 50), (33, 96)]
    found = predictions(network, torch.randn(3, 3, 64, 96), sizes)
    check(found, sizes)
    assert all(0 < len(one["scores"]) <= 100 for one in found)
    check(predictions(network, torch.randn(2, 3, 64, 64)), [(64, 64)] * 2)


def test_predictions_may_be_none(make: Make) -> None:
    found = predictions(make(score_threshold=0.99), torch.randn(2, 3, 64, 64))
    check(found, [(64, 64)] * 2)
    assert [len(one["scores"]) for one in found] == [0, 0]


def test_frames_without_objects_are_learned_from(make: Make, scene: Scenes) -> None:
    images, targets = scene(2)
    for given in ([targets[0], NOTHING], [NOTHING, targets[1]], [NOTHING, NOTHING]):
        network = make()
        found = losses(network, images, None, given)
        assert all(loss.isfinite() for loss in found.values())
        sum(found.values()).backward()  # type: ignore[union-attr]
        assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())
    assert found["box"] == 0


def test_targets_are_needed_in_training_alone(make: Make) -> None:
    network = make()
    with refused(ValueError, type(network).__name__, "eval()"):
        network.train()(torch.randn(1, 3, 64, 64))
    predictions(network, torch.randn(1, 3, 64, 64))


def test_bfloat16_autocast_leaves_losses_and_boxes_in_float32(make: Make, scene: Scenes) -> None:
    images, targets = scene()
    network = make(score_threshold=0.0)
    plain = losses(network, images, None, targets)
    with torch.autocast("cpu", torch.bfloat16):
        torch.manual_seed(0)
        found = losses(network, images, None, targets)
        check(predictions(network, images), [(64, 64)] * len(images))
    assert all(loss.dtype == torch.float32 for loss in found.values())
    for name, loss in found.items():
        assert loss.item() == pytest.approx(plain[name].item(), rel=0.2), name


def test_nan_predicts_nothing_and_shows_in_the_losses(make: Make, scene: Scenes) -> None:
    images, targets = scene(2)
    network = make(score_threshold=0.0)
    assert [len(one["scores"]) for one in predictions(network, images * torch.nan)] == [0, 0]
    assert all(loss.isnan() for loss in losses(network, images * torch.nan, None, targets).values())


def test_copies_and_state_dicts_predict_the_same(make: Make, scene: Scenes, tmp_path: Path) -> None:
    images, targets = scene(2)
    network = make(score_threshold=0.0)
    sum(losses(network, images, None, targets).values()).backward()  # type: ignore[union-attr]
    torch.optim.SGD(network.parameters(), lr=0.01).step()
    expected = predictions(network, images)
    assert same(predictions(copy.deepcopy(network), images), expected)
    torch.save({"state_dict": {f"network.{k}": v for k, v in network.state_dict().items()}}, tmp_path / "w.pt")
    assert not same(predictions(make(score_threshold=0.0), images), expected)
    assert same(predictions(make(score_threshold=0.0, weights=str(tmp_path / "w.pt")), images), expected)
    with refused(ValueError, tmp_path / "w.pt"):
        make(norm="batch", weights=str(tmp_path / "w.pt"))


def test_only_frozen_statistics_of_nothing_are_warned_of(make: Make) -> None:
    with warned(UserWarning, "norm=frozen", "pretrained", "weights", "norm=group"):
        make(norm="frozen")


def test_given_weights_make_pretrained_ones_superfluous(make: Make, tmp_path: Path) -> None:
    torch.save(make().state_dict(), tmp_path / "w.pt")
    make(weights=str(tmp_path / "w.pt"), pretrained="nowhere.pth")
    with refused(FileNotFoundError, "pretrained=nowhere.pth"):
        make(pretrained="nowhere.pth")


@pytest.mark.parametrize("norm", ["group", "batch"])
def test_fat_trains_and_freezes_bit_identically(make: Make, scene: Scenes, norm: str) -> None:
    images, targets = scene(2)
    network = make(norm=norm, score_threshold=0.0)
    quantizer = FAT(bits=4, first=["backbone.body.conv1"], last=LAST[type(network).__name__])
    quantizer.apply(network)
    roles = {layer.name: layer.role for layer in quantizer.layers(network)}
    assert roles["backbone.body.conv1"] == "end"
    assert (
        sum(role == "end" for role in roles.values())
        == 1 + {"FasterRCNN": 4, "RetinaNet": 2, "PAA": 3, "FCOS": 3}[type(network).__name__]
    )
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    for _ in range(2):
        optimizer.zero_grad()
        sum(losses(network, images, None, targets).values()).backward()  # type: ignore[union-attr]
        learned = [p.grad for p in network.parameters() if p.requires_grad]
        assert all(grad is not None and grad.isfinite().all() for grad in learned)
        optimizer.step()
    before = predictions(network, images)
    check(before, [(64, 64)] * 2)
    assert all(len(one["scores"]) for one in before)
    state = freeze(network)
    assert same(predictions(network, images), before)
    fresh = make(norm=norm, score_threshold=0.0).eval()
    load_frozen(fresh, state)
    assert same(predictions(fresh, images), before)


def test_fat_calibrates_without_training(make: Make, scene: Scenes) -> None:
    network = make()
    quantizer = FAT(bits=4)
    quantizer.apply(network)
    quantizer.calibrate(network, scene(2)[0])
    check(predictions(network, scene(2)[0]), [(64, 64)] * 2)


def found_share(found: list[dict[str, Tensor]], targets: list[dict[str, Tensor]], iou: float) -> tuple[float, int]:
    """Share of objects that a confident box of their class covers, and confident boxes that cover none."""
    hits, objects, false = 0, 0, 0
    for one, target in zip(found, targets, strict=True):
        sure = one["scores"] > 0.5
        covers = box_iou(one["boxes"][sure], target["boxes"]) >= iou
        covers &= one["labels"][sure][:, None] == target["labels"]
        hits += int(covers.any(dim=0).sum())
        objects += len(target["labels"])
        false += int((~covers.any(dim=1)).sum())
    return hits / objects, false


@pytest.mark.slow
def test_a_few_scenes_are_learned_by_heart_with_and_without_padding(make: Make, scene: Scenes) -> None:
    images, targets = scene()
    sizes = [(64, 64)] * len(images)
    padded = torch.zeros(len(images), 3, 64, 96)
    padded[..., :64] = images
    network = make()
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=150)
    history = []
    for step in range(150):
        optimizer.zero_grad()
        parts = losses(network, padded if step % 2 else images, sizes, targets)
        torch.stack(list(parts.values())).sum().backward()
        optimizer.step()
        schedule.step()
        # FCOS's centre-ness is a cross-entropy with goals between 0 and 1: it ends at their entropy, not at 0.
        history.append(sum(loss.item() for name, loss in parts.items() if name != "centerness"))
    assert history[-1] < 0.2 * history[0]
    for x in (images, padded):
        found = predictions(network, x, sizes)
        check(found, sizes)
        share, false = found_share(found, targets, 0.75)
        assert share >= 0.9
        assert false <= 1


def test_padding_changes_no_prediction_far_from_it(make: Make) -> None:
    """With batch norm in evaluation mode, features far from the right and lower edge do not know of the padding."""
    network = make(norm="batch").eval()
    for head in network.modules():
        if isinstance(head, torch.nn.GroupNorm):  # PAA's and FCOS's towers: their statistics span the padding
            head.forward = lambda input: input  # type: ignore[method-assign]
    image = torch.randn(1, 3, 448, 448)
    padded = torch.zeros(1, 3, 512, 640)
    padded[:, :, :448, :448] = image
    features = [network.backbone(x) for x in (image, padded)]  # type: ignore[operator]
    for name, feature in features[0].items():
        height, width = (max(1, side // 4) for side in feature.shape[-2:])
        part, other = feature[..., :height, :width], features[1][name][..., :height, :width]
        assert torch.allclose(part, other, atol=1e-4 * part.abs().max().item()), name
