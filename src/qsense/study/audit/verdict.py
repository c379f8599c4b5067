"""Has learning found the best curve? A learned quantizer against a grid of fixed ones, paired over seeds and folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Scores = Mapping[tuple[int, int], float]  # {(seed, fold): score}; more is better
Table = npt.NDArray[np.float64]

CRITERION = (
    "The fixed point is chosen on the other seeds and scored on the one left out, as the best of a grid in hindsight "
    "is lucky, too. Noise is the standard error of a mean difference that seeds alone explain: the spread of learned − "
    "fixed within each fold, pooled over the grid. A difference within ± 2 noise is none."
)


@dataclass(frozen=True)
class Verdict:
    """A quantizer against a grid of fixed curves, over the (seed, fold) pairs that all of them have.

    Args:
        pairs: how many pairs.
        best: the grid point of the highest mean, in hindsight.
        hindsight: mean score − that of `best`; it suffers from the winner's curse, as `best` is chosen by its score.
        chosen: for each seed, the grid point that is best on all the others; empty with a single seed.
        honest: mean over seeds of score − that of the point in `chosen`; None with a single seed.
        noise: standard error of such a difference by seeds alone; None where no fold has several seeds.
    """

    pairs: int
    best: str
    hindsight: float
    chosen: tuple[str, ...]
    honest: float | None
    noise: float | None

    @property
    def words(self) -> str:
        """ "reached", "above", "short", or "open" where one seed cannot tell."""
        if self.honest is None or self.noise is None:
            return "open"
        if abs(self.honest) <= 2 * self.noise:
            return "reached"
        return "above" if self.honest > 0 else "short"


def against(scores: Scores, grid: Mapping[str, Scores]) -> Verdict:
    """Hold scores against those of a grid.

    Args:
        scores: of the quantizer.
        grid: of each fixed curve, by name.

    Raises:
        ValueError: an empty grid, or no (seed, fold) that all have.

    >>> fixed = {"γ 0.2": {(0, 0): 0.3, (1, 0): 0.1}, "γ 0.4": {(0, 0): 0.2, (1, 0): 0.25}}
    >>> verdict = against({(0, 0): 0.3, (1, 0): 0.3}, fixed)
    >>> verdict.best, round(verdict.hindsight, 3)
    ('γ 0.4', 0.075)
    >>> verdict.chosen, round(verdict.honest, 3)  # on seed 1 alone 0.4 is best, on seed 0 alone 0.2
    (('γ 0.4', 'γ 0.2'), 0.15)
    """
    if not grid:
        raise ValueError(
            "grid is empty, so there is no fixed curve to compare with: finish a run of at least one (gammas=…)"
        )
    shared = sorted(set(scores).intersection(*grid.values()))
    if not shared:
        raise ValueError(
            "the quantizer and the fixed curves have no (seed, fold) in common: finish the same seeds and folds of both"
        )
    names = list(grid)
    own = np.array([scores[pair] for pair in shared])
    fixed = np.array([[grid[name][pair] for pair in shared] for name in names])
    seed = np.array([pair[0] for pair in shared])
    fold = np.array([pair[1] for pair in shared])

    best = int(fixed.mean(axis=1).argmax())
    hindsight = float((own - fixed[best]).mean())
    seeds = np.unique(seed)
    if len(seeds) == 1:
        return Verdict(len(shared), names[best], hindsight, (), None, None)
    chosen = [int(fixed[:, seed != one].mean(axis=1).argmax()) for one in seeds]
    honest = [(own - fixed[point])[seed == one].mean() for one, point in zip(seeds, chosen, strict=True)]
    spread = _spread(own - fixed, fold)
    noise = None if spread is None else spread / float(np.sqrt(len(shared)))
    return Verdict(
        len(shared), names[best], hindsight, tuple(names[point] for point in chosen), float(np.mean(honest)), noise
    )


def _spread(differences: Table, fold: npt.NDArray[np.int64]) -> float | None:
    """Standard deviation of differences [points, pairs] around the mean of their fold, pooled over points; None where
    every fold has a single seed.

    Folds differ by their subject, whom no seed changes: that difference is no noise.
    """
    squares, freedom = 0.0, 0
    for one in np.unique(fold):
        here = differences[:, fold == one]
        squares += float(np.square(here - here.mean(axis=1, keepdims=True)).sum())
        freedom += len(here) * (here.shape[1] - 1)
    return float(np.sqrt(squares / freedom)) if freedom else None


def seed_means(scores: Scores) -> Sequence[float]:
    """The mean over folds of each seed, in the order of the seeds."""
    seeds = sorted({seed for seed, _ in scores})
    return [float(np.mean([score for (seed, _), score in scores.items() if seed == one])) for one in seeds]
