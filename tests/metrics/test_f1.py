"""The scores against scikit-learn, and sample-wise counting against a slow reference that walks sample by sample."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score
from tests.refusal import refused

from qsense.metrics.f1 import HARScore, accuracy, add_counts, f1_per_class, macro_f1

Ints = npt.NDArray[np.int64]
WINDOW, STRIDE = 50, 25


def names(k: int) -> tuple[str, ...]:
    return tuple(f"class {i}" for i in range(k))


def windows(y: Ints) -> tuple[Ints, Ints]:
    """Labels of a recording's windows (their last sample's), and the labels of the samples each one covers."""
    starts = range(0, len(y) - WINDOW + 1, STRIDE)
    covered = np.full((len(starts), WINDOW + STRIDE), -1)
    for i, start in enumerate(starts):
        end = start + STRIDE if i < len(starts) - 1 else len(y)
        covered[i, : end - start] = y[start:end]
    return np.array([y[start + WINDOW - 1] for start in starts]), covered


def spread(pred: Ints, length: int) -> Ints:
    """Window i covers samples 25·i … 25·i + 24; the tail repeats the last prediction."""
    samples = np.empty(length, dtype=np.int64)
    for t in range(length):
        samples[t] = pred[min(t // STRIDE, len(pred) - 1)]
    return samples


@given(st.integers(2, 19), st.integers(0, 60), st.integers(0, 2**31))
def test_scores_equal_scikit_learn(k: int, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    present = rng.integers(1, k + 1)  # often leaves classes without a single window
    y, pred = rng.integers(0, present, n), rng.integers(0, k, n)
    confusion = torch.zeros(k, k, dtype=torch.int64)
    add_counts(confusion, torch.from_numpy(pred), torch.from_numpy(y))
    if n == 0:
        assert macro_f1(confusion) == accuracy(confusion) == 0
        return
    labels = list(range(k))
    assert confusion.tolist() == confusion_matrix(y, pred, labels=labels).tolist()
    assert macro_f1(confusion) == pytest.approx(
        f1_score(y, pred, labels=labels, average="macro", zero_division=0), abs=1e-12
    )
    assert macro_f1(confusion, absent=1.0) == pytest.approx(
        f1_score(y, pred, labels=labels, average="macro", zero_division=1), abs=1e-12
    )
    np.testing.assert_allclose(
        f1_per_class(confusion).numpy(), f1_score(y, pred, labels=labels, average=None, zero_division=0), atol=1e-12
    )
    assert accuracy(confusion) == pytest.approx(accuracy_score(y, pred), abs=1e-12)


def test_absent_class_counts_zero() -> None:
    """Two classes predicted perfectly, a third never seen: 2/3, where an average over the present ones says 1."""
    assert macro_f1(torch.diag(torch.tensor([5, 5, 0]))) == pytest.approx(2 / 3)


@pytest.mark.parametrize("lengths", [(50,), (74,), (75, 120), (499, 50, 1000, 63)])
@pytest.mark.parametrize("as_logits", [True, False])
def test_sample_wise_score_equals_walking_over_the_samples(lengths: tuple[int, ...], as_logits: bool) -> None:
    rng = np.random.default_rng(sum(lengths))
    k = 5
    score = HARScore(names(k))
    truth, said, window_truth, window_said = [], [], [], []
    for length in lengths:
        y = rng.integers(0, k - 1, length // 20 + 1).repeat(20)[:length]
        labels, covered = windows(y)
        pred = np.where(rng.random(len(labels)) < 0.6, labels, rng.integers(0, k, len(labels)))
        truth.append(y)
        said.append(spread(pred, length))
        window_truth.append(labels)
        window_said.append(pred)
        for batch in np.array_split(np.arange(len(pred)), 3):  # some of them empty
            p = torch.from_numpy(pred[batch])
            if as_logits:
                p = torch.nn.functional.one_hot(p, k) * 3.0 + 0.1
            score.update(p, torch.from_numpy(labels[batch]), torch.from_numpy(covered[batch]))

    assert int(score.sample_confusion.sum()) == sum(lengths), "every sample is counted exactly once"
    for name, y, pred in (
        ("sample", np.concatenate(truth), np.concatenate(said)),
        ("window", np.concatenate(window_truth), np.concatenate(window_said)),
    ):
        per_class = f1_score(y, pred, labels=range(k), average=None, zero_division=0)
        assert score.compute()[f"f1_{name}"] == pytest.approx(per_class.mean(), abs=1e-12)
        if name == "sample":
            absent_1 = f1_score(y, pred, labels=range(k), average="macro", zero_division=1)
            assert score.compute()["f1_sample_absent_1"] == pytest.approx(absent_1, abs=1e-12)
        assert score.compute()[f"accuracy_{name}"] == pytest.approx(accuracy_score(y, pred), abs=1e-12)
        assert score.per_class()[f"f1_{name}"] == pytest.approx(dict(zip(names(k), per_class, strict=True)), abs=1e-12)


def test_reset_forgets() -> None:
    score = HARScore(names(2))
    score.update(torch.tensor([1]), torch.tensor([1]), torch.tensor([[1, -1]]))
    score.reset()
    assert score.window_confusion.sum() == score.sample_confusion.sum() == 0


def test_class_out_of_range_is_not_counted_as_another() -> None:
    confusion = torch.zeros(3, 3, dtype=torch.int64)
    with pytest.raises(IndexError):
        add_counts(confusion, pred=torch.tensor([3]), y=torch.tensor([0]))
    with pytest.raises(IndexError):
        add_counts(confusion, pred=torch.tensor([0]), y=torch.tensor([3]))


def test_one_class_is_refused() -> None:
    with refused(ValueError, "two", "['NULL']"):
        HARScore(("NULL",))


def test_update_never_reads_from_the_device() -> None:
    """Tensors on the meta device have no values: whatever waits for one (item, nonzero, bincount) fails on them."""
    score = HARScore(names(4)).to("meta")
    score.update(
        torch.empty(8, 4, device="meta"),
        torch.empty(8, dtype=torch.int64, device="meta"),
        torch.empty(8, 75, dtype=torch.int64, device="meta"),
    )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_update_on_a_gpu_does_not_synchronise() -> None:
    rng = torch.Generator().manual_seed(0)
    logits, y = torch.randn(100, 7, generator=rng), torch.randint(0, 7, (100,), generator=rng)
    covered = torch.randint(-1, 7, (100, 75), generator=rng)
    cpu, gpu = HARScore(names(7)), HARScore(names(7)).cuda()
    cpu.update(logits, y, covered)
    on_gpu = logits.cuda(), y.cuda(), covered.cuda()
    gpu.update(*on_gpu)  # warm up
    gpu.reset()
    mode = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        gpu.update(*on_gpu)
    finally:
        torch.cuda.set_sync_debug_mode(mode)
    assert gpu.compute() == cpu.compute()


def test_two_processes_score_their_windows_together() -> None:
    """Rank 0's view of a synchronisation, with a stand-in for all_gather that knows what rank 1 counted."""
    batches = [(torch.tensor([0, 1]), torch.tensor([0, 2])), (torch.tensor([2, 2]), torch.tensor([2, 1]))]
    ranks, together = [HARScore(names(3)), HARScore(names(3))], HARScore(names(3))
    for rank, (pred, y) in enumerate(batches):
        covered = y.unsqueeze(1).repeat(1, 3 + rank)
        ranks[rank].update(pred, y, covered)
        together.update(pred, y, covered)
    gathered = iter([[rank.window_confusion for rank in ranks], [rank.sample_confusion for rank in ranks]])
    ranks[0].distributed_available_fn = lambda: True
    ranks[0].dist_sync_fn = lambda state, group: next(gathered)
    assert ranks[0].compute() == together.compute()
