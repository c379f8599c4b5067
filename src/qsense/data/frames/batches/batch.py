"""Annotated raw frames on their way to a detector.

Open it to see what a detection task is given.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from qsense.data.frames.dataset import Frame


@dataclass(frozen=True, eq=False)
class FrameBatch:
    """Some frames, on their way to a detector.

    Args:
        x: native codes [B, C, H, W], integers; smaller frames lie at the top left, the rest is 0.
        sizes: height and width of each frame within x, in pixels of x.
        frames: the annotations, on the host, in pixels of the original frames.
        exposure: of each frame in stops, see `stops_below_white`; None where nobody has asked for it.
    """

    x: Tensor
    sizes: list[tuple[int, int]]
    frames: list[Frame]
    exposure: list[float] | None = None

    def __len__(self) -> int:
        return len(self.frames)

    def to(self, device: torch.device | str, **options: Any) -> FrameBatch:
        """The same with its codes on a device (what Lightning calls)."""
        return replace(self, x=self.x.to(device, **options))

    def pin_memory(self) -> FrameBatch:
        """The same with its codes in page-locked memory (what torch's DataLoader calls)."""
        return replace(self, x=self.x.pin_memory())

    @property
    def condition(self) -> list[int]:
        """Each frame's condition, an index into the signal's `conditions`."""
        return [frame.condition for frame in self.frames]

    @property
    def gains(self) -> list[tuple[float, float, float]] | None:
        """Each frame's white balance as its camera states it; None where one of them states none."""
        gains = [frame.gains for frame in self.frames if frame.gains is not None]
        return gains if len(gains) == len(self.frames) else None

    @property
    def scales(self) -> list[tuple[float, float]]:
        """Pixels of x per pixel of the original frame, (horizontally, vertically)."""
        return [(w / frame.width, h / frame.height) for (h, w), frame in zip(self.sizes, self.frames, strict=True)]

    def unscaled(self, predictions: list[dict[str, Tensor]]) -> list[dict[str, Tensor]]:
        """Predictions with their `boxes` in pixels of the original frames instead of pixels of x."""
        return [
            {**found, "boxes": found["boxes"] / found["boxes"].new_tensor([across, down, across, down])}
            for found, (across, down) in zip(predictions, self.scales, strict=True)
        ]

    def targets(self) -> list[dict[str, Tensor]]:
        """What a detector learns from, per frame: `boxes` [n, 4] in pixels of x and `labels` [n]; without crowds."""
        found = []
        for frame, (across, down) in zip(self.frames, self.scales, strict=True):
            boxes = frame.boxes[~frame.crowd] * (across, down, across, down)
            found.append(
                {
                    "boxes": torch.from_numpy(boxes).float().to(self.x.device, non_blocking=True),
                    "labels": torch.from_numpy(frame.labels[~frame.crowd]).to(self.x.device, non_blocking=True),
                }
            )
        return found
