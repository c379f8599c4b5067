"""What a run's network costs: from task and data to the table, the file and the totals."""

from __future__ import annotations

import csv
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from rich.console import Console
from torch import nn

from qsense.callbacks.cost import MOST_ROWS, CostTable, as_table, cost_of
from qsense.data.images.module import ImageDataModule
from qsense.data.series.module import HARDataModule
from qsense.metrics.cost import Cost, LayerCost
from qsense.models.deepconvlstm import DeepConvLSTM
from qsense.models.resnet_cifar import ResNetCIFAR
from qsense.quant.network.quantizer import NetworkQuantizer
from qsense.quant.sensor.gamma import Gamma
from qsense.quant.sensor.gamma_per_condition import GammaPerCondition
from qsense.quant.sensor.identity import Identity
from qsense.quant.sensor.sensor import Sensor
from qsense.tasks.classification import ClassificationTask
from qsense.tasks.har import HARTask

FAT = partial(NetworkQuantizer, transform="fat")


def har(data: HARDataModule, sensor: Sensor, quantizer: NetworkQuantizer | None) -> HARTask:
    network = DeepConvLSTM(data.signal.channels, data.window, data.num_classes, filters=4, hidden=8)
    if quantizer is not None:
        quantizer.apply(network)
        quantizer.calibrate(network, torch.randn(2, data.window, data.signal.channels))
    return HARTask(network, sensor, data.class_names, quantizer)


def test_nothing_quantized_counts_32_bits(activities: HARDataModule) -> None:
    cost = cost_of(har(activities, Identity(activities.signal), None), activities)
    assert {(layer.weight_bits, layer.activation_bits) for layer in cost.layers} == {(32, 32)}
    totals = cost.totals()
    assert totals["full_precision"] == {"bops": totals["bops"], "size_mb": totals["size_mb"]}


def test_a_quantized_sensor_alone_makes_no_cheaper_network(activities: HARDataModule) -> None:
    cost = cost_of(har(activities, Gamma(activities.signal, bits=2), None), activities)
    assert cost.full_precision() == cost


def test_a_curve_for_each_condition_costs_what_one_does(activities: HARDataModule) -> None:
    task = har(activities, GammaPerCondition(replace(activities.signal, conditions=("day", "night")), bits=2), None)
    assert cost_of(task, activities) == cost_of(har(activities, Gamma(activities.signal, bits=2), None), activities)


def test_the_first_layer_multiplies_the_sensors_codes(activities: HARDataModule) -> None:
    task = har(activities, Gamma(activities.signal, bits=2), FAT(bits=4, input_bits=None))
    bits = [(layer.name, layer.weight_bits, layer.activation_bits) for layer in cost_of(task, activities).layers]
    assert bits == [
        ("convolutions.0", 8, 2),
        ("convolutions.2", 4, 4),
        ("convolutions.4", 4, 4),
        ("convolutions.6", 4, 4),
        ("lstm", 4, 4),
        ("lstm (states)", 4, 32),
        ("classifier", 8, 8),
    ]
    weights_only = FAT(bits=4, first_last_input_bits=None)
    layers = cost_of(har(activities, Gamma(activities.signal, bits=2), weights_only), activities).layers
    assert [(layer.name, layer.weight_bits, layer.activation_bits) for layer in layers] == [
        *bits[:-1],
        ("classifier", 8, 32),
    ]
    layers = cost_of(har(activities, Identity(activities.signal), weights_only), activities).layers
    assert (layers[0].weight_bits, layers[0].activation_bits) == (8, 32)
    assert layers[0].bops == layers[0].macs * 8 * 32
    task = har(activities, Gamma(activities.signal, bits=2), FAT(bits=4))  # quantizes its input once more
    assert cost_of(task, activities).layers[0].activation_bits == 8


def test_images_file_and_screen(digits: ImageDataModule, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = ResNetCIFAR(digits.signal.channels, digits.num_classes, depth=20, width=4)
    fat = FAT(bits=3)
    fat.apply(network)
    fat.calibrate(network, torch.rand(2, 1, 8, 8))
    task = ClassificationTask(network, Identity(digits.signal), digits.class_names, digits.mean, digits.std, fat)
    cost = cost_of(task, digits)
    assert cost.layers[0].macs == 9 * 4 * 64
    trainer: Any = SimpleNamespace(is_global_zero=True, datamodule=digits)
    CostTable(str(tmp_path)).on_test_end(trainer, task)
    rows = list(csv.DictReader((tmp_path / "cost.csv").open()))
    assert len(rows) == len(cost.layers) == 20
    assert sum(int(row["bops"]) for row in rows) == cost.bops
    assert sum(float(row["size_mb"]) for row in rows) == pytest.approx(cost.size_mb)
    assert [rows[place]["role"] for place in (0, 1, 19)] == ["end", "inner", "end"]
    said = capsys.readouterr().out
    for part in ("conv1", "18 × Conv2d", "linear", "total", "at full precision", "3/3", "8/8", "32/32"):
        assert part in said

    trainer.is_global_zero = False
    CostTable(str(tmp_path / "other")).on_test_end(trainer, task)
    assert not (tmp_path / "other").exists()


def test_few_layers_are_shown_one_by_one() -> None:
    def shown(count: int) -> str:
        console = Console(width=120, color_system=None)
        rows = tuple(LayerCost(f"[b]layer{i}", "Linear", "inner", 10, 5, 4, 4) for i in range(count))
        with console.capture() as capture:
            console.print(as_table(Cost(rows), 120))
        return capture.get()

    assert shown(MOST_ROWS).count("[b]layer") == MOST_ROWS
    assert f"{MOST_ROWS + 1} × Linear" in shown(MOST_ROWS + 1)
    assert "[b]layer" not in shown(MOST_ROWS + 1)


def test_the_task_stays_as_it_is(activities: HARDataModule) -> None:
    task = har(activities, Gamma(activities.signal, bits=2), FAT(bits=4)).train()
    before = {name: tensor.clone() for name, tensor in task.state_dict().items()}
    state = torch.get_rng_state()
    cost_of(task, activities)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(tensor, before[name]) for name, tensor in task.state_dict().items())
    assert all(module.training for module in task.modules() if isinstance(module, nn.Conv2d | nn.LSTM))
