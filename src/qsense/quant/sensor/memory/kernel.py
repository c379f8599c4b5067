"""Whole recordings through a converter with memory: by `recursion.h`, compiled once per machine.

Open it if conversion is slow: without a C compiler it goes through `reference.py`, some fifty times slower.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt

from qsense.quant import compiled
from qsense.quant.sensor.memory import reference
from qsense.quant.sensor.memory.constants import Constants

Counts = npt.NDArray[np.uint16]
Values = npt.NDArray[np.int16]
Bounds = npt.NDArray[np.int64]
Lost = npt.NDArray[np.bool_]
INT, TABLE = ctypes.c_int32, ctypes.POINTER(ctypes.c_int32)


class Memory(ctypes.Structure):
    """`qsense_memory`."""

    _fields_ = (
        *((name, INT) for name in ("bits", "native_bits", "centre", "leak", "slope", "refresh")),
        *((name, TABLE) for name in ("compand", "thresholds", "levels", "steps", "moves")),
        *((name, INT) for name in ("first", "last", "alike", "step_leak")),
    )


@cache
def library() -> ctypes.CDLL | None:
    """The compiled `kernel.c`, or None where no compiler works."""
    slower = "converters with memory convert some fifty times slower"
    kernel = compiled.compiled("qsense.quant.sensor.memory", "kernel", slower, headers=["recursion.h"])
    if kernel is not None:
        pointer, count = ctypes.c_void_p, ctypes.c_int64
        kernel.convert.argtypes = [pointer, count, pointer, count, pointer, pointer, pointer]
        kernel.decode.argtypes = [pointer, count, pointer, count, pointer, pointer, pointer]
        kernel.convert.restype = kernel.decode.restype = None
    return kernel


def convert(channels: Sequence[Constants], counts: Counts, bounds: Bounds) -> tuple[Counts, Values]:
    """Codes of native counts, and the values that a receiver decodes from them, on the 16-bit scale.

    Args:
        channels: the constants of each.
        counts: native counts [time, channels], each below 2^n.
        bounds: where each recording starts, and where the last one ends, [recordings + 1].

    Returns:
        Codes, where a refresh is due native counts, and values, both [time, channels].
    """
    bounds = checked(bounds, counts.shape, len(channels))
    kernel = library()
    if kernel is None:
        return reference.convert(channels, counts, bounds)
    counts = np.ascontiguousarray(counts, np.uint16)
    codes, values = np.empty_like(counts), np.empty(counts.shape, np.int16)
    memory = as_structures(channels)
    kernel.convert(
        memory, len(channels), bounds.ctypes.data, len(bounds) - 1, counts.ctypes.data, codes.ctypes.data,
        values.ctypes.data,
    )  # fmt: skip
    return codes, values


def decode(channels: Sequence[Constants], codes: Counts, bounds: Bounds, lost: Lost | None = None) -> Values:
    """What a receiver decodes, on the 16-bit scale.

    Args:
        channels: the constants of each.
        codes: from `convert`, each below 2^N (2^n where a refresh is due).
        bounds: as there.
        lost: the samples [time] that do not arrive, in any channel: the receiver holds its last values, and decodes
            on with what comes next.
    """
    bounds = checked(bounds, codes.shape, len(channels))
    if lost is not None and lost.shape != codes.shape[:1]:
        raise ValueError(f"lost has shape {list(lost.shape)}: it is one flag for each of {len(codes)} samples")
    kernel = library()
    if kernel is None:
        return reference.decode(channels, codes, bounds, lost)
    codes = np.ascontiguousarray(codes, np.uint16)
    values = np.empty(codes.shape, np.int16)
    missing = None if lost is None else np.ascontiguousarray(lost, np.uint8)
    memory = as_structures(channels)
    kernel.decode(
        memory, len(channels), bounds.ctypes.data, len(bounds) - 1, codes.ctypes.data,
        None if missing is None else missing.ctypes.data, values.ctypes.data,
    )  # fmt: skip
    return values


def as_structures(channels: Sequence[Constants]) -> ctypes.Array[Memory]:
    """The constants as C takes them."""

    return (Memory * len(channels))(
        *(
            Memory(
                c.bits, c.native_bits, c.centre, c.leak, c.slope, c.refresh, table(c.compand),
                table(c.thresholds), table(c.levels), table(c.steps), table(c.moves),
                c.first, len(c.steps) - 1, c.alike, c.step_leak,
            )
            for c in channels
        )
    )  # fmt: skip


@lru_cache(maxsize=256)  # companding tables are long, and are the same at each call
def table(values: tuple[int, ...]) -> ctypes._Pointer[ctypes.c_int32] | None:
    """A table as C takes it; None for an empty one."""
    return ctypes.cast((INT * len(values))(*values), TABLE) if values else None


def checked(bounds: Bounds, shape: tuple[int, ...], channels: int) -> Bounds:
    """Bounds as C takes them: it reads and writes what they say.

    Raises:
        ValueError: they do not fit samples of this shape, or these have another number of channels.
    """
    bounds = np.ascontiguousarray(bounds, np.int64)
    if len(shape) != 2 or shape[1] != channels:
        raise ValueError(f"samples of shape {list(shape)}: this converter takes [time, channels = {channels}]")
    if bounds.ndim != 1 or not len(bounds) or bounds[0] != 0 or bounds[-1] != shape[0] or (np.diff(bounds) < 0).any():
        raise ValueError(f"bounds={bounds.tolist()[:8]}…: recordings need bounds that ascend from 0 to {shape[0]}")
    return bounds
