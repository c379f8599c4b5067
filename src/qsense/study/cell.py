"""What stands behind one number of a table: mean over folds per seed, then mean ± std over seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from qsense.runs.words import many


@dataclass(frozen=True)
class Cell:
    """What stands behind one number of the table.

    Args:
        scores: {(seed, fold): score}.
        num_folds: folds of the data set.
        seeds: the seeds seen in the report; every fold of each is expected.
        comparable: whether each seed averages the same folds as the rest of the column.
        cost: of its runs, like `Run.cost`, as far as they agree.
    """

    scores: Mapping[tuple[int, int], float]
    num_folds: int
    seeds: tuple[int, ...]
    comparable: bool = True
    cost: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def folds(self) -> dict[int, list[int]]:
        """The folds there are, by seed."""
        folds: dict[int, list[int]] = {}
        for seed, fold in sorted(self.scores):
            folds.setdefault(seed, []).append(fold)
        return folds

    @cached_property
    def seed_means(self) -> dict[int, float]:
        """Mean over folds of each seed."""
        return {seed: float(np.mean([self.scores[seed, fold] for fold in folds])) for seed, folds in self.folds.items()}

    @property
    def mean(self) -> float:
        """Mean over the seeds' means."""
        return float(np.mean(list(self.seed_means.values())))

    @property
    def std(self) -> float | None:
        """Standard deviation (ddof 0) of the seeds' means; None with a single seed, whose spread nobody knows."""
        return float(np.std(list(self.seed_means.values()))) if len(self.seed_means) > 1 else None

    @property
    def expected(self) -> int:
        """How many runs there should be."""
        return self.num_folds * len(self.seeds)

    @property
    def complete(self) -> bool:
        """Whether all of them are there."""
        return not self.missing

    @cached_property
    def missing(self) -> str:
        """Which are not, compactly: "seed 0: folds 4–29; seeds 1–2: all 30 folds"."""
        by_gap: dict[tuple[int, ...], list[int]] = {}
        for seed in self.seeds:
            gap = tuple(sorted(set(range(self.num_folds)) - set(self.folds.get(seed, []))))
            if gap:
                by_gap.setdefault(gap, []).append(seed)
        return "; ".join(
            f"{many('seed', seeds)}: "
            + (f"all {self.num_folds} folds" if len(gap) == self.num_folds else many("fold", gap))
            for gap, seeds in by_gap.items()
        )

    @property
    def whole(self) -> str:
        """How many runs there should be, folds × seeds: "30×3"."""
        return f"{self.num_folds}×{len(self.seeds)}"

    @property
    def count(self) -> str:
        """How many there are: "30×3", "4×1 of 30×3", or "5 of 30×3" where seeds differ."""
        if self.complete:
            return self.whole
        per_seed = {tuple(folds) for folds in self.folds.values()}
        there = f"{len(next(iter(per_seed)))}×{len(self.folds)}" if len(per_seed) == 1 else str(len(self.scores))
        return f"{there} of {self.whole}"
