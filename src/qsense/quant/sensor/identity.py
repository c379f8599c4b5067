"""No quantization: the raw sensor, the upper bound that quantizers are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import torch
from torch import Tensor, nn

from qsense.quant.sensor.base import SensorQuantizer
from qsense.quant.sensor.codes import are_codes, evaluate, values
from qsense.signal import Signal


class Identity(SensorQuantizer):
    """Hands samples on as they are (γ-Quant's "raw": normalised, not quantized), float32 under the base class's rule.

    It takes the place of a quantizer everywhere, also on signals of unknown range, but has no codes: `bits` is 0.

    Args:
        signal: what the sensor delivers.
    """

    def __init__(self, signal: Signal) -> None:
        nn.Module.__init__(self)  # the base class's settings are those of a converter, and there is none
        self.signal = signal
        self.bits = 0
        self.per_channel = False
        self.rows = 1
        self.lr = None

    def forward(self, x: Tensor, condition: Sequence[int] | None = None) -> Tensor:
        """x, as float32 or float64; native codes become the values they stand for."""
        if not are_codes(x, self.signal):
            return x if x.dtype == torch.float64 else x.float()
        samples = x.contiguous()
        result = torch.empty(samples.shape, dtype=torch.float32, device=x.device)
        evaluate(self._write, samples, result, self.signal, self.rows)
        return result

    def _write(self, samples: Tensor, out: Tensor) -> None:
        for block, to in zip(self._blocks(samples), self._blocks(out), strict=True):
            to.copy_(values(block, self.signal))

    def curve(self, u: Tensor) -> Tensor:
        """z = u."""
        return u

    def to_unit(self, x: Tensor) -> Tensor:
        """x: without a converter there is nothing to scale to."""
        return x

    def inverse(self, z: Tensor) -> Tensor:
        """u = z."""
        return z

    def pullback(
        self, u: Tensor, grad: Tensor, wants_u: bool, wants: Sequence[bool]
    ) -> tuple[Tensor | None, list[Tensor | None]]:
        """The gradient as it arrives."""
        return grad, []

    def encode(self, x: Tensor, condition: Sequence[int] | None = None) -> NoReturn:
        """Raises TypeError: an unquantized signal has no codes."""
        raise TypeError("Identity does not quantize: it has no codes, levels or thresholds")

    def decode(self, codes: Tensor) -> NoReturn:
        """Raises TypeError: an unquantized signal has no codes."""
        raise TypeError("Identity does not quantize: it has no codes, levels or thresholds")

    def thresholds(self) -> NoReturn:
        """Raises TypeError: an unquantized signal has no thresholds."""
        raise TypeError("Identity does not quantize: it has no codes, levels or thresholds")

    def levels(self) -> NoReturn:
        """Raises TypeError: an unquantized signal has no levels."""
        raise TypeError("Identity does not quantize: it has no codes, levels or thresholds")

    def extra_repr(self) -> str:
        """Nothing to show."""
        return ""
