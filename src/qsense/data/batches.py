"""In which order an epoch takes its samples, and how they are grouped.

Open it when an epoch must be repeated exactly, or when several processes share one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from torch.utils.data import BatchSampler, DistributedSampler, Sampler


class Shuffled(Sampler[int]):
    """0 … count − 1 in an order that depends on (seed, fold, epoch) alone."""

    def __init__(self, count: int, seed: int, fold: int) -> None:
        self.count, self.seed, self.fold, self.epoch = count, seed, fold, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch; Lightning calls it before each one, also after resuming."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[int]:
        return iter(epoch_order(self.count, self.seed, self.fold, self.epoch).tolist())


class Batches(BatchSampler):
    """Batches of indices as arrays. Lightning can build it anew around a distributed sampler."""

    once = False

    def __iter__(self) -> Iterator[Any]:
        order = np.fromiter(self.sampler, dtype=np.int64)
        if self.once and isinstance(self.sampler, DistributedSampler):
            place = self.sampler.rank + np.arange(len(order)) * self.sampler.num_replicas
            order = order[place < len(self.sampler.dataset)]  # type: ignore[arg-type]
        for start in range(0, len(order), self.batch_size):
            yield order[start : start + self.batch_size]


class EvaluationBatches(Batches):
    """The same without what a distributed sampler repeats to give every device as much: each sample counts once."""

    once = True


class EpochBatches(Batches):
    """Batches, each with its epoch: (epoch, indices), so that what is drawn while reading can depend on it."""

    def __iter__(self) -> Iterator[Any]:
        epoch = getattr(self.sampler, "epoch", 0)  # 0 for a plain range: evaluation draws nothing
        for indices in super().__iter__():
            yield epoch, indices


class EvaluationEpochBatches(EpochBatches):
    """The same for evaluation: each sample counts once."""

    once = True


def epoch_order(count: int, seed: int, fold: int, epoch: int) -> npt.NDArray[np.int64]:
    """A permutation of 0 … count − 1 that depends on (seed, fold, epoch) alone, so that any epoch can be repeated.

    >>> epoch_order(5, seed=0, fold=1, epoch=2).tolist() == epoch_order(5, seed=0, fold=1, epoch=2).tolist()
    True
    """
    return np.random.default_rng([seed, fold, epoch]).permutation(count).astype(np.int64)
