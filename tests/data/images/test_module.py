"""The data module: parts, order, augmentation on training batches alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from lightning import LightningModule, Trainer
from tests.refusal import refused
from torch import Tensor

from qsense.data.errors import DataError
from qsense.data.images.dataset import Codes, ImageDataset, Labels, StoredPictures
from qsense.data.images.module import ImageDataModule, Images


class Memory(ImageDataset):
    """Image i is filled with the code i; the test images follow the training images."""

    name = "Memory"
    classes = ("a", "b", "c")
    colours = ("red", "green", "blue")
    white = 255
    mean = (0.5, 0.5, 0.5)
    std = (0.25, 0.25, 0.25)

    def __init__(self, train: int = 60, test: int = 9) -> None:
        self.counts = (train, test)

    def check(self) -> None:
        pass

    def fingerprint(self) -> str:
        return "0" * 64

    def train(self) -> StoredPictures:
        return self._part(0, self.counts[0])

    def test(self) -> StoredPictures:
        return self._part(self.counts[0], self.counts[1])

    def _part(self, first: int, count: int) -> StoredPictures:
        numbers = np.arange(first, first + count)
        x: Codes = np.broadcast_to(numbers[:, None, None, None], (count, 3, 4, 4)).astype(np.uint8)
        y: Labels = numbers % 3
        return StoredPictures(x, y)


def module(**arguments: object) -> ImageDataModule:
    data = ImageDataModule(Memory(), **{"batch_size": 8, **arguments})  # type: ignore[arg-type]
    data.setup()
    return data


def numbers(batches: object) -> list[int]:
    return [int(code) for batch in batches for code in batch.x[:, 0, 0, 0]]  # type: ignore[attr-defined]


def test_parts_are_disjoint_and_complete() -> None:
    data = module()
    train, val, test = (numbers(x) for x in (data.train_dataloader(), data.val_dataloader(), data.test_dataloader()))
    assert sorted(train + val) == list(range(60))
    assert len(val) == 6
    assert test == list(range(60, 69))
    assert data.statistics["validation_images_per_class"] == [2, 2, 2]
    assert data.statistics["test_images"] == 9


def test_validation_does_not_depend_on_the_seed_and_can_be_left_out() -> None:
    assert numbers(module(seed=0).val_dataloader()) == numbers(module(seed=1).val_dataloader())
    data = module(validation=0.0)
    assert data.val_dataloader() == []
    assert sorted(numbers(data.train_dataloader())) == list(range(60))


def test_order_depends_on_seed_and_epoch_alone() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        loader = module(seed=seed).train_dataloader()
        loader.batch_sampler.sampler.set_epoch(epoch)  # type: ignore[union-attr]
        torch.rand(1)
        return numbers(loader)

    assert order(0, 1) == order(0, 1)
    assert len({tuple(order(seed, epoch)) for seed in (0, 1) for epoch in (0, 1)}) == 4


def test_batches_are_codes_until_they_are_on_the_device() -> None:
    data = module(pad=1, flip=True, jitter=0.5)
    batch = next(iter(data.test_dataloader()))
    assert batch.x.dtype == torch.uint8
    scaled = data.on_after_batch_transfer(batch, 0)
    assert isinstance(scaled, Images)
    assert scaled.x.dtype == torch.float32
    assert torch.equal(scaled.x, batch.x.float() / 255)  # outside training, nothing is changed
    assert torch.equal(scaled.y, batch.y)


class Watch(LightningModule):
    """Notes whether images arrive as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.plain: dict[str, list[bool]] = {"train": [], "val": [], "test": []}
        self.first: list[list[int]] = []

    def note(self, part: str, x: Tensor) -> None:
        self.plain[part].append(bool((x == x[:, :1, :1, :1]).all()))

    def training_step(self, batch: Images, batch_idx: int) -> Tensor:
        self.note("train", batch.x)
        if batch_idx == 0:
            self.first.append((batch.x.amax(dim=(1, 2, 3)) * 255).round().int().tolist())
        return self.weight.sum() + batch.x.mean()

    def validation_step(self, batch: Images, batch_idx: int) -> None:
        self.note("val", batch.x)

    def test_step(self, batch: Images, batch_idx: int) -> None:
        self.note("test", batch.x)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_trainer_augments_training_batches_alone_and_moves_the_epoch_on(workers: int, trainer: Trainer) -> None:
    watch = Watch()
    data = ImageDataModule(Memory(), batch_size=8, pad=2, num_workers=workers)
    trainer.fit(watch, datamodule=data)
    trainer.test(watch, datamodule=data, verbose=False)
    assert not any(watch.plain["train"])
    assert all(watch.plain["val"])
    assert all(watch.plain["test"])
    assert len(watch.plain["train"]) == 14
    assert watch.first[0] != watch.first[1]


def test_a_sample_for_histograms_is_in_the_sensors_range() -> None:
    sample = module().training_sample(100)
    assert sample.shape == (6 * 16, 3)
    assert sample.min() >= 0
    assert sample.max() <= 1
    assert len(np.unique(sample)) == 6
    assert len(module().training_sample(10**6)) == 54 * 16


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"batch_size": 0}, ("batch_size=0", 1)),
        ({"pad": -1}, ("pad=-1", 0)),
        ({"validation": 1.0}, ("validation=1.0", "[0, 1)")),
        ({"jitter": 2.0}, ("jitter=2.0", "[0, 1]")),
        ({"fold": 1}, ("fold=1", "Memory", "fold=0")),
        ({"num_workers": -1}, ("num_workers=-1", 0)),
        ({"seed": -1}, ("seed=-1", 0)),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, object], named: tuple[object, ...]) -> None:
    with refused(ValueError, *named):
        ImageDataModule(Memory(), **arguments)  # type: ignore[arg-type]


def test_an_empty_part_is_refused_and_setup_comes_first() -> None:
    with refused(DataError, "Memory", "test"):
        ImageDataModule(Memory(test=0)).setup()
    with refused(RuntimeError, "setup()"):
        ImageDataModule(Memory()).test_dataloader()
