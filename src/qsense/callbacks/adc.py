"""Keep what a sensor's converter has become: thresholds, levels, what else it goes by, and learned values, as JSON.

Open it to see when `adc.json` is written; what it holds is in `quant/sensor/record.py`.
"""

from __future__ import annotations

from pathlib import Path

from lightning.pytorch import Trainer

from qsense.callbacks.base import AfterTest
from qsense.data.module import ExperimentData
from qsense.quant.sensor.base import SensorQuantizer
from qsense.quant.sensor.memory.base import MemoryConverter
from qsense.quant.sensor.record import as_record
from qsense.runs.folder import write_json
from qsense.runs.loggers import log_adc
from qsense.tasks.base import Task


class LearnedADC(AfterTest):
    """After the test, write the run's converter to `<folder>/adc.json`, and to loggers that keep artifacts.

    A sensor that is not quantized has none.

    Args:
        folder: the run's.
    """

    def __init__(self, folder: str) -> None:
        self.file = Path(folder) / "adc.json"

    def finish(self, trainer: Trainer, task: Task, data: ExperimentData) -> None:
        if isinstance(task.sensor, SensorQuantizer | MemoryConverter):
            adc = {**as_record(task.sensor), "data": data.dataset.name, "statistics": data.statistics}
            if task.white_balance is not None:  # what follows the converter
                adc["white_balance"] = task.white_balance.record()
            if task.standardise is not None:
                adc["standardised"] = task.standardise.record()
            write_json(self.file, adc)
            log_adc(trainer.loggers, adc)
