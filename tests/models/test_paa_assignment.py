"""PAA's assignment against scikit-learn's mixture, and by hand."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
import torch
from sklearn.mixture import GaussianMixture
from torch import Tensor

from qsense.models.paa_assignment import assign, choose_positives, fit_mixture

Values = npt.NDArray[np.float64]


def random_losses(objects: int, seed: int) -> list[Values]:
    """Losses of 2 to 45 candidates in rising order: two heaps, one skewed heap, or one round heap."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(objects):
        size = int(rng.integers(2, 46))
        low = int(rng.integers(1, size))
        heaps = np.concatenate([rng.gamma(2, 0.3, low), rng.random() + rng.gamma(4, 0.6, size - low)])
        rows.append(np.sort([heaps, rng.lognormal(0, 0.7, size), rng.normal(2.3, 0.5, size)][rng.integers(3)]))
    return rows


def table(rows: list[Values]) -> tuple[Tensor, Tensor]:
    losses, mask = torch.zeros(len(rows), 45, dtype=torch.float64), torch.zeros(len(rows), 45, dtype=torch.bool)
    for row, values in enumerate(rows):
        losses[row, : len(values)] = torch.from_numpy(values)
        mask[row, : len(values)] = True
    return losses, mask


def fitted(losses: Values) -> GaussianMixture:
    mixture = GaussianMixture(
        2,
        weights_init=[0.5, 0.5],
        means_init=[[losses.min()], [losses.max()]],
        precisions_init=[[[1.0]], [[1.0]]],
        max_iter=100,
        tol=1e-3,
    )
    return mixture.fit(losses[:, None])


def sklearns(losses: Values) -> npt.NDArray[np.bool_]:
    mixture = fitted(losses)
    first = mixture.predict(losses[:, None]) == 0
    density = np.where(first, mixture.score_samples(losses[:, None]), -np.inf)
    chosen: npt.NDArray[np.bool_] = first & (np.arange(len(losses)) <= density.argmax())
    return chosen if first.any() else np.ones(len(losses), dtype=bool)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_same_candidates_as_scikit_learns() -> None:
    rows = random_losses(1280, seed=0)
    losses, mask = table(rows)
    positive = choose_positives(losses, mask)
    assert not (positive & ~mask).any()
    same = [np.array_equal(own[: len(row)].numpy(), sklearns(row)) for own, row in zip(positive, rows, strict=True)]
    assert sum(same) >= 1279


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_same_densities_as_scikit_learns_whatever_the_padding() -> None:
    rows = random_losses(50, seed=1)
    losses, mask = table(rows)
    fit = fit_mixture(losses, mask)
    assert fit.total.dtype == torch.float64
    again = fit_mixture(torch.where(mask, losses, torch.nan), mask)
    for row, values in enumerate(rows):
        size = len(values)
        assert fit.total[row, :size].numpy() == pytest.approx(fitted(values).score_samples(values[:, None]), rel=1e-9)
        assert torch.equal(fit.total[row, :size], again.total[row, :size])
        assert torch.allclose(
            fit_mixture(losses[row : row + 1, :size], mask[row : row + 1, :size]).total[0], fit.total[row, :size]
        )


def test_one_round_by_hand() -> None:
    """0, 0, 10, 10 separate at once: both variances are sklearn's 1e-6, both weights ½."""
    fit = fit_mixture(torch.tensor([[0.0, 0, 10, 10]]), torch.ones(1, 4, dtype=torch.bool))
    assert fit.first.tolist() == [[True, True, False, False]]
    peak = math.log(0.5) - 0.5 * math.log(2 * math.pi * 1e-6)
    assert fit.total[0].tolist() == pytest.approx([peak] * 4)


def test_positives_end_at_the_densest_candidate() -> None:
    # 0.4 … 0.6 is one heap around 0.5, its densest place; candidates above it are not positive.
    losses = torch.tensor([[0.40, 0.49, 0.50, 0.51, 0.60, 4.0, 4.1, 4.2]])
    positive = choose_positives(losses, torch.ones(1, 8, dtype=torch.bool))
    assert positive[0].tolist() == [True, True, True] + [False] * 5


def test_few_candidates_are_kept() -> None:
    losses = torch.tensor([[1.0, 0, 0], [0, 0, 0], [0.5, 0.5, 0]])
    mask = torch.tensor([[True, False, False], [False] * 3, [True, True, False]])
    positive = choose_positives(losses, mask)
    assert positive[:2].tolist() == mask[:2].tolist()
    assert positive[2, 0]
    assert choose_positives(torch.zeros(0, 0), torch.zeros(0, 0, dtype=torch.bool)).shape == (0, 0)
    assert choose_positives(torch.zeros(2, 0), torch.zeros(2, 0, dtype=torch.bool)).shape == (2, 0)


def test_losses_that_are_not_numbers_end() -> None:
    losses = torch.tensor([[0.1, 0.2, torch.nan], [0.1, 0.2, 5.0], [0.1, 0.2, torch.inf]])
    positive = choose_positives(losses, torch.ones(3, 3, dtype=torch.bool))
    assert torch.equal(positive[1:2], choose_positives(losses[1:2], torch.ones(1, 3, dtype=torch.bool)))


def test_nine_of_a_level_are_looked_at() -> None:
    """Twelve losses near 1 on level 0 and three near 9 on level 1; without the limit all twelve could be positive."""
    torch.manual_seed(0)
    losses = torch.cat([1 + torch.linspace(0, 1e-4, 12), 9 + torch.linspace(0, 1e-4, 3)])
    levels = torch.tensor([0] * 12 + [1] * 3)
    shuffle = torch.randperm(15)
    objects = torch.zeros(15, dtype=torch.int64)
    positive = torch.zeros(15, dtype=torch.bool)
    positive[shuffle] = assign(objects, levels[shuffle], losses[shuffle], number=1)
    assert positive[:12].any()
    assert not positive[9:].any()
    expected = choose_positives(torch.cat([losses[:9], losses[12:]])[None], torch.ones(1, 12, dtype=torch.bool))[0]
    assert positive[:9].tolist() == expected[:9].tolist()


def test_objects_do_not_see_each_other() -> None:
    rng = np.random.default_rng(2)
    sizes = [30, 1, 17, 0, 45, 2]
    objects = torch.cat([torch.full((size,), number) for number, size in enumerate(sizes)])
    levels = torch.from_numpy(rng.integers(0, 5, len(objects)))
    losses = torch.from_numpy(rng.gamma(2, 1, len(objects))).float()
    together = assign(objects, levels, losses, len(sizes))
    for number in range(len(sizes)):
        own = objects == number
        alone = assign(torch.zeros(int(own.sum()), dtype=torch.int64), levels[own], losses[own], 1)
        assert torch.equal(together[own], alone)
    shuffle = torch.randperm(len(objects))
    assert torch.equal(assign(objects[shuffle], levels[shuffle], losses[shuffle], len(sizes)), together[shuffle])


def test_nothing_to_assign() -> None:
    none = torch.zeros(0, dtype=torch.int64)
    assert assign(none, none, torch.zeros(0), 0).shape == (0,)
    assert assign(none, none, torch.zeros(0), 3).shape == (0,)
