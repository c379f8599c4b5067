"""Which row of a table to take within a budget: one sentence for each data set, by the rule of `budget.py`.

Open it to change what is said, or what a table's rows are compared with.
"""

from __future__ import annotations

from dataclasses import dataclass

from qsense.runs.words import lower_is_better, percent, rounded, some
from qsense.study.budget import POINTS, SURELY, UNQUANTIZED, Budget, Offer, amount, choice, offer, points_of
from qsense.study.contest import BITS, Contest, contests
from qsense.study.costs import LOSSLESS
from qsense.study.significance import FEWEST, differences
from qsense.study.summary import Summary


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
