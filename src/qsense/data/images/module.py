"""Labelled images as Lightning batches: split, gather codes by index, augment and scale whole batches on the device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from qsense.data.batches import EpochBatches, EvaluationEpochBatches, Shuffled
from qsense.data.errors import DataError
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
    training part that depends on the data alone, so that runs of all seeds, and runs that start from another run's
    weights, hold out the same images.

    Images stay integer codes until a batch is on its device; there it is augmented, for training, and scaled to [0, 1].
    Shuffling depends on (seed, fold, epoch) alone, augmentation on torch's seed.

    Args:
        dataset: which images.
        batch_size: images per batch; the last batch of an epoch may be smaller.
        validation: share of the training part to hold out, in [0, 1); 0 trains on all of it and validates on nothing.
        pad: training images are shifted by up to this many pixels both ways.
        flip: training images are mirrored left to right at random.
        jitter: brightness, contrast and saturation of training images change by up to this share, 0 … 1.
        num_workers: loader processes; 0 is fastest for images in memory, files need several.
        fold: 0, the only one.
        seed: shuffles the training images.

    Attributes:
        signal: the image sensor: colours, [0, 1].
        num_classes: classes of the data set.
        class_names: their names, in index order.
        num_folds: 1.
        mean: what the task subtracts from each channel, on the scale of [0, 1].
        std: what it divides by.
        statistics: how many images of each part and class there are, ready for JSON; after `setup()`.

    Raises:
        ValueError: an argument out of its range; the allowed ones are named.
        DataError: in `setup()`, images that cannot be used, or a part without images.
    """

    gives = "images"
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
        super().__init__()
        for name, value, least in (
            ("batch_size", batch_size, 1),
            ("pad", pad, 0),
            ("num_workers", num_workers, 0),
            ("seed", seed, 0),
        ):
            if value < least:
                raise ValueError(f"{name}={value} must be at least {least}")
        if not 0 <= validation < 1:
            raise ValueError(f"validation={validation} must be in [0, 1): a share of the training images")
        if not 0 <= jitter <= 1:
            raise ValueError(f"jitter={jitter} must be in [0, 1]")
        if not 0 <= fold < dataset.num_folds:
            raise ValueError(f"fold={fold} is out of range: {dataset.name} has a fixed test part, so fold=0 alone")
        self.dataset = dataset
        self.batch_size = batch_size
        self.validation = validation
        self.pad = pad
        self.flip = flip
        self.jitter = jitter
        self.num_workers = num_workers
        self.fold = fold
        self.seed = seed
        self.num_folds = dataset.num_folds
        self.signal = dataset.signal
        self.class_names = dataset.classes
        self.num_classes = len(dataset.classes)
        self.mean = dataset.mean
        self.std = dataset.std
        self._parts: dict[str, Part] = {}

    def prepare_data(self) -> None:
        """Fetch what is missing, if that was asked for (once per machine)."""
        self.dataset.prepare()

    def setup(self, stage: str | None = None) -> None:
        """Read the data set and hold out the validation images."""
        if self._parts:
            return
        train, test = self.dataset.train(), self.dataset.test()
        held_out = stratified(train.y, self.validation)
        stream = (self.seed, self.fold)
        self._parts = {
            "train": Part(train, np.flatnonzero(~held_out), stream),
            "validation": Part(train, np.flatnonzero(held_out), None),
            "test": Part(test, np.arange(len(test.y)), None),
        }
        for name in ("train", "test"):
            if not len(self._parts[name]):
                raise DataError(f"{self.dataset.name}: there is no image in its {name} part")
        counts = {name: np.bincount(part.y, minlength=self.num_classes) for name, part in self._parts.items()}
        self.statistics: dict[str, Any] = {
            "dataset": self.dataset.name,
            "fold": self.fold,
            "normalise": "range",  # codes / white
            "white": self.dataset.white,
            "mean": list(self.mean),
            "std": list(self.std),
            **{f"{name}_images": int(count.sum()) for name, count in counts.items()},
            **{f"{name}_images_per_class": count.tolist() for name, count in counts.items()},
        }

    def train_dataloader(self) -> DataLoader[Images]:
        """Training images in an order that depends on (seed, fold, epoch); Lightning sets the epoch."""
        part = self._part("train")
        return self._loader(part, Shuffled(len(part), self.seed, self.fold))

    def val_dataloader(self) -> DataLoader[Images] | list[DataLoader[Images]]:
        """The validation images, in their order; no loader where none are held out."""
        part = self._part("validation")
        return self._loader(part, range(len(part))) if len(part) else []

    def test_dataloader(self) -> DataLoader[Images]:
        """The test images, in their order."""
        part = self._part("test")
        return self._loader(part, range(len(part)))

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
        part = self._part("train")
        first = part.__getitems__((0, np.zeros(1, dtype=np.int64))).x
        images = min(len(part), max(1, count // first[0, 0].numel()))
        x = part.__getitems__((0, np.linspace(0, len(part) - 1, images).astype(np.int64))).x
        pixels: npt.NDArray[np.float32] = self.scaled(x).movedim(1, -1).flatten(0, 2).numpy()
        return pixels

    def _part(self, name: str) -> Part:
        if not self._parts:
            raise RuntimeError("call setup() before asking for batches")
        return self._parts[name]

    def _loader(self, part: Part, order: Sampler[int] | range) -> DataLoader[Images]:
        kind = EpochBatches if isinstance(order, Shuffled) else EvaluationEpochBatches
        return DataLoader(
            part,
            batch_sampler=kind(order, self.batch_size, drop_last=False),
            collate_fn=_as_it_is,
            num_workers=self.num_workers,
            generator=torch.Generator().manual_seed(self.seed),  # else each epoch would draw from the global generator
            persistent_workers=self.num_workers > 0,
        )


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


def _as_it_is(batch: Any) -> Any:
    return batch
