"""Boundaries between cells of equal weight in a histogram.

Open it for what equal shares are where values repeat.
"""

from __future__ import annotations

import numpy as np

from qsense.quant.sensor.histogram import Floats


def equal_shares(values: Floats, counts: Floats, cells: int, low: float, high: float) -> Floats:
    """Boundaries [cells - 1] between cells of equal weight.

    Each value's weight lies evenly around it, half way to its neighbours, which makes the distribution continuous. A
    value heavier than a share counts as one share, so that it takes up one cell and not several, and the others share
    what is left of the cells. Where there are no more values than cells, all weigh the same.

    Args:
        values: ascending, [m].
        counts: weight of each, positive [m].
        cells: how many cells, at least 2.
        low: where the first value's weight begins.
        high: where the last one's ends.

    >>> equal_shares(np.array([0.0, 2.0, 4.0, 6.0]), np.array([97.0, 1.0, 1.0, 1.0]), 4, -1.0, 7.0).tolist()
    [1.0, 3.0, 5.0]
    """
    heaviest = np.sort(counts)[::-1]
    if len(counts) <= cells:
        share = heaviest[-1]
    else:
        # With the j heaviest values capped at the share s: s·(cells - j) = weight of the others, for the first j
        # whose next value is not above s.
        others = heaviest.sum() - np.concatenate([[0.0], np.cumsum(heaviest[: cells - 1])])
        shares = others / (cells - np.arange(cells))
        share = shares[np.argmax(heaviest[:cells] <= shares)]
    edges = np.concatenate([[low], (values[1:] + values[:-1]) / 2, [high]])
    weight = np.concatenate([[0.0], np.cumsum(np.minimum(counts, share))])
    boundaries: Floats = np.interp(np.arange(1, cells) / cells * weight[-1], weight, edges)
    return boundaries
