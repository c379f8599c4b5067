"""Packets that get lost between a sensor and its receiver: which samples, and what the receiver holds in their place.

Open it to change how they get lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


def lost_samples(
    bounds: Ints, recordings: Sequence[int] | Ints, packet: int, share: float, seed: Sequence[int]
) -> Bools:
    """Which samples do not arrive, [time], where each packet gets lost by itself with the same probability.

    A packet holds so many samples of all channels; the first one begins where its recording does, and the last one may
    be shorter. With the same seed, what is lost at one share is lost at any greater one, too.

    Args:
        bounds: recording r holds the samples bounds[r] … bounds[r + 1] − 1; int64 [recordings + 1].
        recordings: which of them are sent; of the others, nothing is lost.
        packet: samples.
        share: of the packets, 0 … 1.
        seed: of the random numbers.

    >>> lost_samples(np.array([0, 7, 12]), [0, 1], packet=3, share=0.5, seed=[0]).astype(int)
    array([0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 0, 0])
    """
    random = np.random.default_rng(seed)
    lost = np.zeros(int(bounds[-1]), dtype=np.bool_)
    for recording in recordings:
        first, end = bounds[recording : recording + 2]
        packets = random.random(-(-(end - first) // packet)) < share
        lost[first:end] = np.repeat(packets, packet)[: end - first]
    return lost


def held(x: npt.NDArray[Any], bounds: Ints, lost: Bools, start: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """What a receiver without memory has of x [time, channels]: the last sample that arrived, at first `start`.

    Args:
        x: samples.
        bounds: as in `lost_samples`.
        lost: samples that do not arrive, [time].
        start: what it holds at the start of each recording, [channels].

    >>> x, lost = np.array([[1], [2], [3], [4], [5]]), np.array([0, 1, 1, 1, 0], dtype=bool)
    >>> held(x, np.array([0, 3, 5]), lost, np.array([9])).ravel().tolist()
    [1, 1, 1, 9, 5]
    """
    last = np.maximum.accumulate(np.where(lost, -1, np.arange(len(x))))  # place of the last sample that arrived
    first = np.repeat(bounds[:-1], np.diff(bounds))
    return np.where((last >= first)[:, None], x[last], start.astype(x.dtype))
