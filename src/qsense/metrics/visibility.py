"""How visible objects are in an image, without any network: the detectability index d′ of signal detection theory."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d


def detectability(values: Tensor, masks: Tensor, ring: int = 3, gap: int = 1, pixels: int = 16) -> Tensor:
    """d′ of each object against the ring around it, float64 [objects]; at least 0, maybe infinite.

    An observer who knows where an object may be compares the mean of samples on it with that of samples around it. On
    the plane that shows it best,

        d′ = max_c |m_o - m_b| / s · √min(n, pixels),
        s² = (n_o·s_o² + n_b·s_b²) / (n_o + n_b),  n = n_o·n_b / (n_o + n_b),

    with means m, variances s² and numbers n of the samples on the object (o) and around it (b): the detectability of a
    known area (Green and Swets 1966), for an observer who combines no more than `pixels` effective samples. Without
    that limit any contrast becomes visible once an object is large enough, whereas a detector has to find edges. Two
    areas that are both constant give 0 where they are equal and infinity where they differ: after coarse quantization,
    both happen.

    Args:
        values: one frame, [planes, h, w], quantized or not; taken as float32.
        masks: which samples each object covers, bool [objects, h, w].
        ring: width of the surroundings, in samples.
        gap: samples between the two that count for neither, where edges are mixed.
        pixels: most effective samples that are combined.

    Returns:
        NaN for an object that covers nothing or has nothing around it.

    Raises:
        ValueError: shapes that do not go together, a ring or pixels below 1, or a gap below 0.

    >>> frame = torch.zeros(1, 9, 9)
    >>> frame[0, ::2] = 1.0
    >>> frame[0, 3:6, 3:6] += 2.0
    >>> mask = torch.zeros(1, 9, 9, dtype=torch.bool)
    >>> mask[0, 3:6, 3:6] = True
    >>> round(detectability(frame, mask, ring=3, gap=0).item(), 2)
    10.09
    """
    if values.dim() != 3 or masks.dim() != 3 or values.shape[1:] != masks.shape[1:]:
        raise ValueError(
            f"values {list(values.shape)} and masks {list(masks.shape)} must be [planes, h, w] and [objects, h, w]"
        )
    if min(ring, pixels) < 1 or gap < 0:
        raise ValueError(f"ring={ring} and pixels={pixels} must be at least 1, gap={gap} at least 0")
    if not len(masks):
        return torch.zeros(0, dtype=torch.float64, device=values.device)
    taken = masks.any(0)
    around = _grown(masks, gap + ring) & ~_grown(masks, gap) & ~taken
    count_o, mean_o, spread_o = _moments(values, masks)
    count_b, mean_b, spread_b = _moments(values, around)
    difference = (mean_o - mean_b).square()
    variance = (count_o * spread_o + count_b * spread_b) / (count_o + count_b)
    effective = count_o * count_b / (count_o + count_b)
    per_plane = torch.where(difference > 0, difference / variance, 0.0) * effective.clamp_max(pixels)
    d = per_plane.amax(1).sqrt()
    return torch.where((count_o > 0).all(1) & (count_b > 0).all(1), d, math.nan)


def visible_share(d: Tensor, least: float = 6.0) -> float:
    """Share of objects whose d′ exceeds `least`; those without one (NaN) do not count. NaN where none is left.

    >>> visible_share(torch.tensor([1.0, 7.0, torch.inf, torch.nan]))
    0.6666666666666666
    """
    known = d[~d.isnan()]
    return float((known > least).double().mean())


def _grown(masks: Tensor, by: int) -> Tensor:
    """Masks [n, h, w], each grown by `by` samples every way."""
    if not by:
        return masks
    grown = masks[:, None].float()
    for kernel, padding in (
        ((2 * by + 1, 1), (by, 0)),
        ((1, 2 * by + 1), (0, by)),
    ):  # rows, then columns: far less work
        grown = max_pool2d(grown, kernel, stride=1, padding=padding)
    return grown[:, 0] > 0


def _moments(values: Tensor, areas: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Samples [n, 1], mean and variance [n, planes] of each area, in float64."""
    weights = areas.flatten(1).double()
    flat = values.flatten(1).float().double()  # equal samples then have their own value as mean, to the last bit
    count = weights.sum(1, keepdim=True)
    mean = weights @ flat.T / count
    centred = (flat[None] - mean[:, :, None]).square_()  # two passes: a constant area has a variance of exactly 0
    return count, mean, torch.einsum("npk,nk->np", centred, weights) / count
