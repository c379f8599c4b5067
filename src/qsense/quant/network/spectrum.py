"""The frequency-aware transform of weights: each filter's spectrum, weighted by a learned mask (FAT, eqs. 3-5, 10).

Open it for FAT's equations and their gradients.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Spectrum(NamedTuple):
    """What backward needs of forward: one row per output channel, one column per frequency 0 … N/2."""

    frequencies: Tensor  # F, complex [C, K]
    magnitudes: Tensor  # S = |F|, [C, K]
    mask: Tensor  # M, in (0, 1), [C, K]


def filter_rows(rows: Tensor, mask: Tensor) -> Tensor:
    """irfft(mask ⊙ rfft(rows)): [C, N] rows and a real mask [C, N//2 + 1]. A mask of ones changes nothing."""
    filtered: Tensor = torch.fft.irfft(torch.fft.rfft(rows) * mask, n=rows.shape[1])
    return filtered


def product(a: Tensor, b: Tensor) -> Tensor:
    """Re(ā ⊙ b), in far less time than sums over pairs of numbers or `abs` take."""
    return (a.conj() * b).real


def transform(rows: Tensor, mixing: Tensor, scale: float) -> tuple[Tensor, Spectrum]:
    """Weights with their spectrum masked: M = σ(scale · A·S), W_t = irfft(M ⊙ F).

    Real rows have symmetric spectra, and so has a mask computed from magnitudes: half of it is enough (rfft).

    Args:
        rows: [C, N], one filter a row.
        mixing: A, [C, C]: mixes the filters' magnitudes at each frequency (eq. 3, A = W_mᵀ).
        scale: of the scores, 1 or 1/√N.

    Returns:
        W_t [C, N] and what `transform_backward` needs.
    """
    frequencies = torch.fft.rfft(rows)
    magnitudes = product(frequencies, frequencies).sqrt()
    mask = (mixing @ magnitudes).mul_(scale).sigmoid_()
    return torch.fft.irfft(frequencies * mask, n=rows.shape[1]), Spectrum(frequencies, magnitudes, mask)


def transform_backward(grad: Tensor, mixing: Tensor, scale: float, spectrum: Spectrum) -> tuple[Tensor, Tensor]:
    """Gradients of rows and mixing, through the mask as well as through the spectrum (eq. 10 holds the mask fixed).

    With P = rfft(grad) and r = scale · Re(F̄ ⊙ P) ⊙ M(1 - M): d_rows = irfft(M ⊙ P + (Aᵀ r) ⊙ F/|F|) and
    dA = (r ⊙ w/N) Sᵀ, where w counts how often a half-spectrum's column stands in the full one (2, or 1 at both ends).
    """
    frequencies, magnitudes, mask = spectrum
    n = grad.shape[1]
    pulled = torch.fft.rfft(grad)
    score = product(frequencies, pulled) * (mask * (1 - mask)).mul_(scale)
    through = (mixing.T @ score) / magnitudes.clamp_min(torch.finfo(magnitudes.dtype).tiny)  # 0 where F is 0
    rows = torch.fft.irfft(pulled * mask + frequencies * through, n=n)
    count = score.new_full((score.shape[1],), 2.0 / n)
    count[0] = 1.0 / n
    if n % 2 == 0:
        count[-1] = 1.0 / n
    return rows, (score * count) @ magnitudes.T
