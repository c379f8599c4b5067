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

_free: list[npt.NDArray[np.uint8]] = []  # of this process, the smallest first


def empty(shape: Sequence[int], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """An array of whatever values; its memory serves again once neither it nor a view or tensor of it is left.

    >>> place = empty((2, 3), np.uint16).ctypes.data
    >>> empty((3, 2), np.uint16).ctypes.data == place
    True
    """
    count = math.prod(shape)
    size = count * np.dtype(dtype).itemsize
    fitting = next((place for place, memory in enumerate(_free) if size <= memory.nbytes), None)
    memory = np.empty(size, np.uint8) if fitting is None else _free.pop(fitting)
    array = np.frombuffer(memory, dtype, count)  # views of it hold it and not `memory`, which frombuffer hides
    weakref.finalize(array, _take_back, memory).atexit = False
    return array.reshape(shape)


def _take_back(memory: npt.NDArray[np.uint8]) -> None:
    _free.append(memory)
    _free.sort(key=len)
    del _free[:-MOST]
