"""The γ ADC without its jump at the centre and its clipping at the ends: continuous, and over the whole range.

Open it to compare the paper's curve with one that has no jump.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from qsense.quant.sensor.gamma import Gamma

SMALLEST, LARGEST = 1e-3, 32.0  # γ; between them and with ε ≥ 1e-9 no exponential overflows


class GammaNorm(Gamma):
    """γ-Quant's curve (eqs. 6-7), moved and stretched on each side so that it is 0 at the centre and ±1 at the ends.

    In unit coordinates, with t = ln(1 + |u - μ|/ε) and T the same at the end of u's side of the range,

        z = s · (e^(γt) - 1) / (e^(γT) - 1),  s = +1 for u ≥ μ, else -1,

    which is ((|u - μ| + ε)^γ - ε^γ) over its value at the end: eq. 7 jumps from -ε^γ to ε^γ at μ and is cut off
    beyond |z| = 1. γ = 1 is linear on each side, and γ → 0 the logarithmic curve. Unipolar signals have μ = 0. With
    A = e^(γ(t-T)), E = 1 - e^(-γT), a = |u - μ| + ε and a' its value at the end of the side,

        ∂u = γA/(E·a),  ∂γ = s·(t·A - |z|·T)/E,  ∂μ = γ·(|z|/a' - A/a)/E.

    What is learned, and from where, is as in `Gamma`, with γ from 0.001 to 32 (so that it cannot die), μ from -0.99 to
    0.99, and ε, where the curve turns from linear to a power, from 1e-9 to 1.

    >>> from qsense.signal import Signal
    >>> gamma = GammaNorm(Signal(channels=3, low=-1.0, high=1.0, unit="g"), bits=2, gamma=0.5)
    >>> [round(t, 3) for t in gamma.thresholds()[0].tolist()]
    [-0.458, 0.0, 0.458]
    """

    reach: ClassVar[float] = 0.99  # beyond the very end of the range there would be no other side
    searched: ClassVar[Mapping[str, tuple[float, float]]] = {
        "log_gamma": (math.log(SMALLEST), math.log(LARGEST)),
        "mu": (-reach, reach),
    }

    def check(self, name: str, gamma: float, epsilon: float) -> None:
        """As in `Gamma`, with the ranges of the class."""
        if not SMALLEST <= gamma <= LARGEST:
            raise ValueError(f"gamma={gamma!r}: {name} needs {SMALLEST:g} to {LARGEST:g}, or null for the default")
        if not 1e-9 <= epsilon <= 1:
            raise ValueError(f"epsilon={epsilon!r}: {name} needs a number from 1e-9 to 1")

    def power(self, condition: Sequence[int] | Tensor | None = None) -> None:
        """None: with ε, a gain of light is no factor of levels."""

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
        grad_gamma = grad_mu = grad_u = None
        if wants[0]:
            sign = torch.where(centred >= 0, 1.0, -1.0).to(u.dtype)
            grad_gamma = (t * power - size * top).mul_(sign).mul_(h).sum(1).mul_(self.slopes(gamma[:, 0]))
        slope = power.div_(centred.abs().add_(self.epsilon))
        if self.mu is not None and wants[1]:
            mu = self.mu.to(u.dtype)[:, None]
            far = torch.where(centred >= 0, 1 - mu, 1 + mu).add_(self.epsilon)
            grad_mu = size.div_(far).sub_(slope).mul_(h).sum(1).mul_(gamma[:, 0])
        if wants_u:
            grad_u = slope.mul_(h).mul_(gamma)
        return grad_u, [grad_gamma] if self.mu is None else [grad_gamma, grad_mu]

    @torch.no_grad()
    def clamp_(self) -> None:
        """Keep μ within the range, and γ where exponentials stay finite."""
        if self.parametrization == "exp":
            self.log_gamma.clamp_(math.log(SMALLEST), math.log(LARGEST))
        else:
            self.raw_gamma.clamp_(SMALLEST, LARGEST)
        super().clamp_()

    def _learned(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """γ and μ, [rows, 1]."""
        gamma = self.exponents(dtype)[:, None]
        return gamma, torch.zeros_like(gamma) if self.mu is None else self.mu.to(dtype)[:, None]

    def _sides(self, u: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """γ, u - μ, t, and T of each sample's side."""
        gamma, mu = self._learned(u.dtype)
        centred = u - mu
        t = (centred.abs() / self.epsilon).log1p()
        ends = ((1 - mu) / self.epsilon).log1p(), ((1 + mu) / self.epsilon).log1p()
        return gamma, centred, t, torch.where(centred >= 0, *ends)
