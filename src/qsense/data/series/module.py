"""Windows of activity recordings as Lightning batches: leave one subject out, normalise, gather by index.

Open it to see what the network of an activity task is given.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from qsense.data import fits
from qsense.data.cache import Arrays, fingerprint
from qsense.data.errors import DataError, require_at_least
from qsense.data.module import ExperimentData
from qsense.data.series.batch import WindowDataset, normalised_by
from qsense.data.series.dataset import ActivityDataset, signal_of
from qsense.data.series.loss import held, lost_samples
from qsense.data.series.plausible import remarks
from qsense.data.series.prepared import prepared
from qsense.data.series.windows import index_windows

log = logging.getLogger(__name__)


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
        self.converter: Any = None  # with memory
        self.stream: Any = None  # what it makes of all recordings: codes and values [time, axes]
        self._streamed: Any = None  # settings and tables of the converter that made it
        self.lost: npt.NDArray[np.bool_] | None = None  # which samples do not arrive [time], where any are lost

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
        return normalised_by(x, statistics)

    def received_recording(self, x: Tensor, statistics: dict[str, Any], converter: Any = None) -> Tensor:
        """A recording [time, axes] in the sensor's unit → its windows [W, window, axes], as in the test: normalised by
        a run's own extremes, and through the converter, if that has memory."""
        axes = self.signal.channels
        if x.dim() != 2 or x.shape[1] != axes or len(x) < self.window:
            raise ValueError(f"x has shape {list(x.shape)}: a recording is [time, {axes}] with time ≥ {self.window}")
        samples = normalised_by(x, statistics)
        if converter is not None:
            samples = converter.decode(converter.encode(samples))
        start = index_windows(np.array([0, len(x)]), self.window, self.stride).start
        return samples[torch.from_numpy(start[:, None] + np.arange(self.window))]

    def training_sample(self, count: int = 100_000) -> npt.NDArray[np.float32]:
        """Up to `count` normalised samples [count, axes], spread evenly over the training windows, for histograms."""
        sample: npt.NDArray[np.float32] = self.part("train").sample(count)
        return sample

    def training_recordings(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """See the base class: normalised; those of the subject that is held out are none of them."""
        places, bounds = self._places(held_out=False)
        train: WindowDataset = self.part("train")
        return train.normalised(train.samples[places]), bounds

    def test_recordings(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """The recordings of the subject that is held out, before normalisation: samples [time, axes] in the sensor's
        unit, and where each starts and the last one ends."""
        places, bounds = self._places(held_out=True)
        return self.part("test").samples[places], bounds

    def test_stream(self) -> tuple[npt.NDArray[np.float32], Any, npt.NDArray[np.int64]]:
        """What a converter with memory makes of the test part's whole recordings.

        Returns:
            Samples as the converter gets them [time, axes]; its stream of codes and values, each [time, axes]; where
            each recording starts and the last one ends.

        Raises:
            RuntimeError: nothing was converted yet.
        """
        if self.stream is None:
            raise RuntimeError("call convert(converter) before asking for what it made")
        places, bounds = self._places(held_out=True)
        test: WindowDataset = self.part("test")
        stream = type(self.stream)(self.stream.codes[places], self.stream.values[places])
        return test.normalised(test.samples[places]), stream, bounds

    def _places(self, held_out: bool) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Where the samples of one part's recordings lie among all, and where each of its recordings starts."""
        arrays = prepared(self.dataset, self.cache)
        lengths, chosen = np.diff(arrays["bounds"]), (arrays["subject"] == self.fold) == held_out
        return np.flatnonzero(np.repeat(chosen, lengths)), np.concatenate([[0], np.cumsum(lengths[chosen])])

    def fit(self, converter: Any) -> None:
        """See the base class. The tables are kept for runs that differ in other things, such as their seed."""
        train: WindowDataset = self.part("train")
        ends = None if train.low is None or train.high is None else (train.low.tolist(), train.high.tolist())
        source = (fingerprint(self.dataset, self.cache), ends, self.fold)
        fits.fit(converter, self.training_recordings, "recordings", self.cache, self.dataset.name, source)

    def convert(self, converter: Any) -> None:
        """See the base class. What is converted is kept for this run, and not on disk: that takes as long to read."""
        self.converter = converter
        tables = None if converter is None else (converter.settings, converter.channels())
        if self._streamed != tables:
            self._streamed, self.stream = tables, None
            if converter is not None:
                arrays = prepared(self.dataset, self.cache)
                train: WindowDataset = self.part("train")
                self.stream = converter.convert(train.normalised(np.array(arrays["x"])), np.asarray(arrays["bounds"]))
        self._deliver()

    def lose(self, share: float, packet: int = 1, repeat: int = 0) -> tuple[int, int]:
        """Let packets of the test recordings get lost on their way: from here on, their batches hold what a receiver
        makes of the others. It holds the last sample, at a recording's start the training samples' mean; one with
        memory goes on from its own state. What is lost depends on the fold and on these arguments alone.

        Args:
            share: of the packets, 0 … 1; 0: none are lost any more.
            packet: samples of all axes.
            repeat: number of the draw.

        Returns:
            How many samples are lost, and how many there are.
        """
        arrays = prepared(self.dataset, self.cache)
        bounds, sent = np.asarray(arrays["bounds"]), np.flatnonzero(arrays["subject"] == self.fold)
        lost = lost_samples(bounds, sent, packet, share, [self.fold, repeat])
        self.lost = lost if share else None
        self._deliver()
        return int(lost.sum()), int(np.diff(bounds)[sent].sum())

    def _deliver(self) -> None:
        """Tell each part what arrives of its recordings, where that is not what the sensor delivers."""
        train, test = self.part("train"), self.part("test")
        for part in self._parts.values():
            part.delivered = None if self.stream is None else self.stream.values
        if self.lost is None:
            return
        places, bounds = self._places(held_out=True)  # of the other recordings nothing is lost
        lost = self.lost[places]
        if self.stream is not None:
            arrives = self.converter.receive(self.stream.codes[places], bounds, lost)
            test.delivered = self.stream.values.copy()
        else:
            mean = self.training_recordings()[0].mean(axis=0, dtype=np.float64)
            arrives = held(train.normalised(test.samples[places]), bounds, lost, mean)
            test.delivered = np.zeros(test.samples.shape, dtype=arrives.dtype)  # the test looks at no others
        test.delivered[places] = arrives

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
