"""The ADC of least squared error for the training data (Lloyd, 1982; Max, 1960).

Open it to see what it claims; `lloyd.py` computes it.
"""

from __future__ import annotations

from qsense.quant.sensor.fitted import Fitted
from qsense.quant.sensor.histogram import Floats
from qsense.quant.sensor.lloyd import least_error


class LloydMax(Fitted):
    """Decision levels that leave the least mean squared error of the training samples: not learned.

    They satisfy Max's two conditions (Max, 1960, eqs. 4-5; Lloyd, 1982, "Method I"): each cell's value is the mean of
    the samples in it, and each decision level lies half way between two neighbouring values. What the network sees is
    nevertheless each cell's code, evenly spread, as with every other curve here: it is the levels that are compared.

    >>> import torch
    >>> from qsense.signal import Signal
    >>> lloyd = LloydMax(Signal(channels=1, low=0.0, high=1.0, unit=""), bits=2)
    >>> lloyd.fit(torch.linspace(0, 1, 1001)[:, None] ** 2)
    >>> [round(t, 3) for t in lloyd.thresholds()[0].tolist()]
    [0.173, 0.423, 0.702]
    """

    def place(self, values: Floats, counts: Floats) -> Floats:
        """The levels of `least_error`."""
        return least_error(values, counts, 1 << self.bits, self.bottom, 1.0)
