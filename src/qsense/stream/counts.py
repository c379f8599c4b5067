"""What a sensor's native counts mean in its unit, for lines that hold counts.

Open it when counts become wrong values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qsense.chip.coding import Coding
from qsense.chip.converter import native_adc
from qsense.experiment.load import TrainedRun
from qsense.quant.sensor.memory.base import MemoryConverter

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Counts:
    """The sensor's own ADC.

    Args:
        coding: how counts are written.
        low: what count 0 means on each channel, in the sensor's unit.
        high: what the highest count means.
        assumed: what of this nobody has stated, in words.
    """

    coding: Coding
    low: Floats
    high: Floats
    assumed: str = ""

    def flaw(self, numbers: Floats) -> str:
        """Why these numbers are no counts, in a few words; empty where they are."""
        known = numbers[~np.isnan(numbers)]
        within = (self.coding.lowest <= known) & (known <= self.coding.highest)
        if (within & (known == np.floor(known))).all():
            return ""
        return f"no counts {self.coding.lowest} to {self.coding.highest}"

    def in_unit(self, numbers: Floats) -> Floats:
        """Counts as they are written → values; NaN stays NaN."""
        share = (numbers + self.coding.middle) / ((1 << self.coding.bits) - 1)
        values: Floats = self.low + share * (self.high - self.low)
        return values


def counts_of(run: TrainedRun, bits: int | None, full_scale: Sequence[float] | None, twos_complement: bool) -> Counts:
    """What counts on the line mean: as the run knows it, or as is said.

    Args:
        run: on series.
        bits: of the ADC that sends; None: that of the run.
        full_scale: (low, high) of that ADC in the sensor's unit; None: that of the run.
        twos_complement: whether counts are written so; else in offset binary.

    Raises:
        ValueError: they are impossible, or nobody has stated a range.
    """
    sensor, signal, statistics = run.task.sensor, run.data.signal, run.result["statistics"]
    memory = sensor if isinstance(sensor, MemoryConverter) else None
    bits = bits or (memory.native_bits if memory else None)
    normalised = statistics.get("low") is not None
    if normalised:
        ends = list(zip(statistics["low"], statistics["high"], strict=True))
    elif signal.low is not None and signal.high is not None:
        ends = [(signal.low, signal.high)] * signal.channels
    elif full_scale is None:
        raise ValueError(f"--counts: nobody has stated the sensor's range: give --full-scale LOW,HIGH in {signal.unit}")
    else:
        ends = [(full_scale[0], full_scale[1])] * signal.channels
    if memory and full_scale is None:  # each channel's counts are those that training placed its tables by
        low, high = (np.array(each, dtype=np.float64) for each in zip(*ends, strict=True))
        return Counts(Coding(bits or memory.native_bits, twos_complement), low, high)
    native = native_adc(signal, ends, full_scale, bits, getattr(run.data.dataset, "range", None), normalised)
    low, high = (np.full(signal.channels, end) for end in (native.low, native.high))
    return Counts(Coding(native.bits, twos_complement), low, high, native.assumed)
