"""The frequency-aware transform of weights: each filter's spectrum, weighted by a learned mask (FAT, eqs. 3-5, 10)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Spectrum(NamedTuple):
    """What backward needs of forward: one row per output channel, one column per frequency 0 … N/2."""

    frequencies: Tensor  # F as pairs of numbers, [C, K, 2]
    magnitudes: Tensor  # S = |F|, [C, K]
    mask: Tensor  # M, in (0, 1), [C, K]


def _spectrum(rows: Tensor) -> Tensor:
    """Half-spectra of real rows as pairs of real numbers: compilers and processors do better on those."""
    return torch.view_as_real(torch.fft.rfft(rows))


def _rows(pairs: Tensor, n: int) -> Tensor:
    rows: Tensor = torch.fft.irfft(torch.view_as_complex(pairs), n=n)
    return rows


def filter_rows(rows: Tensor, mask: Tensor) -> Tensor:
    """irfft(mask ⊙ rfft(rows)): [C, N] rows and a real mask [C, N//2 + 1]. A mask of ones changes nothing."""
    return _rows(_spectrum(rows) * mask.unsqueeze(-1), rows.shape[1])


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
    frequencies = _spectrum(rows)
    magnitudes = frequencies.square().sum(-1).sqrt_()
    mask = (mixing @ magnitudes).mul_(scale).sigmoid_()
    return _rows(frequencies * mask.unsqueeze(-1), rows.shape[1]), Spectrum(frequencies, magnitudes, mask)


def transform_backward(grad: Tensor, mixing: Tensor, scale: float, spectrum: Spectrum) -> tuple[Tensor, Tensor]:
    """Gradients of rows and mixing, through the mask as well as through the spectrum (eq. 10 holds the mask fixed).

    With P = rfft(grad) and r = scale · Re(F̄ ⊙ P) ⊙ M(1 - M): d_rows = irfft(M ⊙ P + (Aᵀ r) ⊙ F/|F|) and
    dA = (r ⊙ w/N) Sᵀ, where w counts how often a half-spectrum's column stands in the full one (2, or 1 at both ends).
    """
    frequencies, magnitudes, mask = spectrum
    n = grad.shape[1]
    pulled = _spectrum(grad)
    score = (frequencies * pulled).sum(-1) * (mask * (1 - mask)) * scale
    direction = frequencies / magnitudes.clamp_min(torch.finfo(magnitudes.dtype).tiny).unsqueeze(-1)  # 0 where F is 0
    rows = _rows(pulled * mask.unsqueeze(-1) + direction * (mixing.T @ score).unsqueeze(-1), n)
    count = score.new_full((score.shape[1],), 2.0 / n)
    count[0] = 1.0 / n
    if n % 2 == 0:
        count[-1] = 1.0 / n
    return rows, (score * count) @ magnitudes.T
