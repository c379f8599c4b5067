"""Samples of the training frames, by which a quantizer's levels and the tables of a converter with memory are placed.

Open it to see which frames they are taken from, and how many.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from qsense.data.frames.batches.part import FramePart
from qsense.data.frames.dataset import Frame, FrameDataset
from qsense.data.frames.storing.decoded import native

FRAMES = 50  # at most that pixels are taken from
FITTED_ON = 4_000_000  # samples at most, over all planes, that place a converter's tables
FITTED_FRAMES = 500  # frames at most that these are taken from


def pixels(part: FramePart, count: int) -> Iterator[tuple[Frame, npt.NDArray[np.int64]]]:
    """Frames spread over a part, each with some of its pixels [pixels, channels]; about `count` of all."""
    frames = spread([frame.condition for frame in part.frames], FRAMES)
    each = max(1, count // len(frames))
    for index in frames:
        codes = part.codes(part.frames[index])
        flat = codes.reshape(len(codes), -1)
        chosen = flat[:, np.linspace(0, flat.shape[1] - 1, min(each, flat.shape[1])).astype(np.int64)]
        yield part.frames[index], chosen.T.astype(np.int64)


def rows(dataset: FrameDataset, frames: Sequence[Frame]) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.int64]]:
    """Rows of native codes of frames that are spread over these, one after the other [samples, channels], and where
    each starts and the last one ends."""
    chosen_frames = [frames[place] for place in spread([frame.condition for frame in frames], FITTED_FRAMES)]
    samples, lengths = [], [0]
    for frame in chosen_frames:
        codes = native(dataset, frame)
        planes, height, width = codes.shape
        count = min(height, max(1, FITTED_ON // (len(chosen_frames) * planes * width)))
        chosen = codes[:, np.linspace(0, height - 1, count).astype(np.int64)]
        samples.append(chosen.reshape(planes, -1).T.astype(np.uint16))
        lengths += [width] * count
    return np.concatenate(samples), np.cumsum(lengths)


def spread(conditions: Sequence[int], count: int) -> npt.NDArray[np.int64]:
    """Places of up to `count` frames that are spread over all of them, in their order.

    Where conditions take turns, equal steps may hardly meet some of them: if one gets less than half of its share, the
    steps go through the frames condition by condition.

    >>> spread([0, 1, 2] * 3, 3).tolist(), spread([0, 1] * 5, 4).tolist()
    ([0, 4, 8], [0, 3, 6, 9])
    """
    places = np.linspace(0, len(conditions) - 1, min(len(conditions), count)).astype(np.int64)
    share = np.bincount(conditions) / len(conditions)
    if (2 * np.bincount(np.take(conditions, places), minlength=len(share)) < share * len(places)).any():
        places = np.sort(np.argsort(conditions, kind="stable")[places])
    return places
