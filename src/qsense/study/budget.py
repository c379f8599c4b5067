"""Which row of a table is the cheapest that a budget allows, and how sure that is: one sentence for each data set.

Open it for what "holds" means. The page answers by the same rule (`assets/budget.js`, tested against this file).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from qsense.runs.words import lower_is_better, percent, rounded, some
from qsense.study.contest import BITS, POWER, RATE, SAME_PRICE, Contest, contests
from qsense.study.costs import LOSSLESS
from qsense.study.rows import Row
from qsense.study.significance import FEWEST, differences
from qsense.study.summary import Summary

SURELY, BY_MEAN, PERHAPS, NO = "surely", "by its mean", "perhaps", "no"
UNQUANTIZED = "unquantized"
POINTS = "points"  # of a percentage
ROUNDING = 1e-9  # two sums of the same scores may differ by it


@dataclass(frozen=True)
class Budget:
    """What may be lost and spent; None for no limit.

    Args:
        loss: how much score may be lost against unquantized data, in points (or in the metric's own unit, of a loss).
        microwatts: the most power that a sensor's radio and ADC may take.
        bits_per_second: the most that a sensor may send.

    Raises:
        ValueError: a limit below 0, or one that is no finite number.
    """

    loss: float | None = 1.0
    microwatts: float | None = None
    bits_per_second: float | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name}={value:g}: a finite number from 0 on expected, or none for no limit")

    def within(self, points: str = POINTS, reference: str = UNQUANTIZED) -> str:
        """The limits in words.

        >>> Budget(1, microwatts=20).within()
        'within 1 point of unquantized and 20 µW'
        """
        texts = [] if self.loss is None else [f"{amount(self.loss, points)} of {reference}"]
        texts += [] if self.microwatts is None else [f"{self.microwatts:g} µW"]
        texts += [] if self.bits_per_second is None else [f"{self.bits_per_second:g} bits/s"]
        return f"within {' and '.join(texts)}" if texts else "without limits"


def amount(value: float, points: str) -> str:
    """ "1 point", "0.5 points"."""
    return f"{value:g} {points.removesuffix('s') if (value, points) == (1, POINTS) else points}"


@dataclass(frozen=True)
class Offer:
    """A row beside the one it is measured against.

    Args:
        row: the row.
        label: its name.
        difference: its score − that of the reference, in points, turned so that more is better; mean over `count`.
        low, high: 95 % interval of that mean by Student's t; None where a single unit tells nothing about spread.
        count: over how many folds (or seeds, where there is a single fold) both have a score.
        price: in the contest's unit.
        cost: all its costs, as `Cell.cost`.
    """

    row: Row
    label: str
    difference: float
    low: float | None
    high: float | None
    count: int
    price: float
    cost: Mapping[str, float]

    def holds(self, loss: float) -> str:
        """Whether no more than `loss` is lost: surely, by its mean, perhaps, no."""
        return holds(self.difference, self.low, self.high, loss)


def holds(difference: float, low: float | None, high: float | None, loss: float) -> str:
    """Whether a difference to the reference, with its interval, loses no more: surely, by its mean, perhaps, no.

    >>> holds(-0.5, -0.9, -0.1, 1), holds(-0.5, -1.5, 0.5, 1), holds(-1.5, -2.5, -0.5, 1), holds(-3, None, None, 1)
    ('surely', 'by its mean', 'perhaps', 'no')
    """
    least = -loss - ROUNDING
    if difference >= least:
        return SURELY if low is not None and low >= least else BY_MEAN
    return PERHAPS if high is not None and high >= least else NO


@dataclass(frozen=True)
class Answer:
    """Which row to take in one contest.

    Args:
        contest: its rows and their reference.
        budget: the limits.
        reference: the reference's name: "unquantized", "gamma 8 bit".
        paired: what differences are paired over, "folds" or "seeds", and how many there should be.
        points: "points" of a percentage; else the metric's name.
        chosen: the cheapest converter that holds, by its mean; without a limit on loss the best within the other
            limits. The lossless rival, which nobody has built, is chosen where no converter is.
        surely: the cheapest that holds surely, where that is another.
        cheaper: the best of the next cheaper rows.
        nearest: where no row holds, the best within the other limits, or the cheapest if no row is within them.
        dearer: where none holds, the cheapest that loses as little but exceeds the other limits.
        early: rows of too few folds to be judged yet.
    """

    contest: Contest
    budget: Budget
    reference: str
    paired: tuple[str, int]
    points: str
    chosen: Offer | None
    surely: Offer | None
    cheaper: Offer | None
    nearest: Offer | None
    dearer: Offer | None
    early: tuple[str, ...]

    @property
    def words(self) -> str:
        """The answer as a sentence."""
        if self.chosen is None:
            parts = [f"no row is {self.budget.within(self.points, self.reference)}"]
            if self.nearest is not None:
                parts.append(f"nearest: {self._described(self.nearest)}{self._price(self.nearest, ', ')}")
            if self.dearer is not None:
                parts.append(f"within {self._loss()}: {self.dearer.label}{self._amount(self.dearer, ' at ')}")
        else:
            parts = [self._described(self.chosen), *self._certainty(self.chosen)]
            parts += filter(None, [self._price(self.chosen)])
            if self.cheaper is None:
                parts.append("nothing cheaper was tried")
            else:
                bound = " (a bound)" * (self.cheaper.row.quant == LOSSLESS)
                level = f" {self.reference}" * (self._number(self.cheaper.difference).strip("-0.") == "")
                parts.append(f"next cheaper: {self.cheaper.label}{bound}, {self._distance(self.cheaper)}{level}")
        if self.early:
            parts.append(f"too few {self.paired[0]} yet to judge {some(self.early)}")
        return f"{self.contest.name}: {'; '.join(parts)}"

    def _described(self, offer: Offer) -> str:
        if offer.row.quant == LOSSLESS:
            coder = "native samples by an ideal coder (a bound: none is built)"
            return f"no converter that was tried, but {offer.label}: {coder}"
        return f"{offer.label}, {self._distance(offer)} {self.reference} ({self._interval(offer)})"

    def _distance(self, offer: Offer) -> str:
        """ "0.3 points below"."""
        text = self._number(abs(offer.difference))
        if float(text) == 0:
            return "level with"
        return f"{text} {self.points} {'above' if offer.difference > 0 else 'below'}"

    def _interval(self, offer: Offer) -> str:
        unit, whole = self.paired
        over = f"{offer.count} {unit}" if offer.count == whole else f"{offer.count} of {whole} {unit}"
        if offer.low is None or offer.high is None:
            return f"one {unit.removesuffix('s')}, so nobody knows the spread"
        few = ", which are few" if offer.count < FEWEST else ""
        return f"95 %: {self._signed(offer.low)} … {self._signed(offer.high)}, {over}{few}"

    def _certainty(self, offer: Offer) -> list[str]:
        loss = self.budget.loss
        if loss is None or offer.row.quant == LOSSLESS:
            return []
        if offer.holds(loss) == SURELY:
            return [f"surely within {self._loss()}"]
        texts = [f"within {self._loss()} by its mean, not surely"]
        if offer.low is not None and offer.high is not None and (offer.high - offer.low) / 2 > loss:
            texts[0] += f" (more {self.paired[0]} or seeds would tell)"
        if self.surely is not None:
            texts.append(f"surely: {self.surely.label}{self._amount(self.surely, ' at ')}")
        return texts

    def _loss(self) -> str:
        return amount(self.budget.loss or 0.0, self.points)

    def _price(self, offer: Offer, before: str = "") -> str:
        """ "radio 5.43 instead of 32.6 µW"; empty in bits, which the row's name tells."""
        if self.contest.unit is BITS:
            return ""
        unit, paid = self.contest.unit, self.contest.prices[self.contest.reference]
        figures = [rounded(price / unit.size) for price in (offer.price, paid)]
        return f"{before}{unit.name} {figures[0]} instead of {figures[1]} {unit.unit}"

    def _amount(self, offer: Offer, before: str) -> str:
        unit = self.contest.unit
        return "" if unit is BITS else f"{before}{rounded(offer.price / unit.size)} {unit.unit}"

    def _number(self, value: float) -> str:
        return f"{value:.{1 if self.points == POINTS else 3}f}"

    def _signed(self, value: float) -> str:
        text = self._number(abs(value))
        return text if float(text) == 0 else f"{'+' if value > 0 else '−'}{text}"


def answers(summary: Summary, budget: Budget | None = None) -> list[Answer]:
    """Which row to take in each contest of a table.

    The difference to the reference is taken in each fold, over the seeds that both rows have there; its interval is
    Student's, mean ± t·s/√n. Folds share training subjects, so the interval is the least that is unsure.
    A row is judged from `FEWEST` folds on, or from as many as there are where no row has so many.

    Args:
        summary: the table.
        budget: what may be lost and spent; without one 1 point of a percentage, and nothing else is limited.
    """
    budget = budget or default(summary)
    found = (answer(summary, contest, budget) for contest in contests(summary))
    return [each for each in found if each is not None]


def sentences(summary: Summary, budget: Budget | None = None) -> list[str]:
    """The answers in words; where quantized rows have nothing to be compared with, what would be."""
    found = [each.words for each in answers(summary, budget)]
    if not found and any(row.quant and row.shown_bits is not None for row in summary.rows):
        return ["nothing to compare with yet: the same folds and seeds with quant=none tell what quantizing costs"]
    return found


def default(summary: Summary) -> Budget:
    """One point of a percentage; of a loss, whose unit nobody knows, any."""
    return Budget(1.0 if percent(summary.metric) else None)


def question(summary: Summary, budget: Budget | None = None) -> str:
    """The title above the answers' sentences."""
    references = {each.reference for each in answers(summary, budget)}
    reference = references.pop() if len(references) == 1 else UNQUANTIZED
    return f"Which to take {(budget or default(summary)).within(points_of(summary.metric), reference)}"


def points_of(metric: str) -> str:
    """What differences of a metric are counted in: points of a percentage, or the unit of a loss, by its name."""
    return POINTS if percent(metric) else metric


def answer(summary: Summary, contest: Contest, budget: Budget) -> Answer | None:
    """Which row to take in one contest; None where no row shares a fold with the reference."""
    cell = summary.shown[contest.reference, contest.dataset]
    pairs = {row: differences(summary.shown[row, contest.dataset], cell) for row in contest.rows}
    enough = min(FEWEST, max(len(values) for _, values in pairs.values()))
    if not enough:
        return None
    scale = (-1 if lower_is_better(summary.metric) else 1) * (100 if summary.percent else 1)
    offers = [
        offer(row, summary.short_label(row), [scale * value for value in values], contest.prices[row],
              summary.shown[row, contest.dataset].cost)
        for row, (_, values) in pairs.items()
        if len(values) >= enough
    ]  # fmt: skip
    shown_bits = contest.reference.shown_bits
    return Answer(
        contest,
        budget,
        reference=UNQUANTIZED if shown_bits is None else summary.short_label(contest.reference),
        paired=("seeds", len(cell.seeds)) if cell.num_folds == 1 else ("folds", cell.num_folds),
        points=points_of(summary.metric),
        **choice(offers, budget),
        early=tuple(summary.short_label(row) for row, (_, values) in pairs.items() if len(values) < enough),
    )


def offer(row: Row, label: str, points: Sequence[float], price: float, cost: Mapping[str, float]) -> Offer:
    """A row by its differences to the reference, in points."""
    low, high = interval(points) if len(points) > 1 else (None, None)
    return Offer(row, label, float(np.mean(points)), low, high, len(points), price, cost)


def interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float]:
    """Interval of the mean of two values or more, Student's: mean ± t·s/√n.

    >>> low, high = interval([0.0, 1.0, 2.0])
    >>> round(low, 3), round(high, 3)
    (-1.484, 3.484)
    """
    mean, count = float(np.mean(values)), len(values)
    half = student(count, level) * float(np.std(values, ddof=1)) / math.sqrt(count)
    return mean - half, mean + half


def student(count: int, level: float = 0.95) -> float:
    """How many standard errors the interval of a mean of `count` ≥ 2 values reaches to each side.

    >>> round(student(2), 2), round(student(30), 3)
    (12.71, 2.045)
    """
    from scipy.special import stdtrit  # type: ignore[import-untyped]  # here: it takes a third of a second

    return float(stdtrit(count - 1, (1 + level) / 2))


def choice(offers: Sequence[Offer], budget: Budget) -> dict[str, Offer | None]:
    """The rule itself: the offers of an `Answer` by their names."""
    affordable = [each for each in offers if affords(budget, each.cost)]
    loss = budget.loss
    holding = offers if loss is None else [each for each in offers if each.holds(loss) in (SURELY, BY_MEAN)]
    kept = built([each for each in affordable if each in holding])
    chosen = best(kept) if loss is None else cheapest(kept)
    surely = None if loss is None else cheapest([each for each in kept if each.holds(loss) == SURELY])
    dearer = None if loss is None else cheapest(built(holding))
    if chosen is None:
        return {
            "chosen": None, "surely": None, "cheaper": None,
            "nearest": best(built(affordable)) or cheapest(built(offers)), "dearer": dearer,
        }  # fmt: skip
    below = [each for each in offers if each.price < chosen.price * (1 - SAME_PRICE)]
    dearest = max((each.price for each in below), default=0.0)
    return {
        "chosen": chosen,
        "surely": None if surely is chosen else surely,
        "cheaper": best([each for each in below if each.price >= dearest * (1 - SAME_PRICE)]),
        "nearest": None,
        "dearer": None,
    }


def built(offers: Sequence[Offer]) -> Sequence[Offer]:
    """Those of converters; all where there are none: the lossless rival is a bound."""
    return [each for each in offers if each.row.quant != LOSSLESS] or offers


def affords(budget: Budget, cost: Mapping[str, float]) -> bool:
    """Whether a row's sensor stays within the limits on power and rate; one that nobody priced is within none."""
    power, rate = power_of(cost), rate_of(cost)
    return (budget.microwatts is None or (power is not None and power <= budget.microwatts + ROUNDING)) and (
        budget.bits_per_second is None or (rate is not None and rate <= budget.bits_per_second + ROUNDING)
    )


def power_of(cost: Mapping[str, float]) -> float | None:
    """µW of a sensor's radio and ADC; of the radio alone where the runs of a row do not agree on the ADC."""
    return next((cost[unit.key] for unit in POWER if unit.key in cost), None)


def rate_of(cost: Mapping[str, float]) -> float | None:
    """Bits that a sensor sends each second."""
    return 1000 * cost[RATE.key] if RATE.key in cost else None


def cheapest(offers: Sequence[Offer]) -> Offer | None:
    """The best of those that cost as little as the cheapest."""
    least = min((each.price for each in offers), default=0.0)
    return best([each for each in offers if each.price * (1 - SAME_PRICE) <= least])


def best(offers: Sequence[Offer]) -> Offer | None:
    """The one of the highest mean; of equal ones the first."""
    return max(offers, key=lambda each: each.difference, default=None)
