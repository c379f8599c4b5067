"""DETR (Carion et al., ECCV 2020) of the package `transformers` as a detector of qsense."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.ops import box_convert
from transformers import DetrConfig, DetrForObjectDetection, ResNetConfig

from qsense.models.detector import Detector, Sizes, clipped

Targets = list[dict[str, Tensor]]
WEIGHTS = {"loss_ce": 1.0, "loss_bbox": 5.0, "loss_giou": 2.0}  # as published
NAMES = {"loss_ce": "classification", "loss_bbox": "box", "loss_giou": "giou"}


class Detr(Detector):
    """A small ResNet, then a transformer that turns a fixed number of queries into boxes; no suppression.

    Args:
        object_classes: classes K; qsense says how many there are.
        queries: boxes per frame.
        width: channels of the transformer.
        layers: of its encoder, and of its decoder.
        heads: of each attention.
        score_threshold: detections at or below it are dropped.
    """

    def __init__(
        self,
        object_classes: int,
        queries: int = 20,
        width: int = 64,
        layers: int = 2,
        heads: int = 4,
        score_threshold: float = 0.05,
    ) -> None:
        super().__init__()
        self.score_threshold = score_threshold
        backbone = ResNetConfig(
            embedding_size=32,
            hidden_sizes=[32, 64, 128],
            depths=[2, 2, 2],
            layer_type="basic",
            out_features=["stage3"],
        )
        self.network = DetrForObjectDetection(
            DetrConfig(
                use_timm_backbone=False,
                use_pretrained_backbone=False,
                backbone=None,
                backbone_config=backbone,
                num_labels=object_classes,
                num_queries=queries,
                d_model=width,
                encoder_layers=layers,
                decoder_layers=layers,
                encoder_attention_heads=heads,
                decoder_attention_heads=heads,
                encoder_ffn_dim=4 * width,
                decoder_ffn_dim=4 * width,
            )
        )

    def losses(self, images: Tensor, sizes: Sizes, targets: Targets) -> dict[str, Tensor]:
        labels = [
            {
                "class_labels": target["labels"],
                "boxes": box_convert(target["boxes"], "xyxy", "cxcywh") / scale(size, images),
            }
            for target, size in zip(targets, sizes, strict=True)
        ]
        found = self.network(images, pixel_mask=covered(images, sizes), labels=labels).loss_dict
        return {NAMES[name]: weight * found[name].float() for name, weight in WEIGHTS.items()}

    def predict(self, images: Tensor, sizes: Sizes) -> list[dict[str, Tensor]]:
        outputs = self.network(images, pixel_mask=covered(images, sizes))
        chances = outputs.logits.float().softmax(dim=-1)[..., :-1]  # the last class is "no object"
        found = []
        for own, boxes, size in zip(chances, outputs.pred_boxes.float(), sizes, strict=True):
            scores, labels = own.max(dim=-1)
            boxes, there = clipped(box_convert(boxes * scale(size, images), "cxcywh", "xyxy"), size)
            best = there[scores[there].argsort(descending=True, stable=True)]
            best = best[scores[best] > self.score_threshold]
            found.append({"boxes": boxes[best], "scores": scores[best], "labels": labels[best]})
        return found


def scale(size: tuple[int, int], images: Tensor) -> Tensor:
    """A frame's width, height, width, height: boxes lie in [0, 1]⁴ in DETR."""
    height, width = size
    return torch.tensor([width, height, width, height], dtype=torch.float32, device=images.device)


def covered(images: Tensor, sizes: Sizes) -> Tensor:
    """Where frames are, and not their padding: int64 [B, H, W]."""
    mask = torch.zeros(len(images), *images.shape[-2:], dtype=torch.int64, device=images.device)
    for own, (height, width) in zip(mask, sizes, strict=True):
        own[:height, :width] = 1
    return mask
