"""A sensor's converter as plain numbers: the one form in which a run and an export write it into their `adc.json`.

Open it to read such a file, or to add to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from qsense.quant.sensor.base import SensorQuantizer
from qsense.quant.sensor.memory.base import MemoryConverter
from qsense.quant.sensor.memory.constants import Constants
from qsense.quant.sensor.memory.row_dpcm import RowDPCM

UNIT = "which is low + (q - black)/(white - black)*(high - low) in unit, within low and high"
EVEN = f"a number v stands for the native count q = v/2^(16-n) + 2^(n-1), n = native_bits, {UNIT}"
COMPANDED = f"a number v stands for the native count q whose compand[q] is nearest, the upper of two, {UNIT}"


def as_record(sensor: SensorQuantizer | MemoryConverter) -> dict[str, Any]:
    """A quantized sensor, ready for JSON."""
    return _with_memory(sensor) if isinstance(sensor, MemoryConverter) else _memoryless(sensor)


def _memoryless(sensor: SensorQuantizer) -> dict[str, Any]:
    """Code k begins at `thresholds[row][k - 1]` and is seen as `levels[k]`.

    Thresholds and levels are in the unit of what the quantizer sees, a signal from `low` to `high`: `unit`, but where
    the data was normalised (an export has both). There is one row of thresholds for each of `rows`: a channel's, a
    condition's, or "all". A threshold outside the range is reached by no sample; null is infinity.
    """
    signal = sensor.signal
    thresholds = sensor.thresholds().tolist()
    return {
        "quantizer": type(sensor).__name__,
        "bits": sensor.bits,
        "rounding": sensor.rounding,
        "unit": signal.unit,
        "low": signal.low,
        "high": signal.high,
        "native_bits": signal.native_bits,
        "rows": _names(len(thresholds), signal.names, signal.conditions),
        "thresholds": [finite(row) for row in thresholds],
        "levels": sensor.levels().tolist(),
        "learned": sensor.trajectory(),
    }


def _with_memory(sensor: MemoryConverter) -> dict[str, Any]:
    """All that a sender and its receiver need beside `recursion.h`, whose integers these are.

    They lie on its 16-bit scale; `scale` says, in the file itself, how one comes from there to `unit`. There is one row
    of `channels` for each of `rows`; `start` is its state at a recording's start, before a refresh. Thresholds and
    levels are those of what prediction leaves; an adaptive converter has steps, the same for all channels, and moves
    instead.
    """
    signal, channels = sensor.signal, sensor.channels()
    return {
        "quantizer": type(sensor).__name__,
        "bits": sensor.bits,
        "bits_per_sample": sensor.rate,
        "unit": signal.unit,
        "low": signal.low,
        "high": signal.high,
        "native_bits": sensor.native_bits,
        "black": sensor.black,
        "white": sensor.white,
        "scale": COMPANDED if sensor.compand else EVEN,
        "leak": sensor.leak,
        "slope": sensor.slope,
        "refresh": sensor.refresh,
        "steps": list(channels[0].steps),
        "alike": channels[0].alike,
        "step_leak": channels[0].step_leak,
        **_companding(sensor),
        "rows": _names(len(channels), signal.names),
        "channels": [_channel(constants) for constants in channels],
        "learned": sensor.trajectory(),
    }


def _companding(sensor: MemoryConverter) -> dict[str, Any]:
    """Of a converter of frames, where native counts lie on the 16-bit scale instead (empty: evenly), and which values
    the network sees."""
    if not isinstance(sensor, RowDPCM):
        return {}
    return {"companding": sensor.companding, "compand": list(sensor.compand), "output": sensor.output}


def _channel(constants: Constants) -> dict[str, Any]:
    start = {"value": constants.centre, "before": constants.centre, "place": constants.first, "code": -1, "run": 0}
    return {
        "centre": constants.centre,
        "thresholds": list(constants.thresholds),
        "levels": list(constants.levels),
        "moves": list(constants.moves),
        "start": start,
    }


def _names(rows: int, *choices: Sequence[str]) -> list[str]:
    """Of the rows: the first choice that has one for each of several."""
    if rows == 1:
        return ["all"]
    return list(next((names for names in choices if len(names) == rows), map(str, range(rows))))


def finite(values: Iterable[float]) -> list[float | None]:
    """Numbers for JSON, which knows no infinity.

    >>> finite([0.5, math.inf])
    [0.5, None]
    """
    return [float(value) if math.isfinite(value) else None for value in values]
