"""Where quantized values may lie: evenly spaced, or at powers of two (FAT, section 3.2).

Open it to add a kind of levels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from qsense.quant.network import clip
from qsense.quant.network.gradients import inner_difference, zero_outside


@dataclass(frozen=True)
class Levels(ABC):
    """The levels of `bits` bits within [-1, 1] (signed) or [0, 1], times a clipping range α.

    An integer *code* stands for a *grid value* k (itself, or a power of two), which float32 holds exactly, and the
    quantized value is k · unit.

    Args:
        bits: bits per value; a signed code spends one on its sign.
        signed: whether values lie on both sides of zero.

    Raises:
        ValueError: bits outside 2 … 8 (logarithmic: 2 … 7, as 8 would need powers of two below float32's range).
    """

    bits: int
    signed: bool

    def __post_init__(self) -> None:
        if isinstance(self.bits, bool) or not isinstance(self.bits, int) or not 2 <= self.bits <= self.most:
            raise ValueError(f"bits={self.bits!r}: {type(self).__name__.lower()} levels take 2 to {self.most} bits")

    most: ClassVar[int]  # bits

    @property
    @abstractmethod
    def top(self) -> int:
        """The largest grid value, which stands for α."""

    @abstractmethod
    def snap_(self, v: Tensor) -> Tensor:
        """Replace each v (a value divided by `unit`) by the nearest grid value; NaN stays NaN. Works in place."""

    @abstractmethod
    def encode(self, grid: Tensor) -> Tensor:
        """Integer codes (int16) of grid values."""

    @abstractmethod
    def decode(self, codes: Tensor) -> Tensor:
        """Grid values (float32) of integer codes."""

    @property
    def highest_code(self) -> int:
        """Codes run from -highest_code (signed) or 0 to this."""
        return (1 << (self.bits - self.signed)) - 1

    @property
    def lowest_code(self) -> int:
        return -self.highest_code if self.signed else 0

    def unit(self, alpha: Tensor) -> Tensor:
        """What a grid value of 1 stands for."""
        return alpha / self.top

    def grid(self, x: Tensor, unit: Tensor) -> Tensor:
        """The grid value nearest to each x, in a new tensor; multiplying by 1/unit is faster than dividing."""
        return self.snap_(x * unit.reciprocal())

    def quantize(self, x: Tensor, unit: Tensor, inverse: Tensor) -> Tensor:
        """The level nearest to each x, in a new tensor: three or four in-place passes, which a compiler fuses.

        `inverse` is 1/unit: a compiler would else divide anew for every few numbers.
        """
        return self.snap_(x * inverse).mul_(unit)

    def gradients(self, grad: Tensor, x: Tensor, y: Tensor, alpha: Tensor, pact: bool) -> tuple[Tensor, Tensor]:
        """Gradients of x and α, with y = quantize(x, unit(α)): see `activations.Clip`."""
        working = torch.promote_types(x.dtype, torch.float32)
        x, y, g = x.to(working), y.to(working), grad.to(working)
        grad_x = zero_outside(g, x, alpha, self.signed)
        return grad_x.to(grad.dtype), (inner_difference(g, y, grad_x, y if pact else x) / alpha).to(alpha.dtype)


class Uniform(Levels):
    """Evenly spaced levels: Δ = α/L with L = 2^(bits-1) - 1, or 2^bits - 1 unsigned (FAT, eq. 1).

    >>> (Uniform(bits=3, signed=True).decode(torch.arange(-3, 4)) / 3).tolist()[4:]
    [0.3333333432674408, 0.6666666865348816, 1.0]
    """

    most = 8

    @property
    def top(self) -> int:
        return self.highest_code

    def snap_(self, v: Tensor) -> Tensor:
        if torch.compiler.is_compiling() and not self.signed:
            return v.round_().relu_().clamp_max_(self.top)  # one instruction for the lower bound instead of four
        return v.round_().clamp_(self.lowest_code, self.top)

    def quantize(self, x: Tensor, unit: Tensor, inverse: Tensor) -> Tensor:
        if clip.fits(x, unit):
            return clip.quantize(x, unit, self.lowest_code, self.top)
        return super().quantize(x, unit, inverse)

    def gradients(self, grad: Tensor, x: Tensor, y: Tensor, alpha: Tensor, pact: bool) -> tuple[Tensor, Tensor]:
        if clip.fits(x, alpha):
            high = alpha.item()
            bounds = (-high if self.signed else 0.0, high)
            grad_x, total = clip.gradients(grad, x, self.unit(alpha), self.lowest_code, self.top, bounds, pact)
            return grad_x, alpha.new_tensor(total / high)
        return super().gradients(grad, x, y, alpha, pact)

    def encode(self, grid: Tensor) -> Tensor:
        return grid.to(torch.int16)

    def decode(self, codes: Tensor) -> Tensor:
        return codes.to(torch.float32)


class Wide(Uniform):
    """Uniform levels of up to 16 bits, for codes beyond the levels that a weight was given (`weights.MaxWeight`)."""

    most = 16


class Logarithmic(Levels):
    """Zero and powers of two: {0} ∪ {2^-i, i = 0 … 2^B - 2} with B magnitude bits; nearest in linear distance.

    >>> levels = Logarithmic(bits=3, signed=True)
    >>> levels.decode(torch.arange(-3, 4)).tolist()
    [-1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0]
    >>> levels.snap_(torch.tensor([0.1, 0.13, 0.37, 0.38, -0.74, -0.76])).tolist()
    [0.0, 0.25, 0.25, 0.5, -0.5, -1.0]
    """

    most = 7

    @property
    def top(self) -> int:
        return 1

    @property
    def smallest(self) -> float:
        """The smallest level above zero."""
        return 2.0 ** (1 - self.highest_code)

    def snap_(self, v: Tensor) -> Tensor:
        v.clamp_(-1.0 if self.signed else 0.0, 1.0)
        # Half a unit added to the mantissa carries into the exponent from 1.5 · 2^e on, the middle between two powers
        # of two; clearing the mantissa then leaves the nearer one. Exact, where a logarithm would not be.
        integer, half, exponent = (
            (torch.int64, 1 << 51, 0x7FF << 52) if v.dtype == torch.float64 else (torch.int32, 1 << 22, 0xFF << 23)
        )
        magnitude = v.abs()
        nearest = ((magnitude.view(integer) + half) & exponent).view(v.dtype).clamp_(min=self.smallest)
        # Otherwise · 0 rather than 0: a NaN must stay one.
        return v.copy_(torch.where(magnitude > self.smallest / 2, nearest, magnitude * 0).copysign_(v))

    def encode(self, grid: Tensor) -> Tensor:
        _, exponent = torch.frexp(grid)  # |grid| = 2^(exponent - 1)
        magnitude = torch.where(grid == 0, 0, exponent - 1 + self.highest_code)
        return (magnitude * torch.sign(grid)).to(torch.int16)

    def decode(self, codes: Tensor) -> Tensor:
        table = [0.0, *(2.0 ** (code - self.highest_code) for code in range(1, self.highest_code + 1))]
        return torch.tensor(table, device=codes.device)[codes.abs().long()] * torch.sign(codes)


def make_levels(kind: str, bits: int, signed: bool) -> Levels:
    """Levels by their name in a configuration, "uniform" or "log", or in a frozen network: "wide", too.

    Raises:
        ValueError: another name, or bits that these levels do not take.
    """
    match kind:
        case "uniform":
            return Uniform(bits, signed)
        case "wide":
            return Wide(bits, signed)
        case "log":
            return Logarithmic(bits, signed)
    raise ValueError(f"levels={kind!r}: levels are uniform or log")
