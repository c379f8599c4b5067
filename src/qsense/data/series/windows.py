"""Sliding windows as index arithmetic: which samples belong to which window, and in which order an epoch takes them.

Open it to change how windows lie, or which samples a prediction counts for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class WindowIndex:
    """Where every window lies in the concatenated recordings.

    Args:
        start: first sample of every window, int64 [windows].
        covered: how many samples, from `start` on, the window's prediction speaks for, int64 [windows].
        recording: recording of every window, int64 [windows].
    """

    start: npt.NDArray[np.int64]
    covered: npt.NDArray[np.int64]
    recording: npt.NDArray[np.int64]


def index_windows(bounds: npt.NDArray[np.int64], window: int, stride: int) -> WindowIndex:
    """Lay windows over each recording by itself; the last one speaks for the recording's tail, too.

    Window i of a recording covers samples stride·i … stride·i + stride − 1 (γ-Quant, section 4); a recording shorter
    than a window has none.

    Args:
        bounds: recording r holds the samples bounds[r] … bounds[r + 1] − 1; int64 [recordings + 1].
        window: samples per window.
        stride: samples from one window's start to the next.

    >>> index = index_windows(np.array([0, 100, 130, 190]), window=50, stride=25)
    >>> index.start.tolist(), index.covered.tolist(), index.recording.tolist()
    ([0, 25, 50, 130], [25, 25, 50, 60], [0, 0, 0, 2])
    """
    lengths = np.diff(bounds)
    counts = np.where(lengths >= window, (lengths - window) // stride + 1, 0)
    recording = np.repeat(np.arange(len(lengths)), counts)
    ends = np.cumsum(counts)
    number = np.arange(counts.sum()) - np.repeat(ends - counts, counts)  # 0, 1, … within each recording
    start = bounds[recording] + stride * number
    covered = np.full(len(start), stride, dtype=np.int64)
    last = ends[counts > 0] - 1
    covered[last] = bounds[1:][recording[last]] - start[last]
    return WindowIndex(start.astype(np.int64), covered, recording.astype(np.int64))
