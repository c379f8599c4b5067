"""A sensor's converter as plain numbers: the one form in which a run and an export write it into their `adc.json`.

Open it to read such a file, or to add to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from qsense.quant.sensor.base import SensorQuantizer


def as_record(sensor: SensorQuantizer) -> dict[str, Any]:
    """A quantized sensor, ready for JSON: code k begins at `thresholds[row][k - 1]` and is seen as `levels[k]`.

    Thresholds and levels are in the unit of what the quantizer sees, a signal from `low` to `high`: `unit`, but where
    the data was normalised (an export has both). There is one row of thresholds for each of `rows`: a channel's, a
    condition's, or "all". A threshold outside the range is reached by no sample; null is infinity. With the output
    "centroid" codes are seen as `means[row][k]`.
    """
    signal = sensor.signal
    thresholds = sensor.thresholds().tolist()
    names = next((names for names in (signal.names, signal.conditions) if len(names) == len(thresholds) > 1), ["all"])
    return {
        "quantizer": type(sensor).__name__,
        "bits": sensor.bits,
        "rounding": sensor.rounding,
        "unit": signal.unit,
        "low": signal.low,
        "high": signal.high,
        "native_bits": signal.native_bits,
        "rows": list(names) if len(names) == len(thresholds) else [str(row) for row in range(len(thresholds))],
        "thresholds": [finite(row) for row in thresholds],
        "levels": sensor.levels().tolist(),
        **({"means": sensor.means().tolist()} if sensor.output == "centroid" else {}),
        "learned": sensor.trajectory(),
    }


def finite(values: Iterable[float]) -> list[float | None]:
    """Numbers for JSON, which knows no infinity.

    >>> finite([0.5, math.inf])
    [0.5, None]
    """
    return [float(value) if math.isfinite(value) else None for value in values]
