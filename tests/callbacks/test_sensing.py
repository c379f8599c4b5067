"""What a run's sensor would cost: from task and data to the figures and the screen."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml

from qsense.callbacks.cost import CostTable
from qsense.callbacks.sensing import as_lines, sensing_of
from qsense.data.frames.module import DetectionDataModule
from qsense.data.frames.synthetic_raw import SyntheticRaw
from qsense.data.series.module import HARDataModule
from qsense.experiment.schema import config_folder
from qsense.metrics.sensing import SensingModel
from qsense.models.deepconvlstm import DeepConvLSTM
from qsense.quant.sensor.gamma import Gamma
from qsense.quant.sensor.identity import Identity
from qsense.quant.sensor.linear import Linear
from qsense.quant.sensor.memory.pisp import PiSP
from qsense.quant.sensor.sensor import Sensor
from qsense.tasks.har import HARTask


def model(**changes: Any) -> SensingModel:
    constants = yaml.safe_load((config_folder() / "sensing" / "ble.yaml").read_text())
    return SensingModel(**{name: value for name, value in (constants | changes).items() if name != "_target_"})


def har(data: HARDataModule, sensor: Sensor) -> HARTask:
    network = DeepConvLSTM(data.signal.channels, data.window, data.num_classes, filters=4, hidden=8)
    return HARTask(network, sensor, data.class_names)


def test_a_time_series_has_its_own_rate_and_windows_do_not_count(activities: HARDataModule) -> None:
    found = sensing_of(har(activities, Gamma(activities.signal, bits=2)), activities, model())
    assert found["values_per_s"] == 3 * 50
    assert (found["bits"], found["kbit_s"], found["native"]["kbit_s"]) == (2, 0.3, 1.8)


def test_an_unquantized_sensor_delivers_native_bits(activities: HARDataModule) -> None:
    task = har(activities, Identity(activities.signal))
    assert sensing_of(task, activities, model())["bits"] == 12
    assert sensing_of(task, activities, model(native_bits=16))["kbit_s"] == 2.4


def test_frames_count_what_the_network_is_given(tmp_path: Path) -> None:
    data = DetectionDataModule(
        SyntheticRaw(train_frames=2, test_frames=2, height=96, width=128),
        batch_size=2, test_size=None, train_sizes=None, cache=str(tmp_path), num_workers=0,
    )  # fmt: skip
    data.prepare_data()
    data.setup("fit")
    shape = data.example().shape
    assert shape[:2] == (1, 4), "four planes of a mosaic"
    task: Any = SimpleNamespace(sensor=Gamma(data.signal, bits=4))
    found = sensing_of(task, data, model(frames_per_second=10))
    assert found["values_per_s"] == 10 * shape.numel()
    assert found["native"]["bits"] == data.signal.native_bits
    task.sensor = PiSP(data.signal)
    stored = sensing_of(task, data, model(frames_per_second=10))
    assert stored["kbit_s"] == 2 * found["kbit_s"]
    assert stored["adc_uj_s"] > stored["native"]["adc_uj_s"], "its ADC is the sensor's own"
    task.sensor = Gamma(data.signal, bits=4)
    whole = sensing_of(task, data, model(values_per_frame=24e6, frames_per_second=1))
    assert whole["native"]["adc_uj_s"] == pytest.approx(24e6 * 57e-9 * 2 ** whole["native"]["bits"])
    assert "96,000 kbit/s · 121 × the link's rate · ADC" in as_lines(whole)[0], "Bluetooth LE carries no such frames"


def test_below_the_table_on_the_screen(
    activities: HARDataModule, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer: Any = SimpleNamespace(is_global_zero=True, datamodule=activities)
    task = har(activities, Linear(activities.signal, bits=1))
    CostTable(str(tmp_path), model()).on_test_end(trainer, task)
    said = " ".join(capsys.readouterr().out.split())
    assert "sensor, by model: 0.15 kbit/s · radio 2.71 µW · ADC 195 pW (1 bit, floor reached)" in said
    assert "at native bits: 1.8 kbit/s" in said
    CostTable(str(tmp_path)).on_test_end(trainer, task)
    assert "by model" not in capsys.readouterr().out


def test_pricing_changes_nothing(activities: HARDataModule) -> None:
    task = har(activities, Gamma(activities.signal, bits=2))
    state = torch.get_rng_state()
    sensing_of(task, activities, model())
    assert torch.equal(torch.get_rng_state(), state)
