"""Some of a data set's frames, read as whole batches: at which size each frame is read, and how a batch is padded.

Open it to change what is read of a frame, or when loading is slow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from qsense.data.frames.batches import memory
from qsense.data.frames.batches.batch import FrameBatch
from qsense.data.frames.dataset import Frame
from qsense.data.frames.geometry.nearest import target_size
from qsense.data.frames.geometry.stored_sizes import Codes, Sheets, largest_planes, planes_at

STRIDE = 32  # what the sides of a batch are multiples of: the detectors' coarsest feature map but for pooling


@dataclass(frozen=True)
class ReadSizes:
    """At which size a frame is read: by (seed, fold, epoch, frame) alone, whichever process reads it.

    Args:
        sides: short sides to draw from; None: as it is stored.
        longest: the long side is at most this.
        seed: of the run; `fold` likewise.
    """

    sides: Sequence[int] | None
    longest: int
    seed: int
    fold: int

    def __call__(self, epoch: int, frame: Frame, stored: tuple[int, int]) -> tuple[int, int]:
        """Height and width of a frame in an epoch, from those of its stored codes."""
        if self.sides is None:
            return stored
        draw = np.random.default_rng([self.seed, self.fold, epoch, frame.id])
        return target_size(*stored, int(draw.choice(self.sides)), self.longest)


class FramePart(Dataset[FrameBatch]):
    """Some of a data set's frames; a whole batch is read at once.

    Args:
        read: gives a frame's codes [C, h, w], or its sheets, of which `read_at` then chooses.
        frames: those that belong to this part.
        read_at: at which sizes; None: as they are stored.
        exposure: of a frame, which batches state then.
    """

    def __init__(
        self,
        read: Callable[[Frame], Codes | Sheets],
        frames: Sequence[Frame],
        read_at: ReadSizes | None = None,
        exposure: Callable[[Frame], float] | None = None,
    ) -> None:
        self.read, self.frames, self.read_at, self.exposure = read, frames, read_at, exposure

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> FrameBatch:
        return self.__getitems__((0, [index]))

    def __getitems__(self, batch: tuple[int, Sequence[int] | npt.NDArray[np.int64]]) -> FrameBatch:
        """The batch of an epoch's frames, as codes of the sensor's own type, padded to multiples of 32."""
        epoch, indices = batch
        frames = [self.frames[index] for index in indices]
        stored = [self.read(frame) for frame in frames]
        sizes = [(one.shape[-2], one.shape[-1]) for one in stored]
        if self.read_at is not None:
            sizes = [self.read_at(epoch, frame, size) for frame, size in zip(frames, sizes, strict=True)]
        return self._batch(frames, stored, sizes)

    def at_sizes(self, sizes: list[tuple[int, int]]) -> FrameBatch:
        """All frames, each at its own of these sizes."""
        return self._batch(list(self.frames), [self.read(frame) for frame in self.frames], sizes)

    def codes(self, frame: Frame) -> Codes:
        """A frame's codes [C, h, w] as they are stored, of several sizes the largest."""
        return largest_planes(self.read(frame))

    def _batch(self, frames: list[Frame], stored: Sequence[Codes | Sheets], sizes: list[tuple[int, int]]) -> FrameBatch:
        x = memory.empty((len(stored), stored[0].shape[0], *padded(sizes)), stored[0].dtype)
        for row, one, (height, width) in zip(x, stored, sizes, strict=True):
            row[:, :height, :width] = planes_at(one, (height, width))
            row[:, :height, width:] = row[:, height:] = 0
        stops = None if self.exposure is None else [self.exposure(frame) for frame in frames]
        return FrameBatch(torch.from_numpy(x), sizes, frames, stops)


def padded(sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Height and width of what holds frames of these sizes: the largest, rounded up to multiples of 32.

    >>> padded([(64, 33), (65, 32)])
    (96, 64)
    """
    height, width = (-(-max(side) // STRIDE) * STRIDE for side in zip(*sizes, strict=True))
    return height, width
