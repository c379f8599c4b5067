"""ResNets with a feature pyramid (Lin et al., CVPR 2017): what a detector looks at, at several sizes at once.

Open it to change a detector's backbone. The pyramid and its extra levels are torchvision's. Its ResNet is not, as that
has neither a width nor fewer than four stages, which small networks for small sensors need; blocks and names are the
same, so that its weights load.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops.feature_pyramid_network import ExtraFPNBlock, LastLevelMaxPool, LastLevelP6P7

from qsense.models.weights import load_weights

Norm = Literal["frozen", "batch", "group"]
BLOCKS = {18: (BasicBlock, (2, 2, 2, 2)), 34: (BasicBlock, (3, 4, 6, 3)), 50: (Bottleneck, (3, 4, 6, 3))}


class FrozenBatchNorm2d(nn.BatchNorm2d):
    """Batch norm with the statistics it was loaded with, also in training; its factors and offsets are trained.

    torchvision's layer of this name freezes factors and offsets, too.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.train()

    def train(self, mode: bool = True) -> FrozenBatchNorm2d:
        """Stay in evaluation mode, whatever is asked for."""
        super().train(False)
        return self


def group_norm(channels: int) -> nn.GroupNorm:
    """Group norm with 32 groups (Wu and He, ECCV 2018), fewer where one would have less than four channels.

    >>> group_norm(256).num_groups, group_norm(64).num_groups, group_norm(24).num_groups
    (32, 16, 2)
    """
    return nn.GroupNorm(math.gcd(32, max(channels // 4, 1)), channels)


NORMS: dict[str, Callable[[int], nn.Module]] = {
    "frozen": FrozenBatchNorm2d,
    "batch": nn.BatchNorm2d,
    "group": group_norm,
}


class ResNet(nn.Module):
    """A ResNet's stem and first stages (He et al., CVPR 2016), without a classifier.

    (B, 3, H, W) → {"0": 1/4 of the size, "1": 1/8, …}, one entry per stage from `finest` on. Blocks, names and initial
    weights are torchvision's, whose weights load.

    Args:
        depth: 18, 34 or 50.
        width: channels of the stem, 64 as published.
        stages: how many of the four stages there are.
        finest: level of the first stage that is returned: 2 (1/4 of the size), 3, …
        norm: as in `FPN`.
    """

    def __init__(self, depth: int, width: int, stages: int, finest: int, norm: Norm) -> None:
        super().__init__()
        make_norm = NORMS[norm]
        self.finest = finest
        self.conv1 = nn.Conv2d(3, width, 7, 2, padding=3, bias=False)
        self.bn1 = make_norm(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        block, counts = BLOCKS[depth]
        self.stages: list[str] = []
        self.channels: list[int] = []  # of each stage
        inputs = width
        for stage, count in enumerate(counts[:stages]):
            planes = width << stage
            blocks = []
            for stride in [1 if stage == 0 else 2] + [1] * (count - 1):
                outputs = planes * block.expansion
                shortcut = None
                if stride != 1 or inputs != outputs:
                    shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), make_norm(outputs))
                blocks.append(block(inputs, planes, stride, shortcut, norm_layer=make_norm))
                inputs = outputs
            self.stages.append(f"layer{stage + 1}")
            self.channels.append(inputs)
            self.add_module(self.stages[-1], nn.Sequential(*blocks))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def freeze(self, stages: int) -> None:
        """Leave the stem and the first stages as they are; 0: the stem alone, -1: nothing.

        Raises:
            ValueError: another number, or statistics of batch norm that would go on changing.
        """
        if not -1 <= stages <= len(self.stages):
            raise ValueError(f"frozen_stages={stages} must be -1 (none) to {len(self.stages)}, the ResNet's stages")
        frozen = ["conv1", "bn1", *self.stages[:stages]] if stages >= 0 else []
        for name in frozen:
            part = self.get_submodule(name)
            if any(type(module) is nn.BatchNorm2d for module in part.modules()):
                raise ValueError(f"frozen_stages={stages} needs norm=frozen or group: batch norm goes on learning")
            part.requires_grad_(False)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        features: dict[str, Tensor] = OrderedDict()
        for level, stage in enumerate(self.stages, start=2):
            x = self.get_submodule(stage)(x)
            if level >= self.finest:
                features[str(level - self.finest)] = x
        return features


class FPN(nn.Module):
    """A ResNet and a feature pyramid over it: (B, 3, H, W) → {name: (B, channels, H/2^l, W/2^l)}, l = finest…coarsest.

    Levels 2 to 5 come from the ResNet's four stages; stages that no level needs are not built. Beyond them, `extra`
    says how: "pool" takes every second place of level 5 for level 6 (Faster R-CNN), "convolution" makes levels 6 and 7
    by convolutions (RetinaNet). Names in the state dict are torchvision's.

    Args:
        depth: of the ResNet: 18, 34 or 50.
        width: channels of its stem; 64 as published.
        channels: of the pyramid.
        finest: first level, 2 to 5.
        coarsest: last level, `finest` to 5, or what `extra` reaches.
        extra: "pool" or "convolution".
        norm: "frozen": batch norm with fixed statistics and trained factors, for pretrained weights; "batch": plain
            batch norm; "group": group norm, in the pyramid too, for training from scratch with small batches.
        pretrained: file or address of a ResNet's weights for classification; its classifier is left out.

    Raises:
        ValueError: an argument that is not allowed, or weights that do not fit.
        FileNotFoundError: there is no such weights file.

    >>> FPN(18, channels=64, finest=2, coarsest=4).strides
    [4, 8, 16]
    """

    def __init__(
        self,
        depth: int = 50,
        width: int = 64,
        channels: int = 256,
        finest: int = 2,
        coarsest: int = 6,
        extra: Literal["pool", "convolution"] = "pool",
        norm: Norm = "frozen",
        pretrained: str | None = None,
    ) -> None:
        super().__init__()
        if depth not in BLOCKS:
            raise ValueError(f"depth={depth} must be {', '.join(map(str, BLOCKS))}: a ResNet's layers")
        if norm not in NORMS:
            raise ValueError(f"norm={norm!r} must be {', '.join(NORMS)}")
        for name, value in (("width", width), ("channels", channels)):
            if value < 1:
                raise ValueError(f"{name}={value} must be at least 1")
        if not 2 <= finest <= 5:
            raise ValueError(f"finest={finest} must be a level of the ResNet, 2 to 5")
        last = 6 if extra == "pool" else 7
        if coarsest not in (*range(finest, 6), last):
            raise ValueError(f"coarsest={coarsest} must be a level from finest={finest} to 5, or {last}")
        self.strides = [1 << level for level in range(finest, coarsest + 1)]
        self.out_channels = channels
        self.body = ResNet(depth, width, min(coarsest, 5) - 1, finest, norm)
        block: ExtraFPNBlock | None = None
        if coarsest > 5:
            block = LastLevelMaxPool() if extra == "pool" else LastLevelP6P7(channels, channels)
        norm_layer = group_norm if norm == "group" else None
        self.fpn = FeaturePyramidNetwork(self.body.channels[finest - 2 :], channels, block, norm_layer)
        missing = [f"layer{stage}." for stage in range(len(self.body.stages) + 1, 5)]
        load_weights(self.body, pretrained, argument="pretrained", ignore=("fc.", *missing))

    def extend_from_body(self) -> None:
        """Make levels 6 and 7, where there are any, from the ResNet's last stage and not from the pyramid's."""
        if isinstance(self.fpn.extra_blocks, LastLevelP6P7):
            block = LastLevelP6P7(self.body.channels[-1], self.out_channels)
            block.use_P5 = False  # torchvision's own choice where both have as many channels
            self.fpn.extra_blocks = block

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        features: dict[str, Tensor] = self.fpn(self.body(x))
        return features
