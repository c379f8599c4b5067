"""The first layer's input codes, of each number that a converter can deliver: decided by the trained task itself.

Open it to see how values, standardisation and the first layer's levels become a table, or thresholds of integers. All
numbers go through the task one by one, so that nothing can differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from qsense.chip.converter import Converter, Native
from qsense.chip.firmware.plan import InputCodes
from qsense.chip.memory.codec import Codec
from qsense.data.series.batch import normalise_
from qsense.quant.sensor.memory.constants import HIGHEST, LOWEST
from qsense.tasks.base import Task

NEVER = 1 << 17  # a threshold that no number reaches
TABLE_BITS = 8  # of a converter whose codes have a table
Ends = tuple[Sequence[float], Sequence[float]]


@torch.no_grad()
def input_codes(
    task: Task,
    converter: Converter | Codec | None,
    native: Native,
    ends: Ends | None,
    code: Callable[[Tensor], Tensor],
    low: int,
    high: int,
) -> InputCodes:
    """From the converter's numbers to input codes, as `InputCodes` has them.

    Args:
        task: in evaluation mode.
        converter: None: native counts are the numbers.
        native: the sensor's own ADC.
        ends: (low, high) of each channel that became −1 and 1 in training; None: data was not normalised.
        code: input codes of what the network is given.
        low: lowest input code.
        high: highest.
    """
    numbers, values = delivered(task, converter, native, ends)
    codes = code(task.from_levels(values)).numpy().astype(np.int64)  # [numbers, channels]
    if isinstance(converter, Converter) and converter.bits <= TABLE_BITS:
        return InputCodes(codes.T.astype(np.int16), None, low)
    assert (np.diff(codes, axis=0) >= 0).all()  # values rise with their numbers, and what follows keeps their order
    begins = [np.searchsorted(column, np.arange(low + 1, high + 1)) for column in codes.T]
    thresholds = np.append(numbers, NEVER)[np.stack(begins)]
    return InputCodes(None, thresholds.astype(np.int32), low)


def delivered(
    task: Task, converter: Converter | Codec | None, native: Native, ends: Ends | None
) -> tuple[npt.NDArray[np.int64], Tensor]:
    """Every number that the converter can deliver, ascending, and its level, float32 [numbers, channels]."""
    channels = task.sensor.signal.channels
    match converter:
        case None:
            numbers = np.arange(native.codes)
            return numbers, task.sensor(torch.from_numpy(as_trained(numbers, native, ends, channels)))
        case Converter():
            values = torch.from_numpy(converter.values)
            return np.arange(len(values)), values[:, None].expand(-1, channels)
        case Codec():
            numbers = np.arange(LOWEST, HIGHEST + 1)
            return numbers, torch.from_numpy(converter.network_sees(numbers))[:, None].expand(-1, channels)


def as_trained(
    counts: npt.NDArray[np.integer], native: Native, ends: Ends | None, channels: int
) -> npt.NDArray[np.float32]:
    """What training would have made of native counts [n]: values in the sensor's unit, normalised, [n, channels]."""
    inside = np.clip(counts, native.black, native.white).astype(np.float64) - native.black
    value = native.low + inside * ((native.high - native.low) / native.span)
    x = np.repeat(value.astype(np.float32)[:, None], channels, axis=1)
    if ends is None:
        return x
    low, high = (np.array(each, dtype=np.float32) for each in ends)
    return normalise_(x, low, high)


def counted(x: npt.NDArray[np.floating], native: Native) -> npt.NDArray[np.int64]:
    """Native counts of samples in the sensor's unit, rounded to the nearest and cut off at the range's ends."""
    share = (x.astype(np.float64) - native.low) / (native.high - native.low)
    counts: npt.NDArray[np.int64] = np.floor(native.black + np.clip(share, 0, 1) * native.span + 0.5).astype(np.int64)
    return counts
