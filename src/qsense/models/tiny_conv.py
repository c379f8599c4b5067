"""TinyConv: a small network for microcontrollers, of depthwise-separable convolutions along time.

Open it to change the network's layers.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


class TinyConv(nn.Module):
    """A convolution, depthwise-separable ones that reach farther and farther, the mean over time, a classifier.

    (B, T, C) → Conv(width, kernel) → [depthwise Conv(kernel, dilation) → pointwise Conv(width)] × blocks → mean over
    the T' positions that are left → linear → (B, num_classes) logits; all unpadded, unstrided, with ReLU and without
    batch norm. T' = T − (kernel − 1)·(1 + Σ dilations). Depthwise-separable: Howard et al., "MobileNets", 2017.

    Args:
        channels: sensor axes C.
        window: samples per window T.
        num_classes: classes, NULL included.
        width: features.
        kernel: kernel length along time, in samples.
        dilations: samples between two taps of each depthwise convolution; as many blocks as there are numbers.

    Raises:
        ValueError: the window is too short for what the convolutions reach.

    >>> sum(p.numel() for p in TinyConv(channels=3, window=50, num_classes=13).parameters())
    9325
    """

    def __init__(
        self,
        channels: int,
        window: int,
        num_classes: int,
        width: int = 48,
        kernel: int = 5,
        dilations: Sequence[int] = (1, 2, 4),
    ) -> None:
        super().__init__()
        positions = window - (kernel - 1) * (1 + sum(dilations))
        if positions < 1:
            raise ValueError(
                f"window={window} is too short: kernel={kernel} and dilations={list(dilations)} reach over "
                f"{window - positions + 1} samples"
            )
        convolutions: list[nn.Module] = [nn.Conv1d(channels, width, kernel), nn.ReLU()]
        for dilation in dilations:
            convolutions += [nn.Conv1d(width, width, kernel, dilation=dilation, groups=width), nn.ReLU()]
            convolutions += [nn.Conv1d(width, width, 1), nn.ReLU()]
        self.convolutions = nn.Sequential(*convolutions)
        self.pool = nn.AvgPool1d(positions)
        self.classifier = nn.Linear(width, num_classes)
        for module in self.convolutions:
            if isinstance(module, nn.Conv1d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def chain(self) -> list[nn.Module]:
        """What a window passes, in order."""
        return [*self.convolutions, self.pool, self.classifier]

    def forward(self, x: Tensor) -> Tensor:
        """Class logits (B, num_classes) of windows (B, T, C)."""
        x = self.convolutions(x.transpose(1, 2))  # (B, width, T')
        logits: Tensor = self.classifier(self.pool(x).flatten(1))
        return logits
