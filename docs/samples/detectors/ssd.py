"""torchvision's SSD (Liu et al., ECCV 2016) as a detector of qsense, on a small pyramid."""

from __future__ import annotations

from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
from torchvision.models.detection.ssd import SSD as TorchvisionSSD
from torchvision.models.detection.ssd import SSDHead

from qsense.models.detector import Detector, Sizes
from qsense.models.fpn import FPN

Targets = list[dict[str, Tensor]]


class SSD(Detector):
    """SSD with two boxes per place on three levels.

    Args:
        object_classes: classes K; qsense says how many there are.
        width: channels of the ResNet-18's stem.
        channels: of the pyramid.
        score_threshold: detections at or below it are dropped.
    """

    exported = "network.backbone"

    def __init__(self, object_classes: int, width: int = 32, channels: int = 64, score_threshold: float = 0.05) -> None:
        super().__init__()
        anchors = DefaultBoxGenerator([[], [], []], scales=[0.08, 0.16, 0.32, 0.5], steps=[4, 8, 16])
        classes = object_classes + 1  # torchvision's class 0 is the background
        self.network = TorchvisionSSD(
            FPN(18, width, channels, finest=2, coarsest=4, norm="batch"),
            anchors,
            size=(96, 96),
            num_classes=classes,
            head=SSDHead([channels] * 3, anchors.num_anchors_per_location(), classes),
            score_thresh=score_threshold,
            # Frames come normalised and in their final size.
            image_mean=[0.0, 0.0, 0.0],
            image_std=[1.0, 1.0, 1.0],
            _skip_resize=True,
        )
        self.network.head.register_forward_hook(in_float32)

    def losses(self, images: Tensor, sizes: Sizes, targets: Targets) -> dict[str, Tensor]:
        targets = [{"boxes": target["boxes"], "labels": target["labels"] + 1} for target in targets]
        losses = self.network(cropped(images, sizes), targets)
        return {"classification": losses["classification"], "box": losses["bbox_regression"]}

    def predict(self, images: Tensor, sizes: Sizes) -> list[dict[str, Tensor]]:
        found = self.network(cropped(images, sizes))
        return [{**frame, "labels": frame["labels"] - 1} for frame in found]


def cropped(images: Tensor, sizes: Sizes) -> list[Tensor]:
    """Each frame without its padding, as torchvision's detectors take them."""
    return [image[:, :height, :width] for image, (height, width) in zip(images, sizes, strict=True)]


def in_float32(head: nn.Module, inputs: tuple[object, ...], outputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """A head's outputs in float32: under autocast, boxes in bfloat16 would be off by up to four pixels."""
    return {name: value.float() for name, value in outputs.items()}
