"""PAA: its losses, its voting and its matches against plain formulas."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest
import torch
from tests.refusal import refused
from torch import Tensor, nn
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import box_iou

from qsense.models.paa import PAA, Outputs, paired_iou, voted

Small = partial(PAA, 3, depth=18, width=8, channels=16, tower=1, finest=2, coarsest=4, anchor_scale=2.0, norm="group")


def giou(a: list[float], b: list[float]) -> tuple[float, float]:
    """IoU and generalised IoU of two boxes, written out."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    hull = (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))
    return shared / union, shared / union - (hull - union) / hull


def focal(logit: float, positive: bool) -> float:
    p = 1 / (1 + math.exp(-logit))
    return -0.25 * (1 - p) ** 2 * math.log(p) if positive else -0.75 * p**2 * math.log(1 - p)


def decode(anchor: list[float], code: list[float]) -> list[float]:
    width, height = anchor[2] - anchor[0], anchor[3] - anchor[1]
    x = (anchor[0] + anchor[2]) / 2 + code[0] / 10 * width
    y = (anchor[1] + anchor[3]) / 2 + code[1] / 10 * height
    width, height = width * math.exp(code[2] / 5), height * math.exp(code[3] / 5)
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]


class Given(nn.Module):
    """A head that says what it is told."""

    def __init__(self, outputs: Outputs) -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, features: list[Tensor]) -> Outputs:
        return self.outputs


@pytest.fixture
def told() -> tuple[PAA, list[dict[str, Tensor]], Tensor]:
    """A network with a known output for two frames of 32 × 32, targets, and its anchors."""
    torch.manual_seed(0)
    network = Small()
    anchors = network.anchors(
        ImageList(torch.zeros(1, 3, 32, 32), [(32, 32)]), [torch.zeros(1, 1, n, n) for n in (8, 4, 2)]
    )[0]
    count = len(anchors)
    assert count == 64 + 16 + 4
    network.head = Given(Outputs(torch.randn(2, count, 3), 0.5 * torch.randn(2, count, 4), torch.randn(2, count)))  # type: ignore[assignment]
    targets = [
        {"boxes": torch.tensor([[2.0, 3, 13, 12], [14, 10, 31, 30]]), "labels": torch.tensor([2, 0])},
        {"boxes": torch.tensor([[5.0, 5, 12, 14]]), "labels": torch.tensor([1])},
    ]
    return network, targets, anchors


def test_losses_are_the_formulas(told: tuple[PAA, list[dict[str, Tensor]], Tensor]) -> None:
    network, targets, anchors = told
    outputs: Outputs = network.head.outputs  # type: ignore[assignment]
    sizes = [(32, 32)] * 2
    found = network.train()(torch.zeros(2, 3, 32, 32), sizes, targets)
    frames, places, objects = network.positives(outputs, anchors, [64, 16, 4], sizes, targets)
    count = len(places)
    assert count >= 3
    assert set(objects.tolist()) == {0, 1, 2}
    assert frames.tolist() == [0 if number < 2 else 1 for number in objects.tolist()]
    boxes = torch.cat([target["boxes"] for target in targets]).tolist()
    labels = [2, 0, 1]
    goal = {(f, p): labels[o] for f, p, o in zip(frames.tolist(), places.tolist(), objects.tolist(), strict=True)}
    classification = sum(
        focal(outputs.logits[f, p, k].item(), goal.get((f, p)) == k)
        for f in range(2)
        for p in range(len(anchors))
        for k in range(3)
    )
    weight, box, iou = 0.0, 0.0, 0.0
    for f, p, o in zip(frames.tolist(), places.tolist(), objects.tolist(), strict=True):
        u, generalised = giou(decode(anchors[p].tolist(), outputs.codes[f, p].tolist()), boxes[o])
        weight += u
        box += u * (1 - generalised)
        q = 1 / (1 + math.exp(-outputs.ious[f, p].item()))
        iou -= u * math.log(q) + (1 - u) * math.log(1 - q)
    assert found["classification"].item() == pytest.approx(classification / max(count, 2), rel=1e-5)
    assert found["box"].item() == pytest.approx(1.3 * box / weight, rel=1e-5)
    assert found["iou"].item() == pytest.approx(0.5 * iou / count, rel=1e-5)


def test_candidates_are_what_overlaps_most(told: tuple[PAA, list[dict[str, Tensor]], Tensor]) -> None:
    network, targets, anchors = told
    matches = network._matches(anchors, [(32, 32), (32, 32)], targets)
    for frame, (target, offset) in enumerate(zip(targets, (0, 2), strict=True)):
        overlap = box_iou(anchors, target["boxes"])
        for place, row in enumerate(overlap.tolist()):
            best_of_object = any(value == overlap[:, number].max().item() for number, value in enumerate(row))
            expected = offset + row.index(max(row)) if max(row) >= 0.1 or best_of_object else -1
            assert matches[frame, place] == expected
    # 12 × 12 pixels are left: what is centred beyond them has no object.
    matches = network._matches(anchors, [(12, 12), (12, 12)], targets)
    centres = (anchors[:, :2] + anchors[:, 2:]) / 2
    assert (matches[:, (centres >= 12).any(dim=1)] == -1).all()
    assert (matches >= 0).any()


def test_the_assignment_minimises_its_losses(told: tuple[PAA, list[dict[str, Tensor]], Tensor]) -> None:
    """An anchor whose logits and box are right becomes positive; no gradient comes from choosing."""
    network, targets, anchors = told
    outputs: Outputs = network.head.outputs  # type: ignore[assignment]
    matches = network._matches(anchors, [(32, 32)] * 2, targets)
    place = int(torch.nonzero(matches[0] == 1)[0])
    logits, codes = torch.full_like(outputs.logits, -4.0), torch.zeros_like(outputs.codes)
    logits[0, place, 0] = 6.0
    codes[0, place] = network.coder.encode_single(targets[0]["boxes"][1:], anchors[place : place + 1])[0]
    learned = Outputs(logits.requires_grad_(), codes, outputs.ious)
    frames, places, objects = network.positives(learned, anchors, [64, 16, 4], [(32, 32)] * 2, targets)
    own = [p for f, p, o in zip(frames.tolist(), places.tolist(), objects.tolist(), strict=True) if (f, o) == (0, 1)]
    assert own == [place]


def test_scores_are_geometric_means_of_class_and_overlap(told: tuple[PAA, list[dict[str, Tensor]], Tensor]) -> None:
    network, _, _ = told
    outputs: Outputs = network.head.outputs  # type: ignore[assignment]
    outputs.logits.fill_(-20.0)
    outputs.codes.zero_()
    place = 8 * 3 + 2  # centred at (8, 12), 8 pixels wide
    outputs.logits[0, place, 1] = 2.0
    outputs.ious[0, place] = -1.0
    with torch.no_grad():
        first, second = network.eval()(torch.zeros(2, 3, 32, 32))
    score = math.sqrt(1 / (1 + math.exp(-2)) / (1 + math.exp(1)))
    assert first["scores"].tolist() == pytest.approx([score])
    assert first["labels"].tolist() == [1]
    assert first["boxes"].tolist() == [[4, 8, 12, 16]]
    assert len(second["scores"]) == 0


def test_voting_by_hand() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 8], [0, 0, 10, 8], [30, 30, 40, 40]])
    scores, labels = torch.tensor([0.9, 0.6, 0.8, 0.7]), torch.tensor([1, 1, 0, 1])
    found = voted(torch.tensor([0, 3]), boxes, scores, labels)
    p = 0.6 * math.exp(-(0.2**2) / 0.025)
    assert found[0].tolist() == pytest.approx([0, 0, 10, (0.9 * 10 + p * 8) / (0.9 + p)])
    assert found[1].tolist() == [30, 30, 40, 40]
    assert voted(torch.zeros(0, dtype=torch.int64), torch.zeros(0, 4), torch.zeros(0), torch.zeros(0)).shape == (0, 4)


def test_ious_of_pairs() -> None:
    torch.manual_seed(0)
    first, second = (
        torch.cat([c, c + 5 * torch.rand(50, 2)], dim=1) for c in (5 * torch.rand(50, 2), 5 * torch.rand(50, 2))
    )
    assert torch.allclose(paired_iou(first, second), box_iou(first, second).diagonal())
    assert paired_iou(torch.zeros(1, 4), torch.zeros(1, 4)).tolist() == [0]


def test_the_published_head() -> None:
    network = PAA(3, depth=18, norm="batch")
    tower = [nn.Conv2d, nn.GroupNorm, nn.ReLU] * 4
    for part in (network.head.class_tower, network.head.box_tower):
        assert [type(layer) for layer in part] == tower
        assert {layer.num_groups for layer in part if isinstance(layer, nn.GroupNorm)} == {32}
    assert network.head.classes.bias is not None
    assert network.head.classes.bias.tolist() == pytest.approx([-math.log(99)] * 3)
    assert network.head.scales.tolist() == [1.0] * 5
    assert [float(a[0, 2] - a[0, 0]) for a in network.anchors.cell_anchors] == [64, 128, 256, 512, 1024]
    outputs = network.eval().head([torch.zeros(1, 256, n, n) for n in (4, 2, 1, 1, 1)])
    assert (outputs.logits.sigmoid() - 0.01).abs().max() < 1e-6
    ours, theirs = sum(p.numel() for p in network.head.parameters()), 2 * 4 * (256 * 9 * 256 + 256 + 512)
    assert ours == theirs + 256 * 9 * (3 + 4 + 1) + 8 + 5


def test_levels_are_scaled_apart() -> None:
    network = Small()
    with torch.no_grad():
        nn.init.normal_(network.head.boxes.weight)
        features = [torch.randn(1, 16, 4, 4)] * 3
        network.head.scales.copy_(torch.tensor([1.0, 2.0, 0.5]))
        codes = network.head(features).codes.view(3, 16, 4)
    assert torch.allclose(codes[1], 2 * codes[0])
    assert torch.allclose(codes[2], codes[0] / 2)


@pytest.mark.parametrize(("options", "named"), [({"tower": -1}, ("tower=-1", 0))])
def test_mistakes_are_named(options: dict[str, Any], named: tuple[object, ...]) -> None:
    with refused(ValueError, *named):
        PAA(3, **options)
