"""PAA, probabilistic anchor assignment (Kim and Lee, ECCV 2020): a detector that learns which anchors are positive.

Open it to see its losses and how a detection gets its score and box.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot
from torchvision.models.detection._utils import BoxCoder, Matcher
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import box_iou, generalized_box_iou_loss, sigmoid_focal_loss

from qsense.models.detector import Anchors, PyramidDetector, Sizes, clipped, inside, suppressed, top_per_level
from qsense.models.fpn import group_norm
from qsense.models.paa_assignment import assign
from qsense.models.weights import load_weights

BOX_WEIGHT = 1.3  # λ of the box loss, in the assignment as in training
IOU_WEIGHT = 0.5
CANDIDATE_IOU = 0.1  # what an anchor and an object must share to belong together
CANDIDATES = 9  # per object and level
SPREAD = 0.025  # of score voting
VOTING_IOU = 0.01  # boxes that share no more than this have no vote


class Outputs(NamedTuple):
    """What the head says about all anchors of a batch, float32."""

    logits: Tensor  # [B, N, K]
    codes: Tensor  # [B, N, 4], encoded boxes
    ious: Tensor  # [B, N], logits


class PAA(PyramidDetector):
    """One square anchor per place; those that learn an object best become its positives (see `Detector.forward`).

    Two towers end in class logits c, and in a box and a logit o of its IoU with the object. While training, an
    anchor's loss for the object it overlaps most, `focal + 1.3 (1 − GIoU)`, decides whether it is positive
    (`paa_assignment.assign`, without gradient); all others are negative. With N₊ positives in a batch of B frames and
    u the IoU of a positive's box (without gradient), the losses are

        classification = Σ focal(c; α = 0.25, γ = 2) / max(N₊, B)
        box            = 1.3 Σ u (1 − GIoU) / Σ u
        iou            = 0.5 Σ BCE(o, u) / N₊

    Detections score √(σ(c) σ(o)); after suppression each box becomes the mean of its class's boxes, weighted by score
    and nearness (`voted`). Boxes are encoded with torchvision's weights (10, 10, 5, 5).

    Args:
        object_classes: classes K.
        tower: convolutions of each tower, with group norm and ReLU.
        anchor_scale: width of an anchor, in strides: 64 … 1024 pixels as published.
        candidates: detections per level that suppression looks at.
        nms_iou: overlap above which the worse of two detections of a class is dropped.
        shared: see `PyramidDetector`.

    >>> sum(p.numel() for p in PAA(object_classes=3, norm="batch").parameters())
    32119885
    """

    def __init__(
        self,
        object_classes: int,
        tower: int = 4,
        anchor_scale: float = 8.0,
        candidates: int = 1000,
        nms_iou: float = 0.6,
        **shared: Any,
    ) -> None:
        if tower < 0:
            raise ValueError(f"tower={tower} must be 0 or more convolutions")
        super().__init__(nms_iou=nms_iou, **shared)
        self.candidates = candidates
        strides = self.backbone.strides
        self.anchors = Anchors(strides, [(anchor_scale * stride,) for stride in strides])
        self.head = PAAHead(object_classes, self.backbone.out_channels, tower, len(strides))
        self.matcher = Matcher(CANDIDATE_IOU, CANDIDATE_IOU, allow_low_quality_matches=True)
        self.coder = BoxCoder((10.0, 10.0, 5.0, 5.0))
        load_weights(self, self.weights)

    def _outputs(self, images: Tensor, sizes: Sizes) -> tuple[Outputs, Tensor, list[int]]:
        """The head's outputs, the anchors [N, 4], and how many of them each level has."""
        features = list(self.backbone(images).values())
        counts = [feature.shape[-2] * feature.shape[-1] for feature in features]
        return self.head(features), self.anchors(ImageList(images, sizes), features)[0], counts

    def losses(self, images: Tensor, sizes: Sizes, targets: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        outputs, anchors, counts = self._outputs(images, sizes)
        boxes = torch.cat([target["boxes"] for target in targets])
        labels = torch.cat([target["labels"] for target in targets])
        frames, places, objects = self.positives(outputs, anchors, counts, sizes, targets)
        goal = torch.zeros_like(outputs.logits)
        goal[frames, places, labels[objects]] = 1.0
        decoded = self.coder.decode_single(outputs.codes[frames, places], anchors[places])
        u = paired_iou(decoded.detach(), boxes[objects])
        box = generalized_box_iou_loss(decoded, boxes[objects])
        iou = binary_cross_entropy_with_logits(outputs.ious[frames, places], u, reduction="sum")
        count = len(places)
        return {
            "classification": sigmoid_focal_loss(outputs.logits, goal, 0.25, 2, "sum") / max(count, len(images)),
            "box": BOX_WEIGHT * (u * box).sum() / u.sum().clamp_min(1e-6),
            "iou": IOU_WEIGHT * iou / max(count, 1),
        }

    @torch.no_grad()
    def positives(
        self, outputs: Outputs, anchors: Tensor, counts: list[int], sizes: Sizes, targets: list[dict[str, Tensor]]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Frames, anchors and objects (numbered through the batch) of all positives, [N₊] each."""
        matches = self._matches(anchors, sizes, targets)
        frames, places = torch.nonzero(matches >= 0, as_tuple=True)
        objects = matches[frames, places]
        boxes = torch.cat([target["boxes"] for target in targets])
        labels = torch.cat([target["labels"] for target in targets])
        goal = one_hot(labels[objects], outputs.logits.shape[-1]).to(outputs.logits.dtype)
        losses = sigmoid_focal_loss(outputs.logits[frames, places], goal, 0.25, 2).sum(dim=1)
        decoded = self.coder.decode_single(outputs.codes[frames, places], anchors[places])
        losses = losses + BOX_WEIGHT * generalized_box_iou_loss(decoded, boxes[objects])
        numbers = torch.arange(len(counts), device=anchors.device)
        levels = numbers.repeat_interleave(torch.tensor(counts, device=anchors.device))[places]
        chosen = assign(objects, levels, losses, len(boxes), CANDIDATES)
        return frames[chosen], places[chosen], objects[chosen]

    def _matches(self, anchors: Tensor, sizes: Sizes, targets: list[dict[str, Tensor]]) -> Tensor:
        """The object (numbered through the batch) that each anchor overlaps most, or −1: int64 [B, N].

        It takes an IoU of 0.1, or no anchor that overlaps the object more; anchors in the padding have none.
        """
        matches = torch.full((len(targets), len(anchors)), -1, device=anchors.device)
        before = 0
        for own, target in zip(matches, targets, strict=True):
            if len(target["boxes"]):
                found = self.matcher(box_iou(target["boxes"], anchors))
                own.copy_(torch.where(found >= 0, found + before, -1))
                before += len(target["boxes"])
        return torch.where(inside(anchors, sizes), matches, -1)

    def predict(self, images: Tensor, sizes: Sizes) -> list[dict[str, Tensor]]:
        outputs, anchors, counts = self._outputs(images, sizes)
        scores = (outputs.logits.sigmoid() * outputs.ious.sigmoid()[..., None]).sqrt()
        scores = scores * inside(anchors, sizes)[..., None]
        detections = []
        for frame_scores, codes, size in zip(scores, outputs.codes, sizes, strict=True):
            chosen, labels, values = top_per_level(frame_scores, counts, self.score_threshold, self.candidates)
            boxes, nonempty = clipped(self.coder.decode_single(codes[chosen], anchors[chosen]), size)
            boxes, labels, values = boxes[nonempty], labels[nonempty], values[nonempty]
            best = suppressed(boxes, values, labels, self.nms_iou, self.max_detections)
            # Rounding may carry a mean beyond the edge that its boxes share.
            boxes, _ = clipped(voted(best, boxes, values, labels), size)
            detections.append({"boxes": boxes, "scores": values[best], "labels": labels[best]})
        return detections


class PAAHead(nn.Module):
    """Two towers of 3 × 3 convolutions with group norm, shared by all levels; the box is scaled level by level.

    Args:
        object_classes: classes K.
        channels: of the pyramid and the towers.
        tower: convolutions of each tower.
        levels: of the pyramid.
    """

    def __init__(self, object_classes: int, channels: int, tower: int, levels: int) -> None:
        super().__init__()
        self.object_classes = object_classes
        self.class_tower = _tower(channels, tower)
        self.box_tower = _tower(channels, tower)
        self.classes = nn.Conv2d(channels, object_classes, 3, padding=1)
        self.boxes = nn.Conv2d(channels, 4, 3, padding=1)
        self.iou = nn.Conv2d(channels, 1, 3, padding=1)
        self.scales = nn.Parameter(torch.ones(levels))
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.bias is not None:
                nn.init.normal_(module.weight, std=0.01)
                nn.init.zeros_(module.bias)
        assert self.classes.bias is not None
        nn.init.constant_(self.classes.bias, -math.log(99))  # everything is an object with probability 0.01

    def forward(self, features: list[Tensor]) -> Outputs:
        levels = []
        for feature, scale in zip(features, self.scales, strict=True):
            box = self.box_tower(feature)
            parts = (self.classes(self.class_tower(feature)), self.boxes(box), self.iou(box))
            logits, codes, ious = (part.float().flatten(2).transpose(1, 2) for part in parts)  # [B, places, …]
            levels.append((logits, codes * scale, ious[..., 0]))
        return Outputs(*(torch.cat(level, dim=1) for level in zip(*levels, strict=True)))


def _tower(channels: int, count: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(count):
        layers += [nn.Conv2d(channels, channels, 3, padding=1), group_norm(channels), nn.ReLU()]
    return nn.Sequential(*layers)


def paired_iou(first: Tensor, second: Tensor) -> Tensor:
    """IoU of each box with its partner: [n, 4], [n, 4] → [n].

    >>> paired_iou(torch.tensor([[0.0, 0, 2, 2]]), torch.tensor([[1.0, 0, 3, 2]]))
    tensor([0.3333])
    """
    size = (torch.minimum(first[:, 2:], second[:, 2:]) - torch.maximum(first[:, :2], second[:, :2])).clamp_min(0)
    shared = size.prod(dim=1)
    total = (first[:, 2:] - first[:, :2]).prod(dim=1) + (second[:, 2:] - second[:, :2]).prod(dim=1) - shared
    return shared / total.clamp_min(1e-7)


def voted(best: Tensor, boxes: Tensor, scores: Tensor, labels: Tensor) -> Tensor:
    """Score voting: each chosen box becomes Σ p b / Σ p over the boxes b of its class that it overlaps.

    p = s · exp(−(1 − IoU)² / 0.025), where IoU > 0.01 (Kim and Lee, section 3.4).

    Args:
        best: indices of the chosen boxes, [m].
        boxes: all boxes before suppression, [n, 4].
        scores: of all, [n].
        labels: of all, [n].

    Returns:
        [m, 4].
    """
    iou = box_iou(boxes[best], boxes)
    allowed = (labels[best][:, None] == labels) & (iou > VOTING_IOU)
    p = torch.where(allowed, scores * torch.exp(-(1 - iou).square() / SPREAD), 0.0)
    # Not a matrix product: under autocast that would round to bfloat16.
    return (p[..., None] * boxes).sum(dim=1) / p.sum(dim=1, keepdim=True)
