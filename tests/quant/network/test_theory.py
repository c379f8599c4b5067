"""FAT's noise formulas by numerical integration: the corrected ones hold, the printed ones do not."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from qsense.quant.network.levels import Logarithmic


def log_noise(alpha: float, magnitudes: int, offset: int) -> float:
    """(α²/84)(1 + 3·2^(-3·magnitudes + offset)), magnitudes = 2^(m-1)."""
    return alpha**2 / 84 * (1 + 3 * 2.0 ** (-3 * magnitudes + offset))


def mean_squared_error(levels: Tensor, alpha: float) -> float:
    """Of values uniform over [0, α], each at its nearest level: midpoint rule over a fine grid."""
    count = 1 << 20
    x = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    middles = (levels[1:] + levels[:-1]) / 2
    return float((x - levels[torch.bucketize(x, middles)]).square().mean()) * alpha**2


@pytest.mark.parametrize("bits", [2, 3])
@pytest.mark.parametrize("alpha", [1.0, 3.0])
def test_logarithmic_noise_has_plus_four_not_plus_one(bits: int, alpha: float) -> None:
    """The supplement counts 2^(m-1) powers of two beside zero, i = 0 … 2^(m-1) - 1."""
    magnitudes = 2 ** (bits - 1)
    powers = torch.tensor([0.0, *(2.0**-i for i in reversed(range(magnitudes)))], dtype=torch.float64)
    measured = mean_squared_error(powers, alpha)
    assert measured == pytest.approx(log_noise(alpha, magnitudes, 4), rel=1e-6)
    assert measured != pytest.approx(log_noise(alpha, magnitudes, 1), rel=1e-4)


@pytest.mark.parametrize("bits", [2, 3])
def test_noise_of_the_levels_that_fit_into_m_bits(bits: int) -> None:
    """One power of two fewer, i = 0 … 2^(m-1) - 2: the supplement's signed set has 2^m + 1 values."""
    levels = Logarithmic(bits, signed=True)
    grid = levels.decode(torch.arange(levels.highest_code + 1)).double()
    assert mean_squared_error(grid, 1.0) == pytest.approx(log_noise(1.0, levels.highest_code, 4), rel=1e-6)
    assert levels.highest_code == 2 ** (bits - 1) - 1


def corrected(alpha: float, a: float, b: float) -> float:
    tail = math.exp(-a / b) * (2 * alpha * a - (b + a) ** 2 - (b - alpha) ** 2)
    return tail + 2 * b**2 * math.exp(-alpha / b)


def printed(alpha: float, a: float, b: float) -> float:
    return corrected(alpha, a, b) - b**2 * math.exp(-alpha / b)


@pytest.mark.parametrize(("alpha", "a", "b"), [(0.5, 1.0, 1.0), (1.0, 4.0, 0.7), (2.0, 3.0, 2.0)])
def test_clipping_noise_of_a_truncated_laplace_density(alpha: float, a: float, b: float) -> None:
    """2 ∫ (x - α)² e^(-x/b)/(2b) dx from α to a."""
    count = 200_000
    x = alpha + (torch.arange(count, dtype=torch.float64) + 0.5) * (a - alpha) / count
    measured = float(((x - alpha).square() * torch.exp(-x / b) / b).mean()) * (a - alpha)
    assert measured == pytest.approx(corrected(alpha, a, b), rel=1e-6)
    assert measured != pytest.approx(printed(alpha, a, b), rel=0.05)


def test_the_printed_clipping_noise_goes_negative() -> None:
    assert corrected(0.5, 1.0, 1.0) > 0 > printed(0.5, 1.0, 1.0)
