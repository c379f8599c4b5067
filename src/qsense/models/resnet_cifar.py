"""The ResNets of small images (He et al., CVPR 2016, section 4.2): ResNet-20, -32, -56, …

Open it to change the network's layers.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn.functional import pad

from qsense.models.weights import load_weights


class ResNetCIFAR(nn.Module):
    """A 3 × 3 stem, three stages of (depth − 2)/6 residual blocks with 1, 2, 4 × width channels, mean, linear.

    (B, C, H, W) → (B, num_classes) logits; the second and the third stage halve height and width. Where a shortcut must
    change shape, it takes every second pixel and pads channels with zeros (A, no parameters), or is a 1 × 1 convolution
    with batch norm (B). Weights start Kaiming-normal. Names are those of akamaster's pytorch_resnet_cifar10, whose
    weights load.

    Args:
        channels: colours C.
        num_classes: classes.
        depth: layers with weights, 6n + 2.
        width: channels of the first stage.
        shortcut: A or B.
        weights: file or address of weights to start from; None draws them.

    Raises:
        ValueError: a depth that is not 6n + 2, another shortcut, or weights that do not fit.
        FileNotFoundError: there is no such weights file.

    >>> sum(p.numel() for p in ResNetCIFAR(channels=3, num_classes=10, depth=20).parameters())
    269722
    """

    def __init__(
        self,
        channels: int,
        num_classes: int,
        depth: int = 20,
        width: int = 16,
        shortcut: Literal["A", "B"] = "A",
        weights: str | None = None,
    ) -> None:
        super().__init__()
        if depth < 8 or (depth - 2) % 6:
            raise ValueError(f"depth={depth} must be 6n + 2: 8, 14, 20, 32, 44, 56, 110, …")
        if width < 1:
            raise ValueError(f"width={width} must be at least 1")
        if shortcut not in ("A", "B"):
            raise ValueError(f"shortcut={shortcut!r} must be A (zero padding) or B (1 × 1 convolution)")
        blocks = (depth - 2) // 6
        self.conv1 = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.layer1 = _stage(width, width, blocks, 1, shortcut)
        self.layer2 = _stage(width, 2 * width, blocks, 2, shortcut)
        self.layer3 = _stage(2 * width, 4 * width, blocks, 2, shortcut)
        self.linear = nn.Linear(4 * width, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight)
        load_weights(self, weights)

    def forward(self, x: Tensor) -> Tensor:
        """Class logits (B, num_classes) of images (B, C, H, W)."""
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        logits: Tensor = self.linear(x.mean(dim=(2, 3)))
        return logits


class Block(nn.Module):
    """Two 3 × 3 convolutions with batch norm, and a shortcut around them."""

    def __init__(self, inputs: int, outputs: int, stride: int, shortcut: Literal["A", "B"]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu2 = nn.ReLU()
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = (
                PadShortcut(outputs - inputs, stride)
                if shortcut == "A"
                else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
            )

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        out: Tensor = self.relu2(y + self.shortcut(x))
        return out


class PadShortcut(nn.Module):
    """Option A: every stride-th pixel, and `extra` channels of zeros, half before and half after the others."""

    def __init__(self, extra: int, stride: int) -> None:
        super().__init__()
        self.extra, self.stride = extra, stride

    def forward(self, x: Tensor) -> Tensor:
        before = self.extra // 2
        return pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, before, self.extra - before))


def _stage(inputs: int, outputs: int, blocks: int, stride: int, shortcut: Literal["A", "B"]) -> nn.Sequential:
    first = Block(inputs, outputs, stride, shortcut)
    return nn.Sequential(first, *(Block(outputs, outputs, 1, shortcut) for _ in range(blocks - 1)))
