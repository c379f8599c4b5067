"""The honest rates of a run's sensor: which codes are counted, of whom, and what is recorded."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from tests.callbacks.test_sensing import model

from qsense.callbacks.rates import codes_of, rates_of
from qsense.callbacks.sensing import sensing_of
from qsense.data.series.module import HARDataModule
from qsense.data.series.prepared import prepared
from qsense.data.series.sbhar import SBHAR
from qsense.data.series.synthetic_imu import SyntheticIMU
from qsense.metrics.code_rate import entropy
from qsense.quant.sensor.identity import Identity
from qsense.quant.sensor.linear import Linear
from qsense.quant.sensor.memory.adpcm import ADPCM
from qsense.quant.sensor.memory.base import MemoryConverter
from qsense.quant.sensor.memory.dpcm import DPCM
from qsense.quant.sensor.sensor import Sensor

DATA = os.environ.get("QSENSE_DATA")


@pytest.fixture
def data(tmp_path: Path) -> HARDataModule:
    """Of its own, as a converter with memory changes what batches hold."""
    return with_fold(SyntheticIMU(subjects=2, sessions=1, minutes=2), tmp_path)


def with_fold(dataset: Any, cache: Path) -> HARDataModule:
    module = HARDataModule(dataset, cache=str(cache))
    module.setup("fit")
    return module


def task(sensor: Sensor, data: HARDataModule) -> Any:
    """A task as far as its sensor goes, calibrated."""
    if isinstance(sensor, MemoryConverter):
        sensor.fit_recordings(*data.training_recordings())
        data.convert(sensor)
    return SimpleNamespace(sensor=sensor)


def rates(sensor: Sensor, data: HARDataModule) -> dict[str, Any]:
    found = rates_of(task(sensor, data), data)
    assert found is not None
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    return found


def test_two_bits_that_are_refreshed_every_250_samples(data: HARDataModule) -> None:
    sensor = DPCM(data.signal, bits=2, refresh=250)
    found = rates(sensor, data)
    assert found["nominal"] == sensor.rate == 2 + 10 / 250
    priced = sensing_of(task(sensor, data), data, model(), found)
    assert priced["kbit_s"] == pytest.approx(150 * 2.04 / 1e3)
    assert priced["entropy"]["kbit_s"] == pytest.approx(150 * found["entropy"] / 1e3)
    assert 10 / 250 < found["entropy"] < 2.04


@pytest.mark.parametrize("refresh", [0, 1, 7])
@pytest.mark.parametrize("kind", [DPCM, ADPCM])
def test_every_converter_has_its_bits_by_channel(kind: Any, refresh: int, data: HARDataModule) -> None:
    found = rates(kind(data.signal, bits=1, refresh=refresh), data)
    contexts = found["contexts"]
    assert [context["length"] for context in contexts] == sorted(context["length"] for context in contexts)
    assert {len(context["bits"]) for context in contexts} == {3}
    assert found["entropy"] == pytest.approx(np.mean(contexts[-1]["bits"]))
    if refresh == 1:
        assert found["nominal"] == found["entropy"] == 12, "native counts alone"


def test_codes_are_the_sensors_in_the_recordings_order(data: HARDataModule) -> None:
    arrays = prepared(data.dataset, data.cache)
    x, bounds = np.asarray(arrays["x"]), np.asarray(arrays["bounds"])
    sensor = Linear(data.signal, bits=2)
    codes = codes_of(sensor, data, x, bounds)
    assert codes is not None
    one = data.part("train").normalised(np.array(x[bounds[1] : bounds[1] + 50]))
    assert np.array_equal(codes[bounds[1] : bounds[1] + 50], sensor.encode(torch.from_numpy(one)).numpy())
    memory = DPCM(data.signal, bits=2)
    task(memory, data)
    found = codes_of(memory, data, x, bounds)
    assert found is not None
    recording = torch.from_numpy(data.part("train").normalised(np.array(x[bounds[1] : bounds[2]])))
    assert np.array_equal(found[bounds[1] : bounds[2]], memory.encode(recording).numpy())
    assert codes_of(Identity(data.signal), data, x, bounds) is None


def test_bits_are_those_of_the_subject_that_is_held_out(data: HARDataModule) -> None:
    """A test subject whose codes never occur in training costs more than one who moves as the others do."""
    arrays = prepared(data.dataset, data.cache)
    bounds, held_out = np.asarray(arrays["bounds"]), np.asarray(arrays["subject"]) == 0
    codes = codes_of(Linear(data.signal, bits=4), data, np.asarray(arrays["x"]), bounds)
    assert codes is not None
    own = [np.bincount(axis, minlength=16) for axis in codes[np.repeat(held_out, np.diff(bounds))].T]
    found = rates(Linear(data.signal, bits=4), data)["contexts"][0]["bits"]
    assert all(bits >= entropy(counts) - 0.001 for bits, counts in zip(found, own, strict=True))


def test_unquantized_data_has_the_lossless_rival_alone(data: HARDataModule) -> None:
    found = rates(Identity(data.signal), data)
    assert set(found) == {"basis", "lossless"}
    rival = found["lossless"]
    assert rival == rates(Linear(data.signal, bits=2), data)["lossless"], "whatever the converter"
    assert rival["found"] == [True] * 3
    assert rival["step"] == pytest.approx([1 / 512] * 3)
    assert rival["native_bits"] == [12] * 3
    assert 0 < rival["bits"] < 12
    assert rival["bits"] == pytest.approx(np.mean(rival["channels"]))


def test_sixteen_bits_are_counted_without_context(data: HARDataModule) -> None:
    found = rates(Linear(data.signal, bits=16), data)
    assert [context["length"] for context in found["contexts"]] == [0]
    assert found["entropy"] > 8


class Still(SyntheticIMU):
    """Whose first axis never moves."""

    def recordings(self) -> list[Any]:
        found = super().recordings()
        for recording in found:
            recording.x[:, 0] = 0.25
        return found

    def fingerprint(self) -> str:
        return "still"


def test_an_axis_that_never_moves_costs_nothing(tmp_path: Path) -> None:
    data = HARDataModule(Still(subjects=2, sessions=1, minutes=2), cache=str(tmp_path), normalise="range")
    data.setup("fit")
    for sensor in (Linear(data.signal, bits=2), DPCM(data.signal, bits=2)):
        found = rates(sensor, data)
        assert found["lossless"]["channels"][0] == 0
        assert found["contexts"][1]["bits"][0] < 1.1


def test_images_and_frames_have_none() -> None:
    assert rates_of(task(Identity(SimpleNamespace()), Any), SimpleNamespace()) is None  # type: ignore[arg-type]


@pytest.mark.skipif(not DATA, reason="QSENSE_DATA does not point at the real data")
def test_sbhar_without_a_quantizer_and_at_two_bits(tmp_path: Path) -> None:
    data = with_fold(SBHAR(root=f"{DATA}/sbhar/sbhar_acc.zip"), tmp_path)
    memory = rates(DPCM(data.signal, bits=2), data)
    assert memory["lossless"]["bits"] == pytest.approx(6.6, abs=0.4), "one subject's"
    curve = rates(Linear(data.signal, bits=2), data)
    assert curve["entropy"] < memory["entropy"] < 1.5, "codes without memory hardly change"
