"""The logarithmic ADC with a learned offset ε (γ-Quant's eq. 3, whose fixed "+ 1" its authors suggest to learn).

Open it for the curve that `mulaw.py` has, too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Unpack

import torch
from torch import Tensor, nn

from qsense.quant.sensor.base import SensorQuantizer
from qsense.quant.sensor.learned import for_logs, freeze_at_one_bit
from qsense.quant.sensor.settings import LearnedSettings
from qsense.signal import USUAL_BITS, Signal

SMALLEST, LARGEST = 2.0**-24, 2.0**10  # ε: from one step of a 24-bit sensor to what is linear to a thousandth


class Logarithmic(SensorQuantizer):
    """The curve that `LogEps` and `MuLaw` share; they differ in what they call its one parameter, and in learning it.

    Args:
        epsilon: where ε begins.
        learned_as: what a warning calls ε where it is a parameter; None: it is a buffer.
    """

    searched: ClassVar[Mapping[str, tuple[float, float]]] = {"log_epsilon": (math.log(SMALLEST), math.log(LARGEST))}
    log_epsilon: Tensor

    def __init__(
        self, signal: Signal, bits: int, epsilon: float, learned_as: str | None, **settings: Unpack[LearnedSettings]
    ) -> None:
        super().__init__(signal, bits, **settings)
        initial = torch.full((self.rows,), math.log(epsilon))
        if learned_as is None:
            self.register_buffer("log_epsilon", initial)
        else:
            self.log_epsilon = nn.Parameter(initial)
            freeze_at_one_bit(self, self.log_epsilon, learned_as)

    def curve(self, u: Tensor) -> Tensor:
        """z; see `LogEps`."""
        epsilon = self.log_epsilon.to(u.dtype).exp()[:, None]
        return (u.abs() / epsilon).log1p().div(epsilon.reciprocal().log1p()).copysign(u)

    def inverse(self, z: Tensor) -> Tensor:
        """u = s · ε · ((1 + 1/ε)^|z| - 1)."""
        epsilon = self.log_epsilon.to(z.dtype).exp()[:, None]
        return (z.abs() * epsilon.reciprocal().log1p()).expm1_().mul_(epsilon).copysign_(z)

    def pullback(
        self, u: Tensor, grad: Tensor, wants_u: bool, wants: Sequence[bool]
    ) -> tuple[Tensor | None, list[Tensor | None]]:
        """The closed forms of `LogEps`."""
        epsilon = self.log_epsilon.to(u.dtype).exp()[:, None]
        inside = u.clamp(self.bottom, 1.0)
        h = inside.eq(u).mul(grad).div_(epsilon.reciprocal().log1p())
        size = inside.abs()
        grad_parameters: list[Tensor | None] = [None] * len(wants)
        if any(wants):
            z = (size / epsilon).log1p_().div_(epsilon.reciprocal().log1p())
            grad_log = z.div_(1 + epsilon).sub_(size / (size + epsilon)).mul_(torch.where(inside < 0, -h, h))
            grad_parameters = [grad_log.sum(1)]
        return h.div_(size.add_(epsilon)) if wants_u else None, grad_parameters

    @torch.no_grad()
    def clamp_(self) -> None:
        """Keep ε in its range."""
        self.log_epsilon.clamp_(math.log(SMALLEST), math.log(LARGEST))


class LogEps(Logarithmic):
    """z = s · ln(1 + |u|/ε) / ln(1 + 1/ε), s the sign of u: the curve of `Log`, its ε learned.

    A small ε is steep at 0, a large one makes the curve linear. With D = ln(1 + 1/ε),

        ∂u = 1/((|u| + ε)·D),  ∂ ln ε = s·(|z|/(1 + ε) - |u|/(|u| + ε))/D.

    ε is learned as exp(`log_epsilon`). At 1 bit it moves no decision level (except unipolar with rounding "round") and
    is frozen.

    Args:
        epsilon: offset to start from, in unit coordinates, 2^-24 … 1024; None: one native step of the sensor, or one of
            12 bits where it delivers values.
        settings: as in `SensorQuantizer`.

    >>> log = LogEps(Signal(channels=1, low=0.0, high=1.0, unit=""), bits=2, epsilon=1 / 4095)
    >>> [round(t, 4) for t in log.thresholds()[0].tolist()]
    [0.0007, 0.0154, 0.2498]
    """

    def __init__(
        self, signal: Signal, bits: int, epsilon: float | None = None, **settings: Unpack[LearnedSettings]
    ) -> None:
        if epsilon is None:
            epsilon = max(1.0 / ((1 << (signal.native_bits or USUAL_BITS)) - 1), SMALLEST)
        if not SMALLEST <= epsilon <= LARGEST:
            raise ValueError(f"epsilon={epsilon!r}: LogEps needs 2^-24 to {LARGEST:g}, or null for one native step")
        super().__init__(signal, bits, epsilon, "epsilon", **settings)

    def trajectory(self) -> dict[str, list[float]]:
        """ε, one value per curve."""
        return {"epsilon": for_logs(self.log_epsilon.detach().double().exp().float())}
