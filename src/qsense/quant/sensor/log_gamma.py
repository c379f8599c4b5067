"""The logarithmic ADC with a learned exponent behind its logarithm (RawDet-7's "log and γ").

Open it for a curve that starts as the logarithm of `log.py` and learns how dark its levels shall lie.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Unpack

import torch
from torch import Tensor

from qsense.quant.sensor.learned import LearnedExponent, Parametrization
from qsense.quant.sensor.log import one_step
from qsense.quant.sensor.settings import LearnedSettings
from qsense.signal import Signal

# Below one step of a 24-bit sensor the slope is held at its value there: with γ < 1 it would be infinite at 0.
SMALLEST = 2.0**-24


class LogGamma(LearnedExponent):
    """z = s · l^γ with l = ln(1 + |u|/ε) / ln(1 + 1/ε), s the sign of u: the curve of `Log`, then a learned power.

    RawDet-7's authors have it in their published code (github.com/Mishalfatima/RawDet-7 at 598f96e, `quant_module` with
    both `log` and `gamma_`): the logarithm of counts + 1 over n·ln 2 for a sensor of n bits, which is l for
    ε = 1/(2^n - 1), to the power ReLU(γ), then floor. One γ, from 1, serves all sensors there and learns at the
    network's rate with its weight decay: `parametrization` "relu" and `rounding` "floor".

    γ = 1 is `Log`; a smaller γ spends more levels on the dark, a larger one on the light. With D = ln(1 + 1/ε) and
    h = grad where u lies in the range, else 0,

        ∂u = h·γ·l^(γ-1)/((|u| + ε)·D),  ∂γ = Σ h·z·ln l.

    At 1 bit γ moves no decision level (except unipolar with rounding "round") and is frozen.

    Args:
        gamma: exponent to start from, positive.
        native_bits: resolution of the sensor itself, which sets ε; see `Log`.
        parametrization: what γ is learned as: "exp" (its logarithm), or "relu" with weight decay; see
            `LearnedExponent`.
        settings: as in `SensorQuantizer`.

    >>> log = LogGamma(Signal(channels=1, low=0.0, high=1.0, unit=""), bits=2, gamma=2.0)
    >>> [round(t, 4) for t in log.thresholds()[0].tolist()]
    [0.007, 0.0873, 0.4843]
    """

    searched: ClassVar[Mapping[str, tuple[float, float]]] = {"log_gamma": (math.log(1e-3), math.log(32.0))}

    def __init__(
        self,
        signal: Signal,
        bits: int,
        gamma: float = 1.0,
        native_bits: int | None = None,
        parametrization: Parametrization = "exp",
        **settings: Unpack[LearnedSettings],
    ) -> None:
        if not 0 < gamma < math.inf:
            raise ValueError(f"gamma={gamma!r}: LogGamma needs a positive exponent")
        super().__init__(signal, bits, gamma, parametrization, **settings)
        self.epsilon = one_step(signal, native_bits, "LogGamma")
        self.depth = math.log1p(1 / self.epsilon)  # D of the class

    def curve(self, u: Tensor) -> Tensor:
        """z = s · l^γ."""
        gamma = self.exponents(u.dtype)[:, None]
        return ((u.abs() / self.epsilon).log1p() / self.depth).pow(gamma).copysign(u)

    def inverse(self, z: Tensor) -> Tensor:
        """u = s · ε · ((1 + 1/ε)^(|z|^(1/γ)) - 1)."""
        radius = z.abs().pow(self.roots(z.dtype)[:, None])
        size = radius.mul_(self.depth).expm1_().mul_(self.epsilon)
        # 0 itself stays below every level of a tiny γ
        return size.copysign_(z) if self.signal.bipolar else size.clamp_min_(torch.finfo(z.dtype).tiny)

    def pullback(
        self, u: Tensor, grad: Tensor, wants_u: bool, wants: Sequence[bool]
    ) -> tuple[Tensor | None, list[Tensor | None]]:
        """The closed forms of the class."""
        gamma = self.exponents(u.dtype)
        inside = u.clamp(self.bottom, 1.0)
        moment = inside.eq(u).mul(grad)
        size = inside.abs().clamp_min_(SMALLEST)
        share = (size / self.epsilon).log1p_().div_(self.depth)  # l
        log = share.log()
        moment.mul_((log * gamma[:, None]).exp_())  # h·|z|
        grad_gamma = grad_u = None
        if wants[0]:  # the sign of 0 is 0, and so is z·ln l there
            grad_gamma = log.mul_(moment).mul_(inside.sign()).sum(1).mul_(self.slopes(gamma))
        if wants_u:
            grad_u = moment.mul_(gamma[:, None]).div_(share).div_(size.add_(self.epsilon)).div_(self.depth)
        return grad_u, [grad_gamma]
