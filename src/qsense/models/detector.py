"""What every detector shares: its arguments, how it is called, its anchors, and how it picks its best boxes.

Open it to add a detector, or to read what an argument of all detectors means.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import batched_nms, clip_boxes_to_image, remove_small_boxes

from qsense.models.fpn import FPN, Norm

Sizes = list[tuple[int, int]]
SMALLEST = 1e-2  # pixels; a box that is thinner after clipping is none


class Detector(nn.Module, ABC):
    """A network that finds boxes in images that are already normalised and padded to one size.

    torchvision's detectors resize (bilinearly) and normalise by themselves; what has its levels in few bits must not
    pass through that a second time. Labels are 0 … K − 1: a background class is a network's own affair.

    A subclass takes `object_classes` (K) and arguments of its own, and writes `losses` and `predict`. It may come from
    another library: see docs/howto/own_detector.md.

    Attributes:
        exported: name of the submodule that `qsense export` writes as ONNX, which maps images to a dictionary of
            feature maps. Where there is none of that name, nothing of the network is written.
    """

    exported: ClassVar[str] = "backbone"

    def forward(
        self, images: Tensor, sizes: Sizes | None = None, targets: list[dict[str, Tensor]] | None = None
    ) -> dict[str, Tensor] | list[dict[str, Tensor]]:
        """Losses in training mode, predictions in evaluation mode.

        Args:
            images: (B, 3, H, W), normalised; smaller frames lie at the top left.
            sizes: height and width of each frame within `images`, in pixels; None: all fill it.
            targets: per frame `boxes` float32 [n, 4] (left, top, right, bottom, in pixels of `images`) and `labels`
                int64 [n], 0 … K − 1; n = 0 is a negative. Not needed in evaluation mode.

        Returns:
            In training, losses by name, float32 of no dimensions, to be added up. In evaluation, per frame `boxes`
            float32 [n, 4] within the frame, `scores` [n] in falling order and `labels` int64 [n].

        Raises:
            ValueError: there are no targets in training mode.
        """
        if sizes is None:
            sizes = [(images.shape[-2], images.shape[-1])] * len(images)
        if not self.training:
            return self.predict(images, sizes)
        if targets is None:
            raise ValueError(f"{type(self).__name__} needs targets in training mode: call eval() to predict")
        return self.losses(images, sizes, targets)

    @abstractmethod
    def losses(self, images: Tensor, sizes: Sizes, targets: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        """Losses by name: what `forward` returns in training. `sizes` and `targets` are as there."""

    @abstractmethod
    def predict(self, images: Tensor, sizes: Sizes) -> list[dict[str, Tensor]]:
        """Predictions per frame: what `forward` returns in evaluation."""


class PyramidDetector(Detector):
    """A detector on a ResNet's feature pyramid.

    A subclass hands its `**shared` arguments to this constructor, builds its head, and ends with
    `load_weights(self, self.weights)`.

    Args:
        depth: of the ResNet: 18, 34 or 50.
        width: channels of its stem.
        channels: of the pyramid, and of the towers where there are some.
        finest: the pyramid's first level; level l has a stride of 2^l pixels.
        coarsest: its last level, up to 5, or the one beyond: 6 or 7 (see `FPN`).
        score_threshold: detections at or below it are dropped.
        nms_iou: overlap above which the worse of two detections of a class is dropped.
        max_detections: detections per frame.
        norm: "frozen" statistics of batch norm (of pretrained weights), "batch", or "group" (from scratch; see `FPN`).
        pretrained: file or address of a ResNet's ImageNet weights; not read where `weights` are given.
        weights: file or address of weights for the whole network, such as torchvision's for the same classes.
        frozen_stages: stages of the ResNet whose weights stay as they are, with its stem, as mmdetection counts: 1: the
            stem and the first stage; 0: the stem alone; -1: none.

    Attributes:
        extra: how the pyramid's levels beyond 5 are made (see `FPN`).

    Raises:
        ValueError: an argument that is not allowed, or weights that do not fit.
        FileNotFoundError: there is no such weights file.
    """

    extra: ClassVar[Literal["pool", "convolution"]] = "convolution"

    def __init__(
        self,
        depth: int = 50,
        width: int = 64,
        channels: int = 256,
        finest: int = 3,
        coarsest: int = 7,
        score_threshold: float = 0.05,
        nms_iou: float = 0.5,
        max_detections: int = 100,
        norm: Norm = "frozen",
        pretrained: str | None = None,
        weights: str | None = None,
        frozen_stages: int = -1,
    ) -> None:
        super().__init__()
        if norm == "frozen" and pretrained is None and weights is None:
            warnings.warn(
                "norm=frozen keeps the statistics of pretrained weights, and none are given: set pretrained (or "
                "weights), or norm=group to train from scratch",
                stacklevel=3,  # where the detector is made
            )
        self.score_threshold = score_threshold
        self.nms_iou = nms_iou
        self.max_detections = max_detections
        self.norm = norm
        self.weights = weights
        self.backbone = FPN(
            depth, width, channels, finest, coarsest, self.extra, norm, pretrained if weights is None else None
        )
        self.backbone.body.freeze(frozen_stages)


class Anchors(AnchorGenerator):  # type: ignore[misc]
    """Anchors of given sizes and aspect ratios around every place of every level, in float32.

    Place i of a level lies at i · stride pixels: where the convolutions of a ResNet look. torchvision computes a stride
    by dividing sizes, which is off where a size is no multiple of it and then depends on the padding, and makes
    anchors of the features' type, where bfloat16 knows no odd number above 256.

    Args:
        strides: of the levels, in pixels.
        sizes: square roots of anchors' areas, per level, in pixels.
        aspect_ratios: heights over widths.
    """

    def __init__(
        self, strides: list[int], sizes: Sequence[tuple[float, ...]], aspect_ratios: Sequence[float] = (1.0,)
    ) -> None:
        super().__init__(tuple(sizes), (tuple(aspect_ratios),) * len(strides))
        self.strides = strides

    def forward(self, images: ImageList, features: list[Tensor]) -> list[Tensor]:
        """Left, top, right, bottom of the anchors, [N, 4] per image: by level, row, column, then shape."""
        device = features[0].device
        self.set_cell_anchors(torch.float32, device)
        grids = [list(feature.shape[-2:]) for feature in features]
        strides = [[stride, stride] for stride in self.strides]
        return [torch.cat(self.grid_anchors(grids, strides))] * len(images.image_sizes)


def inside(anchors: Tensor, sizes: Sizes) -> Tensor:
    """Whether anchors [N, 4] are centred within each frame and not in its padding: bool [B, N].

    >>> inside(torch.tensor([[-4.0, -4, 4, 4], [4, -4, 12, 4]]), [(8, 8), (8, 16)])
    tensor([[ True, False],
            [ True,  True]])
    """
    x, y = (anchors[:, 0] + anchors[:, 2]) / 2, (anchors[:, 1] + anchors[:, 3]) / 2
    limits = torch.tensor(sizes, dtype=anchors.dtype, device=anchors.device)
    return (y < limits[:, :1]) & (x < limits[:, 1:])


def top_per_level(scores: Tensor, counts: list[int], threshold: float, most: int) -> tuple[Tensor, Tensor, Tensor]:
    """One frame's best pairs of anchor and class, level by level.

    Args:
        scores: [N, K] in [0, 1].
        counts: anchors of each level; they add up to N.
        threshold: scores at or below it are left out; NaN too.
        most: pairs per level.

    Returns:
        Anchors, labels and scores of the pairs, [n] each.
    """
    anchors, labels, values = [], [], []
    offset = 0
    for level in torch.split(scores, counts):
        best, places = torch.where(level > threshold, level, 0.0).flatten().topk(min(most, level.numel()))
        places = places[best > 0]
        anchors.append(places // level.shape[1] + offset)
        labels.append(places % level.shape[1])
        values.append(best[best > 0])
        offset += len(level)
    return torch.cat(anchors), torch.cat(labels), torch.cat(values)


def clipped(boxes: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Boxes [n, 4] cut at their frame, and which of them are still there (indices)."""
    boxes = clip_boxes_to_image(boxes, size)
    return boxes, remove_small_boxes(boxes, SMALLEST)


def suppressed(boxes: Tensor, scores: Tensor, labels: Tensor, iou: float, most: int) -> Tensor:
    """Indices of boxes that no better one of their class overlaps by more than `iou`: the best ones, best first."""
    keep: Tensor = batched_nms(boxes, scores, labels, iou)
    return keep[:most]
