"""FCOS (Tian et al., ICCV 2019; TPAMI 2022): a detector without anchors, of torchvision's parts.

Open it to see which places of the pyramid learn an object, and how a detection gets its score.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchvision.models.detection._utils import BoxLinearCoder
from torchvision.models.detection.fcos import FCOSClassificationHead, FCOSHead, FCOSRegressionHead
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import box_area

from qsense.models.detector import Anchors, PyramidDetector, Sizes, clipped, inside, suppressed, top_per_level
from qsense.models.fpn import group_norm
from qsense.models.weights import load_weights


class FCOS(PyramidDetector):
    """A class, four distances to a box's sides, and a centre-ness for every place (see `Detector.forward`).

    Place i of level l lies at i · 2^l pixels. It learns the smallest of the objects that it is responsible for
    (`responsible`), and no object where there is none. Two towers end in class logits c, and in the distances
    (l, t, r, b) and the logit o of the centre-ness

        n = √( min(l, r) / max(l, r) · min(t, b) / max(t, b) ).

    With N₊ places that learn an object, in a batch, the losses are

        classification = Σ focal(c; α = 0.25, γ = 2) / max(N₊, 1)
        box            = Σ (1 − GIoU) / max(N₊, 1)
        centerness     = Σ BCE(o, n) / max(N₊, 1)

    Detections score √(σ(c) σ(o)). Head, losses and names in the state dict are torchvision's, whose weights load:
    `fcos_resnet50_fpn_coco` has 91 classes. For other classes name its file in `init_from`, which leaves the last
    layer of the classes as it is.

    Args:
        object_classes: classes K.
        tower: convolutions of each tower, with group norm and ReLU.
        center_radius: how far from an object's centre, along x and along y, a place may lie to learn it, in strides.
        reach: distance from a place to the farthest side of an object that its level learns, in strides: up to 64
            pixels at stride 8, 64 to 128 at stride 16, … as published; the coarsest level has no upper bound.
        candidates: detections per level that suppression looks at.
        nms_iou: overlap above which the worse of two detections of a class is dropped.
        shared: see `PyramidDetector`.

    >>> sum(p.numel() for p in FCOS(object_classes=91, norm="batch").parameters())
    32322720
    """

    def __init__(
        self,
        object_classes: int,
        tower: int = 4,
        center_radius: float = 1.5,
        reach: float = 8.0,
        candidates: int = 1000,
        nms_iou: float = 0.6,
        **shared: Any,
    ) -> None:
        if tower < 0:
            raise ValueError(f"tower={tower} must be 0 or more convolutions")
        for name, value in (("center_radius", center_radius), ("reach", reach)):
            if not value > 0:
                raise ValueError(f"{name}={value} must be above 0 strides")
        super().__init__(nms_iou=nms_iou, **shared)
        self.center_radius = center_radius
        self.reach = reach
        self.candidates = candidates
        strides, channels = self.backbone.strides, self.backbone.out_channels
        self.anchors = Anchors(strides, [(float(stride),) for stride in strides])  # a place as a square of one stride
        self.head = FCOSHead(channels, 1, object_classes, num_convs=0)
        # torchvision's towers have 32 groups, whatever the channels.
        self.head.classification_head = FCOSClassificationHead(
            channels, 1, object_classes, tower, norm_layer=group_norm
        )
        self.head.regression_head = FCOSRegressionHead(channels, 1, tower, norm_layer=group_norm)
        self.coder = BoxLinearCoder(normalize_by_size=True)
        load_weights(self, self.weights)

    def _outputs(self, images: Tensor, sizes: Sizes) -> tuple[dict[str, Tensor], Tensor, list[int]]:
        """The head's outputs for all places, these as squares [N, 4], and how many of them each level has."""
        features = list(self.backbone(images).values())
        outputs = {name: value.float() for name, value in self.head(features).items()}
        counts = [feature.shape[-2] * feature.shape[-1] for feature in features]
        return outputs, self.anchors(ImageList(images, sizes), features)[0], counts

    def losses(self, images: Tensor, sizes: Sizes, targets: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        outputs, squares, counts = self._outputs(images, sizes)
        matches = [self._matches(squares, counts, target["boxes"]) for target in targets]
        losses = self.head.compute_loss(targets, outputs, [squares] * len(targets), matches)
        return {
            "classification": losses["classification"],
            "box": losses["bbox_regression"],
            "centerness": losses["bbox_ctrness"],
        }

    def _matches(self, squares: Tensor, counts: list[int], boxes: Tensor) -> Tensor:
        """The object that each place learns, or −1: int64 [N]."""
        if not len(boxes):
            return torch.full((len(squares),), -1, device=squares.device)
        strides = squares[:, 2] - squares[:, 0]
        low, high = self.reach / 2 * strides, self.reach * strides
        low[: counts[0]] = 0.0
        high[-counts[-1] :] = torch.inf
        places = (squares[:, :2] + squares[:, 2:]) / 2
        allowed = responsible(places, boxes, self.center_radius * strides, low, high)
        areas, objects = torch.where(allowed, box_area(boxes), torch.inf).min(dim=1)
        return torch.where(areas < torch.inf, objects, -1)

    def predict(self, images: Tensor, sizes: Sizes) -> list[dict[str, Tensor]]:
        outputs, squares, counts = self._outputs(images, sizes)
        scores = (outputs["cls_logits"].sigmoid() * outputs["bbox_ctrness"].sigmoid()).sqrt()
        scores = scores * inside(squares, sizes)[..., None]
        detections = []
        for frame_scores, distances, size in zip(scores, outputs["bbox_regression"], sizes, strict=True):
            chosen, labels, values = top_per_level(frame_scores, counts, self.score_threshold, self.candidates)
            boxes, nonempty = clipped(self.coder.decode(distances[chosen], squares[chosen]), size)
            boxes, labels, values = boxes[nonempty], labels[nonempty], values[nonempty]
            best = suppressed(boxes, values, labels, self.nms_iou, self.max_detections)
            detections.append({"boxes": boxes[best], "scores": values[best], "labels": labels[best]})
        return detections


def responsible(places: Tensor, boxes: Tensor, radius: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Which objects each place may learn: bool [N, M].

    The place lies within the box and near its centre, and the farthest side is as far as its level is for.

    Args:
        places: x and y, [N, 2], in pixels.
        boxes: left, top, right, bottom, [M, 4].
        radius: largest distance from a box's centre along x and along y, exclusive, [N].
        low: smallest distance of the farthest side, exclusive, [N].
        high: largest one, exclusive, [N].

    >>> places = torch.tensor([[8.0, 8.0], [16.0, 8.0]])
    >>> boxes = torch.tensor([[0.0, 0, 20, 16], [0, 0, 200, 16]])
    >>> responsible(places, boxes, torch.tensor(12.0), torch.tensor(0.0), torch.tensor(64.0))
    tensor([[ True, False],
            [ True, False]])
    """
    before, after = places[:, None] - boxes[:, :2], boxes[:, 2:] - places[:, None]  # left and top; right and bottom
    distances = torch.cat([before, after], dim=-1)
    farthest = distances.amax(dim=-1)
    from_centre = ((before - after) / 2).abs().amax(dim=-1)
    within = (distances > 0).all(dim=-1) & (from_centre < radius[..., None])
    return within & (farthest > low[..., None]) & (farthest < high[..., None])
