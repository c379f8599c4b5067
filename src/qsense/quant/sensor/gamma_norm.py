"""The γ ADC without its jump at the centre and its clipping at the ends: continuous, and over the whole range."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from qsense.quant.sensor.base import SensorQuantizer
from qsense.signal import Signal

SMALLEST, LARGEST = 1e-3, 32.0  # γ; between them and with ε ≥ 1e-9 no exponential overflows
REACH = 0.99  # of the range, where the centre may lie: beyond the very end there would be no other side


class GammaNorm(SensorQuantizer):
    """γ-Quant's curve (eqs. 6-7), moved and stretched on each side so that it is 0 at the centre and ±1 at the ends.

    In unit coordinates, with t = ln(1 + |u - μ|/ε) and T the same at the end of u's side of the range,

        z = s · (e^(γt) - 1) / (e^(γT) - 1),  s = +1 for u ≥ μ, else -1,

    which is ((|u - μ| + ε)^γ - ε^γ) over its value at the end: eq. 7 jumps from -ε^γ to ε^γ at μ and is cut off
    beyond |z| = 1. γ = 1 is linear on each side, and γ → 0 the logarithmic curve. Unipolar signals have μ = 0. With
    A = e^(γ(t-T)), E = 1 - e^(-γT), a = |u - μ| + ε and a' its value at the end of the side,

        ∂u = γA/(E·a),  ∂γ = s·(t·A - |z|·T)/E,  ∂μ = γ·(|z|/a' - A/a)/E.

    γ is learned as exp(`log_gamma`). At 1 bit γ moves no decision level (except unipolar with rounding "round") and is
    frozen.

    Args:
        signal: what the sensor delivers.
        bits: resolution, 1 … 16.
        gamma: exponent to start from, 0.001 … 32; None: 0.4 for bipolar signals, 1.0 for unipolar ones.
        mu: centre to start from, in unit coordinates, -0.99 … 0.99; bipolar signals only (0 for unipolar ones).
        epsilon: where the curve turns from linear to a power, in unit coordinates, 1e-9 … 1.
        per_channel: one γ (and μ) per channel instead of one for all.
        lr: own learning rate of γ and μ; None means the network's.
        rounding: "round" (half up) or "floor".
        surrogate: how gradients pass the rounding: "ste", "noise", "soft", "ewgs" or "rect" (`estimators.py`).
        output: "level" (in the sensor's unit) or "code".

    Raises:
        ValueError: an argument outside what is listed.

    >>> gamma = GammaNorm(Signal(channels=3, low=-1.0, high=1.0, unit="g"), bits=2, gamma=0.5)
    >>> [round(t, 3) for t in gamma.thresholds()[0].tolist()]
    [-0.458, 0.0, 0.458]
    """

    def __init__(
        self,
        signal: Signal,
        bits: int,
        gamma: float | None = None,
        mu: float = 0.0,
        epsilon: float = 1e-3,
        per_channel: bool = False,
        lr: float | None = None,
        rounding: Literal["round", "floor"] = "round",
        surrogate: Literal["ste", "noise", "soft", "ewgs", "rect"] = "ste",
        output: Literal["level", "code"] = "level",
    ) -> None:
        super().__init__(signal, bits, rounding, surrogate, output, per_channel, lr)
        if gamma is None:
            gamma = 0.4 if signal.bipolar else 1.0
        if not SMALLEST <= gamma <= LARGEST:
            raise ValueError(f"gamma={gamma!r}: GammaNorm needs {SMALLEST:g} to {LARGEST:g}, or null for the default")
        if not signal.bipolar and mu != 0:
            raise ValueError(f"mu={mu!r}: a unipolar signal (low={signal.low:g}) has no centre, only mu=0 is allowed")
        if not -REACH <= mu <= REACH:
            raise ValueError(f"mu={mu!r}: GammaNorm needs a centre within the range, from -{REACH} to {REACH}")
        if not 1e-9 <= epsilon <= 1:
            raise ValueError(f"epsilon={epsilon!r}: GammaNorm needs a number from 1e-9 to 1")
        self.epsilon = epsilon
        self.log_gamma = nn.Parameter(torch.full((self.rows,), math.log(gamma)))
        self.mu = nn.Parameter(torch.full((self.rows,), float(mu))) if signal.bipolar else None
        if bits == 1 and (signal.bipolar or rounding == "floor"):
            self.log_gamma.requires_grad_(False)
            warnings.warn("at 1 bit gamma changes no code: it is frozen at its initial value", stacklevel=2)

    def curve(self, u: Tensor) -> Tensor:
        """z; see the class."""
        gamma, centred, t, top = self._sides(u)
        # (e^γt - 1)/(e^γT - 1) with exponents that are never positive
        z = ((t - top) * gamma).exp() * (t * -gamma).expm1() / (top * -gamma).expm1()
        return torch.where(centred >= 0, z, -z)

    def inverse(self, z: Tensor) -> Tensor:
        """u = μ + s·ε·(e^t - 1) with t = ln(1 + |z|·(e^(γT) - 1))/γ."""
        gamma, mu = self._learned(z.dtype)
        top = torch.where(z >= 0, (1 - mu) / self.epsilon, (1 + mu) / self.epsilon).log1p_()
        t = (z.abs() * (top * gamma).expm1_()).log1p_().div_(gamma)
        return t.expm1_().mul_(self.epsilon).copysign_(z).add_(mu)

    def pullback(
        self, u: Tensor, grad: Tensor, wants_u: bool, wants: Sequence[bool]
    ) -> tuple[Tensor | None, list[Tensor | None]]:
        """The closed forms of the class."""
        inside = u.clamp(self.bottom, 1.0)
        h = inside.eq(u) * grad
        gamma, centred, t, top = self._sides(inside)
        h.div_((top * -gamma).expm1_().neg_())  # everything below is over E
        power = ((t - top) * gamma).exp_()
        size = power * (t * -gamma).expm1_().neg_()  # |z|·E
        size.div_((top * -gamma).expm1_().neg_())
        of_gamma = of_mu = of_u = None
        if wants[0]:
            sign = torch.where(centred >= 0, 1.0, -1.0).to(u.dtype)
            of_gamma = (t * power - size * top).mul_(sign).mul_(h).sum(1).mul_(gamma[:, 0])  # ∂ log γ = γ·∂γ
        slope = power.div_(centred.abs().add_(self.epsilon))
        if self.mu is not None and wants[1]:
            mu = self.mu.to(u.dtype)[:, None]
            far = torch.where(centred >= 0, 1 - mu, 1 + mu).add_(self.epsilon)
            of_mu = size.div_(far).sub_(slope).mul_(h).sum(1).mul_(gamma[:, 0])
        if wants_u:
            of_u = slope.mul_(h).mul_(gamma)
        return of_u, [of_gamma] if self.mu is None else [of_gamma, of_mu]

    @torch.no_grad()
    def clamp_(self) -> None:
        """Keep μ within the range, and γ where exponentials stay finite."""
        self.log_gamma.clamp_(math.log(SMALLEST), math.log(LARGEST))
        if self.mu is not None:
            self.mu.clamp_(-REACH, REACH)

    def trajectory(self) -> dict[str, list[float]]:
        """γ, and for bipolar signals μ, one value per curve, to float32's accuracy."""
        gamma = self.log_gamma.detach().double().exp().float()
        learned = {"gamma": gamma} if self.mu is None else {"gamma": gamma, "mu": self.mu.detach()}
        return {name: [float(f"{value:.7g}") for value in tensor.tolist()] for name, tensor in learned.items()}

    def _learned(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """γ and μ, [rows, 1]."""
        gamma = self.log_gamma.to(dtype).exp()[:, None]
        return gamma, torch.zeros_like(gamma) if self.mu is None else self.mu.to(dtype)[:, None]

    def _sides(self, u: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """γ, u - μ, t, and T of each sample's side."""
        gamma, mu = self._learned(u.dtype)
        centred = u - mu
        t = (centred.abs() / self.epsilon).log1p()
        ends = ((1 - mu) / self.epsilon).log1p(), ((1 + mu) / self.epsilon).log1p()
        return gamma, centred, t, torch.where(centred >= 0, *ends)
