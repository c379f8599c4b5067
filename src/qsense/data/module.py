"""What every data module states about itself, whatever its task."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from lightning import LightningDataModule
from torch import Tensor

from qsense.signal import Signal


class ExperimentData(LightningDataModule):
    """A LightningDataModule that an experiment can be built around; facts live here and never in a YAML.

    Attributes:
        gives: the kind of data, "series" (B, T, C), "images" (B, C, H, W) or "frames" (`FrameBatch`); like the `takes`
            of its tasks.
        dataset: where the data come from; its `name` stands in tables.
        signal: what the sensor delivers after normalisation: channels, range, unit, rate.
        num_classes: classes, the same in every fold.
        class_names: their names, in index order.
        num_folds: how many ways there are to hold a part out.
        statistics: what was normalised by, counted and repaired, ready for JSON; after `setup()`.
        dimensions: of one example's input.
    """

    gives: ClassVar[str]
    dataset: Any
    signal: Signal
    num_classes: int
    class_names: tuple[str, ...]
    num_folds: int
    statistics: dict[str, Any]
    dimensions: ClassVar[int] = 3

    def received(self, x: Tensor, statistics: dict[str, Any], condition: int = 0) -> Any:
        """A batch of what the sensor delivers, as the task takes it (`Task.predict`); no data is read.

        Args:
            x: the batch, as the sensor delivers it.
            statistics: of the run that the task was trained in.
            condition: of all examples, an index into the signal's `conditions`.

        Raises:
            ValueError: x has another shape or type.
        """
        raise NotImplementedError

    def training_sample(self, count: int = 100_000) -> npt.NDArray[np.float32]:
        """Up to `count` samples [count, channels] as the quantizer gets them, spread over the training data."""
        raise NotImplementedError

    def sensor_sample(self, count: int = 1_000_000) -> Tensor:
        """Up to about `count` training samples [n, channels] just as the quantizer gets them: values, or native codes.

        The same ones at every call, and none of the validation or test data.
        """
        return torch.from_numpy(self.training_sample(count))

    def example(self) -> Tensor:
        """The input of one test example, a batch of one, as the sensor gets it."""
        example = self.test_dataloader().dataset[0]
        batch = self.on_after_batch_transfer(type(example)(*(part[None] for part in example)), 0)
        x: Tensor = batch.x
        return x
