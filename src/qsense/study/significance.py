"""Whether two quantizers differ by more than chance: paired over folds, by Wilcoxon's test and by the bootstrap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
import numpy.typing as npt

from qsense.runs.layout import fixed
from qsense.runs.words import lower_is_better, percent, signed
from qsense.study.cell import Cell
from qsense.study.rows import Row, pairs
from qsense.study.run import ReportError
from qsense.study.summary import Summary

BETTER, WORSE = "better", "worse"
RESAMPLES = 10_000
LEVEL = 0.05  # a p below it is called a difference
FEWEST = 6  # pairs below which no p of Wilcoxon's test is below it


@dataclass(frozen=True)
class Comparison:
    """One quantizer against another on one data set, at the same bits and settings.

    Args:
        dataset: the data set.
        one, other: names of the rows.
        one_quant, other_quant: of the quantizers alone.
        unit: what is paired, "folds" (each averaged over the shared seeds), or "seeds" where there is a single fold.
        differences: score of one − score of the other, per unit.
        low, high: 95 % of the means of bootstrap samples of the differences lie between them.
        p: of Wilcoxon's signed-rank test, two-sided.
        p_holm: the same, corrected by Holm's method for all comparisons made together.
    """

    dataset: str
    one: str
    other: str
    one_quant: str
    other_quant: str
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
    """Compare two quantizers wherever they were tried alike: on a data set, at the same bits, with the same settings;
    what is not quantized, with the other at any bits.

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
        _paired(summary, dataset, first, second)
        for first, second in pairs(summary.rows, one, other)
        for dataset in summary.datasets
        if {(first, dataset), (second, dataset)} <= {*summary.cells}
    ]
    whole = [comparison for comparison in paired if comparison is not None]
    if not whole:
        raise ReportError(
            f"--compare {one} {other}: no two rows of them have bits, settings, a data set and a fold in common"
        )
    corrected = holm([comparison.p for comparison in whole])
    return [replace(comparison, p_holm=p) for comparison, p in zip(whole, corrected, strict=True)]


def _paired(summary: Summary, dataset: str, one: Row, other: Row) -> Comparison | None:
    unit, values = differences(summary.cells[one, dataset], summary.cells[other, dataset])
    if not values:
        return None
    array = np.array(values)
    labels = summary.short_label(one), summary.short_label(other)
    return Comparison(dataset, *labels, one.quant, other.quant, unit, values, *bootstrap(array), wilcoxon(array))


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


def smallest_p(pairs: int) -> float:
    """The smallest p that Wilcoxon's test can give for so many pairs that differ: all of one sign, 2 of 2ⁿ.

    >>> smallest_p(5), smallest_p(6), smallest_p(0)
    (0.0625, 0.03125, 1.0)
    """
    return min(1.0, 2.0 ** (1 - pairs))


def fewest(comparisons: int = 1) -> int:
    """How many pairs a difference needs to become significant, where so many comparisons are made together.

    >>> fewest(), fewest(4)
    (6, 8)
    """
    return next(n for n in count(1) if comparisons * smallest_p(n) < LEVEL)


def answer(comparisons: Sequence[Comparison], metric: str) -> list[str]:
    """What comparisons come to: a sentence for each, in the unit of the table, and before several how many show a
    difference."""
    told = [_told(c, len(comparisons), metric) for c in comparisons]
    sentences = [text for _, text in told]
    if len(told) == 1:
        return sentences
    verdicts = [verdict for verdict, _ in told]
    counted = [f"{word} in {verdicts.count(word)}" for word in (BETTER, WORSE) if word in verdicts]
    counted += [f"no difference shown in {verdicts.count('')}"] * ("" in verdicts)
    first = f"{comparisons[0].one_quant} against {comparisons[0].other_quant}: {', '.join(counted)} of {len(told)} "
    return [f"{first}comparisons (p < {LEVEL} after Holm's correction).", *sentences]


def _told(c: Comparison, together: int, metric: str) -> tuple[str, str]:
    """`BETTER`, `WORSE` or nothing, and the sentence."""
    scale, digits, unit = (100, 2, " points") if percent(metric) else (1, 4, "")
    one, other, pairs = fixed(c.one), fixed(c.other), len(c.differences)
    differing = sum(d != 0 for d in c.differences)
    sign = -1 if lower_is_better(metric) else 1
    verdict = "" if c.p_holm >= LEVEL else BETTER if sign * c.mean > 0 else WORSE
    p = f"Wilcoxon's p = {c.p:.2g}" + (f", {c.p_holm:.2g} after Holm" if together > 1 else "")
    better = f"better in {sum(sign * d > 0 for d in c.differences)} of {_many(pairs, c.unit)}"
    if not differing:
        return "", f"{fixed(c.dataset)}: {one} and {other} score the same in {_many(pairs, c.unit)}."
    if verdict:
        turn = 1 if c.mean > 0 else -1
        low, high = sorted((turn * c.low, turn * c.high))
        return verdict, (
            f"{fixed(c.dataset)}: {one} is {verdict} than {other} by {scale * turn * c.mean:.{digits}f}{unit} "
            f"(95 % interval {scale * low:.{digits}f} to {scale * high:.{digits}f}), {better}; {p}."
        )
    interval = f" (95 % interval {signed(scale * c.low, digits)} to {signed(scale * c.high, digits)})" * (pairs > 1)
    difference = f"{one} − {other} = {signed(scale * c.mean, digits)}{unit}{interval}"
    text = f"{fixed(c.dataset)}: no difference shown; {difference}, {better}; {p}."
    if together * smallest_p(differing) >= LEVEL:
        least = min(1.0, together * smallest_p(differing))
        few = _many(pairs, c.unit) + (f", {differing} of which differ," if differing < pairs else "")
        text += (
            f" {few} cannot show one: the smallest p is {least:.4g}{' after Holm' * (together > 1)}; at least "
            f"{fewest(together)} {c.unit} are needed."
        )
    return "", text


def _many(number: int, unit: str) -> str:
    return f"{number} {unit if number != 1 else unit.removesuffix('s')}"
