"""F1 over all subjects' predictions at once, as γ-Quant's group scores in its public code.

Open it for the score that a paper of that code prints; ours is the mean over subjects (`metrics/f1.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from qsense.study.rows import Place, Row
from qsense.study.run import Run

METRIC = "f1_sample"  # the metric whose pooled counterpart it is
TITLE = "f1_pooled: macro-F1 of all subjects' samples together, an absent class counts 1 (%)"


def f1_pooled(folds: Sequence[Run]) -> float:
    """Macro-F1, in [0, 1], of what all folds of a seed predicted, counted together; an absent class counts 1.

    Subjects with more samples weigh more than in the mean over subjects, and a class counts as it is over all of them.
    """
    hits, seen = np.array([run.tallies for run in folds], dtype=np.float64).sum(axis=0)
    return float(np.where(seen > 0, hits / np.maximum(seen, 1), 1.0).mean())


def by_seed(runs: Sequence[Run]) -> dict[int, float]:
    """`f1_pooled` of each seed that has every fold once, with its samples counted (older runs did not count them)."""
    seeds: dict[int, list[Run]] = defaultdict(list)
    for run in runs:
        seeds[run.seed].append(run)
    scores = {}
    for seed, folds in sorted(seeds.items()):
        classes = {len(run.tallies[0]) if run.tallies else 0 for run in folds}
        whole = sorted(run.fold for run in folds) == list(range(folds[0].num_folds))
        if whole and len(classes) == 1 and 0 not in classes:
            scores[seed] = f1_pooled(folds)
    return scores


def lines(runs_of_cells: Mapping[Place, Sequence[Run]], label: Callable[[Row], str]) -> list[str]:
    """A line for each cell of a table: "gamma 2 bit, SBHAR: 41.90 ± 0.22"; none where a fold is missing.

    Args:
        runs_of_cells: the runs of each.
        label: what a row is called.
    """
    texts = []
    for (row, dataset), runs in runs_of_cells.items():
        scores = [100 * score for score in by_seed(runs).values()]
        if scores:
            spread = f" ± {np.std(scores):.2f}" if len(scores) > 1 else ""
            seeds = f" ({len(scores)} seed{'s' if len(scores) > 1 else ''})"
            texts.append(f"{label(row)}, {dataset}: {np.mean(scores):.2f}{spread}{seeds}")
    return texts
