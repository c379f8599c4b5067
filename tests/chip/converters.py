"""Converters of all kinds for the tests of their forms."""

from __future__ import annotations

import warnings
from typing import Any

import torch

from qsense.chip.converter import Converter, convert
from qsense.chip.origin import Origin
from qsense.quant.sensor.base import SensorQuantizer
from qsense.quant.sensor.gamma import Gamma
from qsense.quant.sensor.gamma_per_condition import GammaPerCondition
from qsense.quant.sensor.linear import Linear
from qsense.quant.sensor.log import Log
from qsense.signal import Signal

ACCELEROMETER = Signal(channels=3, low=-1.0, high=1.0, unit="g", rate_hz=50.0, names=("x", "y", "z"))
RAW = Signal(4, 0.0, 1.0, "full scale", names=("red", "green 1", "green 2", "blue"), native_bits=12, bayer="RGGB")
BY_CONDITION = Signal(4, 0.0, 1.0, "full scale", native_bits=8, conditions=("day", "night"))
LEVELLED = Signal(2, 0.0, 1.0, "full scale", native_bits=10, black=64, white=1000)
BIPOLAR = Signal(3, -7.3, 8.1, "g", native_bits=9)
STATISTICS: dict[str, Any] = {"low": [-1.9, -2.0, -1.5], "high": [2.1, 1.7, 2.0]}


class Half(SensorQuantizer):
    """Reaches only half of its codes."""

    def curve(self, u: torch.Tensor) -> torch.Tensor:
        return u / 2


def apart(sensor: SensorQuantizer) -> SensorQuantizer:
    """Move parameters a little, so that rows differ."""
    with torch.no_grad():
        for p in sensor.parameters():
            p.add_(torch.linspace(-0.05, 0.07, p.numel()).view_as(p))
        if isinstance(sensor, GammaPerCondition):
            next(sensor.parameters()).add_(0.5)
    sensor.clamp_()
    return sensor


def sensors() -> dict[str, SensorQuantizer]:
    """One of every kind: shared, per channel and per condition; signed and not; with and without native codes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        every = {
            "linear, values": Linear(ACCELEROMETER, 3),
            "gamma per axis, values": Gamma(ACCELEROMETER, 2, per_channel=True),
            "gamma, 8 bits, values": Gamma(ACCELEROMETER, 8, mu=0.3),
            "log, raw": Log(RAW, 4, rounding="floor"),
            "gamma per colour, raw": Gamma(RAW, 4, gamma=0.4, per_channel=True, rounding="floor"),
            "gamma per condition, raw": GammaPerCondition(BY_CONDITION, 3, gamma=0.5),
            "linear, black and white": Linear(LEVELLED, 5, rounding="floor"),
            "gamma, signed codes": Gamma(BIPOLAR, 4, per_channel=True),
            "half": Half(RAW, 2),
            "one bit": Gamma(LEVELLED, 1),
            "codes for the network": Gamma(RAW, 2, output="code"),
        }
    return {name: apart(sensor) for name, sensor in every.items()}


def converters() -> dict[str, tuple[SensorQuantizer, Converter]]:
    """The same as converters; values of an accelerometer with one range per axis."""
    return {
        name: (sensor, convert(sensor, "adc_under_test", STATISTICS if sensor.signal == ACCELEROMETER else {}))
        for name, sensor in sensors().items()
    }


def a_run(**changes: Any) -> Origin:
    """The origin of a run that never was."""
    result = {
        "data": "sbhar", "dataset": "SBHAR", "quant": "gamma", "fold": 3, "seed": 1, "num_folds": 30,
        "monitor": "f1_sample", "metrics": {"f1_sample": 0.7231}, "statistics": {},
        "cost": {"macs": 1e7, "bops": 2e9, "size_mb": 2.1, "full_precision": {"bops": 1e10, "size_mb": 2.5}},
    }  # fmt: skip
    return Origin("sbhar-gamma-2bit-fold03-seed1-0123456789", {**result, **changes}, {"git_revision": "c0ffee"})
