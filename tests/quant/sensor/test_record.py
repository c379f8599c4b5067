"""The learned converter as plain numbers."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from tests.refusal import assert_names
from torch import Tensor

from qsense.quant.sensor.base import SensorQuantizer
from qsense.quant.sensor.gamma import Gamma
from qsense.quant.sensor.gamma_per_condition import GammaPerCondition
from qsense.quant.sensor.memory import kernel
from qsense.quant.sensor.memory.adpcm import ADPCM
from qsense.quant.sensor.memory.base import MemoryConverter
from qsense.quant.sensor.memory.constants import Constants
from qsense.quant.sensor.memory.dpcm import DPCM
from qsense.quant.sensor.memory.row_dpcm import RowDPCM, rows_of
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


@pytest.mark.parametrize(("kind", "bits"), [(DPCM, 2), (ADPCM, 1), (ADPCM, 4)])
def test_a_converter_with_memory_can_be_rebuilt_from_its_numbers(kind: type[MemoryConverter], bits: int) -> None:
    signal = Signal(channels=2, low=-4.0, high=4.0, unit="g", rate_hz=50.0, names=("x", "y"), native_bits=10)
    sensor = kind(signal, bits, refresh=40, slope=2)
    counts = np.random.default_rng(0).integers(0, 1024, (300, 2)).cumsum(0) // np.arange(1, 301)[:, None]
    sensor.fit_recordings(counts, np.array([0, 300]))
    adc = json.loads(json.dumps(as_record(sensor), allow_nan=False))
    assert (adc["quantizer"], adc["bits"], adc["native_bits"]) == (kind.__name__, bits, 10)
    assert (adc["unit"], adc["low"], adc["high"], adc["black"], adc["white"]) == ("g", -4.0, 4.0, 0, 1023)
    assert adc["rows"] == ["x", "y"]
    assert adc["bits_per_sample"] == bits + (10 - bits) / 40
    channels = [
        Constants(
            adc["bits"], adc["native_bits"], row["centre"], adc["leak"], adc["slope"], adc["refresh"],
            tuple(row["thresholds"]), tuple(row["levels"]), tuple(adc["steps"]), tuple(row["moves"]),
            row["start"]["place"], adc["alike"],
        )
        for row in adc["channels"]
    ]  # fmt: skip
    codes, values = kernel.convert(channels, counts.astype(np.uint16), np.array([0, 300]))
    stream = sensor.convert(counts, np.array([0, 300]))
    assert (codes == stream.codes).all()
    assert (sensor.values(values) == stream.values).all()
    assert [row["start"]["value"] for row in adc["channels"]] == sensor.centre.tolist()


@pytest.mark.parametrize("companding", [None, "sqrt"])
def test_the_file_alone_leads_from_its_numbers_to_the_unit(companding: str | None) -> None:
    signal = Signal(4, 0.0, 1.0, "full scale", native_bits=10, black=64, white=1000, bayer="RGGB")
    counts = np.random.default_rng(0).integers(0, 1024, (6, 4, 4, 8))
    sensor: MemoryConverter
    if companding is None:
        sensor = DPCM(Signal(2, -4.0, 4.0, "g", 50.0, native_bits=10), 2)
        sensor.fit_recordings(counts.reshape(-1, 2), np.array([0, counts.size // 2]))
    else:
        sensor = RowDPCM(signal, 2, companding="sqrt", output="linear")
        sensor.fit_recordings(*rows_of(counts))
    adc = json.loads(json.dumps(as_record(sensor), allow_nan=False))
    v, q = np.arange(-32768, 32768, 37), np.arange(1 << adc["native_bits"])
    if companding is None:
        assert_names(adc["scale"], "q = v/2^(16-n) + 2^(n-1)", "low + (q - black)/(white - black)*(high - low)")
        count = v / 2 ** (16 - adc["native_bits"]) + 2 ** (adc["native_bits"] - 1)
    else:
        assert_names(adc["scale"], "compand[q]", "low + (q - black)/(white - black)*(high - low)")
        distance = np.abs(np.array(adc["compand"])[None] - v[:, None])
        count = len(q) - 1 - distance[:, ::-1].argmin(axis=1)
    share = (count - adc["black"]) / (adc["white"] - adc["black"])
    found = np.clip(adc["low"] + share * (adc["high"] - adc["low"]), adc["low"], adc["high"])
    np.testing.assert_allclose(sensor.values(v[:, None].repeat(4, 1))[:, 0], found, atol=1e-6)
