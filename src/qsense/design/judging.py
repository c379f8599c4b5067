"""What a candidate loses against unquantized samples, with its uncertainty: by finished runs alone.

A loss is paired: in each fold, the score of the unquantized run − that of the candidate's, of the same seed. Its 95 %
interval is Student's over folds. Folds share most of their training data, and the search looked at the same folds:
both make the interval narrower than the truth. What confirms a winner are trainings of fresh seeds, which no choice
was made by; the folds stay those of the search, and this is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from qsense.design.plan import Candidate, Design, Repeat
from qsense.runs import folder as run_folder
from qsense.study.budget import BY_MEAN, SURELY, holds, interval

CONFIRMED, SEARCHED, PARTLY = "confirmed", "searched", "partly trained"


@dataclass(frozen=True)
class Judged:
    """A candidate by its finished runs.

    Args:
        candidate: which.
        stage: `CONFIRMED`: all folds of the fresh seeds; `SEARCHED`: all folds of the first seed; `PARTLY`: some.
        losses: in points, of each fold, the mean over `seeds`.
        seeds: that the losses are of.
        score: the candidate's mean, in points.
    """

    candidate: Candidate
    stage: str
    losses: Mapping[int, float]
    seeds: Sequence[int]
    score: float

    @property
    def loss(self) -> float:
        """Mean over folds."""
        return fmean(self.losses.values())

    @property
    def half(self) -> float | None:
        """Half of the interval's width; None of a single fold."""
        if len(self.losses) < 2:
            return None
        low, high = interval(list(self.losses.values()))
        return (high - low) / 2

    def within(self, limit: float | None) -> bool:
        """Whether it loses no more, by its mean: the rule of reports."""
        return limit is None or self._holds(limit) in (SURELY, BY_MEAN)

    def surely(self, limit: float) -> bool:
        """Whether the whole interval lies within."""
        return self._holds(limit) == SURELY

    def _holds(self, limit: float) -> str:
        half = self.half
        low, high = (None, None) if half is None else (-self.loss - half, -self.loss + half)
        return holds(-self.loss, low, high, limit)


def score_of(folder: Path) -> float | None:
    """A finished run's headline, or None."""
    if not run_folder.finished(folder):
        return None
    result = run_folder.result(folder)
    value = result["metrics"][result["monitor"]]
    return float(value) if value is not None else None


def paired(design: Design, candidate: Candidate, seeds: Sequence[int]) -> dict[Repeat, tuple[float, float]]:
    """(unquantized, candidate's) scores where both runs are finished."""
    found = {}
    for (seed, fold), (_, folder) in design.runs_of(candidate).items():
        if seed in seeds:
            one, other = score_of(design.reference[seed, fold][1]), score_of(folder)
            if one is not None and other is not None:
                found[seed, fold] = one, other
    return found


def judge(design: Design, candidate: Candidate) -> Judged | None:
    """A candidate by the best that is known of it: fresh seeds if they are complete, else the search's; None without a
    finished run."""
    fresh = paired(design, candidate, design.fresh_seeds) if design.fresh_seeds else {}
    if fresh and len(fresh) == len(design.folds) * len(design.fresh_seeds):
        return _judged(design, candidate, CONFIRMED, fresh, design.fresh_seeds)
    first = paired(design, candidate, [design.search_seed])
    if not first:
        return None
    stage = SEARCHED if len(first) == len(design.folds) else PARTLY
    return _judged(design, candidate, stage, first, [design.search_seed])


def _judged(
    design: Design,
    candidate: Candidate,
    stage: str,
    scores: Mapping[Repeat, tuple[float, float]],
    seeds: Sequence[int],
) -> Judged:
    folds: dict[int, list[float]] = {}
    for (_, fold), (one, other) in scores.items():
        folds.setdefault(fold, []).append(design.points(one - other))
    losses = {fold: fmean(values) for fold, values in folds.items()}
    return Judged(candidate, stage, losses, seeds, abs(design.points(fmean(other for _, other in scores.values()))))
