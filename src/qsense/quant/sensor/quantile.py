"""The ADC of equal shares: every code is as frequent as every other (maximum output entropy; Messerschmitt, 1971).

Open it for what equal shares are where values repeat.
"""

from __future__ import annotations

import numpy as np

from qsense.quant.sensor.fitted import Fitted, Floats


class Quantile(Fitted):
    """Decision levels at the quantiles k/2^bits of the training samples (see `equal_shares`): not learned.

    Messerschmitt, "Quantizing for Maximum Output Entropy", IEEE Trans. Information Theory 17 (1971): of all quantizers
    of so many bits this one's codes say most about the sample.

    >>> import torch
    >>> from qsense.signal import Signal
    >>> quantile = Quantile(Signal(channels=1, low=0.0, high=1.0, unit=""), bits=2)
    >>> quantile.fit(torch.linspace(0, 1, 1001)[:, None] ** 2)
    >>> [round(t, 3) for t in quantile.thresholds()[0].tolist()]
    [0.062, 0.25, 0.563]
    """

    def place(self, values: Floats, counts: Floats) -> Floats:
        """The quantiles."""
        return equal_shares(values, counts, 1 << self.bits, self.bottom, 1.0)


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
