"""No quantization: the raw sensor, the upper bound that quantizers are compared with.

Open it to see what `quant=none` and `quant=fat` put in the place of a sensor quantizer.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from qsense.quant.sensor.codes import are_codes, evaluate, values
from qsense.quant.sensor.search import blocks
from qsense.quant.sensor.sensor import Sensor


class Identity(Sensor):
    """Hands samples on as they are (γ-Quant's "raw": normalised, not quantized), in float32; float64 stays float64.

    The signal's range may be unknown. There are no codes: `bits` is 0.

    >>> from qsense.signal import Signal
    >>> Identity(Signal(channels=1, low=0.0, high=1.0, unit="V", native_bits=2))(torch.arange(4)).tolist()
    [0.0, 0.3333333432674408, 0.6666666865348816, 1.0]
    """

    def forward(self, x: Tensor, condition: Sequence[int] | None = None) -> Tensor:
        """x, as float32 or float64; native codes become the values they stand for."""
        if not are_codes(x, self.signal):
            return x if x.dtype == torch.float64 else x.float()
        samples = x.contiguous()
        output = torch.empty(samples.shape, dtype=torch.float32, device=x.device)
        evaluate(self._fill_values, [(samples, output)], self.signal, self.rows)
        return output

    def power(self, condition: Sequence[int] | Tensor | None = None) -> float:
        """1."""
        return 1.0

    def _fill_values(self, samples: Tensor, output: Tensor) -> None:
        for block, out in zip(blocks(samples, self.rows), blocks(output, self.rows), strict=True):
            out.copy_(values(block, self.signal))
