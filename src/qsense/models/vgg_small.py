"""VGG-Small (Cai et al., CVPR 2017), the plain network of the quantization papers on CIFAR-10.

Open it to change the network's layers.
"""

from __future__ import annotations

from torch import Tensor, nn

from qsense.models.weights import load_weights


class VGGSmall(nn.Module):
    """Six 3 × 3 convolutions of 1, 1, 2, 2, 4, 4 × width channels, batch norm, ReLU, halved after each pair; linear.

    (B, C, H, W) → (B, num_classes) logits. The classifier looks at 4 × 4 places, what is left of 32 × 32 pixels; other
    sizes are brought to it by averaging. Weights start Kaiming-normal.

    Args:
        channels: colours C.
        num_classes: classes.
        width: channels of the first pair.
        weights: file or address of weights to start from; None draws them.

    Raises:
        ValueError: weights that do not fit.
        FileNotFoundError: there is no such weights file.

    >>> sum(p.numel() for p in VGGSmall(channels=3, num_classes=10).parameters())
    4660106
    """

    def __init__(self, channels: int, num_classes: int, width: int = 128, weights: str | None = None) -> None:
        super().__init__()
        if width < 1:
            raise ValueError(f"width={width} must be at least 1")
        layers: list[nn.Module] = []
        inputs = channels
        for outputs in (width, 2 * width, 4 * width):
            for _ in range(2):
                layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
                inputs = outputs
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(4)
        self.classifier = nn.Linear(16 * inputs, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
        load_weights(self, weights)

    def forward(self, x: Tensor) -> Tensor:
        """Class logits (B, num_classes) of images (B, C, H, W), at least 8 × 8."""
        logits: Tensor = self.classifier(self.pool(self.features(x)).flatten(1))
        return logits
