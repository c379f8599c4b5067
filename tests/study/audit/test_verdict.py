"""A quantizer against a grid: differences, noise and the winner's curse, by hand and by simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from tests.refusal import refused

from qsense.study.audit.verdict import against, seed_means

Scores = dict[tuple[int, int], float]


def by_seed(*means: float, folds: tuple[float, ...] = (0.0, 0.2)) -> Scores:
    """Scores of each seed around its mean, with folds as unlike as subjects are."""
    return {(seed, fold): mean + shift for seed, mean in enumerate(means) for fold, shift in enumerate(folds)}


def test_a_learned_curve_that_is_clearly_better_equal_or_worse() -> None:
    grid = {"γ 0.2": by_seed(0.30, 0.31, 0.29), "γ 0.4": by_seed(0.40, 0.41, 0.39)}
    assert against(by_seed(0.50, 0.51, 0.49), grid).words == "above"
    assert against(by_seed(0.395, 0.41, 0.40), grid).words == "reached"
    assert against(by_seed(0.20, 0.22, 0.21), grid).words == "short"
    verdict = against(by_seed(0.50, 0.51, 0.49), grid)
    assert verdict.pairs == 6
    assert verdict.best == "γ 0.4"
    assert verdict.chosen == ("γ 0.4",) * 3
    assert verdict.hindsight == pytest.approx(0.1)
    assert verdict.honest == pytest.approx(0.1)


def test_noise_is_what_seeds_change_in_a_fold_and_not_how_folds_differ() -> None:
    own = {(0, 0): 0.5, (1, 0): 0.6, (0, 1): 0.9, (1, 1): 0.8}
    fixed = {(0, 0): 0.4, (1, 0): 0.4, (0, 1): 0.1, (1, 1): 0.1}
    # Differences .1 .2 | .8 .7: ±.05 around their fold's mean, so a variance of 4·.05²/2 with one degree in each fold.
    assert against(own, {"γ": fixed}).noise == pytest.approx((4 * 0.05**2 / 2 / 4) ** 0.5)
    # A second point whose differences are constant within each fold halves the pooled variance.
    same = {pair: score - 0.1 for pair, score in own.items()}
    assert against(own, {"γ": fixed, "same": same}).noise == pytest.approx((4 * 0.05**2 / 4 / 4) ** 0.5)


def test_the_best_of_equals_is_lucky_and_the_honest_difference_is_not() -> None:
    rng = np.random.default_rng(0)
    pairs = list(itertools.product(range(3), range(4)))

    def draw() -> Scores:
        return {pair: float(rng.normal(0.5, 0.05)) for pair in pairs}

    found = [against(draw(), {f"γ {point}": draw() for point in range(20)}) for _ in range(100)]
    hindsight, honest = (np.mean([getattr(verdict, name) for verdict in found]) for name in ("hindsight", "honest"))
    assert hindsight < -0.02
    assert abs(honest) < 0.006
    noise = np.mean([verdict.noise for verdict in found])
    assert noise == pytest.approx(0.05 * (2 / 12) ** 0.5, rel=0.1)
    wrong = np.mean([verdict.words != "reached" for verdict in found])
    assert wrong < 0.15  # all are equal


def test_one_seed_cannot_tell() -> None:
    verdict = against(by_seed(0.5), {"γ 0.2": by_seed(0.4), "γ 0.4": by_seed(0.6)})
    assert (verdict.honest, verdict.noise, verdict.chosen, verdict.words) == (None, None, (), "open")
    assert verdict.best == "γ 0.4"
    assert verdict.hindsight == pytest.approx(-0.1)


def test_only_pairs_that_all_have_are_compared() -> None:
    own, fixed = by_seed(0.5, 0.6), by_seed(0.4, 0.4)
    del own[0, 1]
    assert against(own, {"γ": fixed}).pairs == 3


def test_what_cannot_be_compared_is_refused() -> None:
    with refused(ValueError, "fixed"):
        against(by_seed(0.5), {})
    with refused(ValueError, "(seed, fold)"):
        against({(0, 0): 0.5}, {"γ": {(1, 0): 0.5}})


def test_means_by_seed() -> None:
    assert seed_means(by_seed(0.3, 0.5)) == pytest.approx([0.4, 0.6])
