"""Which of several rows is the cheapest that a budget allows, and how sure that is: the rule.

Open it for what "holds" means. The page answers by the same rule (`assets/budget.js`, tested against this file); in
words it stands in `answers.py`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from qsense.runs.words import percent
from qsense.study.contest import POWER, RATE, SAME_PRICE
from qsense.study.costs import LOSSLESS
from qsense.study.rows import Row

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


def points_of(metric: str) -> str:
    """What differences of a metric are counted in: points of a percentage, or the unit of a loss, by its name."""
    return POINTS if percent(metric) else metric


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
