"""The logarithmic ADC: levels in fixed ratios (γ-Quant, eqs. 3-4 with fixed end points).

Open it for the curve that γ-Quant compares its own with; `log_eps.py` learns its ε.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Unpack

import torch
from torch import Tensor

from qsense.quant.sensor.base import SensorQuantizer
from qsense.quant.sensor.settings import Settings
from qsense.signal import USUAL_BITS, Signal


class Log(SensorQuantizer):
    """z = sign(u) · ln(1 + |u|/ε) / ln(1 + 1/ε), ε one native step of the sensor: a fixed, not learned curve.

    On [0, 1] this is (ln(u + ε) - ln ε) / (ln(1 + ε) - ln ε): eq. 3, mapped to [0, 1] between fixed end points, since a
    real ADC cannot know an image's own minimum and maximum (eq. 4). Signed signals get the odd extension.

    With ε = 1 / (white - black) this is log(counts above black + 1), the curve of γ-Quant's authors on raw counts.

    Args:
        native_bits: resolution n of the sensor itself, 1 … 32: ε = 1/(2^n - 1); None: ε = 1/(white - black) of the
            signal's native codes, which is 1/(2^n - 1) of its own n bits where it states no black and white, and 1/4095
            (12 bits) where it delivers values.
        settings: as in `SensorQuantizer`.

    >>> log = Log(Signal(channels=1, low=0.0, high=1.0, unit=""), bits=2)
    >>> [round(t, 4) for t in log.thresholds()[0].tolist()]
    [0.0007, 0.0154, 0.2498]
    >>> log = Log(Signal(channels=1, low=0.0, high=1.0, unit="", native_bits=24), bits=2)
    >>> [f"{t:.1e}" for t in log.thresholds()[0].tolist()]
    ['8.9e-07', '2.4e-04', '6.2e-02']
    """

    def __init__(self, signal: Signal, bits: int, native_bits: int | None = None, **settings: Unpack[Settings]) -> None:
        super().__init__(signal, bits, **settings, per_channel=False, lr=None, start=None)
        self.epsilon = one_step(signal, native_bits, "Log")

    def curve(self, u: Tensor) -> Tensor:
        """z = sign(u) · ln(1 + |u|/ε) / ln(1 + 1/ε)."""
        return ((u.abs() / self.epsilon).log1p() / math.log1p(1 / self.epsilon)).copysign(u)

    def inverse(self, z: Tensor) -> Tensor:
        """u = sign(z) · ε · ((1 + 1/ε)^|z| - 1)."""
        return (z.abs() * math.log1p(1 / self.epsilon)).expm1_().mul_(self.epsilon).copysign_(z)

    def pullback(
        self, u: Tensor, grad: Tensor, wants_u: bool, wants: Sequence[bool]
    ) -> tuple[Tensor | None, list[Tensor | None]]:
        """∂z/∂u = 1 / ((|u| + ε) · ln(1 + 1/ε)) inside the range, 0 outside."""
        inside = u.clamp(self.bottom, 1.0)
        inside = torch.eq(inside, u, out=inside).mul_(grad)
        slope = u.abs().add_(self.epsilon).mul_(math.log1p(1 / self.epsilon))
        return inside.div_(slope), []


def one_step(signal: Signal, native_bits: int | None, name: str) -> float:
    """One native step of the sensor in unit coordinates, as `Log` says, for a curve called `name`.

    Raises:
        ValueError: no number of bits.

    >>> 1 / one_step(Signal(1, 0.0, 1.0, "full scale", native_bits=14, black=512, white=15871), None, "Log")
    15359.0
    """
    if native_bits is None:
        return 1.0 / (signal.top - signal.black if signal.native_bits else (1 << USUAL_BITS) - 1)
    if isinstance(native_bits, bool) or not isinstance(native_bits, int) or not 1 <= native_bits <= 32:
        raise ValueError(f"native_bits={native_bits!r}: {name} needs an integer from 1 to 32, or null")
    return 1.0 / ((1 << native_bits) - 1)
