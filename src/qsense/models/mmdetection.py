"""What mmdetection's detectors do otherwise than torchvision's: parts that take the place of torchvision's.

Open it to see what `experiment=pascal_raw_*_mmdet` changes; γ-Quant's authors trained with mmdetection.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, l1_loss
from torchvision.models.detection._utils import Matcher
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.models.detection.rpn import RegionProposalNetwork
from torchvision.ops import MultiScaleRoIAlign, roi_align


class LowQualityMatcher(Matcher):  # type: ignore[misc]
    """A matcher that gives an object its best anchors only where they overlap it enough, and then in any case.

    torchvision's gives each object its best anchors however little they overlap it, unless they overlap another one
    more. Where an anchor is the best of several objects, the last one has it.

    Args:
        high: IoU from which an anchor is positive.
        low: IoU below which it is negative.
        least: IoU from which an object's best anchors are positive, too.
    """

    def __init__(self, high: float, low: float, least: float) -> None:
        super().__init__(high, low, allow_low_quality_matches=True)
        self.least = least

    def set_low_quality_matches_(self, matches: Tensor, all_matches: Tensor, match_quality_matrix: Tensor) -> None:
        """As the class says, in place: `matches` int64 [N] of IoUs [objects, N]."""
        best = match_quality_matrix.max(dim=1, keepdim=True).values
        chosen = (match_quality_matrix == best) & (best >= self.least)
        objects = torch.arange(len(best), device=matches.device)[:, None]
        last = torch.where(chosen, objects, -1).max(dim=0).values
        matches.copy_(torch.where(last >= 0, last, matches))


class AlignedPool(MultiScaleRoIAlign):  # type: ignore[misc]
    """RoIAlign whose grid is not half a pixel off, with as many samples per cell as a proposal has pixels there."""

    def forward(self, x: dict[str, Tensor], boxes: list[Tensor], image_shapes: list[tuple[int, int]]) -> Tensor:
        """Features of all boxes, [n, channels, size, size], each from the level of its size."""
        features = [x[name] for name in self.featmap_names]
        frames = torch.repeat_interleave(
            torch.arange(len(boxes), device=boxes[0].device),
            torch.tensor([len(own) for own in boxes], device=boxes[0].device),
        )
        regions = torch.cat([frames[:, None].to(boxes[0].dtype), torch.cat(boxes)], dim=1)
        levels = self.map_levels(boxes)
        pooled = features[0].new_zeros(len(regions), features[0].shape[1], *self.output_size)
        for level, (feature, scale) in enumerate(zip(features, self.scales, strict=True)):
            here = torch.where(levels == level)[0]
            own = roi_align(feature, regions[here], self.output_size, scale, sampling_ratio=0, aligned=True)
            pooled[here] = own.to(pooled.dtype)
        return pooled


class L1Proposals(RegionProposalNetwork):  # type: ignore[misc]
    """torchvision's proposals with the L1 loss of boxes, over all samples of the batch, in place of the smooth one."""

    def compute_loss(
        self, objectness: Tensor, pred_bbox_deltas: Tensor, labels: list[Tensor], regression_targets: list[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Of the anchors that the sampler takes: objectness, and boxes of the positive ones."""
        positive, negative = (torch.where(torch.cat(drawn))[0] for drawn in self.fg_bg_sampler(labels))
        samples = torch.cat([positive, negative])
        boxes, goals = pred_bbox_deltas[positive], torch.cat(regression_targets)[positive]
        first = binary_cross_entropy_with_logits(objectness.flatten()[samples], torch.cat(labels)[samples])
        return first, l1_loss(boxes, goals, reduction="sum") / len(samples)


class L1RoIHeads(RoIHeads):  # type: ignore[misc]
    """torchvision's head of Faster R-CNN with the L1 loss of boxes in place of the smooth one."""

    def forward(
        self,
        features: dict[str, Tensor],
        proposals: list[Tensor],
        image_shapes: list[tuple[int, int]],
        targets: list[dict[str, Tensor]] | None = None,
    ) -> tuple[list[dict[str, Tensor]], dict[str, Tensor]]:
        """Detections in evaluation, losses in training."""
        if not self.training:
            detections: tuple[Any, Any] = super().forward(features, proposals, image_shapes)
            return detections
        proposals, _, drawn, goals = self.select_training_samples(proposals, targets)
        logits, codes = self.box_predictor(self.box_head(self.box_roi_pool(features, proposals, image_shapes)))
        labels = torch.cat(drawn)
        positive = torch.where(labels > 0)[0]  # 0 is the background
        boxes = codes.view(len(labels), -1, 4)[positive, labels[positive]]
        box = l1_loss(boxes, torch.cat(goals)[positive], reduction="sum") / len(labels)
        return [], {"loss_classifier": cross_entropy(logits, labels), "loss_box_reg": box}
