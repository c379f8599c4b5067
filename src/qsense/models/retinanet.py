"""RetinaNet (Lin et al., ICCV 2017), of torchvision's parts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.models.detection._utils import BoxCoder, Matcher
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.retinanet import RetinaNetHead
from torchvision.ops import box_iou

from qsense.models.detector import Anchors, Detector, Sizes, clipped, inside, suppressed, top_per_level
from qsense.models.fpn import FPN, Norm, group_norm, warn_if_frozen_at_random
from qsense.models.weights import load_weights


class RetinaNet(Detector):
    """A class and a box for every anchor of a pyramid, learned with the focal loss (see `Detector.forward`).

    Anchors are `anchor_scale` strides wide, 2^(1/3) and 2^(2/3) times that, in every aspect ratio: 32 … 812 pixels as
    published. Positive from an IoU of 0.5 on (and each object's best ones), negative below 0.4. Losses per frame are
    divided by its positives: `classification` (focal, α = 0.25, γ = 2) and `box` (L1 on the encoded box).

    Args:
        object_classes: classes K.
        depth: of the ResNet: 18, 34 or 50.
        width: channels of its stem.
        channels: of the pyramid and the towers.
        tower: convolutions before each of the two results.
        finest: the pyramid's first level; level l has a stride of 2^l pixels.
        coarsest: its last level, up to 5, or 7.
        anchor_scale: width of the smallest square anchor of a level, in strides.
        aspect_ratios: heights of anchors over their widths.
        score_threshold: detections at or below it are dropped.
        candidates: detections per level that suppression looks at.
        nms_iou: overlap above which the worse of two detections of a class is dropped.
        max_detections: detections per frame.
        norm: "frozen" statistics of batch norm (of pretrained weights), "batch", or "group" (from scratch; in the
            pyramid and the towers too, which have no norm otherwise).
        pretrained: file or address of a ResNet's ImageNet weights; not read where `weights` are given.
        weights: file or address of weights for the whole network.

    Raises:
        ValueError: an argument that is not allowed, or weights that do not fit.
        FileNotFoundError: there is no such weights file.

    >>> sum(p.numel() for p in RetinaNet(object_classes=3, norm="batch").parameters())
    32242559
    """

    def __init__(
        self,
        object_classes: int,
        depth: int = 50,
        width: int = 64,
        channels: int = 256,
        tower: int = 4,
        finest: int = 3,
        coarsest: int = 7,
        anchor_scale: float = 4.0,
        aspect_ratios: Sequence[float] = (0.5, 1.0, 2.0),
        score_threshold: float = 0.05,
        candidates: int = 1000,
        nms_iou: float = 0.5,
        max_detections: int = 100,
        norm: Norm = "frozen",
        pretrained: str | None = None,
        weights: str | None = None,
    ) -> None:
        super().__init__()
        if not 0 <= tower <= 4:
            raise ValueError(f"tower={tower} must be 0 to 4 convolutions")
        warn_if_frozen_at_random(norm, pretrained, weights)
        self.score_threshold = score_threshold
        self.candidates = candidates
        self.nms_iou = nms_iou
        self.max_detections = max_detections
        self.backbone = FPN(
            depth, width, channels, finest, coarsest, "convolution", norm, pretrained if weights is None else None
        )
        strides = self.backbone.strides
        # Whole pixels, as published: 32, 40, 50; 64, …
        octave = [[int(anchor_scale * stride * 2 ** (third / 3)) for third in range(3)] for stride in strides]
        self.anchors = Anchors(strides, [tuple(sizes) for sizes in octave], aspect_ratios)
        self.shapes = 3 * len(aspect_ratios)
        self.head = RetinaNetHead(
            channels, self.shapes, object_classes, norm_layer=group_norm if norm == "group" else None
        )
        for part in (self.head.classification_head, self.head.regression_head):
            part.conv = part.conv[:tower]
        self.matcher = Matcher(0.5, 0.4, allow_low_quality_matches=True)
        self.coder = BoxCoder((1.0, 1.0, 1.0, 1.0))
        load_weights(self, weights)

    def _outputs(self, images: Tensor, sizes: Sizes) -> tuple[dict[str, Tensor], Tensor, list[int]]:
        """Logits and encoded boxes of all anchors, the anchors [N, 4], and how many each level has."""
        features = list(self.backbone(images).values())
        outputs = {name: value.float() for name, value in self.head(features).items()}
        counts = [feature.shape[-2] * feature.shape[-1] * self.shapes for feature in features]
        return outputs, self.anchors(ImageList(images, sizes), features)[0], counts

    def losses(self, images: Tensor, sizes: Sizes, targets: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        outputs, anchors, _ = self._outputs(images, sizes)
        matches = [
            self.matcher(box_iou(target["boxes"], anchors))
            if len(target["boxes"])
            else torch.full((len(anchors),), Matcher.BELOW_LOW_THRESHOLD, device=anchors.device)
            for target in targets
        ]
        losses = self.head.compute_loss(targets, outputs, [anchors] * len(targets), matches)
        return {"classification": losses["classification"], "box": losses["bbox_regression"]}

    def predict(self, images: Tensor, sizes: Sizes) -> list[dict[str, Tensor]]:
        outputs, anchors, counts = self._outputs(images, sizes)
        scores = outputs["cls_logits"].sigmoid() * inside(anchors, sizes)[..., None]
        found = []
        for own_scores, codes, size in zip(scores, outputs["bbox_regression"], sizes, strict=True):
            chosen, labels, values = top_per_level(own_scores, counts, self.score_threshold, self.candidates)
            boxes, there = clipped(self.coder.decode_single(codes[chosen], anchors[chosen]), size)
            boxes, labels, values = boxes[there], labels[there], values[there]
            best = suppressed(boxes, values, labels, self.nms_iou, self.max_detections)
            found.append({"boxes": boxes[best], "scores": values[best], "labels": labels[best]})
        return found
