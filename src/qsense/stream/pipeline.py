"""A run's own task, sample by sample: normalise → convert → window → class.

Open it to see that a stream gives the classes of the test: the same parts in the same order, and a converter with
memory goes on from sample to sample as it does through whole recordings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from qsense.data.series.batch import normalise_
from qsense.experiment.load import TrainedRun
from qsense.quant.sensor.base import SensorQuantizer
from qsense.quant.sensor.memory.base import MemoryConverter
from qsense.quant.sensor.memory.reference import Receiver

Ints = npt.NDArray[np.int64]
ALL = np.ones((1, 1), bool)


@dataclass(frozen=True)
class Prediction:
    """What a window is taken for.

    Args:
        winner: index of the class.
        probability: of that class.
        margin: how far the second one is behind: a probability, of integers a difference of accumulators (int).
    """

    winner: int
    probability: float
    margin: float


class Pipeline(Protocol):
    """From samples to classes.

    Attributes:
        name: in a few words.
        bits: of a code; 0 where the sensor is not quantized.
    """

    name: str
    bits: int

    def reset(self) -> None:
        """A new recording begins."""

    def push(self, sample: npt.NDArray[np.float32]) -> tuple[Ints | None, Prediction | None]:
        """One sample [channels] in the sensor's unit: its codes, and what the window that ends with it is taken for."""


class LiveConverter:
    """A converter with memory that goes on from sample to sample.

    Args:
        converter: placed.
    """

    def __init__(self, converter: MemoryConverter) -> None:
        self.converter = converter
        self.channels = converter.channels()
        self.reset()

    def reset(self) -> None:
        """A new recording begins."""
        self.receiver = Receiver(self.channels, 1)

    def send(self, counts: npt.NDArray[np.integer]) -> tuple[Ints, Ints]:
        """Of native counts [channels]: codes, and what a receiver decodes, on the 16-bit scale."""
        codes = self.receiver.send(counts[None].astype(np.int64), ALL)
        return codes[0], self.receiver.value[0]


def ends_of(run: TrainedRun) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]] | None:
    """What became −1 and 1 in training, per channel; None where the data was not normalised."""
    statistics = run.result["statistics"]
    if statistics["low"] is None:
        return None
    return np.array(statistics["low"], dtype=np.float32), np.array(statistics["high"], dtype=np.float32)


class TaskPipeline:
    """The trained task, as it was tested.

    Args:
        run: on series.
    """

    name = "torch"

    def __init__(self, run: TrainedRun) -> None:
        statistics = run.result["statistics"]
        self.task, self.sensor = run.task.eval(), run.task.sensor
        self.window, self.stride = int(statistics["window"]), int(statistics["stride"])
        self.ends = ends_of(run)
        self.memory = LiveConverter(self.sensor) if isinstance(self.sensor, MemoryConverter) else None
        self.thresholds = None  # [rows, 2^bits − 1]; `encode` counts them, too, for many samples at once
        if isinstance(self.sensor, SensorQuantizer):
            self.thresholds = self.sensor.thresholds().cpu().numpy()
        self.bits = self.sensor.bits
        self.recent = np.zeros((self.window, run.data.signal.channels), np.float32)  # a ring
        self.classify(self.recent)  # the first one takes longer than all that follow
        self.reset()

    def reset(self) -> None:
        """See `Pipeline`."""
        self.time = 0
        if self.memory:
            self.memory.reset()

    def push(self, sample: npt.NDArray[np.float32]) -> tuple[Ints | None, Prediction | None]:
        """See `Pipeline`."""
        x = sample.astype(np.float32)
        if self.ends is not None:
            x = normalise_(x, *self.ends)
        codes = None
        if self.memory:
            codes, values = self.memory.send(self.memory.converter.counts(x))
            x = self.memory.converter.values(values)
        elif self.thresholds is not None:
            codes = (self.thresholds <= x[:, None]).sum(axis=1)
        self.recent[self.time % self.window] = x
        self.time += 1
        if self.time < self.window or (self.time - self.window) % self.stride:
            return codes, None
        return codes, self.classify(np.roll(self.recent, -self.time % self.window, axis=0))

    def classify(self, window: npt.NDArray[np.float32]) -> Prediction:
        """What a window [time, channels] of delivered samples is taken for."""
        batch = torch.from_numpy(window[None]).to(self.task.device)
        probabilities = self.task.predict(batch)[0]
        best = torch.sort(probabilities, descending=True).values
        winner = int(probabilities.argmax())
        return Prediction(winner, float(best[0]), float(best[0] - best[1]))
