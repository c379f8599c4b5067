"""Faster R-CNN (Ren et al., NeurIPS 2015) on a feature pyramid (Lin et al., CVPR 2017), of torchvision's parts.

Open it to see how proposals and detections are made and learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from torch import Tensor
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead
from torchvision.ops import MultiScaleRoIAlign
from torchvision.ops.poolers import LevelMapper

from qsense.models.detector import Anchors, PyramidDetector, Sizes
from qsense.models.mmdetection import AlignedPool, L1Proposals, L1RoIHeads, LowQualityMatcher
from qsense.models.weights import load_weights


class FasterRCNN(PyramidDetector):
    """Proposals from every level of a pyramid, then a class and a better box for each (see `Detector.forward`).

    Anchors are `anchor_scale` strides wide, in every aspect ratio: 32 … 512 pixels as published. A proposal reads the
    level on which it is about as wide as that level's anchors. Losses: `objectness` and `proposal_box` of the
    proposals, `classification` and `box` of the detections.

    Args:
        object_classes: classes K; the background is added inside.
        hidden: units of the two layers that look at a proposal.
        finest: the pyramid's first level.
        coarsest: its last level, up to 6; proposals read features up to level 5.
        anchor_scale: width of a square anchor, in strides.
        aspect_ratios: heights of anchors over their widths.
        rpn_samples: anchors per frame that the proposals' losses look at, half of them positive where there are any.
        proposals_train: proposals per frame in training (and per level before suppression).
        proposals_test: the same in evaluation.
        proposals_kept: proposals per frame in training after suppression; None: as many as `proposals_train`.
        proposal_nms_iou: overlap above which the worse of two proposals is dropped.
        roi_samples: proposals per frame that the detections' losses look at, up to a quarter of them positive.
        box_loss: of proposals and detections: "smooth_l1" (β = 1/9, torchvision) or "l1" (mmdetection).
        low_quality_iou: from which IoU an object's best anchors are positive below 0.7, too; 0: torchvision's rule,
            from any, unless they overlap another object more (see `mmdetection.LowQualityMatcher`).
        aligned: read a proposal's features by an aligned grid with adaptive samples (mmdetection), and not by
            torchvision's with two samples per cell and half a pixel off.
        shared: see `PyramidDetector`.

    >>> sum(p.numel() for p in FasterRCNN(object_classes=3, norm="batch").parameters())
    41362531
    """

    extra = "pool"

    def __init__(
        self,
        object_classes: int,
        hidden: int = 1024,
        finest: int = 2,
        coarsest: int = 6,
        anchor_scale: float = 8.0,
        aspect_ratios: Sequence[float] = (0.5, 1.0, 2.0),
        rpn_samples: int = 256,
        proposals_train: int = 2000,
        proposals_test: int = 1000,
        proposal_nms_iou: float = 0.7,
        roi_samples: int = 512,
        proposals_kept: int | None = None,
        box_loss: Literal["smooth_l1", "l1"] = "smooth_l1",
        low_quality_iou: float = 0.0,
        aligned: bool = False,
        **shared: Any,
    ) -> None:
        if box_loss not in ("smooth_l1", "l1"):
            raise ValueError(f"box_loss={box_loss!r} must be smooth_l1 or l1")
        if not 0 <= low_quality_iou <= 0.7:
            raise ValueError(f"low_quality_iou={low_quality_iou} must be 0 to 0.7")
        super().__init__(finest=finest, coarsest=coarsest, **shared)
        strides, channels = self.backbone.strides, self.backbone.out_channels
        l1 = box_loss == "l1"
        self.rpn = (L1Proposals if l1 else RegionProposalNetwork)(
            Anchors(strides, [(anchor_scale * stride,) for stride in strides], aspect_ratios),
            ProposalHead(channels, len(aspect_ratios)),
            fg_iou_thresh=0.7,
            bg_iou_thresh=0.3,
            batch_size_per_image=rpn_samples,
            positive_fraction=0.5,
            pre_nms_top_n={"training": proposals_train, "testing": proposals_test},
            post_nms_top_n={"training": proposals_kept or proposals_train, "testing": proposals_test},
            nms_thresh=proposal_nms_iou,
        )
        if low_quality_iou > 0:
            self.rpn.proposal_matcher = LowQualityMatcher(0.7, 0.3, low_quality_iou)
        levels = range(finest, min(coarsest, 5) + 1)
        names = [str(i) for i in range(len(levels))]
        pool = (AlignedPool if aligned else MultiScaleRoIAlign)(names, output_size=7, sampling_ratio=2)
        # Known here; torchvision guesses them from the first batch's sizes.
        pool.scales = [2.0**-level for level in levels]
        pool.map_levels = LevelMapper(levels[0], levels[-1], canonical_scale=28 * anchor_scale, canonical_level=4)
        self.roi_heads = (L1RoIHeads if l1 else RoIHeads)(
            pool,
            TwoMLPHead(channels * 7 * 7, hidden),
            Predictor(hidden, object_classes + 1),
            fg_iou_thresh=0.5,
            bg_iou_thresh=0.5,
            batch_size_per_image=roi_samples,
            positive_fraction=0.25,
            bbox_reg_weights=None,
            score_thresh=self.score_threshold,
            nms_thresh=self.nms_iou,
            detections_per_img=self.max_detections,
        )
        load_weights(self, self.weights)

    def losses(self, images: Tensor, sizes: Sizes, targets: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        # Class 0 is the background.
        targets = [{"boxes": target["boxes"], "labels": target["labels"] + 1} for target in targets]
        features = self.backbone(images)
        proposals, first = self.rpn(ImageList(images, sizes), features, targets)
        _, second = self.roi_heads(features, proposals, sizes, targets)
        return {
            "objectness": first["loss_objectness"],
            "proposal_box": first["loss_rpn_box_reg"],
            "classification": second["loss_classifier"],
            "box": second["loss_box_reg"],
        }

    def predict(self, images: Tensor, sizes: Sizes) -> list[dict[str, Tensor]]:
        features = self.backbone(images)
        proposals, _ = self.rpn(ImageList(images, sizes), features)
        detections, _ = self.roi_heads(features, proposals, sizes)
        return [{**frame, "labels": frame["labels"] - 1} for frame in detections]


class ProposalHead(RPNHead):  # type: ignore[misc]
    """torchvision's, with float32 results: boxes in bfloat16 would be off by up to four pixels."""

    def forward(self, x: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        logits, boxes = super().forward(x)
        return [level.float() for level in logits], [level.float() for level in boxes]


class Predictor(FastRCNNPredictor):  # type: ignore[misc]
    """torchvision's, with float32 results."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        logits, boxes = super().forward(x)
        return logits.float(), boxes.float()
