"""Windows of recordings: what one batch holds, and how it is gathered and normalised.

Open it to change what stands in a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from qsense.data.cache import Arrays
from qsense.data.series.windows import WindowIndex


class Windows(NamedTuple):
    """One batch.

    Args:
        x: normalised samples, float32 [B, window, axes].
        y: class of each window's last sample, int64 [B].
        covered: classes of the samples that the window's prediction speaks for, int64 [B, window + stride],
            padded with −1.
    """

    x: Tensor
    y: Tensor
    covered: Tensor


class WindowDataset(Dataset[Windows]):
    """Windows of some subjects; a whole batch is gathered by one index operation per array."""

    def __init__(
        self,
        arrays: Arrays,
        index: WindowIndex,
        use: npt.NDArray[np.bool_],
        window: int,
        stride: int,
        low: npt.NDArray[np.float32] | None,
        high: npt.NDArray[np.float32] | None,
    ) -> None:
        self.samples = np.asarray(arrays["x"])  # plain views of the mapped files, cheaper to index
        self.labels = np.asarray(arrays["y"])
        self.start = index.start[use]
        self.covered = index.covered[use]
        self.recording = index.recording[use]
        self.y: npt.NDArray[np.int64] = self.labels[self.start + window - 1]
        self.window = np.arange(window)
        self.span = np.arange(window + stride)
        self.low, self.high = low, high
        # What arrives of all samples, where a converter with memory has converted them, or some get lost; None: they
        # arrive as they are.
        self.delivered: npt.NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, index: int) -> Windows:
        x, y, covered = self.__getitems__([index])
        return Windows(x[0], y[0], covered[0])

    def __getitems__(self, indices: Sequence[int] | npt.NDArray[np.int64]) -> Windows:
        """The batch of these windows."""
        chosen = np.asarray(indices)
        start = self.start[chosen, None]
        x = self.at(start + self.window)
        labels = self.labels.take(start + self.span, mode="clip")
        covered = np.where(self.span < self.covered[chosen, None], labels, -1)
        return Windows(torch.from_numpy(x), torch.from_numpy(self.y[chosen]), torch.from_numpy(covered))

    def sample(self, count: int) -> npt.NDArray[np.float32]:
        """Up to `count` normalised samples [count, axes], evenly spread over the windows."""
        every = max(1, -(-len(self) * len(self.window) // count))
        return self.at((self.start[:, None] + self.window).ravel()[::every])

    def at(self, places: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Samples [..., axes] at these places [...] of all recordings, normalised, as the sensor gets them."""
        return self.normalised(self.samples[places]) if self.delivered is None else self.delivered[places]

    def normalised(self, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """x [..., axes] in the sensor's unit as this data is normalised; it is changed in place."""
        x = np.ascontiguousarray(x)
        if self.low is None or self.high is None:
            return x
        return normalise_(x, self.low, self.high)


def normalised_by(x: Tensor, statistics: dict[str, Any]) -> Tensor:
    """Samples [..., axes] in the sensor's unit, normalised by a run's own extremes; float32."""
    samples = x.to(torch.float32, copy=True).numpy()
    if statistics["low"] is None:
        return torch.from_numpy(samples)
    low, high = (np.array(statistics[end], dtype=np.float32) for end in ("low", "high"))
    return torch.from_numpy(normalise_(samples, low, high))


def normalise_(
    x: npt.NDArray[np.float32], low: npt.NDArray[np.float32], high: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Samples [..., axes] so that `low` [axes] becomes −1 and `high` 1, cut off there; in float32, and in place."""
    x -= low
    x *= 2 / (high - low)
    x -= 1
    np.clip(x, -1, 1, out=x)
    return x
