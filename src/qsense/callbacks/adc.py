"""Keep what a sensor's converter has become: thresholds, levels and learned values, as JSON."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from qsense.quant.sensor.base import SensorQuantizer
from qsense.runs.folder import write_json
from qsense.runs.loggers import log_adc
from qsense.tasks.base import Task


class LearnedADC(Callback):
    """After the test, write the run's converter to `<folder>/adc.json`, and to loggers that keep artifacts.

    A sensor that is not quantized has none.

    Args:
        folder: the run's.
    """

    def __init__(self, folder: str) -> None:
        self.file = Path(folder) / "adc.json"

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.is_global_zero or not isinstance(pl_module, Task):
            return
        sensor = pl_module.sensor
        if not isinstance(sensor, SensorQuantizer):
            return
        data = trainer.datamodule  # type: ignore[attr-defined]
        adc = {**describe(sensor), "data": data.dataset.name, "statistics": data.statistics}
        write_json(self.file, adc)
        log_adc(trainer.loggers, adc)


def describe(sensor: SensorQuantizer) -> dict[str, Any]:
    """A converter as plain numbers: code k begins at `thresholds[row][k - 1]` and is seen as `levels[k]`.

    Thresholds and levels are in `unit`, of a signal from `low` to `high`: the data's own where it is not normalised.
    There is one row of thresholds for each of `rows`. One outside the range is reached by no sample; null is infinity.
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
        "thresholds": [[value if math.isfinite(value) else None for value in row] for row in thresholds],
        "levels": sensor.levels().tolist(),
        "learned": sensor.trajectory(),
    }
