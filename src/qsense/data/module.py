"""What the three data modules share: arguments, facts, the division into parts, and batches.

Open it to add a data module for a further kind of data.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from qsense.data.batches import Batches, EvaluationBatches, Shuffled
from qsense.data.errors import DataError, require_at_least
from qsense.signal import Signal


class ExperimentData(LightningDataModule):
    """A LightningDataModule that an experiment can be built around; facts live here and never in a YAML.

    A subclass for each kind of data says in `divide` which examples belong to which part, and overrides `received`
    and `training_sample`; for converters with memory also `training_recordings`, `fit` and `convert`.

    Args:
        dataset: which data; its `name` stands in tables.
        batch_size: examples per batch; the last batch of an epoch may be smaller.
        num_workers: loader processes. 0 is fastest for data in memory, where gathering a batch takes microseconds;
            files to decode need several.
        fold: which part to hold out, 0 … num_folds − 1.
        seed: shuffles the training data, together with fold and epoch alone.
        validation: share of the training part to hold out, in [0, 1); 0 trains on all of it and validates on nothing.
            What is held out depends on the data alone, so that runs of all seeds, and runs that start from another
            run's weights, hold out the same.

    Attributes:
        gives: the kind of data, "series" (B, T, C), "images" (B, C, H, W) or "frames" (`FrameBatch`); like the `takes`
            of its tasks.
        signal: what the sensor delivers after normalisation: channels, range, unit, rate.
        num_classes: classes, the same in every fold.
        class_names: their names, in index order.
        num_folds: how many ways there are to hold a part out.
        statistics: what was normalised by, counted and repaired, ready for JSON; after `setup()`.
        whole: whether frames are read at native size, before anything resizes them, as a converter with memory needs
            them; to be set before `prepare_data()`.
        dimensions: of one example's input.

    Raises:
        ValueError: an argument out of its range; the allowed ones are named.
        DataError: in `prepare_data()` or `setup()`, data that cannot be used, or a part without any.
    """

    gives: ClassVar[str]
    batch_kinds: ClassVar[tuple[type[Batches], type[Batches]]] = (Batches, EvaluationBatches)
    signal: Signal
    statistics: dict[str, Any]
    whole: bool = False
    dimensions: ClassVar[int] = 3

    def __init__(
        self, dataset: Any, batch_size: int, num_workers: int, fold: int, seed: int, validation: float = 0.0
    ) -> None:
        super().__init__()
        require_at_least(1, batch_size=batch_size)
        require_at_least(0, num_workers=num_workers, seed=seed)
        if not 0 <= validation < 1:
            raise ValueError(f"validation={validation} must be in [0, 1): a share of the training part")
        last = dataset.num_folds - 1
        if not 0 <= fold <= last:
            folds = f"folds 0 … {last}" if last else "a fixed test part, so fold=0 alone"
            raise ValueError(f"fold={fold} is out of range: {dataset.name} has {folds}")
        self.dataset: Any = dataset
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.fold = fold
        self.seed = seed
        self.validation = validation
        self.class_names: tuple[str, ...] = dataset.classes
        self.num_classes = len(dataset.classes)
        self.num_folds: int = dataset.num_folds
        self._parts: dict[str, Any] = {}

    def divide(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Read the data: examples of "train", "validation" and "test", and its statistics; each kind says how."""
        raise NotImplementedError

    def setup(self, stage: str | None = None) -> None:
        """Read and divide the data, at the first call alone."""
        if self._parts:
            return
        parts, statistics = self.divide()
        for name in ("train", "test"):
            if not len(parts[name]):
                raise DataError(f"{self.dataset.name}: its {name} part holds no {self.gives}")
        self._parts = parts
        self.statistics = {"dataset": self.dataset.name, "fold": self.fold, **statistics}

    def part(self, name: str) -> Any:
        """The examples of "train", "validation" or "test".

        Raises:
            RuntimeError: `setup()` was not called.
        """
        if not self._parts:
            raise RuntimeError("call setup() before asking for batches")
        return self._parts[name]

    def train_dataloader(self) -> DataLoader[Any]:
        """Training data in an order that depends on (seed, fold, epoch); Lightning sets the epoch."""
        part = self.part("train")
        return self._loader(part, Shuffled(len(part), self.seed, self.fold))

    def val_dataloader(self) -> DataLoader[Any] | list[DataLoader[Any]]:
        """The validation part, in its order; no loader where nothing is held out."""
        part = self.part("validation")
        return self._loader(part, range(len(part))) if len(part) else []

    def test_dataloader(self) -> DataLoader[Any]:
        """The test part, in its order."""
        part = self.part("test")
        return self._loader(part, range(len(part)))

    def received(self, x: Tensor, statistics: dict[str, Any], condition: int = 0) -> Any:
        """A batch of what the sensor delivers, as the task takes it (`Task.predict`), without reading data; each kind
        says how.

        Args:
            x: the batch, as the sensor delivers it.
            statistics: of the run that the task was trained in.
            condition: of all examples, an index into the signal's `conditions`.

        Raises:
            ValueError: x has another shape or type.
        """
        raise NotImplementedError

    def training_sample(self, count: int = 100_000) -> npt.NDArray[np.float32]:
        """Up to `count` samples [count, channels] as the quantizer gets them, spread over the training data; each kind
        says how."""
        raise NotImplementedError

    def sensor_sample(self, count: int = 1_000_000) -> Tensor:
        """Up to about `count` training samples [n, channels] just as the quantizer gets them: values, or native codes.

        The same ones at every call, and none of the validation or test data.
        """
        return torch.from_numpy(self.training_sample(count))

    def sample_conditions(self, count: int = 1_000_000) -> list[int] | None:
        """Of each sample of `sensor_sample(count)`, an index into the signal's `conditions`; None where it has none."""
        return None

    def sample_gains(self, count: int = 1_000_000) -> npt.NDArray[np.float32] | None:
        """Of each sample of `sensor_sample(count)`, the camera's white balance [n, 3]; None where some state none."""
        return None

    def training_recordings(self) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
        """The training part's whole recordings, or rows of its frames, as the converter gets them, one after the other
        [time, channels], and where each starts and the last one ends, for converters with memory; series and frames
        say how."""
        raise NotImplementedError

    def fit(self, converter: Any) -> None:
        """Let the training part's whole recordings, or rows of its frames, place the tables of a converter with memory;
        series and frames say how.

        Args:
            converter: has `fit_recordings(x, bounds)`, and `settings`, which tell it from others.
        """
        raise NotImplementedError

    def convert(self, converter: Any) -> None:
        """Let all recordings or frames go through a converter with memory: from here on batches hold what its receiver
        decodes; series and frames say how.

        Args:
            converter: of recordings: has `convert(x, bounds)` → (codes, values), and `receive(codes, bounds, lost)` →
                values; of frames: `received(codes)` → codes. None: from here on batches hold the samples again.
        """
        raise NotImplementedError

    def example(self) -> Tensor:
        """The input of one test example, a batch of one, as the sensor gets it."""
        example = self.part("test")[0]
        batch = self.on_after_batch_transfer(type(example)(*(value[None] for value in example)), 0)
        x: Tensor = batch.x
        return x

    @property
    def pin_memory(self) -> bool:
        """Whether batches are copied to page-locked memory, from which nothing waits for their way to the device."""
        return False

    def _loader(self, part: Any, order: Sampler[int] | range) -> DataLoader[Any]:
        training, evaluation = self.batch_kinds
        kind = training if isinstance(order, Shuffled) else evaluation
        return DataLoader(
            part,
            batch_sampler=kind(order, self.batch_size, drop_last=False),
            collate_fn=_as_it_is,
            num_workers=self.num_workers,
            pin_memory=self.pin_memory,
            generator=torch.Generator().manual_seed(self.seed),  # else each epoch would draw from the global generator
            persistent_workers=self.num_workers > 0,
        )


def _as_it_is(batch: Any) -> Any:
    return batch
