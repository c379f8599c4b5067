"""The answer of a design in words: what to take, what it costs, what is cheaper; and how far to trust it.

Open it to change what the last lines of `qsense design` say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from qsense.design.judging import CONFIRMED, PARTLY, Judged, judge, score_of
from qsense.design.plan import Candidate, Design
from qsense.design.search import endings, over, studies
from qsense.design.work import answered, bracket_name, chosen_of, screened
from qsense.runs.words import many, metric_name, rounded, some
from qsense.study.significance import FEWEST, bootstrap

MOST_SHOWN = 8


@dataclass(frozen=True)
class Recommendation:
    """What a design found.

    Args:
        design: what was asked.
        winner: holds the limits, by trainings of fresh seeds where there are any; None if none does, or not yet.
        judged: every candidate with a finished run, the cheaper and then the better first.
        screened: the loss of each candidate in the screening, in points.
        ended: why candidates were given up.
        finished: whether the search has come to its end.
    """

    design: Design
    winner: Judged | None
    judged: Sequence[Judged]
    screened: Mapping[str, float]
    ended: Mapping[str, str]
    finished: bool

    @property
    def best(self) -> Judged | None:
        """The winner; without one, what is nearest to the limit of those that were trained on all folds, or else of
        all; None before any was trained."""
        if self.winner is not None:
            return self.winner
        whole = [one for one in self.judged if one.stage != PARTLY] or list(self.judged)
        limit = self.design.request.max_loss
        within = [one for one in whole if limit is not None and one.within(limit)]
        if within:
            return min(within, key=lambda one: (one.candidate.bits, one.loss))
        return min(whole, key=lambda one: one.loss, default=None)

    @property
    def reference(self) -> float:
        """The unquantized score with the first seed, in points: the mean over folds."""
        scores = [score_of(folder) for (seed, _), (_, folder) in self.design.reference.items() if seed == self.first]
        return fmean(abs(self.design.points(score)) for score in scores if score is not None)

    @property
    def first(self) -> int:
        """The seed of the search."""
        return self.design.search_seed

    @property
    def unit(self) -> str:
        """Of what is lost."""
        return self.design.unit


def recommend(design: Design) -> Recommendation:
    """The answer as far as finished runs give it; trains nothing."""
    winner, finished = None, bool(screened(design))
    for number in range(len(design.brackets)):
        if not over(design, bracket_name(number)):
            finished = False
            break
        if (candidate := answered(design, number)) is not None:
            winner = judge(design, candidate)
            break
    begun = studies(design)
    tried = [
        candidate
        for number in range(len(design.brackets))
        if bracket_name(number) in begun
        for candidate in chosen_of(design, number)
    ]
    judged = [one for one in (judge(design, candidate) for candidate in tried) if one is not None]
    finished = finished and (winner is None or not design.fresh_seeds or winner.stage == CONFIRMED)
    order = sorted(judged, key=lambda one: (one.candidate.bits, one.loss))
    return Recommendation(design, winner if finished else None, order, screened(design), endings(design), finished)


def headline(found: Recommendation) -> list[str]:
    """The answer in three lines."""
    design, best = found.design, found.best
    if best is None:
        loss = found.screened
        if not loss:
            return ["No answer yet: not even the unquantized network is trained on all folds."]
        name = min(loss, key=lambda name: loss[name])
        return [
            f"No answer yet: nothing was trained behind a converter. In the screening {name} lost least, "
            f"{number(loss[name])} {found.unit}, behind a network that had not learned with it."
        ]
    one = best.candidate
    native = f"{design.native_bits} bits"
    what = f"{one.bits} bit{'s' * (one.bits > 1)}, {' '.join(filter(None, [one.option, one.detail]))}"
    first = f"{what}: {spread(best)} {found.unit} {side(best)} {native}"
    if found.winner is None:
        first = f"{missed(found)} {first}"
    lines = [f"{first}{sureness(found, best)}"]
    lines.append(
        f"radio {rounded(one.radio)} instead of {rounded(design.radio)} µW; with the converter {rounded(one.power)} "
        f"instead of {rounded(design.power)} µW (by a model: conf/sensing)"
    )
    lines.append(f"next cheaper: {cheaper(found, best)}")
    return lines


def missed(found: Recommendation) -> str:
    """Why what follows is no recommendation."""
    limit = found.design.request.max_loss
    if not found.finished:
        return "Not finished; best so far:"
    return f"No converter loses at most {found.design.limit}; nearest:" if limit is not None else "Nearest:"


def sureness(found: Recommendation, best: Judged) -> str:
    """Whether the limit is held surely."""
    limit = found.design.request.max_loss
    if limit is None or found.winner is None:
        return ""
    return f" (surely within {limit:g})" if best.surely(limit) else f" (within {limit:g} by its mean, not surely)"


def cheaper(found: Recommendation, best: Judged) -> str:
    """The best of the next fewer bits that was trained."""
    fewer = [one for one in found.judged if one.candidate.bits < best.candidate.bits]
    if not fewer:
        return "nothing with fewer bits was asked for" if best.candidate.bits == found.design.bits[0] else "not trained"
    most = max(one.candidate.bits for one in fewer)
    next_one = min((one for one in fewer if one.candidate.bits == most), key=lambda one: (-len(one.losses), one.loss))
    words = f"{spread(next_one)} {found.unit} {side(next_one)}"
    part = f" on {len(next_one.losses)} of {len(found.design.folds)} folds" * (next_one.stage == PARTLY)
    return f"{next_one.candidate.name}, {words}{part}, {rounded(next_one.candidate.power)} µW"


def spread(one: Judged) -> str:
    """The loss with half of its interval.

    >>> number(0.44), number(-0.44)
    ('0.4', '−0.4')
    """
    return number(abs(one.loss)) + ("" if one.half is None else f" ± {number(one.half)}")


def side(one: Judged) -> str:
    return "below" if one.loss >= 0 else "above"


def number(value: float) -> str:
    """A number of points, with a minus sign."""
    text = f"{abs(value):.1f}"
    return text if value >= 0 or float(text) == 0 else f"−{text}"


def trust(found: Recommendation) -> list[str]:
    """What stands behind the answer, and what it does not say."""
    design, best = found.design, found.best
    if best is None:
        return []
    folds, texts = len(best.losses), []
    low, high = bootstrap_of(best)
    seeds = many("seed", list(best.seeds))
    texts.append(
        f"± is the 95 % interval (Student's t) of the mean over {folds} held-out folds, each unquantized − converter, "
        f"{seeds}; {metric_name(design.monitor)}. Bootstrap over folds: {number(low)} … {number(high)} lost."
    )
    if best.stage == CONFIRMED:
        others = {one.candidate.name for one in found.judged if one.stage == CONFIRMED} - {best.candidate.name}
        chose = f"which refused {some(sorted(others))}, too" if others else "which chose nothing"
        texts.append(
            f"The search saw seed {design.search_seed} alone; the loss is that of trainings with {seeds}, {chose}. "
            "Their folds are those of the search, so the choice has seen these subjects: for new ones expect a little "
            "more."
        )
    else:
        fresh = "have not measured it" if design.fresh_seeds else "would tell (seed=0,1,2)"
        texts.append(
            "The trainings that chose it measure it, too, and a choice favours the lucky: expect to lose more. Fresh "
            f"seeds {fresh}."
        )
    limit = design.request.max_loss
    kept = [] if limit is None else [
        one for one in design.candidates
        if one.bits < best.candidate.bits and found.screened.get(one.name, limit + 1) <= limit
    ]  # fmt: skip
    if kept:
        first = kept[0]
        texts.append(
            f"The unquantized network itself, put behind {first.name} without training, loses "
            f"{number(found.screened[first.name])}: to deploy that, train with quant=none."
        )
    if folds < FEWEST:
        texts.append(f"{folds} folds are few: one subject can turn the answer.")
    return texts


def bootstrap_of(one: Judged) -> tuple[float, float]:
    """The interval that reports give, of the loss."""
    import numpy as np

    return bootstrap(np.array(list(one.losses.values())))


def left_out(found: Recommendation) -> list[str]:
    """Who loses, and why others were not tried."""
    design, best = found.design, found.best
    lines = []
    tried = {one.candidate.name for one in found.judged}
    for one in found.judged:
        if best is None or one.candidate != best.candidate:
            part = f"{len(one.losses)} of {len(design.folds)} folds"
            why = found.ended.get(one.candidate.name)
            lines.append(
                f"{one.candidate.name}: {spread(one)} {found.unit} {side(one)} ({part})" + (f", {why}" if why else "")
            )
    lines += [f"{name}: {why}" for name, why in found.ended.items() if name not in tried]
    for count in design.bits:
        rest = [one for one in design.candidates if one.bits == count and one.name not in (*tried, *found.ended)]
        lost = sorted((one for one in rest if one.name in found.screened), key=lambda one: found.screened[one.name])
        if not lost:
            continue
        more = f" … and {len(lost) - MOST_SHOWN} more" * (len(lost) > MOST_SHOWN)
        names = ", ".join(f"{named(one)} {number(found.screened[one.name])}" for one in lost[:MOST_SHOWN])
        lines.append(f"{count} bit{'s' * (count > 1)}, screened alone ({found.unit} lost untrained): {names}{more}")
    lines += [f"{name}: {reason}" for name, reason in design.excluded.items()]
    failed = [one.name for one in design.candidates if found.screened and one.name not in found.screened]
    return lines + [f"{name}: could not be tested (see {design.state})" for name in failed]


def named(one: Candidate) -> str:
    return " ".join(filter(None, [one.option, one.detail]))


def as_record(found: Recommendation) -> dict[str, Any]:
    """For programs."""

    def one(judged: Judged) -> dict[str, Any]:
        low, high = bootstrap_of(judged)
        return {
            "name": judged.candidate.name,
            "overrides": list(judged.candidate.overrides),
            "bits": judged.candidate.bits,
            "loss": judged.loss,
            "half_interval": judged.half,
            "bootstrap": [low, high],
            "losses": {str(fold): loss for fold, loss in judged.losses.items()},
            "seeds": list(judged.seeds),
            "stage": judged.stage,
            "score": judged.score,
            "radio_uW": judged.candidate.radio,
            "power_uW": judged.candidate.power,
            "runs": [folder.name for _, folder in found.design.runs_of(judged.candidate).values()],
        }

    design = found.design
    return {
        "dataset": design.dataset,
        "monitor": design.monitor,
        "unit": found.unit,
        "max_loss": design.request.max_loss,
        "max_uW": design.request.max_microwatts,
        "finished": found.finished,
        "key": design.key,
        "headline": headline(found),
        "trust": trust(found),
        "others": left_out(found),
        "winner": one(found.winner) if found.winner else None,
        "best": one(found.best) if found.best else None,
        "tried": [one(each) for each in found.judged],
        "screened": dict(found.screened),
        "excluded": dict(design.excluded),
        "native": {"bits": design.native_bits, "radio_uW": design.radio, "power_uW": design.power},
    }
