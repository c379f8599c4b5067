"""Whether two quantizers differ by more than chance: paired over folds, by Wilcoxon's test and by the bootstrap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qsense.study.cell import Cell
from qsense.study.rows import pairs
from qsense.study.run import ReportError
from qsense.study.summary import Summary

RESAMPLES = 10_000
FEWEST = 6  # below this the smallest p that Wilcoxon's test can give is above 0.05


@dataclass(frozen=True)
class Comparison:
    """One quantizer against another on one data set, at the same bits and settings.

    Args:
        dataset: the data set.
        one, other: names of the rows.
        unit: what is paired, "folds" (each averaged over the shared seeds), or "seeds" where there is a single fold.
        differences: score of one − score of the other, per unit.
        low, high: 95 % of the means of bootstrap samples of the differences lie between them.
        p: of Wilcoxon's signed-rank test, two-sided.
        p_holm: the same, corrected by Holm's method for all comparisons made together.
    """

    dataset: str
    one: str
    other: str
    unit: str
    differences: tuple[float, ...]
    low: float
    high: float
    p: float
    p_holm: float = float("nan")

    @property
    def mean(self) -> float:
        """Mean difference."""
        return float(np.mean(self.differences))


def compare(summary: Summary, one: str, other: str) -> list[Comparison]:
    """Compare two quantizers wherever they were tried alike: on a data set, at the same bits, with the same settings.

    Raises:
        ReportError: a quantizer that no row has, or no two rows that differ in the quantizer alone.
    """
    known = sorted({row.quant for row in summary.rows if row.quant})
    for name in (one, other):
        if name not in known:
            raise ReportError(
                f"--compare {one} {other}: no finished run has quant={name}; there are {', '.join(known)}"
            )
    paired = [
        _paired(dataset, summary.label(first), summary.label(second), summary.cells[first, dataset], cell)
        for first, second in pairs(summary.rows, one, other)
        for dataset in summary.datasets
        if (first, dataset) in summary.cells and (cell := summary.cells.get((second, dataset))) is not None
    ]
    whole = [comparison for comparison in paired if comparison is not None]
    if not whole:
        raise ReportError(
            f"--compare {one} {other}: no two rows of them have bits, settings, a data set and a fold in common"
        )
    corrected = holm([comparison.p for comparison in whole])
    return [Comparison(**{**vars(c), "p_holm": p}) for c, p in zip(whole, corrected, strict=True)]


def _paired(dataset: str, one: str, other: str, first: Cell, second: Cell) -> Comparison | None:
    unit, values = differences(first, second)
    if not values:
        return None
    array = np.array(values)
    return Comparison(dataset, one, other, unit, values, *bootstrap(array), wilcoxon(array))


def differences(first: Cell, second: Cell) -> tuple[str, tuple[float, ...]]:
    """What two cells are paired over, and score of the first − score of the second in each unit of it: "folds" (mean
    over the seeds that both have there), or "seeds" where there is a single fold."""
    place = 0 if max(first.num_folds, second.num_folds) == 1 else 1
    units: dict[int, list[float]] = {}
    for at in sorted(set(first.scores) & set(second.scores)):
        units.setdefault(at[place], []).append(first.scores[at] - second.scores[at])
    return ("seeds", "folds")[place], tuple(float(np.mean(several)) for several in units.values())


def wilcoxon(differences: npt.NDArray[np.floating]) -> float:
    """Two-sided p of Wilcoxon's signed-rank test; 1 where nothing differs.

    >>> round(wilcoxon(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])), 5)  # 2 of 2⁶ signs
    0.03125
    """
    from scipy import stats  # type: ignore[import-untyped]  # here: it takes a second

    if not np.any(differences):
        return 1.0
    return float(stats.wilcoxon(differences).pvalue)


def bootstrap(differences: npt.NDArray[np.floating]) -> tuple[float, float]:
    """95 % interval of the mean over samples with replacement; the same for the same differences.

    >>> bootstrap(np.array([0.5, 0.5, 0.5]))
    (0.5, 0.5)
    """
    picks = np.random.default_rng(0).integers(len(differences), size=(RESAMPLES, len(differences)))
    low, high = np.quantile(differences[picks].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


def holm(values: Sequence[float]) -> list[float]:
    """p values corrected for having been looked at together (Holm 1979).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    corrected = [0.0] * len(values)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(values)), key=lambda i: values[i])):
        largest = max(largest, min(1.0, (len(values) - rank) * values[place]))
        corrected[place] = largest
    return corrected


def lines(comparisons: Sequence[Comparison], percent: bool) -> list[str]:
    """Each comparison in a line, in the unit of the table."""
    scale, digits = (100, 2) if percent else (1, 4)
    texts = []
    for c in comparisons:
        count = len(c.differences)
        better = sum(d > 0 for d in c.differences)
        interval = f"95 % interval {scale * c.low:+.{digits}f} … {scale * c.high:+.{digits}f}"
        text = (
            f"{c.dataset}, {c.one} − {c.other}: {scale * c.mean:+.{digits}f} ({interval}), better in {better} of "
            f"{count} {c.unit}, Wilcoxon p = {c.p:.2g}"
        )
        if len(comparisons) > 1:
            text += f", {c.p_holm:.2g} after Holm"
        if count < FEWEST:
            text += f" (with fewer than {FEWEST} {c.unit} it cannot fall below 0.05)"
        texts.append(text)
    return texts
