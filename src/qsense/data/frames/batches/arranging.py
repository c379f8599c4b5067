"""Batches of frames on the device: each frame at another size, some mirrored with their boxes, padded to one size.

Open it to add an augmentation, or when resizing on the device is slow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from qsense.data.frames.batches.batch import FrameBatch
from qsense.data.frames.batches.part import padded
from qsense.data.frames.dataset import Frame
from qsense.data.frames.geometry.nearest import resize

# Few torch operations know unsigned integers; the bits are moved about as signed ones.
SIGNED = {torch.uint16: torch.int16, torch.uint32: torch.int32}


def arranged(batch: FrameBatch, sizes: Sequence[tuple[int, int]], mirrored: Sequence[bool]) -> FrameBatch:
    """The frames at other sizes, some of them mirrored left to right with their annotations, as int32 codes.

    Where nothing changes, the codes are converted and nothing else; where all frames change alike, all at once.

    Args:
        batch: padded, codes of any integer type.
        sizes: height and width that each frame shall have.
        mirrored: which frames to mirror.
    """
    x = batch.x.view(SIGNED.get(batch.x.dtype, batch.x.dtype))
    height, width = padded(sizes)
    new = list(sizes)
    if new != batch.sizes or (height, width) != x.shape[-2:]:
        resized = x.new_zeros(*x.shape[:2], height, width)
        if len(set(new)) == len(set(batch.sizes)) == 1:
            _copy(x, batch.sizes[0], resized, new[0])
        else:
            for row in range(len(batch)):
                _copy(x[row], batch.sizes[row], resized[row], new[row])
        x = resized
    codes = x.view(batch.x.dtype).to(torch.int32, copy=True)
    for row, wanted in enumerate(mirrored):
        if wanted:
            shown = codes[row, :, : new[row][0], : new[row][1]]
            shown.copy_(shown.flip(-1))
    frames = [mirror(f) if wanted else f for f, wanted in zip(batch.frames, mirrored, strict=True)]
    return FrameBatch(codes, new, frames, batch.exposure)


def _copy(source: Tensor, old: tuple[int, int], target: Tensor, new: tuple[int, int]) -> None:
    target[..., : new[0], : new[1]] = resize(source[..., : old[0], : old[1]], new)


def mirror(frame: Frame) -> Frame:
    """A frame's annotations, mirrored left to right.

    >>> none, one = np.zeros(1, dtype=bool), np.ones(1, dtype=np.float32)
    >>> frame = Frame(0, "a", 10, 20, np.float32([[1, 2, 5, 8]]), np.zeros(1, dtype=np.int64), none, one)
    >>> mirror(frame).boxes.tolist()
    [[15.0, 2.0, 19.0, 8.0]]
    """
    left, top, right, bottom = frame.boxes.T
    return replace(frame, boxes=np.stack([frame.width - right, top, frame.width - left, bottom], axis=1))
