"""The ADC of equal shares: every code is as frequent as every other (maximum output entropy; Messerschmitt, 1971).

Open it to see what it claims; `equal_shares.py` computes it.
"""

from __future__ import annotations

from qsense.quant.sensor.equal_shares import equal_shares
from qsense.quant.sensor.fitted import Fitted
from qsense.quant.sensor.histogram import Floats


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
