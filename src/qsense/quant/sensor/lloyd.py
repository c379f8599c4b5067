"""Boundaries of least squared error in a histogram (Lloyd, 1982; Max, 1960).

Open it for how the best of all partitions is found.
"""

from __future__ import annotations

import numpy as np

from qsense.quant.sensor.equal_shares import equal_shares
from qsense.quant.sensor.histogram import Floats

MOST_ROUNDS = 10_000
# Places where boundaries may first lie: so many of equal shares, and of equal widths. More levels than these start from
# equal shares: there, so many levels follow the density of the samples closely whatever they start from.
CANDIDATES = 384


def least_error(values: Floats, counts: Floats, cells: int, low: float, high: float) -> Floats:
    """Lloyd's rounds from the best of all partitions of a coarser histogram: alone they end in a local optimum.

    Args:
        values: ascending, [m].
        counts: weight of each, positive [m].
        cells: how many cells, at least 2.
        low: where the first value's weight begins.
        high: where the last one's ends.
    """
    if not cells < len(values) or cells > CANDIDATES:
        shares = equal_shares(values, counts, cells, low, high)
        return lloyd(values, counts, shares) if cells < len(values) else shares  # each value has its own cell
    candidates = (values[1:] + values[:-1]) / 2
    if len(values) > 2 * CANDIDATES:
        shares = equal_shares(values, counts, CANDIDATES, low, high)
        candidates = np.concatenate([shares, np.linspace(low, high, CANDIDATES)])
    return lloyd(values, counts, best_partition(values, counts, cells, candidates))


def best_partition(values: Floats, counts: Floats, cells: int, candidates: Floats) -> Floats:
    """Those of the candidate boundaries that leave the least squared error, [cells - 1], by dynamic programming.

    E_k(j), the least error of the values before place j in k cells, is the least of E_{k-1}(i) + error(i … j) over
    all i (Bruce, "Optimum Quantization", 1965).

    Args:
        values: ascending, more than cells, [m].
        counts: weight of each, positive [m].
        cells: how many cells, at least 2.
        candidates: where boundaries may lie, at least cells - 1 of them apart from each other by a value.
    """
    split = np.unique(np.concatenate([[0], np.searchsorted(values, candidates), [len(values)]]))
    centred = values - np.average(values, weights=counts)  # or small differences of large sums would count
    sums = (np.concatenate([[0.0], np.cumsum(counts * centred**power)])[split] for power in (0, 1, 2))
    weight, moment, square = (np.subtract.outer(part, part).T for part in sums)
    error = np.full_like(weight, np.inf)
    np.divide(moment**2, weight, out=error, where=weight > 0)
    error = np.where(weight > 0, square - error, np.inf)
    least, came_from = error[0], []
    for _ in range(cells - 1):
        total = least[:, None] + error
        came_from.append(total.argmin(0))
        least = total.min(0)
    place, chosen = len(split) - 1, []
    for step in reversed(came_from):
        place = int(step[place])
        chosen.append(split[place])
    right = np.array(chosen[::-1])
    boundaries: Floats = (values[right - 1] + values[right]) / 2
    return boundaries


def lloyd(values: Floats, counts: Floats, boundaries: Floats) -> Floats:
    """Lloyd's rounds from given boundaries until no value changes its cell.

    An empty cell's value is the middle between its boundaries, or the end of the values at the ends.

    Args:
        values: ascending, [m].
        counts: weight of each, positive [m].
        boundaries: to start from, ascending [cells - 1].
    """
    weight, moment = (np.concatenate([[0.0], np.cumsum(part)]) for part in (counts, counts * values))
    split = np.searchsorted(values, boundaries)
    for _ in range(MOST_ROUNDS):
        edges = np.concatenate([[0], split, [len(values)]])
        outer = np.concatenate([values[:1], boundaries, values[-1:]])
        inside = np.diff(weight[edges])
        middle = (outer[1:] + outer[:-1]) / 2
        means = np.where(inside > 0, np.diff(moment[edges]) / np.where(inside > 0, inside, 1.0), middle)
        boundaries = np.maximum.accumulate((means[1:] + means[:-1]) / 2)
        before, split = split, np.searchsorted(values, boundaries)
        if np.array_equal(before, split):
            break
    return boundaries


def squared_error(values: Floats, counts: Floats, boundaries: Floats) -> float:
    """Mean squared distance of the values from the means of their cells."""
    cell = np.searchsorted(boundaries, values, side="right")
    weight = np.bincount(cell, counts)
    means = np.bincount(cell, counts * values) / np.where(weight > 0, weight, 1.0)
    return float((counts * (values - means[cell]) ** 2).sum() / counts.sum())
