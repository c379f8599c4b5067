"""Labelled images as Lightning batches: split, gather codes by index, augment and scale whole batches on the device.

Open it to see what the network of a classification task is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from qsense.data.batches import EpochBatches, EvaluationEpochBatches
from qsense.data.errors import require_at_least
from qsense.data.images.augment import flip, jitter, shift
from qsense.data.images.dataset import ImageDataset, Pictures
from qsense.data.module import ExperimentData
from qsense.data.splitting import stratified


class Images(NamedTuple):
    """One batch.

    Args:
        x: what the image sensor sees, float32 [B, C, H, W] in [0, 1]; on its way to the device still codes, uint8.
        y: classes, int64 [B].
    """

    x: Tensor
    y: Tensor


class ImageDataModule(ExperimentData):
    """Training, validation and test batches of `Images`.

    The test part is the data set's own and nothing else is made of it. Validation images are a stratified share of the
    training part.

    Images stay integer codes until a batch is on its device; there it is augmented, for training, and scaled to [0, 1].
    Augmentation depends on torch's seed.

    Args:
        dataset: which images; see `ExperimentData`, also for the other arguments.
        batch_size: images per batch.
        validation: share of the training images to hold out.
        pad: training images are shifted by up to this many pixels both ways.
        flip: training images are mirrored left to right at random.
        jitter: brightness, contrast and saturation of training images change by up to this share, 0 … 1.
        num_workers: loader processes.
        fold: 0, the only one.
        seed: shuffles the training images.

    Attributes:
        mean: what the task subtracts from each channel, on the scale of [0, 1].
        std: what it divides by.
    """

    gives = "images"
    batch_kinds = (EpochBatches, EvaluationEpochBatches)
    dataset: ImageDataset

    def __init__(
        self,
        dataset: ImageDataset,
        batch_size: int = 128,
        validation: float = 0.1,
        pad: int = 0,
        flip: bool = False,
        jitter: float = 0.0,
        num_workers: int = 0,
        fold: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(dataset, batch_size, num_workers, fold, seed, validation)
        require_at_least(0, pad=pad)
        if not 0 <= jitter <= 1:
            raise ValueError(f"jitter={jitter} must be in [0, 1]")
        self.pad = pad
        self.flip = flip
        self.jitter = jitter
        self.signal = dataset.signal
        self.mean = dataset.mean
        self.std = dataset.std

    def prepare_data(self) -> None:
        """Fetch what is missing, if that was asked for (once per machine)."""
        self.dataset.prepare()

    def divide(self) -> tuple[dict[str, Part], dict[str, Any]]:
        """Read the data set and hold out the validation images."""
        train, test = self.dataset.train(), self.dataset.test()
        held_out = stratified(train.y, self.validation)
        parts = {
            "train": Part(train, np.flatnonzero(~held_out), (self.seed, self.fold)),
            "validation": Part(train, np.flatnonzero(held_out), None),
            "test": Part(test, np.arange(len(test.y)), None),
        }
        counts = {name: np.bincount(part.y, minlength=self.num_classes) for name, part in parts.items()}
        return parts, {
            "normalise": "range",  # codes / white
            "white": self.dataset.white,
            "mean": list(self.mean),
            "std": list(self.std),
            **{f"{name}_images": int(count.sum()) for name, count in counts.items()},
            **{f"{name}_images_per_class": count.tolist() for name, count in counts.items()},
        }

    def on_after_batch_transfer(self, batch: Images, dataloader_idx: int) -> Images:
        """Augment a training batch, scale every batch: codes uint8 → float32 in [0, 1], on the batch's device."""
        training = self.trainer is not None and self.trainer.training
        return Images(self.augmented(batch.x) if training else self.scaled(batch.x), batch.y)

    def scaled(self, codes: Tensor) -> Tensor:
        """Codes as shares of full scale, float32 in [0, 1]."""
        return codes.float() / self.dataset.white

    def received(self, x: Tensor, statistics: dict[str, Any], condition: int = 0) -> Tensor:
        """Images [B, C, H, W], integer codes or shares of full scale → shares of full scale."""
        if x.dim() != 4 or x.shape[1] != self.signal.channels:
            raise ValueError(f"x has shape {list(x.shape)}: images are [B, {self.signal.channels}, H, W]")
        return x.float() if x.is_floating_point() else self.scaled(x)

    def augmented(self, codes: Tensor) -> Tensor:
        """A training batch: shifted, mirrored, scaled to [0, 1], jittered, each image differently."""
        codes = shift(codes, self.pad)
        return jitter(self.scaled(flip(codes) if self.flip else codes), self.jitter)

    def training_sample(self, count: int = 100_000) -> npt.NDArray[np.float32]:
        """Up to about `count` pixels [pixels, channels] in [0, 1] of images spread over the training part."""
        part = self.part("train")
        first = part.__getitems__((0, np.zeros(1, dtype=np.int64))).x
        images = min(len(part), max(1, count // first[0, 0].numel()))
        x = part.__getitems__((0, np.linspace(0, len(part) - 1, images).astype(np.int64))).x
        pixels: npt.NDArray[np.float32] = self.scaled(x).movedim(1, -1).flatten(0, 2).numpy()
        return pixels


class Part(Dataset[Images]):
    """Some of a data set's pictures; a whole batch is gathered at once.

    Args:
        pictures: all of them.
        use: indices of those that belong to this part, int64 [images].
        stream: seeds of what is drawn while reading, joined by the epoch; None draws nothing.
    """

    def __init__(self, pictures: Pictures, use: npt.NDArray[np.int64], stream: Sequence[int] | None) -> None:
        self.pictures, self.use, self.stream = pictures, use, stream
        self.y = pictures.y[use]

    def __len__(self) -> int:
        return len(self.use)

    def __getitem__(self, index: int) -> Images:
        x, y = self.__getitems__((0, np.array([index])))
        return Images(x[0], y[0])

    def __getitems__(self, batch: tuple[int, npt.NDArray[np.int64]]) -> Images:
        """The batch of these images, as codes; what is drawn while reading depends on the epoch."""
        epoch, indices = batch
        stream = None if self.stream is None else (*self.stream, epoch)
        x, y = self.pictures.gather(self.use[indices], stream)
        return Images(torch.from_numpy(np.ascontiguousarray(x)), torch.from_numpy(y))
