"""A table by what its test can be divided by: each data set's score by condition, by exposure, by size of the objects.

Open it to show another division of a test, or what stands behind a group's number.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from qsense.runs.layout import fixed
from qsense.study.cell import Cell
from qsense.study.rows import Place
from qsense.study.run import ReportError, Run
from qsense.study.summary import Summary, runs_of_cells

COUNTS = ("frames", "boxes")  # what a division states beside its scores
DIVISIONS = {
    "condition": "Each group is tested alone.",
    "exposure": "Stops of a frame's median sample below white, as the sensor delivers it; each group is tested alone.",
    "size": "Areas of objects in the frame's own pixels²: small up to 32², medium up to 96², large above.",
}


@dataclass(frozen=True)
class Divided(Summary):
    """A table whose columns are the groups of one data set's test.

    Args (the others are those of `Summary`):
        dataset: whose test it is.
        division: one of `DIVISIONS`.
        groups: the columns, in their order.
        counts: of each group, {"frames" and "boxes": {group: (least, most)}} over its runs.
    """

    dataset: str = ""
    division: str = ""
    groups: Sequence[str] = ()
    counts: Mapping[str, Mapping[str, tuple[int, int]]] | None = None

    @property
    def datasets(self) -> list[str]:
        return list(self.groups)

    @property
    def part(self) -> str:
        return f" by {self.division} on {self.dataset}"

    def csv_columns(self, column: str) -> dict[str, object]:
        return {"dataset": self.dataset, "by": self.division, "group": column}

    @property
    def footnotes(self) -> list[str]:
        counts = self.counts or {}

        def counted(group: str) -> str:
            return fixed(f"{group} {', '.join(in_words(counts[what].get(group, (0, 0))) for what in COUNTS)}")

        empty = [group for group in counts.get("frames", {}) if group not in self.groups]
        rest = f" Without a score: {'; '.join(map(counted, empty))}." if empty else ""
        return [f"Frames, boxes: {'; '.join(map(counted, self.groups))}.{rest} {DIVISIONS[self.division]}"]


def in_words(counts: tuple[int, int]) -> str:
    """
    >>> in_words((3, 3)), in_words((3, 5))
    ('3', '3–5')
    """
    return "–".join(dict.fromkeys(map(str, counts)))


def with_groups(every: Sequence[Summary], divisions: Sequence[str]) -> list[Summary]:
    """The same tables, each with those of its groups; a metric that was not measured by group has none.

    Raises:
        ReportError: no run recorded such a division of any of the metrics.
    """
    tables = [divided(each, divisions) for each in every]
    for division in divisions:
        if not any(table.division == division for several in tables for table in several):
            known = divisions_of(every[0].runs)
            there = "; ".join(f"{name}: {', '.join(metrics)}" for name, metrics in known.items())
            raise ReportError(
                f"--per {division}: no run recorded {' or '.join(each.metric for each in every)} by {division}; there "
                f"are {there or 'none: runs of detection record them since version 0.2'}"
            )
    return [replace(each, divided=several) for each, several in zip(every, tables, strict=True)]


def divisions_of(runs: Sequence[Run]) -> dict[str, list[str]]:
    """What the tests of runs were divided by, and the metrics that were measured so."""
    known: dict[str, dict[str, None]] = {}
    for run in runs:
        for division, figures in run.groups.items():
            known.setdefault(division, {}).update(dict.fromkeys(name for name in figures if name not in COUNTS))
    return {name: list(metrics) for name, metrics in known.items() if name in DIVISIONS and metrics}


def telling_divisions(runs: Sequence[Run]) -> list[str]:
    """The divisions that leave boxes in several groups of some run's test."""
    return [
        name
        for name in DIVISIONS
        if any(sum(count > 0 for count in run.groups.get(name, {}).get("boxes", {}).values()) > 1 for run in runs)
    ]


def divided(summary: Summary, divisions: Sequence[str]) -> list[Divided]:
    """The tables of some divisions, one for each data set whose test was divided so."""
    runs: dict[str, dict[Place, list[Run]]] = defaultdict(dict)
    for (row, dataset), several in runs_of_cells(summary).items():
        runs[dataset][row, dataset] = several
    return [
        table
        for division in divisions
        for dataset, places in sorted(runs.items())
        if (table := _table(summary, dataset, division, places)) is not None
    ]


def _table(summary: Summary, dataset: str, division: str, places: Mapping[Place, Sequence[Run]]) -> Divided | None:
    everyone = [run for several in places.values() for run in several]
    scored = {name for run in everyone for name in run.groups.get(division, {}).get(summary.metric, {})}
    groups = [name for name in group_names(everyone, division) if name in scored]
    cells: dict[Place, Cell] = {}
    for (row, _), several in places.items():
        for group in groups:
            scores: dict[tuple[int, int], list[float]] = defaultdict(list)
            for run in several:
                value = run.groups.get(division, {}).get(summary.metric, {}).get(group)
                if value is not None:
                    scores[run.seed, run.fold].append(value)
            if scores:
                means = {place: sum(values) / len(values) for place, values in scores.items()}
                whole = summary.cells.get((row, dataset))
                seeds = whole.seeds if whole else summary.seeds
                cells[row, group] = Cell(means, max(run.num_folds for run in several), seeds)
    if not cells:
        return None
    order = sorted(cells, key=lambda place: (place[0].order, groups.index(place[1])))
    return Divided(
        summary.metric,
        {place: cells[place] for place in order},
        summary.runs,
        summary.rows_of_runs,
        dataset=dataset,
        division=division,
        groups=groups,
        counts={what: counts_of(everyone, division, what) for what in COUNTS},
    )


def group_names(runs: Sequence[Run], division: str) -> list[str]:
    """The groups of a division in the order that runs state, those of the run with most of them first; ones of numbers
    ("10–12 stops") by these."""
    named = sorted((run.groups.get(division, {}).get("frames", {}) for run in runs), key=len, reverse=True)
    names = list(dict.fromkeys(name for each in named for name in each))
    first = {name: name.partition("–")[0] for name in names}
    return sorted(names, key=lambda name: int(first[name])) if all(map(str.isdecimal, first.values())) else names


def counts_of(runs: Sequence[Run], division: str, what: str) -> dict[str, tuple[int, int]]:
    """The least and the most "frames" or "boxes" of each group over runs."""
    counts: dict[str, list[int]] = defaultdict(list)
    for run in runs:
        for group, count in run.groups.get(division, {}).get(what, {}).items():
            counts[group].append(round(count))
    return {group: (min(several), max(several)) for group, several in counts.items()}
