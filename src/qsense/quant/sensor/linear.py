"""The linear ADC: evenly spaced levels (γ-Quant, eqs. 2 and 7 without the curve)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from qsense.quant.sensor.base import SensorQuantizer
from qsense.signal import Signal


class Linear(SensorQuantizer):
    """z = u: what most sensors have.

    Args:
        signal: what the sensor delivers.
        bits: resolution, 1 … 16.
        rounding: "round" (half up) or "floor" (γ-Quant's eq. 2: 3 usable levels at 2 bits).
        surrogate: how gradients pass the rounding: "ste", "noise", "soft", "ewgs" or "rect" (`estimators.py`).
        output: "level" (in the sensor's unit) or "code".

    >>> Linear(Signal(channels=3, low=-8.0, high=8.0, unit="g"), bits=2)(torch.tensor([-9.0, -1.0, 0.0, 7.0])).tolist()
    [-8.0, -2.6666667461395264, 2.6666667461395264, 8.0]
    """

    def __init__(
        self,
        signal: Signal,
        bits: int,
        rounding: Literal["round", "floor"] = "round",
        surrogate: Literal["ste", "noise", "soft", "ewgs", "rect"] = "ste",
        output: Literal["level", "code"] = "level",
    ) -> None:
        super().__init__(signal, bits, rounding, surrogate, output)

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
