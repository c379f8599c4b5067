"""RetinaNet (Lin et al., ICCV 2017), of torchvision's parts.

Open it to see how its anchors are matched and its boxes picked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torchvision.models.detection._utils import BoxCoder, Matcher
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.retinanet import RetinaNetHead
from torchvision.ops import box_iou

from qsense.models.detector import Anchors, PyramidDetector, Sizes, clipped, inside, suppressed, top_per_level
from qsense.models.fpn import group_norm
from qsense.models.weights import load_weights


class RetinaNet(PyramidDetector):
    """A class and a box for every anchor of a pyramid, learned with the focal loss (see `Detector.forward`).

    Anchors are `anchor_scale` strides wide, 2^(1/3) and 2^(2/3) times that, in every aspect ratio: 32 … 812 pixels as
    published. Positive from an IoU of 0.5 on (and each object's best ones), negative below 0.4. Losses are
    `classification` (focal, α = 0.25, γ = 2) and `box` (L1 on the encoded box), divided by the number of positives.

    Args:
        object_classes: classes K.
        tower: convolutions before each of the two results; norm="group" puts group norm between them, which have no
            norm otherwise.
        anchor_scale: width of the smallest square anchor of a level, in strides.
        aspect_ratios: heights of anchors over their widths.
        candidates: detections per level that suppression looks at.
        loss_average: "frame": each frame's losses are divided by its positives, and averaged (torchvision); "batch":
            those of all frames are divided by all positives, at least one a frame (mmdetection).
        extra_from: what levels 6 and 7 are made of: "P5", the pyramid's level 5 (torchvision), or "C5", the ResNet's
            last stage (mmdetection).
        shared: see `PyramidDetector`.

    >>> sum(p.numel() for p in RetinaNet(object_classes=3, norm="batch").parameters())
    32242559
    """

    def __init__(
        self,
        object_classes: int,
        tower: int = 4,
        anchor_scale: float = 4.0,
        aspect_ratios: Sequence[float] = (0.5, 1.0, 2.0),
        candidates: int = 1000,
        loss_average: Literal["frame", "batch"] = "frame",
        extra_from: Literal["P5", "C5"] = "P5",
        **shared: Any,
    ) -> None:
        for name, value, allowed in (
            ("loss_average", loss_average, ("frame", "batch")),
            ("extra_from", extra_from, ("P5", "C5")),
        ):
            if value not in allowed:
                raise ValueError(f"{name}={value!r} must be {' or '.join(allowed)}")
        if not 0 <= tower <= 4:
            raise ValueError(f"tower={tower} must be 0 to 4 convolutions")
        super().__init__(**shared)
        self.candidates = candidates
        self.loss_average = loss_average
        if extra_from == "C5":
            self.backbone.extend_from_body()
        strides = self.backbone.strides
        # Whole pixels, as published: 32, 40, 50; 64, …
        octave = [[int(anchor_scale * stride * 2 ** (third / 3)) for third in range(3)] for stride in strides]
        self.anchors = Anchors(strides, [tuple(sizes) for sizes in octave], aspect_ratios)
        self.shapes = 3 * len(aspect_ratios)
        norm_layer = group_norm if self.norm == "group" else None
        self.head = RetinaNetHead(self.backbone.out_channels, self.shapes, object_classes, norm_layer=norm_layer)
        for part in (self.head.classification_head, self.head.regression_head):
            part.conv = part.conv[:tower]
        self.matcher = Matcher(0.5, 0.4, allow_low_quality_matches=True)
        self.coder = BoxCoder((1.0, 1.0, 1.0, 1.0))
        load_weights(self, self.weights)

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
        if self.loss_average == "frame":
            losses = self.head.compute_loss(targets, outputs, [anchors] * len(targets), matches)
        else:
            losses = self._batch_losses(targets, outputs, anchors, matches)
        return {"classification": losses["classification"], "box": losses["bbox_regression"]}

    def _batch_losses(
        self, targets: list[dict[str, Tensor]], outputs: dict[str, Tensor], anchors: Tensor, matches: list[Tensor]
    ) -> dict[str, Tensor]:
        """The losses of all frames together: torchvision's of each frame, weighted by its positives."""
        counts = torch.stack([(own >= 0).sum().clamp_min(1) for own in matches])
        shares = counts / counts.sum()
        totals: dict[str, Tensor] = {}
        for frame, share in enumerate(shares):
            own = {name: value[frame : frame + 1] for name, value in outputs.items()}
            losses = self.head.compute_loss(targets[frame : frame + 1], own, [anchors], matches[frame : frame + 1])
            for name, loss in losses.items():
                totals[name] = totals.get(name, 0) + share * loss
        return totals

    def predict(self, images: Tensor, sizes: Sizes) -> list[dict[str, Tensor]]:
        outputs, anchors, counts = self._outputs(images, sizes)
        scores = outputs["cls_logits"].sigmoid() * inside(anchors, sizes)[..., None]
        detections = []
        for frame_scores, codes, size in zip(scores, outputs["bbox_regression"], sizes, strict=True):
            chosen, labels, values = top_per_level(frame_scores, counts, self.score_threshold, self.candidates)
            boxes, nonempty = clipped(self.coder.decode_single(codes[chosen], anchors[chosen]), size)
            boxes, labels, values = boxes[nonempty], labels[nonempty], values[nonempty]
            best = suppressed(boxes, values, labels, self.nms_iou, self.max_detections)
            detections.append({"boxes": boxes[best], "scores": values[best], "labels": labels[best]})
        return detections
