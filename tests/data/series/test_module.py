"""Windows, folds, normalisation and batches of the data module."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from lightning import LightningModule, Trainer
from tests.refusal import assert_names, refused
from torch import Tensor

from qsense.data.errors import DataError
from qsense.data.series.batch import Windows
from qsense.data.series.dataset import ActivityDataset, signal_of
from qsense.data.series.module import HARDataModule

LENGTHS = [[120, 73, 20], [100], [51, 230]]


def module(dataset: ActivityDataset, tmp_path: Path, **arguments: Any) -> HARDataModule:
    made = HARDataModule(dataset, cache=str(tmp_path / "cache"), **arguments)
    made.prepare_data()
    made.setup()
    return made


def batches(loader: Any) -> Windows:
    return Windows(*(torch.cat(parts) for parts in zip(*loader, strict=True)))


def owners(dataset: Any) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Subject and recording of every sample of `Memory`, whose first axis counts the samples."""
    recordings = dataset.recordings()
    lengths = [len(recording.x) for recording in recordings]
    subjects = [recording.subject for recording in recordings]
    return np.repeat(subjects, lengths), np.repeat(np.arange(len(lengths)), lengths)


@pytest.mark.parametrize("fold", [0, 1, 2])
def test_nothing_leaks(memory: Any, tmp_path: Path, fold: int) -> None:
    dataset = memory(LENGTHS)
    subject, recording = owners(dataset)
    data = module(dataset, tmp_path, fold=fold, normalise="none", batch_size=3)
    train, held_out = batches(data.train_dataloader()), batches(data.val_dataloader())
    for part, allowed in ((train, {0, 1, 2} - {fold}), (held_out, {fold})):
        numbers = part.x[..., 0].numpy().astype(int)
        assert set(subject[numbers].ravel()) == allowed
        assert (recording[numbers] == recording[numbers][:, :1]).all()  # no window crosses recordings
        assert (np.diff(numbers, axis=1) == 1).all()
    assert not set(train.x[..., 0].ravel().tolist()) & set(held_out.x[..., 0].ravel().tolist())
    tested = batches(data.test_dataloader())
    assert all(torch.equal(one, other) for one, other in zip(held_out, tested, strict=True))


def test_labels_are_those_of_the_last_sample_and_of_the_covered_ones(memory: Any, tmp_path: Path) -> None:
    dataset = memory(LENGTHS)
    labels = np.concatenate([recording.y for recording in dataset.recordings()])
    data = module(dataset, tmp_path, normalise="none", fold=2)
    for part in (batches(data.train_dataloader()), batches(data.val_dataloader())):
        numbers = part.x[..., 0].numpy().astype(int)
        assert part.x.dtype == torch.float32
        assert part.y.dtype == part.covered.dtype == torch.int64
        assert part.covered.shape == (len(part.y), 75)
        np.testing.assert_array_equal(part.y, labels[numbers[:, -1]])
        for row, start in zip(part.covered.numpy(), numbers[:, 0], strict=True):
            count = int((row >= 0).sum())
            np.testing.assert_array_equal(row[:count], labels[start : start + count])
            assert (row[count:] == -1).all()
    covered = batches(data.val_dataloader()).covered
    assert int((covered >= 0).sum()) == 51 + 230
    assert [int((row >= 0).sum()) for row in covered] == [51, *[25] * 7, 55]


def test_batches_keep_the_last_and_follow_seed_fold_and_epoch(memory: Any, tmp_path: Path) -> None:
    dataset = memory(LENGTHS)

    def order(epoch: int, **arguments: int) -> list[float]:
        loader = module(dataset, tmp_path, normalise="none", batch_size=4, **arguments).train_dataloader()
        loader.batch_sampler.sampler.set_epoch(epoch)  # type: ignore[union-attr]
        sizes = [len(batch.y) for batch in loader]
        assert sizes[:-1] == [4] * (len(sizes) - 1)
        assert 1 <= sizes[-1] <= 4
        assert len(loader) == len(sizes)
        return [float(value) for value in batches(loader).x[:, 0, 0]]

    first = order(0, fold=1, seed=0)
    torch.manual_seed(3)
    assert order(0, fold=1, seed=0) == first
    assert order(1, fold=1, seed=0) != first
    assert order(0, fold=1, seed=1) != first
    assert sorted(order(1, fold=1, seed=5)) == sorted(first)


def test_loading_leaves_the_global_generator_alone(memory: Any, tmp_path: Path) -> None:
    data = module(memory(LENGTHS), tmp_path)
    before = torch.get_rng_state()
    batches(data.train_dataloader())
    assert torch.equal(before, torch.get_rng_state())


class Recorder(LightningModule):
    """Trains nothing and notes which windows it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen: list[list[float]] = []

    def on_train_epoch_start(self) -> None:
        self.seen.append([])

    def training_step(self, batch: Windows, index: int) -> Tensor:
        self.seen[-1] += batch.x[:, 0, 0].tolist()
        return self.weight * 0

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def test_lightning_sets_the_epoch_also_after_resuming(memory: Any, tmp_path: Path) -> None:
    def trainer(epochs: int) -> Trainer:
        return Trainer(
            max_epochs=epochs, accelerator="cpu", logger=False, default_root_dir=tmp_path,
            enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
        )  # fmt: skip

    dataset = memory(LENGTHS)
    whole, first, second = Recorder(), Recorder(), Recorder()
    trainer(3).fit(whole, datamodule=module(dataset, tmp_path, batch_size=4))
    stopped = trainer(1)
    stopped.fit(first, datamodule=module(dataset, tmp_path, batch_size=4))
    stopped.save_checkpoint(tmp_path / "stopped.ckpt")
    data = module(dataset, tmp_path, batch_size=4)
    trainer(3).fit(second, datamodule=data, ckpt_path=tmp_path / "stopped.ckpt", weights_only=True)
    assert len({tuple(epoch) for epoch in whole.seen}) == 3
    assert whole.seen == first.seen + second.seen


def test_normalisation_over_the_data_set_uses_everybodys_extremes(memory: Any, tmp_path: Path) -> None:
    dataset = memory(LENGTHS)
    x = np.concatenate([recording.x for recording in dataset.recordings()])
    data = module(dataset, tmp_path, normalise="dataset", fold=2)
    assert data.statistics["low"] == x.min(axis=0).tolist() == [0, 0]
    assert data.statistics["high"] == x.max(axis=0).tolist() == [593, 229]
    part = batches(data.val_dataloader())
    assert float(batches(data.train_dataloader()).x.min()) == -1
    raw = batches(module(dataset, tmp_path, normalise="none", fold=2).val_dataloader()).x
    torch.testing.assert_close(part.x, raw / torch.tensor([593.0, 229.0]) * 2 - 1, atol=1e-6, rtol=0)


def test_normalisation_over_the_training_subjects_clamps_the_rest(memory: Any, tmp_path: Path) -> None:
    data = module(memory(LENGTHS), tmp_path, normalise="train", fold=2)
    assert data.statistics["low"] == [0, 0]
    assert data.statistics["high"] == [120 + 73 + 20 + 100 - 1, 119]
    part = batches(data.val_dataloader()).x
    assert float(part.max()) == 1
    assert bool((part[..., 0] == 1).all())  # all of subject 2 lies beyond what the others showed


def test_normalisation_over_the_sensors_range(memory: Any, tmp_path: Path) -> None:
    data = module(memory(LENGTHS, range=(100.0, 300.0)), tmp_path, normalise="range", fold=0)
    assert data.statistics["low"] == [100, 100]
    x = batches(data.val_dataloader()).x
    assert float(x.min()) == -1
    assert float(x[2, 0, 0]) == -1
    assert float(batches(data.train_dataloader()).x.max()) == 1


def test_a_range_in_another_unit_is_noticed(memory: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    module(memory(LENGTHS, range=(-60.0, 60.0)), tmp_path, normalise="range")
    assert_names(caplog.text, "Memory", 9.88, -60, "60 g")


@pytest.mark.parametrize(
    ("normalise", "range", "expected"),
    [
        ("dataset", None, (-1.0, 1.0)),
        ("train", (-8.0, 8.0), (-1.0, 1.0)),
        ("range", (-8.0, 8.0), (-1.0, 1.0)),
        ("none", (-8.0, 8.0), (-8.0, 8.0)),
        ("none", None, (None, None)),
    ],
)
def test_the_signal_states_the_range(
    memory: Any,
    tmp_path: Path,
    normalise: Literal["dataset", "train", "range", "none"],
    range: tuple[float, float] | None,
    expected: tuple[Any, Any],
) -> None:
    dataset = memory(LENGTHS, range=range)
    data = HARDataModule(dataset, normalise=normalise, cache=str(tmp_path))
    assert data.signal == signal_of(dataset, normalise)
    assert (data.signal.low, data.signal.high) == expected
    assert (data.signal.channels, data.signal.names, data.signal.unit, data.signal.rate_hz) == (2, ("x", "y"), "g", 50)
    assert (data.num_classes, data.class_names, data.num_folds) == (3, ("NULL", "walk", "run"), 3)


def test_an_unknown_range_is_told(memory: Any) -> None:
    with refused(
        DataError,
        "normalise=range",
        "Memory",
        "data.dataset.range=[low,high]",
        "g",
        "data.normalise=dataset",
        "train",
        "none",
    ):
        HARDataModule(memory(LENGTHS, range=None), normalise="range")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"fold": 3}, ("fold=3", "Memory", "0 … 2")),
        ({"fold": -1}, ("fold=-1", "Memory", "0 … 2")),
        ({"window": 0}, ("window=0", 1)),
        ({"stride": 51}, ("stride=51", "window=50")),
        ({"batch_size": 0}, ("batch_size=0", 1)),
        ({"normalise": "max"}, ("normalise='max'", "dataset", "train", "range", "none")),
    ],
)
def test_arguments_are_checked(memory: Any, arguments: dict[str, Any], named: tuple[object, ...]) -> None:
    with refused(ValueError, *named):
        HARDataModule(memory(LENGTHS), **arguments)


def test_class_weights(memory: Any, tmp_path: Path) -> None:
    data = module(memory(LENGTHS), tmp_path, fold=0)
    y = batches(data.train_dataloader()).y
    counts = torch.bincount(y, minlength=3)
    torch.testing.assert_close(data.class_weights, len(y) / (3 * counts))
    assert data.class_weights.dtype == torch.float32


def test_a_class_that_training_lacks_has_weight_0_and_is_warned_of(
    memory: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = memory(LENGTHS, absent=((0, 2), (1, 2)))
    with caplog.at_level(logging.WARNING):
        data = module(dataset, tmp_path, fold=2)
    assert data.class_weights[2] == 0
    assert bool((data.class_weights[:2] > 0).all())
    assert_names(caplog.text, "Memory", "fold 2", "run", 0)


def test_a_subject_without_windows_is_refused(memory: Any, tmp_path: Path) -> None:
    with refused(DataError, "Memory", "subject 1", 50, "data.window"):
        module(memory([[100], [49, 30], [100]]), tmp_path)


def test_an_axis_that_never_moves_is_refused(memory: Any, tmp_path: Path) -> None:
    dataset = memory(LENGTHS)
    recordings = dataset.recordings()
    for recording in recordings:
        recording.x[:, 1] = 7
    dataset.recordings = lambda: recordings
    with refused(DataError, "Memory", "axis y", 7):
        module(dataset, tmp_path)


def test_statistics_go_into_json(memory: Any, tmp_path: Path) -> None:
    statistics = module(memory(LENGTHS), tmp_path, fold=1).statistics
    assert json.loads(json.dumps(statistics)) == statistics
    assert statistics["samples"] == 594
    assert statistics["recordings"] == 6
    assert statistics["recordings_too_short"] == 1
    assert statistics["samples_filled"] == 1 + 2 + 2
    assert statistics["train_windows"] == sum(statistics["train_windows_per_class"]) == 3 + 1 + 1 + 8
    assert statistics["held_out_windows"] == 3


def test_samples_for_histograms_are_normalised_training_samples(memory: Any, tmp_path: Path) -> None:
    data = module(memory(LENGTHS), tmp_path, normalise="none", fold=2)
    assert data.training_sample(100).shape[1] == 2
    assert len(data.training_sample(100)) <= 100
    assert data.training_sample().max() < 120 + 73 + 20 + 100


def test_the_cache_is_read_instead_of_the_source(memory: Any, tmp_path: Path) -> None:
    dataset = memory(LENGTHS)
    for arguments in ({}, {"fold": 1}, {"window": 40, "normalise": "train"}):
        module(dataset, tmp_path, **arguments)
    assert dataset.reads == 1
    module(memory([[100], [100]]), tmp_path)
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_batches_before_setup_are_refused(memory: Any, tmp_path: Path) -> None:
    with refused(RuntimeError, "setup()"):
        HARDataModule(memory(LENGTHS), cache=str(tmp_path)).train_dataloader()


@pytest.mark.parametrize("workers", [0, 1])
def test_worker_processes_deliver_the_same(memory: Any, tmp_path: Path, workers: int) -> None:
    data = module(memory(LENGTHS), tmp_path, num_workers=workers, batch_size=5)
    expected = module(memory(LENGTHS), tmp_path, batch_size=5)
    assert torch.equal(batches(data.train_dataloader()).x, batches(expected.train_dataloader()).x)
