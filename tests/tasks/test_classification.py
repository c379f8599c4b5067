"""The classification task: scores, recipe, groups, and a short run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer, seed_everything
from tests.refusal import refused
from torch import Tensor, nn

from qsense.data.images.digits import Digits
from qsense.data.images.module import ImageDataModule, Images
from qsense.models.resnet_cifar import ResNetCIFAR
from qsense.quant.network.quantizer import NetworkQuantizer
from qsense.quant.sensor.gamma import Gamma
from qsense.quant.sensor.identity import Identity
from qsense.quant.sensor.linear import Linear
from qsense.quant.sensor.log import Log
from qsense.quant.sensor.sensor import Sensor
from qsense.signal import Signal
from qsense.tasks.classification import ClassificationTask

FAT = partial(NetworkQuantizer, transform="fat")
LogWeights = partial(NetworkQuantizer, levels="log")

GREY = Signal(1, 0.0, 1.0, "full scale", None, ("grey",))


class Echo(nn.Module):
    """Hands the first pixels on as logits."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * x.flatten(1)[:, : self.classes]


def task(network: nn.Module, classes: int = 10, sensor: Sensor | None = None, **recipe: Any) -> ClassificationTask:
    names = tuple("abcdefghijklmnop"[:classes])
    return ClassificationTask(network, sensor or Identity(GREY), names, (0.0,), (1.0,), **recipe)


def trainer(**arguments: Any) -> Trainer:
    options = {
        "logger": False,
        "num_sanity_val_steps": 0,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    return Trainer(accelerator="cpu", **{**options, **arguments})


def measured(subject: ClassificationTask, batches: list[Images]) -> dict[str, Any]:
    trainer().test(subject, dataloaders=_Batches(batches), verbose=False)
    return subject.results()


class _Batches:
    def __init__(self, batches: list[Images]) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Images]:
        return iter(self.batches)


def test_scores_are_counted_over_all_images_not_averaged_over_batches() -> None:
    torch.manual_seed(0)
    logits = torch.rand(23, 10)
    y = torch.arange(23) % 9  # class 9 is not tested
    batches = [Images(logits[:20].view(20, 1, 2, 5), y[:20]), Images(logits[20:].view(3, 1, 2, 5), y[20:])]
    results = measured(task(Echo(10)), batches)
    top = logits.topk(5).indices
    assert results["metrics"] == pytest.approx(
        {
            "top1": (top[:, 0] == y).float().mean().item(),
            "top5": (top == y[:, None]).any(dim=1).float().mean().item(),
            "loss": nn.functional.cross_entropy(logits, y).item(),
        }
    )
    confusion = torch.zeros(10, 10, dtype=torch.int64)
    for truth, pred in zip(y, top[:, 0], strict=True):
        confusion[truth, pred] += 1
    assert results["confusion"] == confusion.tolist()
    hits = confusion.diagonal() / confusion.sum(dim=1).clamp_min(1)
    assert list(results["per_class"]["accuracy"].values()) == pytest.approx(hits.tolist())
    assert results["per_class"]["accuracy"]["j"] == 0
    assert measured(task(Echo(10)), batches) == results


@pytest.mark.parametrize("classes", [2, 5])
def test_top_5_is_left_out_where_it_says_nothing(classes: int) -> None:
    batch = Images(torch.rand(4, 1, 2, 5), torch.arange(4) % classes)
    assert set(measured(task(Echo(classes), classes), [batch])["metrics"]) == {"top1", "loss"}


def test_many_classes_leave_no_confusion_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qsense.tasks.classification.LARGEST_CONFUSION", 9)
    results = measured(task(Echo(10)), [Images(torch.rand(4, 1, 2, 5), torch.arange(4))])
    assert "confusion" not in results
    assert len(results["per_class"]["accuracy"]) == 10


def test_the_order_is_quantize_then_normalise_then_network() -> None:
    sensor = Linear(GREY, bits=1)
    subject = ClassificationTask(Echo(2), sensor, ("a", "b"), (0.5,), (0.25,))
    x = torch.tensor([0.1, 0.9]).view(1, 1, 1, 2)
    assert subject(x).tolist() == [[-2.0, 2.0]]  # levels 0 and 1, minus 0.5, by 0.25
    assert {"mean", "std"} <= set(subject.state_dict())


def test_the_learning_rate_warms_up_and_falls_at_milestones() -> None:
    subject = task(Echo(3), 3, lr=0.5, milestones=[4, 6], lr_factor=0.1, warmup=3)
    assert [subject.lr_share(epoch) for epoch in range(8)] == pytest.approx([0.25, 0.5, 0.75, 1, 0.1, 0.1, 0.01, 0.01])
    optimizer = subject.configure_optimizers()["optimizer"]
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.125)
    assert task(Echo(3), 3).lr_share(149) == 1
    assert task(Echo(3), 3).lr_share(150) == pytest.approx(0.1)


def test_every_parameter_is_in_one_group_with_its_own_settings() -> None:
    network = ResNetCIFAR(1, 10, depth=8, width=2)
    quantizer = FAT(bits=4, activation_lr=0.1, weight_lr=0.02, weight_decay=1e-4)
    quantizer.apply(network)
    sensor = Gamma(GREY, bits=4, lr=0.01)
    subject = task(network, sensor=sensor, network_quantizer=quantizer, lr=0.4, weight_decay=5e-4)
    groups = subject.configure_optimizers()["optimizer"].param_groups
    assert [(group["lr"], group["weight_decay"]) for group in groups] == [
        (0.4, 5e-4),
        (0.1, 1e-4),
        (0.02, 1e-4),
        (0.01, 0),
    ]
    members = [id(parameter) for group in groups for parameter in group["params"]]
    trainable = {id(parameter) for parameter in [*network.parameters(), *sensor.parameters()]}
    assert len(members) == len(set(members))
    assert set(members) == trainable


def test_labels_are_smoothed_in_training_alone() -> None:
    subject = task(Echo(3), 3, label_smoothing=0.3)
    subject.log = lambda *arguments, **options: None  # type: ignore[method-assign]
    batch = Images(torch.tensor([[9.0, 0, 0]]).view(1, 1, 1, 3), torch.tensor([0]))
    assert subject.training_step(batch, 0).item() > 1
    assert measured(subject, [batch])["metrics"]["loss"] < 0.01


@pytest.mark.parametrize(
    ("recipe", "named"),
    [
        ({"lr": 0.0}, ("lr=0.0", 0)),
        ({"milestones": [5, 3]}, ("milestones=[5, 3]",)),
        ({"warmup": -1}, ("warmup=-1", 0)),
        ({"label_smoothing": 1.0}, ("label_smoothing=1.0", "[0, 1)")),
    ],
)
def test_wrong_recipes_are_refused(recipe: dict[str, Any], named: tuple[object, ...]) -> None:
    with refused(ValueError, *named):
        task(Echo(3), 3, **recipe)


SENSORS = [
    Identity,
    lambda signal: Linear(signal, bits=2),
    lambda signal: Log(signal, bits=3),
    lambda signal: Gamma(signal, bits=2),
    lambda signal: Gamma(signal, bits=4, per_channel=True, surrogate="noise"),
]


@pytest.mark.parametrize("make", SENSORS)
def test_a_short_run_with_every_sensor(make: Any) -> None:
    data = ImageDataModule(Digits(), pad=1)
    seed_everything(0, verbose=False)
    network = ResNetCIFAR(1, 10, depth=8, width=4)
    subject = ClassificationTask(network, make(data.signal), data.class_names, data.mean, data.std)
    before = subject.sensor.trajectory()
    runner = trainer(max_epochs=1, limit_train_batches=3, limit_val_batches=2, limit_test_batches=2)
    runner.fit(subject, datamodule=data)
    assert 0 <= runner.callback_metrics["val/top1"] <= 1
    runner.test(subject, datamodule=data, verbose=False)
    assert set(subject.results()["metrics"]) == {"top1", "top5", "loss"}
    assert sum(map(sum, subject.results()["confusion"])) == 256
    if before:
        assert subject.sensor.trajectory() != before


@pytest.mark.parametrize("make", [FAT, NetworkQuantizer, LogWeights])
def test_a_short_run_with_few_bits_in_the_network(make: Any) -> None:
    data = ImageDataModule(Digits(), pad=1)
    seed_everything(0, verbose=False)
    network = ResNetCIFAR(1, 10, depth=8, width=4)
    quantizer = make(bits=3)
    quantizer.apply(network)
    sensor = Gamma(data.signal, bits=4)
    facts = (data.class_names, data.mean, data.std)
    subject = ClassificationTask(network, sensor, *facts, network_quantizer=quantizer, lr=0.05)
    runner = trainer(max_epochs=1, limit_train_batches=3, limit_val_batches=1, limit_test_batches=1)
    runner.fit(subject, datamodule=data)
    runner.test(subject, datamodule=data, verbose=False)
    assert subject.results()["metrics"]["loss"] < 10


@pytest.mark.slow
def test_the_digits_are_learned_in_seconds() -> None:
    seed_everything(0, verbose=False)
    data = ImageDataModule(Digits(), batch_size=64, pad=1)
    recipe: dict[str, Any] = {"lr": 0.1, "milestones": [8, 11], "warmup": 1}
    subject = ClassificationTask(
        ResNetCIFAR(1, 10), Identity(data.signal), data.class_names, data.mean, data.std, **recipe
    )
    runner = trainer(max_epochs=12)
    runner.fit(subject, datamodule=data)
    runner.test(subject, datamodule=data, verbose=False)
    assert subject.results()["metrics"]["top1"] > 0.95


@pytest.mark.parametrize(
    ("depth", "file", "top1"), [(20, "resnet20-12fca82f.th", 0.9164), (56, "resnet56-4bfd9763.th", 0.9272)]
)
def test_published_weights_score_on_real_images_what_they_should(depth: int, file: str, top1: float) -> None:
    from qsense.data.images.cifar10 import CIFAR10

    root = Path(os.environ.get("QSENSE_DATA", "nowhere"))
    if not (root / "cifar10").is_dir() or not (root / "weights" / file).is_file():
        pytest.skip(f"needs QSENSE_DATA with cifar10/cifar-10-batches-py and weights/{file}")
    data = ImageDataModule(CIFAR10(str(root / "cifar10")), batch_size=256)
    data.setup()
    if data.statistics["test_images"] != 1017:
        pytest.skip("needs the first 1 017 images of each batch")
    network = ResNetCIFAR(3, 10, depth, weights=str(root / "weights" / file))
    subject = ClassificationTask(network, Identity(data.signal), data.class_names, data.mean, data.std)
    trainer().test(subject, datamodule=data, verbose=False)
    assert subject.results()["metrics"]["top1"] == pytest.approx(top1, abs=5e-5)
