"""The learned converter as plain numbers."""

from __future__ import annotations

import json

import pytest
import torch
from torch import Tensor

from qsense.quant.sensor.base import SensorQuantizer
from qsense.quant.sensor.gamma import Gamma
from qsense.quant.sensor.gamma_per_condition import GammaPerCondition
from qsense.quant.sensor.record import as_record
from qsense.signal import Signal


def test_a_converter_can_be_rebuilt_from_its_numbers() -> None:
    signal = Signal(channels=3, low=-1.0, high=1.0, unit="g", names=("x", "y", "z"))
    sensor = Gamma(signal, bits=2, gamma=0.4, per_channel=True)
    adc = json.loads(json.dumps(as_record(sensor)))
    assert (adc["quantizer"], adc["bits"], adc["unit"], adc["rows"]) == ("Gamma", 2, "g", ["x", "y", "z"])
    x = torch.linspace(-1, 1, 101)[:, None].expand(-1, 3).contiguous()
    thresholds = torch.tensor(adc["thresholds"], dtype=torch.float64)
    codes = (x.double()[..., None] >= thresholds).sum(-1)
    assert torch.equal(codes.int(), sensor.encode(x))
    assert torch.equal(torch.tensor(adc["levels"])[codes], sensor(x))
    assert adc["learned"]["gamma"] == sensor.trajectory()["gamma"]


def test_its_rows_are_conditions_where_it_has_one_for_each() -> None:
    raw = Signal(channels=4, low=0.0, high=1.0, unit="full scale", conditions=("day", "night"))
    assert as_record(GammaPerCondition(raw, bits=2))["rows"] == ["day", "night"]
    assert as_record(Gamma(raw, bits=2))["rows"] == ["all"]


class Half(SensorQuantizer):
    """Reaches only half of its codes."""

    def curve(self, u: Tensor) -> Tensor:
        return u / 2


def test_a_threshold_at_infinity_is_null() -> None:
    adc = as_record(Half(Signal(channels=1, low=0.0, high=1.0, unit="g"), bits=2))
    assert adc["thresholds"] == [[pytest.approx(1 / 3), 1.0, None]]
    json.dumps(adc, allow_nan=False)
