"""Memory for batches, taken over from those that nobody uses any more.

Open it when loaded frames take too much memory.

The system fills memory with zeros before it hands it out, page by page, which takes longer than copying a stored frame
into it.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

MOST = 2  # batches whose memory is kept while none needs it

Bytes = npt.NDArray[np.uint8]

_free: dict[int, Bytes] = {}  # of this process, by id; a collection of garbage may add to it at any time


class _Loan:
    """Memory as NumPy takes it: an array of it, and whatever shares that, holds the loan."""

    def __init__(self, memory: Bytes) -> None:
        self.__array_interface__ = memory.__array_interface__
        weakref.finalize(self, _take_back, memory).atexit = False


def empty(shape: Sequence[int], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """An array of whatever values; its memory serves again once neither it nor a view or tensor of it is left.

    >>> place = empty((2, 3), np.uint16).ctypes.data
    >>> empty((3, 2), np.uint16).ctypes.data == place
    True
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    fitting = sorted((free for free in list(_free.values()) if size <= len(free) <= 2 * size), key=len)
    taken = (_free.pop(id(free), None) for free in fitting)
    memory = next((free for free in taken if free is not None), None)
    if memory is None:
        memory = np.empty(size, np.uint8)
    return np.asarray(_Loan(memory))[:size].view(dtype).reshape(shape)


def _take_back(memory: Bytes) -> None:
    _free[id(memory)] = memory
    # The oldest goes, and not the smallest: large batches that come no more would hold theirs for ever.
    for oldest in list(_free)[:-MOST]:
        _free.pop(oldest, None)
