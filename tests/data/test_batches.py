"""The order of an epoch, and batches of it for one process and for several."""

from __future__ import annotations

import numpy as np
import pytest
from torch.utils.data import DistributedSampler

from qsense.data.batches import Batches, EpochBatches, EvaluationBatches, Shuffled, epoch_order


def test_an_epochs_order_depends_on_seed_fold_and_epoch_alone() -> None:
    order = epoch_order(1000, seed=1, fold=2, epoch=3)
    assert sorted(order) == list(range(1000))
    np.random.seed(7)  # noqa: NPY002 - whatever happens to the global generator
    np.testing.assert_array_equal(order, epoch_order(1000, seed=1, fold=2, epoch=3))
    for seed, fold, epoch in ((2, 2, 3), (1, 3, 3), (1, 2, 4)):
        assert (order != epoch_order(1000, seed, fold, epoch)).any()


def test_a_later_epoch_has_another_order_and_its_number_in_every_batch() -> None:
    order = Shuffled(10, seed=1, fold=2)
    order.set_epoch(3)
    batches = list(EpochBatches(order, batch_size=4, drop_last=False))
    assert [epoch for epoch, _ in batches] == [3, 3, 3]
    assert np.concatenate([indices for _, indices in batches]).tolist() == epoch_order(10, 1, 2, 3).tolist()


@pytest.mark.parametrize(("kind", "counts"), [(EvaluationBatches, [3, 2]), (Batches, [3, 3])])
def test_several_processes_evaluate_each_sample_once(kind: type[Batches], counts: list[int]) -> None:
    seen = []
    for rank in range(2):
        sampler: DistributedSampler[int] = DistributedSampler(range(5), num_replicas=2, rank=rank, shuffle=False)  # type: ignore[arg-type]
        seen.append(np.concatenate(list(kind(sampler, batch_size=2, drop_last=False))).tolist())
    assert [len(indices) for indices in seen] == counts
    assert sorted({index for indices in seen for index in indices}) == list(range(5))
