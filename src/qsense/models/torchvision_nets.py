"""torchvision's networks for large images, built from what a data set states.

Open it to offer another network of torchvision.
"""

from __future__ import annotations

from torch import nn
from torchvision import models

from qsense.models.weights import load_weights


def resnet18(channels: int, num_classes: int, weights: str | None = None) -> models.ResNet:
    """ResNet-18 (He et al., CVPR 2016): (B, C, H, W) → (B, num_classes) logits, 1/32 of the size at the end.

    Args:
        channels: colours C.
        num_classes: classes.
        weights: file or address of weights to start from; None draws them.

    Raises:
        ValueError: weights that do not fit.
        FileNotFoundError: there is no such weights file.

    >>> sum(p.numel() for p in resnet18(channels=3, num_classes=1000).parameters())
    11689512
    """
    return _resnet(models.resnet18(weights=None, num_classes=num_classes), channels, weights)


def resnet34(channels: int, num_classes: int, weights: str | None = None) -> models.ResNet:
    """ResNet-34 (He et al., CVPR 2016); arguments and errors as for `resnet18`."""
    return _resnet(models.resnet34(weights=None, num_classes=num_classes), channels, weights)


def mobilenet_v2(
    channels: int, num_classes: int, dropout: float = 0.2, weights: str | None = None
) -> models.MobileNetV2:
    """MobileNetV2 (Sandler et al., CVPR 2018): (B, C, H, W) → (B, num_classes) logits, 1/32 of the size at the end.

    Args:
        channels: colours C.
        num_classes: classes.
        dropout: probability of dropping a feature before the classifier, in [0, 1).
        weights: file or address of weights to start from; None draws them.

    Raises:
        ValueError: weights that do not fit.
        FileNotFoundError: there is no such weights file.
    """
    network = models.mobilenet_v2(weights=None, num_classes=num_classes, dropout=dropout)
    if channels != 3:
        network.features[0][0] = _stem(network.features[0][0], channels)
    load_weights(network, weights)
    return network


def _resnet(network: models.ResNet, channels: int, weights: str | None) -> models.ResNet:
    if channels != 3:
        network.conv1 = _stem(network.conv1, channels)
    load_weights(network, weights)
    return network


def _stem(old: nn.Conv2d, channels: int) -> nn.Conv2d:
    """The first convolution for another number of colours, initialised as torchvision does."""
    new = nn.Conv2d(channels, old.out_channels, old.kernel_size, old.stride, old.padding, bias=False)  # type: ignore[arg-type]
    nn.init.kaiming_normal_(new.weight, mode="fan_out", nonlinearity="relu")
    return new
