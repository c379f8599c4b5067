"""Pictures of a quantized network, from a task to files."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tests.refusal import refused

from qsense.callbacks.network_figures import NetworkFigures, accuracy, chosen
from qsense.data.images.module import ImageDataModule
from qsense.models.resnet_cifar import ResNetCIFAR
from qsense.quant.network.inspection import views
from qsense.quant.network.quantizer import NetworkQuantizer
from qsense.quant.sensor.identity import Identity
from qsense.tasks.classification import ClassificationTask

FAT = partial(NetworkQuantizer, transform="fat")


def task(data: ImageDataModule, quantizer: NetworkQuantizer | None) -> ClassificationTask:
    torch.manual_seed(0)
    network = ResNetCIFAR(data.signal.channels, data.num_classes, depth=8, width=4)
    if quantizer is not None:
        quantizer.apply(network)
        quantizer.calibrate(network, torch.rand(8, 1, 8, 8))
    return ClassificationTask(network, Identity(data.signal), data.class_names, data.mean, data.std, quantizer)


def end(data: ImageDataModule) -> Any:
    return SimpleNamespace(is_global_zero=True, datamodule=data, loggers=[])


def test_pictures_of_fat(digits: ImageDataModule, tmp_path: Path) -> None:
    built = task(digits, FAT(bits=4))
    before = {name: tensor.clone() for name, tensor in built.state_dict().items()}
    with torch.inference_mode():
        NetworkFigures(str(tmp_path), bands=2, band_examples=20).on_test_end(end(digits), built)
    assert {file.name for file in tmp_path.iterdir()} == {"weights.png", "frequency.png", "shifted.png", "bands.png"}
    assert all(torch.equal(tensor, before[name]) for name, tensor in built.state_dict().items())


def test_only_what_makes_sense(digits: ImageDataModule) -> None:
    def drawn(callback: NetworkFigures, quantizer: NetworkQuantizer | None) -> set[str]:
        built = task(digits, quantizer)
        return {name for name, draw in callback.drawings(end(digits)).items() if draw(built, digits) is not None}

    assert drawn(NetworkFigures(""), None) == set()
    assert drawn(NetworkFigures(""), NetworkQuantizer(bits=4)) == {"weights"}
    assert drawn(NetworkFigures("", bands=1, band_examples=5), None) == {"bands"}


def test_layers_are_chosen_by_name_or_spread(digits: ImageDataModule) -> None:
    every = views(task(digits, FAT(bits=4)).network)
    assert [view.name for view in chosen(every, None)] == ["layer1.0.conv1", "layer2.0.conv2", "layer3.0.conv2"]
    assert [view.name for view in chosen(every, ["layer3.0.conv1"])] == ["layer3.0.conv1"]
    assert [view.name for view in chosen(every[:1], None)] == ["layer1.0.conv1"]
    assert chosen([], ["anything"]) == []


def test_wrong_arguments_are_answered_before_training(digits: ImageDataModule) -> None:
    with refused(ValueError, "layers", "'conv1'", "layer1.0.conv1", "layer3.0.conv2"):
        NetworkFigures("", layers=["conv1"]).setup(end(digits), task(digits, FAT(bits=4)), "fit")
    with refused(ValueError, "bands=-1", 0):
        NetworkFigures("", bands=-1)


def test_accuracy_over_the_first_examples(digits: ImageDataModule) -> None:
    built = task(digits, None).train()
    batch = digits.on_after_batch_transfer(next(iter(digits.test_dataloader())), 0)
    right = (built.eval()(batch.x).argmax(1) == batch.y).float()
    built.train()
    assert accuracy(built, digits, 10) == pytest.approx(right[:10].mean().item())
    assert accuracy(built, digits, 16) == pytest.approx(right.mean().item())
    assert built.training
