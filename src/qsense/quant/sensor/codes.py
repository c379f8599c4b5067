"""Sensors that deliver integer codes: a table with one entry per code instead of a computation per sample.

Open it to see what native codes stand for, or why a raw image converts faster than its values.

A sensor of n bits has 2^n different samples, however many of them come. What is to be done to each is done once to each
*code*; forward looks the result up, and backward first adds up the gradients of one code's samples, since what follows
is linear in them. What is done to a code is not known here.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch
from torch import Tensor

from qsense.quant.sensor.search import BLOCK, snap
from qsense.signal import Signal

# Widest sensor whose codes get a table: twice 2^16 entries still fit into the second-level cache.
WIDEST = 16
PARTS = 4  # that work is divided into

Piece = tuple[int, Tensor, Tensor]  # row, codes [n], and what belongs to them [n]
T = TypeVar("T")


def are_codes(x: Tensor, signal: Signal) -> bool:
    """Whether x holds the sensor's native codes; else it holds values."""
    return signal.native_bits is not None and not x.is_floating_point() and not x.is_complex()


def units(codes: Tensor, signal: Signal) -> Tensor:
    """Native codes → unit coordinates, float64: black is the bottom and white the top, exactly; codes beyond are these.

    One division of exact integers: where a code is a converter's decision level, the two come out equal.

    >>> raw = Signal(channels=1, low=0.0, high=1.0, unit="full scale", native_bits=4, black=3)
    >>> units(torch.tensor([0, 3, 6, 15]), raw).tolist()
    [0.0, 0.0, 0.25, 1.0]
    """
    span = signal.top - signal.black
    steps = codes.double().clamp_(signal.black, signal.top).sub_(signal.black)
    return (steps.mul_(2).sub_(span) if signal.bipolar else steps).div_(span)


def values(codes: Tensor, signal: Signal) -> Tensor:
    """Native codes → values in the sensor's unit, float64.

    >>> values(torch.tensor([0, 2048, 4095]), Signal(1, 0.0, 4095.0, unit="electrons", native_bits=12)).tolist()
    [0.0, 2048.0, 4095.0]
    """
    assert signal.low is not None
    assert signal.high is not None
    if signal.bipolar:
        return snap(signal.low / 2 + signal.high / 2 + (signal.high - signal.low) / 2 * units(codes, signal))
    return snap(signal.low + (signal.high - signal.low) * units(codes, signal))


def worth_a_table(samples: Sequence[Tensor], signal: Signal, rows: int) -> bool:
    """Whether a table of every code has fewer entries than there are samples, and few enough for the cache."""
    count = sum(x.numel() for x in samples)
    return are_codes(samples[0], signal) and signal.codes <= 1 << WIDEST and count > rows * signal.codes


def every_code(signal: Signal, rows: int, device: torch.device) -> Tensor:
    """All codes in order, in the layout of a series: [codes], or [codes, rows] where each channel has its own curve."""
    codes = torch.arange(signal.codes, device=device)
    return codes if rows == 1 else codes[:, None].repeat(1, rows)


def evaluate(
    function: Callable[[Tensor, Tensor], object], pairs: Sequence[tuple[Tensor, Tensor]], signal: Signal, rows: int
) -> None:
    """`function(x, out)` of each pair, which fills `out` sample by sample, by way of one table where it is worth it.

    Args:
        function: fills its second argument from its first; of their shapes it only minds where the channels are.
        pairs: contiguous samples x, and contiguous `out` in their shape; at least one.
        signal: what the sensor delivers.
        rows: channels where each has a curve of its own, else 1.
    """
    if not worth_a_table([x for x, _ in pairs], signal, rows):
        for x, out in pairs:
            function(x, out)
        return
    x, out = pairs[0]
    every = every_code(signal, rows, x.device)
    table = torch.empty(every.shape, dtype=out.dtype, device=out.device)
    function(every, table)
    tables = table.view(-1, rows).t().contiguous()
    # 32-bit places are the faster ones, where a code cannot lose its upper half on the way
    dtype = torch.int64 if x.dtype in (torch.uint32, torch.int64) else torch.int32

    def look_up(pieces: list[Piece]) -> None:
        places = _Places(pieces, signal, dtype)
        for row, piece, results in pieces:
            torch.index_select(tables[row], 0, places(piece), out=results)

    _share_out(look_up, [piece for pair in pairs for piece in _pieces(*pair, rows)])


def add_up(pairs: Sequence[tuple[Tensor, Tensor]], signal: Signal, rows: int) -> Tensor:
    """The sum of the gradients of each code's samples, float64 in the layout of `every_code`.

    In float64, so that the order in which they are added moves no digit of a float32 result but in rare ties.

    Args:
        pairs: contiguous native codes x, and contiguous gradients in their shape; at least one.
        signal: what the sensor delivers.
        rows: channels where each has a curve of its own, else 1.
    """
    x, _ = pairs[0]

    def add(part: list[Piece]) -> Tensor:
        totals = torch.zeros(rows, signal.codes, dtype=torch.float64, device=x.device)
        places = _Places(part, signal, torch.int64)
        wide = torch.empty(len(places.buffer), dtype=torch.float64, device=x.device)
        for row, piece, grad in part:
            if _constant(piece):  # else each addition would wait for the one before it
                totals[row, places(piece[:1])] += grad.sum(dtype=torch.float64)
            else:
                totals[row].scatter_add_(0, places(piece), wide[: len(piece)].copy_(grad))
        return totals

    pieces = [piece for pair in pairs for piece in _pieces(*pair, rows)]
    total = torch.stack(_share_out(add, pieces)).sum(0)
    return total[0] if rows == 1 else total.t().contiguous()


def _constant(codes: Tensor) -> bool:
    """Whether all codes [n] are the same, as where a frame is saturated; elsewhere than on a CPU nobody looks."""
    return codes.device.type == "cpu" and bool(codes[0] == codes[-1]) and torch.equal(codes[1:], codes[:-1])


class _Places:
    """Where in a table of all codes a piece's entries are; each answer overwrites the one before, to stay cached."""

    def __init__(self, pieces: list[Piece], signal: Signal, dtype: torch.dtype) -> None:
        codes = pieces[0][1]
        limits = torch.iinfo(codes.dtype)
        self.last = signal.codes - 1
        self.within = limits.min == 0 and limits.max <= self.last
        longest = max(len(piece) for _, piece, _ in pieces)
        self.buffer = torch.empty(longest, dtype=dtype, device=codes.device)

    def __call__(self, piece: Tensor) -> Tensor:
        index = self.buffer[: len(piece)].copy_(piece)
        return index if self.within else index.clamp_(0, self.last)


def _width(x: Tensor) -> int:
    return min(BLOCK, x.numel()) if x.device.type == "cpu" else x.numel()


def _pieces(x: Tensor, y: Tensor, rows: int) -> list[Piece]:
    """Views that together cover the contiguous x and y once, each of one row; on a CPU small enough for its cache."""

    def split(t: Tensor) -> list[tuple[int, Tensor]]:
        if rows == 1:
            planes = [t.view(-1)]
        elif t.dim() == 4:
            planes = list(t.flatten(0, 1).flatten(1))
        else:
            planes = list(t.view(-1, rows).t())
        return [(i % rows, piece) for i, plane in enumerate(planes) for piece in torch.split(plane, _width(x))]

    return [(row, codes, other) for (row, codes), (_, other) in zip(split(x), split(y), strict=True)]


def _share_out(work: Callable[[list[Piece]], T], pieces: list[Piece]) -> list[T]:
    """`work` on each part of the pieces, on as many threads as torch may use.

    Operations on pieces are too small for torch to spread them over threads itself. How many parts there are does not
    depend on the number of threads, so that sums over the parts come out alike.
    """
    count = PARTS if pieces[0][1].device.type == "cpu" and len(pieces) >= PARTS else 1
    parts = [pieces[len(pieces) * i // count : len(pieces) * (i + 1) // count] for i in range(count)]
    threads = min(torch.get_num_threads(), count)
    if threads == 1:
        return [work(part) for part in parts]
    inference = torch.is_inference_mode_enabled()  # a thread of its own has its own modes

    def on_thread(part: list[Piece]) -> T:
        with torch.inference_mode(inference), torch.no_grad():
            return work(part)

    return list(_pool(os.getpid(), threads).map(on_thread, parts))


@functools.cache
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Threads that wait for work; of a process's own, since they do not survive a fork."""
    return ThreadPoolExecutor(threads, thread_name_prefix="qsense-codes")
