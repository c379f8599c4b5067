"""Recordings as their sensor's own ADC counted them: the grid that its samples lie on, found in the samples.

Open it when the lossless rival of a data set counts on a grid that is not its sensor's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qsense.data.cache import SCHEMA, Arrays, cached, digest, fingerprint, readable
from qsense.data.series.dataset import ActivityDataset
from qsense.data.series.prepared import prepared
from qsense.signal import USUAL_BITS

ASSUMED_BITS = USUAL_BITS  # of a sensor whose samples lie on no grid: filtered, resampled, or simulated
MOST_BITS = 16  # a finer grid is that of floating-point numbers
SAMPLES = 200_000  # of an axis, in which its grid is looked for
ON_GRID, TOLERANCE = 0.98, 0.1  # share of samples within so much of a step; gaps that were filled lie off it
Floats = npt.NDArray[np.floating[Any]]


def native_counts(dataset: ActivityDataset, cache: Path) -> Arrays:
    """All recordings in whole steps of their grid, one after the other; found once for a data set, and cached.

    Returns:
        counts: int32 [samples, axes], from 0 on; step: float64 [axes], in the sensor's unit; found: bool [axes], False
        where there is no grid, and 12 bits over the sensor's range (else its extremes) stand for it.
    """

    def build() -> Arrays:
        x = np.asarray(prepared(dataset, cache)["x"])
        axes = [_counts(x[:, axis], dataset.range) for axis in range(x.shape[1])]
        return {
            "counts": np.stack([counts for counts, _, _ in axes], axis=1),
            "step": np.array([step for _, step, _ in axes]),
            "found": np.array([found for _, _, found in axes]),
        }

    key = f"{readable(dataset.name)}-{digest('native counts', SCHEMA, fingerprint(dataset, cache), dataset.range)[:24]}"
    return cached(cache, key, build)


def _counts(x: Floats, full_scale: tuple[float, float] | None) -> tuple[npt.NDArray[np.int32], float, bool]:
    x = x.astype(np.float64)
    grid = grid_of(x)
    low, high = full_scale or (x.min(), x.max())
    step, offset = grid or ((high - low) / ((1 << ASSUMED_BITS) - 1), low)
    counts = np.round((x - offset) / step) if step > 0 else np.zeros(len(x))
    if grid is None:
        counts = counts.clip(0, (1 << ASSUMED_BITS) - 1)
    return (counts - counts.min()).astype(np.int32), float(step), grid is not None


def grid_of(x: Floats) -> tuple[float, float] | None:
    """Step and a point of the grid that samples lie on; None where they lie on none that an ADC could have.

    The most common distance of neighbouring values is the step; then it is made more exact over ever longer distances.

    >>> step, _ = grid_of(np.arange(-700, 700).astype(np.float32) / 720)
    >>> round(1 / step, 3)
    720.0
    """
    values = np.unique(x[:: max(1, len(x) // SAMPLES)])
    if len(values) < 3:
        return None
    noise = 8 * np.finfo(np.float32).eps * np.abs(values).max()  # of float32, and of what was computed with it
    values = values[np.diff(values, prepend=-np.inf) > noise]
    gaps = np.diff(values)
    if len(gaps) < 2:
        return None
    size = np.round(np.log(gaps) * 50).astype(np.int64)  # 2 % apart
    common = np.bincount(size - size.min()).argmax() + size.min()
    usual = np.abs(size - common) <= 1
    step = float(np.median(gaps[usual]))
    inner = (
        np.flatnonzero(usual[:-1] & usual[1:]) + 1
    )  # values with such a neighbour on both sides: none that was filled
    middle = values[inner[len(inner) // 2] if len(inner) else len(values) // 2]
    reach, span = 8 * step, values[-1] - values[0]
    while True:
        near = values[np.abs(values - middle) <= reach] - middle
        places = np.round(near / step)
        on = np.abs(near / step - places) < TOLERANCE
        if (places[on] ** 2).sum():
            step = float((near[on] * places[on]).sum() / (places[on] ** 2).sum())
        if reach >= span:
            break
        reach *= 2
    if span / step >= 1 << MOST_BITS:
        return None
    places = (x - middle) / step
    on = np.abs(places - np.round(places)) < TOLERANCE
    return (step, float(middle)) if on.mean() >= ON_GRID else None
