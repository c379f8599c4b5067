"""The γ ADC: a power-law curve whose exponent, and for signed signals centre, is learned (γ-Quant, eqs. 6-7).

Open it for the curve of the paper and its gradients.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Unpack

import torch
from torch import Tensor, nn

from qsense.quant.sensor.learned import LearnedExponent, Parametrization, for_logs
from qsense.quant.sensor.settings import LearnedSettings
from qsense.signal import Signal

# Below one step of a 24-bit sensor the slope of u^γ is held at its value there: at 0 it would be infinite.
SMALLEST = 2.0**-24


class Gamma(LearnedExponent):
    """Levels dense where the task needs them, by two learned numbers.

    In unit coordinates:

        unipolar (eq. 6):  z = u^γ
        bipolar (eq. 7):   z = s · (|u - μ| + ε)^γ,  s = +1 for u ≥ μ, else -1

    with the gradients, for a = |u - μ| + ε and h = grad where |z| ≤ 1, else 0:

        ∂u = h·γ·a^(γ-1),  ∂γ = Σ h·z·ln a,  ∂μ = -Σ h·γ·a^(γ-1).

    γ is learned as exp(`log_gamma`), or as in the authors' code, as ReLU(`raw_gamma`) with the network's weight decay
    on it and μ; see `LearnedExponent`. `mu` is kept within the range by `clamp_`. At 1 bit γ moves no decision level
    (except unipolar with rounding "round") and is frozen.

    Args:
        gamma: exponent to start from, positive; None: 0.4 for bipolar signals, 1.0 for unipolar ones.
        mu: centre to start from, in unit coordinates, [-1, 1]; bipolar signals only (0 for unipolar ones).
        epsilon: keeps the slope at the centre finite, in unit coordinates, positive; bipolar signals only.
        parametrization: what γ is learned as, "exp" or "relu"; see above.
        settings: as in `SensorQuantizer`.

    >>> gamma = Gamma(Signal(channels=3, low=-1.0, high=1.0, unit="g"), bits=2, gamma=0.5)
    >>> [round(t, 3) for t in gamma.thresholds()[0].tolist()]
    [-0.443, 0.0, 0.443]
    >>> gamma.trajectory()
    {'gamma': [0.5], 'mu': [0.0]}
    """

    reach: ClassVar[float] = 1.0  # how far from 0 the centre may lie
    searched: ClassVar[Mapping[str, tuple[float, float]]] = {
        "log_gamma": (math.log(1e-3), math.log(32.0)),
        "mu": (-1.0, 1.0),
    }

    def __init__(
        self,
        signal: Signal,
        bits: int,
        gamma: float | None = None,
        mu: float = 0.0,
        epsilon: float = 1e-3,
        parametrization: Parametrization = "exp",
        **settings: Unpack[LearnedSettings],
    ) -> None:
        gamma = (0.4 if signal.bipolar else 1.0) if gamma is None else gamma
        name = type(self).__name__
        self.check(name, gamma, epsilon)
        super().__init__(signal, bits, gamma, parametrization, **settings)
        if not signal.bipolar and mu != 0:
            raise ValueError(f"mu={mu!r}: a unipolar signal (low={signal.low:g}) has no centre, only mu=0 is allowed")
        if not -self.reach <= mu <= self.reach:
            raise ValueError(
                f"mu={mu!r}: {name} needs a centre within the range, from -{self.reach:g} to {self.reach:g} "
                "(unit coordinates)"
            )
        self.epsilon = epsilon
        self.mu = nn.Parameter(torch.full((self.rows,), float(mu))) if signal.bipolar else None

    def check(self, name: str, gamma: float, epsilon: float) -> None:
        """Raise ValueError for a γ or an ε that this curve, called `name`, cannot have."""
        if not 0 < gamma < math.inf:
            raise ValueError(f"gamma={gamma!r}: {name} needs a positive exponent, or null for the default")
        if not 0 < epsilon < 1:
            raise ValueError(f"epsilon={epsilon!r}: {name} needs a number between 0 and 1")

    def power(self, condition: Sequence[int] | Tensor | None = None) -> float | Tensor | None:
        """γ of the unipolar curve, one per curve."""
        return self.exponents(next(self.parameters()).dtype) if self.mu is None else None

    def curve(self, u: Tensor) -> Tensor:
        """z = u^γ or s·(|u - μ| + ε)^γ; see the class."""
        gamma = self.exponents(u.dtype)[:, None]
        if self.mu is None:
            return u.clamp_min(0.0).pow(gamma)
        centred = u - self.mu.to(u.dtype)[:, None]
        z = (centred.abs() + self.epsilon).pow(gamma)
        return torch.where(centred >= 0, z, -z)

    def inverse(self, z: Tensor) -> Tensor:
        """u = z^(1/γ), or μ ± (|z|^(1/γ) - ε); μ itself within the jump |z| ≤ ε^γ of the bipolar curve."""
        radius = z.abs().pow(self.roots(z.dtype)[:, None])
        if self.mu is None:
            return radius.clamp_min(torch.finfo(z.dtype).tiny)  # 0 itself stays below every level of a tiny γ
        return radius.sub_(self.epsilon).clamp_min_(0.0).copysign_(z).add_(self.mu.to(z.dtype)[:, None])

    def pullback(
        self, u: Tensor, grad: Tensor, wants_u: bool, wants: Sequence[bool]
    ) -> tuple[Tensor | None, list[Tensor | None]]:
        """The closed forms of the class, at the cost of one logarithm and one exponential per sample."""
        gamma = self.exponents(u.dtype)
        if self.mu is None:
            positive = u.clamp(torch.finfo(u.dtype).tiny, 1.0)
            h = torch.eq(positive, u, out=torch.empty_like(u)).mul_(grad)
            a = positive.clamp_min_(SMALLEST)
            centred = None
        else:
            centred = u - self.mu.to(u.dtype)[:, None]
            a = centred.abs().add_(self.epsilon)
            h = torch.le(a, 1.0, out=torch.empty_like(a)).mul_(grad)
            a.clamp_max_(1.0)  # h is 0 there; this keeps infinities out of 0 · ∞
        log = a.log2()
        moment = (log * gamma[:, None]).exp2_().mul_(h)  # h·|z|
        grad_gamma = grad_mu = grad_u = None
        if wants[0]:
            log.mul_(moment)
            total = log.sum(1)
            if centred is not None:  # z = s·|z|, and Σ s·w = 2·Σ[u ≥ μ]·w - Σ w
                total = torch.ge(centred, 0.0, out=centred).mul_(log).sum(1).mul_(2.0).sub_(total)
            grad_gamma = total.mul_(self.slopes(gamma)).mul_(math.log(2.0))  # ln = ln 2 · log₂
        wants_mu = self.mu is not None and wants[1]
        if wants_u or wants_mu:
            moment.div_(a)
            if wants_mu:
                grad_mu = moment.sum(1).mul_(gamma).neg_()
            if wants_u:
                grad_u = moment.mul_(gamma[:, None])
        return grad_u, [grad_gamma] if self.mu is None else [grad_gamma, grad_mu]

    @torch.no_grad()
    def clamp_(self) -> None:
        """Keep μ within the range."""
        if self.mu is not None:
            self.mu.clamp_(-self.reach, self.reach)

    def trajectory(self) -> dict[str, list[float]]:
        """γ, and for bipolar signals μ, one value per curve."""
        gamma = super().trajectory()
        return gamma if self.mu is None else gamma | {"mu": for_logs(self.mu.detach())}
