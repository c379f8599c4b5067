"""A fixed affine map per channel between converter and network: what the network sees has mean 0 and deviation 1.

Open it to see what `task.standardise` computes. Without it, comparisons of curves are partly comparisons of scales.
"""

from __future__ import annotations

import logging
from typing import Any

import torch
from torch import Tensor, nn

from qsense.signal import Signal

log = logging.getLogger(__name__)


class Standardise(nn.Module):
    """y = (x − mean)/scale per channel c, with x̄_c and s_c, mean and standard deviation (÷ n) of the fitted samples.

    Channels are dimension 1 of a 4-D input (images), the last of any other (series), as for converters. The map is the
    identity until `fit`; then it never changes, and travels with the state.

    Args:
        signal: what the sensor delivers: how many channels, and their names.

    Attributes:
        mean: float32 [channels], in the unit of what the converter delivers.
        scale: float32 [channels], above 0; 1 for a channel that is constant.

    >>> both = Standardise(Signal(channels=2, low=-1.0, high=1.0, unit="g"))
    >>> both.fit(torch.tensor([[0.0, 1.0], [0.5, 3.0]]))
    >>> both(torch.tensor([[0.0, 1.0], [0.5, 3.0]])).tolist()
    [[-1.0, -1.0], [1.0, 1.0]]
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, signal: Signal) -> None:
        super().__init__()
        self.names = signal.names or tuple(map(str, range(signal.channels)))
        self.register_buffer("mean", torch.zeros(signal.channels))
        self.register_buffer("scale", torch.ones(signal.channels))

    def forward(self, x: Tensor) -> Tensor:
        """What the network sees, in the shape of x."""
        shape = (-1, 1, 1) if x.dim() == 4 else (-1,)
        return (x - self.mean.view(shape)) / self.scale.view(shape)

    @torch.no_grad()
    def fit(self, samples: Tensor) -> None:
        """Take mean and deviation of samples as the converter delivers them, [n, channels], n ≥ 1; in float64."""
        x = samples.cpu().double().numpy()  # NumPy adds row by row: the same sums with any number of threads
        mean, scale = x.mean(axis=0), x.std(axis=0)
        constant = x.min(axis=0) == x.max(axis=0)
        scale[constant] = 1.0
        if constant.any():
            log.warning(
                "task.standardise: the converter gives all samples of %s the same code in the training data: nothing "
                "is left to learn from there; its scale stays 1",
                ", ".join(name for name, same in zip(self.names, constant, strict=True) if same),
            )
        self.mean.copy_(torch.from_numpy(mean))
        self.scale.copy_(torch.from_numpy(scale))

    def record(self) -> dict[str, Any]:
        """Mean and standard deviation per channel, ready for JSON."""
        return {"mean": self.mean.tolist(), "std": self.scale.tolist()}
