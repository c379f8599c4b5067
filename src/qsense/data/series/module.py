"""Windows of activity recordings as Lightning batches: leave one subject out, normalise, gather by index.

Open it to see what the network of an activity task is given.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from qsense.data.cache import Arrays, cached, digest, fingerprint, readable
from qsense.data.errors import DataError, require_at_least
from qsense.data.module import ExperimentData
from qsense.data.series.dataset import ActivityDataset, signal_of
from qsense.data.series.plausible import remarks
from qsense.data.series.prepared import prepared
from qsense.data.series.windows import WindowIndex, index_windows

log = logging.getLogger(__name__)


class Windows(NamedTuple):
    """One batch.

    Args:
        x: normalised samples, float32 [B, window, axes].
        y: class of each window's last sample, int64 [B].
        covered: classes of the samples that the window's prediction speaks for, int64 [B, window + stride],
            padded with −1.
    """

    x: Tensor
    y: Tensor
    covered: Tensor


class HARDataModule(ExperimentData):
    """Leave-one-subject-out folds of an activity data set as batches of `Windows` (γ-Quant, section 4).

    Windows are laid over each recording by itself and carry the class of their last sample, NULL included. Fold f holds
    out subject f, for validation and test alike; all other subjects train.

    Normalisation is min–max to [−1, 1] per axis, over `dataset` (as the paper; it leaks the held-out subject's
    extremes), over the fold's `train` subjects (beyond them clamped), over the sensor's own full-scale `range`
    (clamped), or `none`.

    Args:
        dataset: which recordings; see `ExperimentData`, also for the other arguments.
        window: samples per window.
        stride: samples from one window's start to the next.
        normalise: dataset, train, range or none.
        batch_size: windows per batch.
        cache: folder for prepared arrays; ~ is the home folder.
        num_workers: loader processes.
        fold: the subject to hold out.
        seed: shuffles the training windows.

    Attributes:
        class_weights: n/(K·n_c) over the training windows, 0 for a class without any; float32 [K]; after `setup()`.

    Raises:
        DataError: normalise="range" on a data set of unknown range; in `setup()`, a subject without any window.
    """

    gives = "series"
    dimensions = 2
    dataset: ActivityDataset

    def __init__(
        self,
        dataset: ActivityDataset,
        window: int = 50,
        stride: int = 25,
        normalise: Literal["dataset", "train", "range", "none"] = "dataset",
        batch_size: int = 100,
        cache: str = "~/.cache/qsense",
        num_workers: int = 0,
        fold: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(dataset, batch_size, num_workers, fold, seed)
        require_at_least(1, window=window, stride=stride)
        if stride > window:
            raise ValueError(f"stride={stride} must not exceed window={window}: samples in between would be skipped")
        self.window = window
        self.stride = stride
        self.normalise = normalise
        self.cache = Path(cache).expanduser()
        self.signal = signal_of(dataset, normalise)

    def prepare_data(self) -> None:
        """Read, check and cache the recordings (once per machine)."""
        prepared(self.dataset, self.cache)

    def divide(self) -> tuple[dict[str, WindowDataset], dict[str, Any]]:
        """Lay the windows and divide them by subject; validation and test are the same, there is no third part."""
        arrays = prepared(self.dataset, self.cache)
        if contradictions := remarks(self.dataset, arrays):
            log.warning("%s: %s.", self.dataset.name, "; ".join(contradictions))
        index = index_windows(arrays["bounds"], self.window, self.stride)
        subject = arrays["subject"][index.recording]
        self._refuse_empty_subjects(subject)
        held_out = subject == self.fold
        low, high = self._extremes(arrays)
        train, test = (
            WindowDataset(arrays, index, use, self.window, self.stride, low, high) for use in (~held_out, held_out)
        )
        counts = np.bincount(train.y, minlength=self.num_classes)
        self.class_weights = self._weights(counts)
        lengths = np.diff(arrays["bounds"])
        statistics = {
            "normalise": self.normalise,
            "low": None if low is None else low.tolist(),
            "high": None if high is None else high.tolist(),
            "window": self.window,
            "stride": self.stride,
            "recordings": len(lengths),
            "recordings_too_short": int((lengths < self.window).sum()),
            "samples": int(lengths.sum()),
            "samples_filled": int(arrays["filled"].sum()),
            "samples_lost": int(arrays["lost"].sum()) if "lost" in arrays else 0,  # not in older entries of the cache
            "resampled": bool(getattr(self.dataset, "resample", False)),
            "train_windows": len(train),
            "held_out_windows": len(test),
            "train_windows_per_class": counts.tolist(),
            "held_out_windows_per_class": np.bincount(test.y, minlength=self.num_classes).tolist(),
        }
        return {"train": train, "validation": test, "test": test}, statistics

    def received(self, x: Tensor, statistics: dict[str, Any], condition: int = 0) -> Tensor:
        """Windows [B, window, axes] in the sensor's unit → normalised by a run's own extremes, cut off at them."""
        expected = (self.window, self.signal.channels)
        if tuple(x.shape[1:]) != expected:
            raise ValueError(f"x has shape {list(x.shape)}: windows are [B, {expected[0]}, {expected[1]}]")
        samples = x.to(torch.float32, copy=True).numpy()
        if statistics["low"] is None:
            return torch.from_numpy(samples)
        low, high = (np.array(statistics[end], dtype=np.float32) for end in ("low", "high"))
        return torch.from_numpy(normalise_(samples, low, high))

    def training_sample(self, count: int = 100_000) -> npt.NDArray[np.float32]:
        """Up to `count` normalised samples [count, axes], spread evenly over the training windows, for histograms."""
        sample: npt.NDArray[np.float32] = self.part("train").sample(count)
        return sample

    def training_recordings(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """See the base class: normalised; those of the subject that is held out are none of them."""
        arrays = prepared(self.dataset, self.cache)
        bounds, training = arrays["bounds"], np.flatnonzero(arrays["subject"] != self.fold)
        x = np.concatenate([arrays["x"][bounds[r] : bounds[r + 1]] for r in training])
        lengths = np.diff(bounds)[training]
        train: WindowDataset = self.part("train")
        return train.normalised(x), np.concatenate([[0], np.cumsum(lengths)])

    def convert(self, converter: Any) -> None:
        """See the base class. What the receiver decodes is prepared once for each set of tables, and cached."""
        arrays = prepared(self.dataset, self.cache)
        train: WindowDataset = self.part("train")
        ends = None if train.low is None or train.high is None else (train.low.tolist(), train.high.tolist())
        source = fingerprint(self.dataset, self.cache)
        key = f"{readable(self.dataset.name)}-{digest(source, ends, repr(converter.constants()))[:24]}"

        def build() -> Arrays:
            codes, values = converter.convert(train.normalised(np.array(arrays["x"])), np.asarray(arrays["bounds"]))
            return {"codes": codes, "values": values}

        self.stream = cached(self.cache, key, build)
        for part in self._parts.values():
            part.delivered = np.asarray(self.stream["values"])

    def _extremes(self, arrays: Arrays) -> tuple[npt.NDArray[np.float32] | None, npt.NDArray[np.float32] | None]:
        """Per axis, the values that become −1 and 1; None without normalisation."""
        if self.normalise == "none":
            return None, None
        if self.normalise == "range":
            assert self.dataset.range is not None  # signal_of() refused it
            axes = len(self.dataset.axes)
            low, high = (np.full(axes, end, dtype=np.float32) for end in self.dataset.range)
            return low, high
        # The paper's minimum and maximum are those of the whole data set; `train` leaves the held-out subject out.
        use = arrays["subject"] != self.fold if self.normalise == "train" else slice(None)
        low, high = arrays["low"][use].min(axis=0), arrays["high"][use].max(axis=0)
        for axis in np.flatnonzero(~(low < high)):
            raise DataError(
                f"{self.dataset.name}: axis {self.dataset.axes[axis]} is {low[axis]:g} throughout: cannot be normalised"
            )
        return low, high

    def _refuse_empty_subjects(self, subject: npt.NDArray[np.int64]) -> None:
        empty = np.flatnonzero(np.bincount(subject, minlength=self.num_folds) == 0)
        if len(empty):
            raise DataError(
                f"{self.dataset.name}: no recording of subject {empty[0]} is as long as one window of {self.window} "
                f"samples; choose a smaller data.window"
            )

    def _weights(self, counts: npt.NDArray[np.int64]) -> Tensor:
        absent = [self.class_names[index] for index in np.flatnonzero(counts == 0)]
        if absent:
            log.warning(
                "%s, fold %d: no training window shows %s; its weight in the loss is 0.",
                self.dataset.name,
                self.fold,
                ", ".join(absent),
            )
        weights = np.where(counts > 0, counts.sum() / (self.num_classes * np.maximum(counts, 1)), 0.0)
        return torch.from_numpy(weights.astype(np.float32))


class WindowDataset(Dataset[Windows]):
    """Windows of some subjects; a whole batch is gathered by one index operation per array."""

    def __init__(
        self,
        arrays: Arrays,
        index: WindowIndex,
        use: npt.NDArray[np.bool_],
        window: int,
        stride: int,
        low: npt.NDArray[np.float32] | None,
        high: npt.NDArray[np.float32] | None,
    ) -> None:
        self.samples = np.asarray(arrays["x"])  # plain views of the mapped files, cheaper to index
        self.labels = np.asarray(arrays["y"])
        self.start = index.start[use]
        self.covered = index.covered[use]
        self.recording = index.recording[use]
        self.y: npt.NDArray[np.int64] = self.labels[self.start + window - 1]
        self.window = np.arange(window)
        self.span = np.arange(window + stride)
        self.low, self.high = low, high
        # What the network sees of all samples, where a converter with memory has converted them; None: it is yet to do.
        self.delivered: npt.NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, index: int) -> Windows:
        x, y, covered = self.__getitems__([index])
        return Windows(x[0], y[0], covered[0])

    def __getitems__(self, indices: Sequence[int] | npt.NDArray[np.int64]) -> Windows:
        """The batch of these windows."""
        chosen = np.asarray(indices)
        start = self.start[chosen, None]
        x = self.at(start + self.window)
        labels = self.labels.take(start + self.span, mode="clip")
        covered = np.where(self.span < self.covered[chosen, None], labels, -1)
        return Windows(torch.from_numpy(x), torch.from_numpy(self.y[chosen]), torch.from_numpy(covered))

    def sample(self, count: int) -> npt.NDArray[np.float32]:
        """Up to `count` normalised samples [count, axes], evenly spread over the windows."""
        every = max(1, -(-len(self) * len(self.window) // count))
        return self.at((self.start[:, None] + self.window).ravel()[::every])

    def at(self, places: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Samples [..., axes] at these places [...] of all recordings, normalised, as the sensor gets them."""
        return self.normalised(self.samples[places]) if self.delivered is None else self.delivered[places]

    def normalised(self, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """x [..., axes] in the sensor's unit as this data is normalised; it is changed in place."""
        x = np.ascontiguousarray(x)
        if self.low is None or self.high is None:
            return x
        return normalise_(x, self.low, self.high)


def normalise_(
    x: npt.NDArray[np.float32], low: npt.NDArray[np.float32], high: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Samples [..., axes] so that `low` [axes] becomes −1 and `high` 1, cut off there; in float32, and in place."""
    x -= low
    x *= 2 / (high - low)
    x -= 1
    np.clip(x, -1, 1, out=x)
    return x
