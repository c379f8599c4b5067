"""A converter with memory as plain numbers, from which every other form of it is written: its integers, and their unit.

Open it to see what a decoded value means. Codes and values are those of `quant/sensor/memory/recursion.h`, of one
channel at a time; native counts are 0 … 2^n − 1, as in `chip/converter.py`, whichever way they are written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qsense.callbacks import stream
from qsense.chip.coding import Coding
from qsense.chip.origin import revision
from qsense.quant.sensor.memory.base import MemoryConverter
from qsense.quant.sensor.memory.constants import Constants, nearest_counts, same_for_all
from qsense.quant.sensor.memory.row_dpcm import RowDPCM, shares
from qsense.quant.sensor.record import as_record

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer]
Recordings = tuple[npt.NDArray[np.generic], npt.NDArray[np.int64]]  # [time, channels], and where each starts and ends
REACHED = {"dataset": "what the data set reaches", "train": "what the training subjects reach"}  # data.normalise
TABLES = ("thresholds", "levels", "steps", "moves")  # of `Constants`


@dataclass(frozen=True, eq=False)
class Codec:
    """Encoder and decoder of N-bit codes behind a sensor of n bits, one pair of them for each channel.

    Args:
        name: an identifier, for symbols and files.
        record: the converter in its own terms (`as_record`), as in the run's `adc.json`.
        unit: the sensor's own unit.
        rate_hz: samples per second of a channel; None of frames, whose rows are what recordings are of a series.
        channels: the channels' names, in order.
        constants: the integers of each.
        limits: what the counts `black` and `white` mean, (low, high) of each channel in `unit`.
        black: the native count that means `low`.
        white: the native count that means `high`.
        low: what `black` is for the network.
        high: what `white` is for it.
        normalised: how the data was normalised in training ("dataset", "train", "range"); "none" where it was not.
        stated: whether the sensor delivers native counts, so that their bits and range are its own.
        twos_complement: whether native counts are written so; else in offset binary.
        output: what the network sees of frames, "companded" or "linear"; None of series, whose values it sees.
    """

    name: str
    record: dict[str, Any]
    unit: str
    rate_hz: float | None
    channels: tuple[str, ...]
    constants: tuple[Constants, ...]
    limits: tuple[tuple[float, float], ...]
    black: int
    white: int
    low: float
    high: float
    normalised: str
    stated: bool
    twos_complement: bool = False
    output: str | None = None

    @property
    def coding(self) -> Coding:
        """How native counts are written, those that are sent as they are, too."""
        return Coding(self.native_bits, self.twos_complement)

    @property
    def revision(self) -> str:
        """Of its numbers."""
        return revision([*map(vars, self.constants), self.limits, self.twos_complement])

    @property
    def quantizer(self) -> str:
        """The class it comes from."""
        return str(self.record["quantizer"])

    @property
    def bits(self) -> int:
        """N, of a code."""
        return same_for_all(self.constants)[0]

    @property
    def native_bits(self) -> int:
        """n, of a sample."""
        return same_for_all(self.constants)[1]

    @property
    def refresh(self) -> int:
        """Each of so many samples is sent as a native count; 0: none."""
        return same_for_all(self.constants)[2]

    @property
    def sent_bits(self) -> int:
        """Of the longest code: n where samples are sent as they are, too."""
        return max(self.bits, self.native_bits) if self.refresh else self.bits

    @property
    def adaptive(self) -> bool:
        """Whether a step follows the signal; else levels are fixed."""
        return not self.constants[0].thresholds

    @property
    def rate(self) -> float:
        """Bits per sample, refreshes included."""
        return self.constants[0].rate

    @property
    def kbit_s(self) -> float | None:
        """Of all channels, refreshes included; None of frames, whose rate nobody has stated."""
        return None if self.rate_hz is None else self.rate * self.rate_hz * len(self.channels) / 1e3

    @property
    def compand(self) -> tuple[int, ...]:
        """Where native counts lie on the 16-bit scale, the same for all channels; empty: evenly."""
        return self.constants[0].compand

    @property
    def recording(self) -> str:
        """What both sides start anew for, in a word: a recording of a series, a row of a frame."""
        return "recording" if self.rate_hz else "row"

    @property
    def tables(self) -> tuple[str, ...]:
        """Which of `TABLES` it has."""
        return tuple(name for name in TABLES if getattr(self.constants[0], name))

    @property
    def state(self) -> dict[str, int]:
        """What a hardware keeps of one channel from sample to sample: registers and their bits."""
        first = self.constants[0]
        kept = {"value": 16, "earlier": 16 * bool(first.slope), "age": max(self.refresh - 1, 1).bit_length()}
        kept["age"] *= bool(self.refresh)
        if self.adaptive:
            kept["place"] = (len(first.steps) - 1).bit_length() + first.step_leak
            if self.bits == 1:
                kept |= {"last": 1, "run": first.alike.bit_length()}
        return {name: bits for name, bits in kept.items() if bits}

    @property
    def full_scale(self) -> str:
        """Where the native counts' range comes from."""
        if self.stated:
            return "the sensor's own"
        if self.normalised == "none":
            return "the data set's stated range (data.normalise=none)"
        return f"{REACHED.get(self.normalised, 'the stated range')} (data.normalise={self.normalised})"

    @property
    def notes(self) -> list[str]:
        """What was assumed of the native ADC, where the sensor states no counts."""
        if self.stated:
            return []
        return [
            f"the data states no native counts: training took {self.native_bits} bits (quant.sensor.native_bits) over "
            f"{self.full_scale}" + "; data.normalise=range takes the sensor's own" * (self.normalised in REACHED)
        ]

    def scale(self, channel: int) -> tuple[float, float]:
        """(offset, step): a decoded value v means offset + step · v in `unit`, cut off at the channel's limits."""
        low, high = self.limits[channel]
        if self.compand:
            step = (high - low) / (self.compand[self.white] - self.compand[self.black])
            return low - step * self.compand[self.black], step
        per_count = (high - low) / (self.white - self.black)
        middle = (1 << (self.native_bits - 1)) - self.black
        return low + per_count * middle, per_count / (1 << (16 - self.native_bits))

    def in_unit(self, channel: int, values: Ints) -> Floats:
        """Decoded values in `unit`, as `scale` says."""
        offset, step = self.scale(channel)
        result: Floats = np.clip(offset + step * values, *self.limits[channel])
        return result

    def network_sees(self, values: Ints) -> npt.NDArray[np.float32]:
        """Decoded values as the network gets them, before it standardises them."""
        return (self.low + self._share(values) * (self.high - self.low)).astype(np.float32)

    def _share(self, values: Ints) -> Floats:
        """Of the range from black to white."""
        if self.output is not None:
            shown = self.compand if self.output == "companded" else ()
            nearest = nearest_counts(values, self.native_bits, self.compand)
            return shares(self.native_bits, self.black, self.white, shown)[nearest]
        count = values.astype(np.float64) / (1 << (16 - self.native_bits)) + (1 << (self.native_bits - 1))
        share: Floats = np.clip((count - self.black) / (self.white - self.black), 0, 1)
        return share


def snr(sensor: MemoryConverter, recordings: Recordings) -> tuple[float, ...]:
    """Of each channel, the signal-to-noise ratio of what is decoded, dB.

    Args:
        sensor: the converter.
        recordings: its training recordings.
    """
    x, bounds = recordings
    samples = x if np.issubdtype(x.dtype, np.floating) else sensor.values(sensor.scaled(sensor.counts(x)))
    return tuple(stream.snr(samples.astype(np.float64), sensor.convert(x, bounds).values).tolist())


def codec(sensor: MemoryConverter, name: str, statistics: dict[str, Any], twos_complement: bool = False) -> Codec:
    """A trained converter with memory as plain numbers.

    Args:
        sensor: placed.
        name: an identifier for symbols and files.
        statistics: what the run's data was normalised by: `low` and `high`, one value per channel; without them the
            converter saw the sensor's own unit.
        twos_complement: how native counts are written; else in offset binary.
    """
    signal = sensor.signal
    assert signal.low is not None  # a converter with memory has a range
    assert signal.high is not None
    ends: Sequence[tuple[float, float]] = [(signal.low, signal.high)] * signal.channels
    if statistics.get("low") is not None:
        ends = list(zip(statistics["low"], statistics["high"], strict=True))
    return Codec(
        name=name,
        record=as_record(sensor),
        unit=f"{signal.unit}, companded" if sensor.compand else signal.unit,
        rate_hz=signal.rate_hz,
        channels=signal.names or tuple(f"channel_{c}" for c in range(signal.channels)),
        constants=sensor.channels(),
        limits=tuple((float(low), float(high)) for low, high in ends),
        black=sensor.black,
        white=sensor.white,
        low=signal.low,
        high=signal.high,
        normalised=statistics.get("normalise", "none") if statistics.get("low") is not None else "none",
        stated=signal.native_bits is not None,
        twos_complement=twos_complement,
        output=sensor.output if isinstance(sensor, RowDPCM) else None,
    )
