"""Recordings and converters for the tests of converters with memory."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from omegaconf import OmegaConf

from qsense.experiment import signatures
from qsense.experiment.compose import stated_by_options
from qsense.quant.sensor.memory.base import MemoryConverter
from qsense.signal import Signal

Floats = npt.NDArray[np.float64]
Bounds = npt.NDArray[np.int64]

CONVERTERS: dict[str, Any] = {
    name: OmegaConf.to_container(said.quant.sensor)
    for name, said in stated_by_options("quant/sensor").items()
    if signatures.constant(said.quant.sensor._target_, "wants_recordings")
    and signatures.constant(said.quant.sensor._target_, "takes") == "series"
}
MOST_BITS = {name: signatures.constant(sensor["_target_"], "most_bits") for name, sensor in CONVERTERS.items()}
AT_ALL_BITS = [(name, bits) for name, most in MOST_BITS.items() for bits in range(1, most + 1)]

SIGNALS = {
    "bipolar": Signal(channels=3, low=-1.0, high=1.0, unit="g", rate_hz=50.0),
    "own range": Signal(channels=2, low=-7.3, high=8.1, unit="m/s²", rate_hz=25.0),
    "8 native bits": Signal(channels=1, low=0.0, high=3.3, unit="V", rate_hz=100.0, native_bits=8),
    "black and white level": Signal(2, 0.0, 1.0, "full scale", 50.0, native_bits=10, black=64, white=1000),
    "16 native bits": Signal(channels=5, low=-1.0, high=1.0, unit="1", rate_hz=8000.0, native_bits=16),
}
BIPOLAR = SIGNALS["bipolar"]


def built(name: str, bits: int, signal: Signal = BIPOLAR, **changes: Any) -> MemoryConverter:
    """The converter of a YAML file, not yet placed."""
    sensor = {key: bits if value == "${bits}" else value for key, value in CONVERTERS[name].items()} | changes
    module, _, cls = str(sensor.pop("_target_")).rpartition(".")
    converter: MemoryConverter = getattr(importlib.import_module(module), cls)(signal=signal, **sensor)
    return converter


@cache
def placed(name: str, bits: int, signal: Signal = BIPOLAR, **changes: Any) -> MemoryConverter:
    """The same, placed by recordings of its own; shared by all tests, which leave it as it is."""
    return placed_anew(name, bits, signal, **changes)


def placed_anew(name: str, bits: int, signal: Signal = BIPOLAR, **changes: Any) -> MemoryConverter:
    """The same, of the caller's own."""
    converter = built(name, bits, signal, **changes)
    converter.fit_recordings(*recordings(signal, (200, 1, 0, 300), seed=99))
    return converter


def recordings(signal: Signal, lengths: tuple[int, ...], seed: int = 0) -> tuple[Floats, Bounds]:
    """Samples [time, channels] that wander through the range, now and then beyond its ends or far at once."""
    rng = np.random.default_rng(seed)
    assert signal.low is not None
    assert signal.high is not None
    time, width = sum(lengths), signal.high - signal.low
    step = rng.normal(0, 0.02 * width, (time, signal.channels)) + (rng.random((time, 1)) < 0.01) * width / 2
    wave = np.sin(np.arange(time) / 7)[:, None] * 0.1 * width
    x = np.cumsum(step, axis=0) + wave
    x = signal.low + np.abs((x + width) % (2.2 * width) - 1.1 * width) - 0.05 * width  # to and fro
    return x, bounds_of(lengths)


def bounds_of(lengths: tuple[int, ...]) -> Bounds:
    """Where recordings of these lengths start, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
