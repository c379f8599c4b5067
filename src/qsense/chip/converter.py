"""A sensor's converter as plain numbers, from which every other form is written: integer thresholds in native counts.

A sensor of n native bits delivers counts 0 … 2^n − 1, offset binary: `black` means the bottom of its full scale and
`white` the top. What a run's quantizer decides on values thus becomes a comparison of integers: code k begins at the
smallest count whose value, computed in float64, reaches threshold k.

Training does the same with a sensor that delivers codes. Values it normalises in float32, so that a count which is
itself a decision level may fall to either side of it there; `conformance.py` counts these ties.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from qsense.chip.coding import Coding
from qsense.chip.origin import revision
from qsense.quant.sensor.base import SensorQuantizer
from qsense.quant.sensor.record import as_record
from qsense.quant.sensor.search import snap
from qsense.signal import Signal

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

DEFAULT_NATIVE_BITS = 12  # of a sensor whose data states none
WIDEST = 16  # native bits up to which all counts are listed one by one


@dataclass(frozen=True)
class Native:
    """The sensor's own ADC.

    Args:
        bits: its resolution, 1 … 32.
        low: what `black` stands for, in the sensor's unit.
        high: what `white` stands for.
        black: the count that means `low`; counts below it mean that too.
        white: the count that means `high`; counts above it mean that too.
        assumed: what of this nobody has stated, in words; empty where all is known.
        twos_complement: whether counts are written so; else in offset binary.
    """

    bits: int
    low: float
    high: float
    black: int
    white: int
    assumed: str = ""
    twos_complement: bool = False

    @property
    def coding(self) -> Coding:
        """How its counts are written."""
        return Coding(self.bits, self.twos_complement)

    @property
    def codes(self) -> int:
        """How many counts there are, 2^bits."""
        return 1 << self.bits

    @property
    def span(self) -> int:
        """Steps from black to white."""
        return self.white - self.black


@dataclass(frozen=True, eq=False)
class Converter:
    """An ADC of `bits` bits behind a sensor of `native.bits` bits, row by row.

    A row is a channel where channels differ (by curve, or by what they were normalised with), a condition where the
    quantizer has one curve for each, and "all" where one converter serves all channels.

    Args:
        name: an identifier, for symbols and files.
        record: the quantizer in its own terms (`as_record`), as in the run's `adc.json`.
        bits: N.
        unit: the sensor's own unit.
        channels: the channels' names, in order.
        rows: the rows' names, R of them.
        source: for each row, the quantizer's own row of thresholds.
        limits: the range that the quantizer covers, (low, high) of each row in `unit`.
        cut: whether samples beyond `limits` mean its ends: native codes, and data that was normalised; other values
            reach the quantizer as they are.
        native: the sensor's own ADC.
        low: bottom of the range as the quantizer sees it.
        high: top of it.
        seen: thresholds as the quantizer has them, float64 [R, 2^N − 1], in low … high.
        thresholds: the same in `unit`; ±inf where no sample reaches them, or each does.
        positions: the same as (fractional) native counts.
        counts: smallest native count that reaches each threshold, int64 [R, 2^N − 1]; `native.codes` where none does.
        values: what the network sees for each code, float32 [2^N].
        levels: reconstruction levels in `unit`, float64 [R, 2^N].
    """

    name: str
    record: dict[str, Any]
    bits: int
    unit: str
    channels: tuple[str, ...]
    rows: tuple[str, ...]
    source: tuple[int, ...]
    limits: tuple[tuple[float, float], ...]
    cut: bool
    native: Native
    low: float
    high: float
    seen: Floats
    thresholds: Floats
    positions: Floats
    counts: Counts
    values: npt.NDArray[np.float32]
    levels: Floats

    @property
    def revision(self) -> str:
        """Of its numbers."""
        return revision([self.counts.tolist(), self.levels.tolist(), vars(self.native)])

    @property
    def listed(self) -> bool:
        """Whether tables may hold an entry per native count."""
        return self.native.bits <= WIDEST

    def lut(self) -> Counts:
        """The code of every native count, [R, 2^n]."""
        every = np.arange(self.native.codes)
        return np.stack([np.searchsorted(row, every, side="right") for row in self.counts])

    def lut_by_word(self) -> Counts:
        """The same in the order of the counts' words (`Coding.word`)."""
        return self.lut()[:, self.native.coding.word(np.arange(self.native.codes))]

    def encode(self, row: int, counts: Counts) -> Counts:
        """Codes of native counts."""
        return np.searchsorted(self.counts[row], counts, side="right")

    def sample(self, row: int, counts: Counts) -> Floats:
        """What the quantizer sees when the sensor delivers native counts."""
        return _seen(counts, self.native, self.limits[row], (self.low, self.high), self.cut)

    def in_unit(self, row: int, x: Floats) -> Floats:
        """Values that the quantizer sees, in the sensor's own unit."""
        return _physical(x, (self.low, self.high), self.limits[row])


def convert(
    sensor: SensorQuantizer,
    name: str,
    statistics: dict[str, Any],
    full_scale: Sequence[float] | None = None,
    native_bits: int | None = None,
    stated: Sequence[float] | None = None,
    twos_complement: bool = False,
) -> Converter:
    """A quantizer as plain numbers.

    Args:
        sensor: a quantizer that has codes.
        name: an identifier for symbols and files.
        statistics: what the run's data was normalised by: `low` and `high`, one value per channel; without them the
            quantizer saw the sensor's own unit.
        full_scale: [low, high] of the sensor's own ADC in the sensor's unit.
        native_bits: its resolution, for a sensor whose data states none.
        stated: full scale that the data set states.
        twos_complement: how native counts are written; else in offset binary.

    Raises:
        ValueError: a resolution or full scale that contradicts the sensor's, or is none.
    """
    signal = sensor.signal
    assert signal.low is not None  # a quantizer has a range
    assert signal.high is not None
    domain = (signal.low, signal.high)
    ends = [domain] * signal.channels
    if statistics.get("low") is not None:
        ends = list(zip(statistics["low"], statistics["high"], strict=True))
    cut = signal.native_bits is not None or statistics.get("low") is not None
    native = native_adc(signal, ends, full_scale, native_bits, stated, statistics.get("low") is not None)
    native = replace(native, twos_complement=twos_complement)
    channels = signal.names or tuple(f"channel_{c}" for c in range(signal.channels))
    names, source, limits = _rows(sensor, channels, ends)
    with torch.no_grad():
        own = sensor.thresholds().double().cpu().numpy()
        values = sensor.decode(torch.arange(1 << sensor.bits)).cpu().numpy()
        levels = sensor.levels().double().cpu().numpy()
    seen = own[source]
    thresholds = np.stack([_physical(row, domain, end) for row, end in zip(seen, limits, strict=True)])
    return Converter(
        name=name,
        record=as_record(sensor),
        bits=sensor.bits,
        unit=signal.unit,
        channels=channels,
        rows=names,
        source=tuple(source),
        limits=tuple(limits),
        cut=cut,
        native=native,
        low=domain[0],
        high=domain[1],
        seen=seen,
        thresholds=thresholds,
        positions=native.black + (thresholds - native.low) / (native.high - native.low) * native.span,
        counts=np.stack([_smallest(row, native, end, domain, cut) for row, end in zip(seen, limits, strict=True)]),
        values=values,
        levels=np.stack([_physical(levels, domain, end) for end in limits]),
    )


def native_adc(
    signal: Signal,
    ends: Sequence[tuple[float, float]],
    full_scale: Sequence[float] | None,
    native_bits: int | None,
    stated: Sequence[float] | None,
    normalised: bool,
) -> Native:
    """The sensor's own ADC: what its signal states, else what the options do, else a guess that says that it is one.

    Args:
        signal: what the quantizer sees.
        ends: (low, high) of each channel's data where it was normalised, else of the quantizer's range.
        full_scale: as in `convert`, as are `native_bits` and `stated`.
        native_bits: see there.
        stated: see there.
        normalised: whether `ends` are those of the data.

    Raises:
        ValueError: options that contradict what the sensor delivers, or are impossible.
    """
    if signal.native_bits is not None:
        if native_bits not in (None, signal.native_bits):
            raise ValueError(
                f"native_bits={native_bits}: this sensor delivers codes of {signal.native_bits} bits: "
                "leave native_bits out"
            )
        if full_scale is not None:
            raise ValueError(
                f"full_scale={full_scale[0]:g},{full_scale[1]:g}: this sensor's codes mean {signal.low:g} to "
                f"{signal.high:g} {signal.unit}: leave full_scale out"
            )
        return Native(signal.native_bits, *ends[0], signal.black, signal.top)
    if native_bits is not None and not 1 <= native_bits <= 32:
        raise ValueError(f"native_bits={native_bits}: a sensor's codes have 1 to 32 bits")
    if full_scale is not None and (len(full_scale) != 2 or not full_scale[0] < full_scale[1]):
        raise ValueError(
            f"full_scale={','.join(f'{end:g}' for end in full_scale)}: give low,high in {signal.unit}, low below high"
        )
    guesses = []
    if native_bits is None:
        native_bits = DEFAULT_NATIVE_BITS
        guesses.append(f"{native_bits} bits (native_bits=)")
    if full_scale is None:
        low, high = stated or (min(low for low, _ in ends), max(high for _, high in ends))
        whose = "the data set's stated range" if stated else "what the data reaches"
        if not stated and not normalised:
            whose = "the quantizer's own range"
        guesses.append(f"full scale {low:g} to {high:g} {signal.unit}, {whose} (full_scale=low,high)")
    else:
        low, high = full_scale
    assumed = f"the data states no native codes; assumed: {', '.join(guesses)}" if guesses else ""
    return Native(native_bits, float(low), float(high), 0, (1 << native_bits) - 1, assumed)


def _rows(
    sensor: SensorQuantizer, channels: Sequence[str], ends: Sequence[tuple[float, float]]
) -> tuple[tuple[str, ...], list[int], list[tuple[float, float]]]:
    """Name, row of the quantizer, and range of each row."""
    if sensor.per_channel:
        return tuple(channels), list(range(len(channels)) if sensor.rows > 1 else [0]), list(ends)
    conditions = sensor.signal.conditions if sensor.rows > 1 else ("",)
    apart = list(zip(channels, ends, strict=True)) if len(set(ends)) > 1 else [("", ends[0])]
    rows = [(f"{c} {name}".strip() or "all", row, end) for row, c in enumerate(conditions) for name, end in apart]
    return tuple(name for name, _, _ in rows), [row for _, row, _ in rows], [end for _, _, end in rows]


def _physical(x: Floats, domain: tuple[float, float], ends: tuple[float, float]) -> Floats:
    """From what the quantizer sees to the sensor's unit."""
    if domain == ends:
        return x
    return ends[0] + (x - domain[0]) / (domain[1] - domain[0]) * (ends[1] - ends[0])


def _seen(counts: Counts, native: Native, ends: tuple[float, float], domain: tuple[float, float], cut: bool) -> Floats:
    """What the quantizer sees when the sensor delivers native counts, float64; with `cut` no more than its range.

    One division, of exact integers where the sensor's full scale is the quantizer's range: a count that is a decision
    level comes out equal to it (see `quant.sensor.codes.units`).
    """
    count = np.clip(counts, native.black, native.white).astype(np.float64) - native.black
    low, high = ends
    if (native.low, native.high) == ends:
        share, whole = count, float(native.span)
    else:
        share = (native.low - low) * native.span + (native.high - native.low) * count
        whole = (high - low) * native.span
    if domain[0] < 0:
        unit = (2 * share - whole) / whole
        unit = np.clip(unit, -1.0, 1.0) if cut else unit
        x = domain[0] / 2 + domain[1] / 2 + (domain[1] - domain[0]) / 2 * unit
    else:
        unit = np.clip(share / whole, 0.0, 1.0) if cut else share / whole
        x = domain[0] + (domain[1] - domain[0]) * unit
    return snap(torch.from_numpy(x)).numpy()


def _smallest(
    thresholds: Floats, native: Native, ends: tuple[float, float], domain: tuple[float, float], cut: bool
) -> Counts:
    """Smallest native count that reaches each threshold, found by bisection: values never fall as counts rise."""
    low = np.zeros(len(thresholds), dtype=np.int64)
    high = np.full(len(thresholds), native.codes, dtype=np.int64)
    for _ in range(native.bits + 1):
        middle = (low + high) // 2
        reached = _seen(np.minimum(middle, native.codes - 1), native, ends, domain, cut) >= thresholds
        reached |= middle == native.codes  # nothing is left to try
        low, high = np.where(reached, low, np.minimum(middle + 1, high)), np.where(reached, middle, high)
    return high
