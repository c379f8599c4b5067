"""Runs that were built and never trained: all that an export asks of a finished one, in a second."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import torch
from omegaconf import open_dict
from tests.chip.converters import a_run

from qsense.chip.converter import Converter, convert
from qsense.chip.export import data_at_hand
from qsense.chip.firmware.build import Built, build, native_of
from qsense.chip.memory.codec import Codec, codec
from qsense.chip.origin import Origin
from qsense.experiment.build import build as build_experiment
from qsense.experiment.compose import compose
from qsense.experiment.load import TrainedRun
from qsense.quant.sensor.base import SensorQuantizer
from qsense.quant.sensor.memory.base import MemoryConverter

SMALL = ["data.dataset.subjects=2", "data.dataset.sessions=1", "data.dataset.minutes=2", "logger=none"]
TINY = {"deepconvlstm": ["model.filters=3", "model.hidden=6"], "tiny_conv": ["model.width=6"]}


@cache
def folder() -> Path:
    """What data is cached in, for all tests of a process."""
    return Path(mkdtemp(prefix="qsense-firmware-"))


def a_trained_run(*overrides: str, model: str = "deepconvlstm") -> TrainedRun:
    """A run with the network that training would start from, its ranges those of a first batch."""
    words = [*SMALL, f"data.cache={folder()}", f"model={model}", *TINY[model], *overrides]
    config = compose(words)
    with open_dict(config):
        del config.hydra
    data, task = build_experiment(config)
    data.prepare_data()
    data.setup("fit")
    task.eval().calibrate(data)
    if task.network_quantizer is not None:
        batch = data.part("train").__getitems__(range(0, len(data.part("train")), 7))
        with torch.no_grad():
            task.network_quantizer.calibrate(task.network, task.input_of(batch.x))
    result = {**a_run().result, "statistics": data.statistics, "data": "imu", "quant": "any"}
    return TrainedRun(folder() / "run", config, result, data, task.eval(), None)  # type: ignore[arg-type]


def origin(run: TrainedRun) -> Origin:
    """Where its export comes from."""
    return Origin(run.folder.name, run.result, {})


def converter_of(run: TrainedRun, twos_complement: bool = False) -> Converter | Codec | None:
    """As an export makes it."""
    sensor, statistics = run.task.sensor, run.result["statistics"]
    if isinstance(sensor, SensorQuantizer):
        return convert(sensor, "adc", statistics, None, None, run.data.dataset.range, twos_complement)
    return codec(sensor, "adc", statistics, twos_complement) if isinstance(sensor, MemoryConverter) else None


def built(run: TrainedRun, twos_complement: bool = False) -> Built:
    """Its firmware."""
    assert not data_at_hand(run)
    converter = converter_of(run, twos_complement)
    return build(run, converter, native_of(run, converter, twos_complement=twos_complement), "adc")
