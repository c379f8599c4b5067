"""Which code a sample has: how many of an ADC's decision levels are ≤ it.

Open it for the inner loop of every conversion, and for the rounding of decision levels.

The search runs like a successive-approximation ADC: one comparison per bit, each against the level that the
bits before it select.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

# Samples per block on a CPU: temporaries stay in the second-level cache, and it is just below 32768, from where torch
# splits an operation among threads; so sums come out the same on any number of threads.
BLOCK = 32_000


class Tables(NamedTuple):
    """What conversion looks up, in the dtype of the samples.

    Args:
        thresholds: decision levels [rows, 2^bits - 1], ascending; for devices with a fast search.
        tree: the same as a search tree, one flat table [rows · 2^depth] per bit.
        values: what each code stands for in the output, [rows · 2^bits].
    """

    thresholds: Tensor
    tree: list[Tensor]
    values: Tensor


def blocks(x: Tensor, rows: int) -> list[Tensor]:
    """Views [rows, n] that together cover the contiguous x once, small enough for the cache on a CPU.

    Args:
        x: channels on dimension 1 if it has four, else on the last.
        rows: its channels where each has a curve of its own, else 1.
    """
    width = max(BLOCK // rows, 1) if x.device.type == "cpu" else max(x.numel(), 1)
    if rows == 1:
        return list(torch.split(x.view(1, -1), width, 1))
    if x.dim() == 4:
        return [block for sample in x.flatten(2) for block in torch.split(sample, width, 1)]
    return list(torch.split(x.view(-1, rows).t(), width, 1))


def search_tree(thresholds: Tensor, bits: int) -> list[Tensor]:
    """Per bit, the levels that this bit's comparison may be against, in the order of the bits found before it."""
    spacing = [1 << (bits - depth) for depth in range(bits)]
    return [thresholds[:, step // 2 - 1 :: step].reshape(-1) for step in spacing]


def positions(x: Tensor, tables: Tables) -> Tensor:
    """row · 2^bits + code of a contiguous block [rows, n], int32; a NaN's is arbitrary."""
    rows, bits = tables.thresholds.shape[0], len(tables.tree)
    row = torch.arange(rows, device=x.device, dtype=x.dtype)[:, None] if rows > 1 else None
    if x.device.type != "cpu":
        codes = torch.searchsorted(tables.thresholds, x, right=True, out_int32=True)
        return codes if row is None else codes + (row.int() << bits)
    # Comparisons write 1.0 and 0.0 instead of booleans: that is the vectorised form, 3 times as fast.
    prefix = torch.ge(x, tables.tree[0][:, None], out=torch.empty_like(x))
    if row is not None:
        prefix.add_(row, alpha=2)
    index = torch.empty(x.shape, dtype=torch.int32)
    level = torch.empty_like(x)
    for table in tables.tree[1:]:
        torch.index_select(table, 0, index.copy_(prefix).view(-1), out=level.view(-1))
        torch.ge(x, level, out=level)
        prefix = torch.add(level, prefix, alpha=2, out=prefix)
    return index.copy_(prefix)


def round_up(values: Tensor) -> Tensor:
    """Smallest float32 ≥ each float64: for a float32 x, `x ≥ float32 threshold` then equals `x ≥ float64 threshold`."""
    nearest = values.float()
    return torch.where(nearest < values, nearest.nextafter(torch.full_like(nearest, torch.inf)), nearest)


def snap(values: Tensor) -> Tensor:
    """Replace float64 values by the float32 number within 2^-49 of them, where there is one.

    Computed levels carry a few float64 rounding errors. Where a representable sample lies that close, it is the tie
    itself (a 12-bit count on a 12-bit converter, say) and has to fall on the upper side.
    """
    nearest = values.float().double()
    return torch.where((values - nearest).abs() <= values.abs() * 2.0**-49, nearest, values)
