"""The linear ADC: evenly spaced levels (γ-Quant, eqs. 2 and 7 without the curve).

Open it for the simplest curve that has closed forms of its inverse and gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import torch
from torch import Tensor

from qsense.quant.sensor.base import SensorQuantizer
from qsense.quant.sensor.settings import Settings
from qsense.signal import Signal


class Linear(SensorQuantizer):
    """z = u: what most sensors have. Nothing is learned, and all channels are alike.

    Rounding "floor" is γ-Quant's eq. 2, with 3 usable levels at 2 bits.

    >>> Linear(Signal(channels=3, low=-8.0, high=8.0, unit="g"), bits=2)(torch.tensor([-9.0, -1.0, 0.0, 7.0])).tolist()
    [-8.0, -2.6666667461395264, 2.6666667461395264, 8.0]
    """

    def __init__(self, signal: Signal, bits: int, **settings: Unpack[Settings]) -> None:
        super().__init__(signal, bits, **settings, per_channel=False, lr=None, start=None)

    def power(self, condition: Sequence[int] | Tensor | None = None) -> float:
        """1."""
        return 1.0

    def curve(self, u: Tensor) -> Tensor:
        """z = u."""
        return u

    def inverse(self, z: Tensor) -> Tensor:
        """u = z."""
        return z

    def pullback(
        self, u: Tensor, grad: Tensor, wants_u: bool, wants: Sequence[bool]
    ) -> tuple[Tensor | None, list[Tensor | None]]:
        """∂z/∂u = 1 inside the range, 0 outside."""
        inside = u.clamp(self.bottom, 1.0)
        return torch.eq(inside, u, out=inside).mul_(grad), []
