"""Many runs → a table of one metric."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from qsense.runs import folder as run_folder
from qsense.runs.status import FAILED, FINISHED, INTERRUPTED, KILLED, RUNNING
from qsense.runs.words import clipped, percent, some
from qsense.study import pooled
from qsense.study.best import marked
from qsense.study.cell import Cell
from qsense.study.costs import LOSSLESS, SENSING, common, floor, lossless
from qsense.study.index import gather
from qsense.study.notes import averaged, constants, inconsistencies
from qsense.study.published import Beside, against_paper, costs_and_gammas
from qsense.study.rows import Place, Row, full_keys, rows_by, rows_of
from qsense.study.run import ReportError, Run

MOST_NOTES = 5  # the notes stay a paragraph


@dataclass(frozen=True)
class Summary:
    """The table over many runs.

    Args:
        metric: which metric the scores are.
        cells: {(row, data set): cell}, rows and columns in the order to show them.
        runs: every run found, in the order of their folders.
        rows_of_runs: {folder: row} of the runs that count.
        blank: places of runs none of which has a score that is a finite number, with cells that hold none.
        notes: what a reader must know about the numbers.
        published: what a paper found, beside the cells that it has a figure for.
        findings: further lists of lines, by title: published costs, …
        comparisons: the same of pairs of quantizers, which somebody asked for: they stand above the table.
        divided: tables by what a test can be divided by, which somebody asked for (`groups.py`): they follow it.
    """

    metric: str
    cells: Mapping[Place, Cell]
    runs: Sequence[Run]
    rows_of_runs: Mapping[Path, Row]
    notes: Sequence[str] = ()
    published: Mapping[Place, Beside] = field(default_factory=dict)
    findings: Mapping[str, Sequence[str]] = field(default_factory=dict)
    blank: Mapping[Place, Cell] = field(default_factory=dict)
    comparisons: Mapping[str, Sequence[str]] = field(default_factory=dict)
    divided: Sequence[Summary] = ()

    @cached_property
    def rows(self) -> list[Row]:
        """Rows in the order to show them."""
        return sorted({row for row, _ in (*self.cells, *self.blank)}, key=lambda row: row.order)

    @cached_property
    def shown(self) -> Mapping[Place, Cell]:
        """The cells, and those of a row that no run stands for: unquantized data, sent without loss; in their order."""
        rivals = {
            (replace(row, quant=LOSSLESS), dataset): replace(cell, cost=cost)
            for (row, dataset), cell in self.cells.items()
            if row.network_bits is None and (cost := lossless(cell.cost))
        }
        every = {**rivals, **self.cells}
        return {place: every[place] for place in sorted(every, key=lambda place: (place[0].order, place[1]))}

    @cached_property
    def rivals(self) -> Mapping[Row, Row]:
        """Of each row of `shown` that no run stands for, the row whose score it has."""
        like = {replace(row, quant=LOSSLESS): row for row in self.rows}
        return {row: like[row] for row, _ in self.shown if row not in self.rows}

    @cached_property
    def count_of_all(self) -> str:
        """How many runs stand behind each score, where that is the same in all cells; else empty."""
        counts = {cell.count for cell in self.cells.values()}
        return counts.pop() if len(counts) == 1 else ""

    @cached_property
    def marked(self) -> set[Place]:
        """The best cells, see `best.marked`."""
        return marked(self.metric, self.cells)

    @cached_property
    def shown_rows(self) -> list[Row]:
        """Rows of a table, in the order to show them: `rows`, and those of `shown`."""
        return sorted({row for row, _ in (*self.shown, *self.blank)}, key=lambda row: row.order)

    @cached_property
    def seeds(self) -> tuple[int, ...]:
        """Of all runs."""
        return _seeds(self.runs)

    @property
    def datasets(self) -> list[str]:
        """Columns, by name."""
        return sorted({dataset for _, dataset in (*self.cells, *self.blank)})

    @property
    def part(self) -> str:
        """What the title says after the metric, where the columns are parts of the runs' tests."""
        return ""

    def csv_columns(self, column: str) -> dict[str, object]:
        """What a column of the table is, as columns of a CSV file."""
        return {"dataset": column}

    @property
    def footnotes(self) -> list[str]:
        """Sentences below the table, on what its columns are."""
        return []

    @property
    def unscored(self) -> list[Run]:
        """Runs that are finished, and whose score is no finite number: means are over the others."""
        return [run for run in self.runs if run.folder in self.rows_of_runs and self.metric not in run.metrics]

    @property
    def unfinished(self) -> list[Run]:
        """Runs without a result, by what became of them: failed ones first, those at work last."""
        order = (FAILED, KILLED, INTERRUPTED, RUNNING)
        return sorted((run for run in self.runs if run.status in order), key=lambda run: order.index(run.status))

    @property
    def percent(self) -> bool:
        """Whether scores are shown times 100, like the papers'."""
        return percent(self.metric)

    @property
    def empty(self) -> list[Place]:
        """Cells without any run, in rows whose task and model have been tried on that data set."""
        tried = {(row.task, row.model, dataset) for row, dataset in (*self.cells, *self.blank)}
        return [
            (row, dataset)
            for row in self.rows
            for dataset in self.datasets
            if (row, dataset) not in {*self.cells, *self.blank} and (row.task, row.model, dataset) in tried
        ]

    @property
    def complete(self) -> bool:
        """Whether every cell has all of its runs, and every run that was begun is finished and can be read."""
        whole = all(cell.complete for cell in self.cells.values()) and not self.blank
        readable = not any(run.unreadable for run in self.runs)
        return bool(self.cells) and whole and readable and not self.empty and not self.unfinished

    def label(self, row: Row) -> str:
        """A row's name: "gamma 2 bit · quant.sensor.gamma=0.3"; task and model where the report has several."""
        return self._name(row, {})

    def short_label(self, row: Row) -> str:
        """The same with keys by their ends, as far as these tell them apart: "gamma 2 bit · gamma=0.3"."""
        return self._name(row, self._ends)

    def _name(self, row: Row, names: Mapping[str, str]) -> str:
        parts = [row.name] if row.name else []
        for name in ("task", "model"):
            if len({getattr(other, name) for other in self.rows}) > 1:
                parts.append(f"{name}={getattr(row, name)}")
        parts += [f"{clipped(names.get(key, key))}={clipped(value)}" for key, value in row.settings]
        return " · ".join(parts) or row.task or row.model

    @cached_property
    def _ends(self) -> dict[str, str]:
        keys = {key for row in self.rows for key, _ in row.settings}
        ends = [key.rpartition(".")[2] for key in keys]
        return {key: end for key in keys if ends.count(end := key.rpartition(".")[2]) == 1}


def summarise(paths: Iterable[Path], metric: str | None = None, by: Sequence[str] = ()) -> Summary:
    """Gather runs into a table.

    Args:
        paths: run folders, or folders of them.
        metric: which metric; None for the one that the runs' task monitors.
        by: the keys that make a row; none: the quantizer, its bits, and whatever else differs.

    Raises:
        ReportError: no run at all, a path that is no folder, a metric that no run has, runs of tasks that monitor
            different metrics, or a key that no run has.
    """
    paths = list(paths)
    runs = gather(paths)
    if not runs:
        where = ", ".join(map(str, paths))
        raise ReportError(
            f"no runs in {where}: neither {run_folder.CONFIG} nor {run_folder.RESULT} in any folder there"
        )
    return table(runs, metric, by)


def table(runs: Sequence[Run], metric: str | None = None, by: Sequence[str] = ()) -> Summary:
    """The same from runs that have been read.

    Raises:
        ReportError: as in `summarise`.
    """
    finished = [run for run in runs if run.status == FINISHED]
    metric = metric or _monitor(finished)
    notes: list[str] = []
    scored = [run for run in finished if metric in run.metrics or metric in run.not_finite]
    if finished and not scored:
        known = sorted({name for run in finished for name in (*run.metrics, *run.not_finite)})
        hint = f" ({metric} is a folder; folders of runs come first)" if Path(metric).is_dir() else ""
        raise ReportError(f"no run measured {metric}{hint}; there are {', '.join(known)}")
    if len(scored) < len(finished):
        notes.append(f"Finished runs that did not measure {metric} and are left out: {len(finished) - len(scored)}.")
    tested = {run.dataset for run in scored if not run.is_trial}
    if trials := [run for run in scored if run.is_trial and run.dataset in tested]:
        notes.append(f"Runs tested on a few batches alone, as by trainer=smoke, and left out: {len(trials)}.")
        scored = [run for run in scored if not (run.is_trial and run.dataset in tested)]

    # A row of one's own choice may average over settings: the runs of each setting are counted once.
    alike = rows_of(scored)
    counted, repeated = _once(alike, scored, metric)
    notes += repeated + constants(counted)
    rows: Mapping[Path, Row] = alike
    if by:
        rows = rows_by(counted, full_keys(runs, by))
        notes += averaged(counted, rows, alike)
        if len(rows) < len(counted):
            notes.append(f"Runs without any of these keys and left out: {len(counted) - len(rows)}.")
            counted = [run for run in counted if run.folder in rows]
    every = _cells(counted, rows, metric, _seeds(runs))
    cells, blank = (
        {place: cell for place, cell in every.items() if bool(cell.scores) is any_} for any_ in (True, False)
    )
    summary = Summary(metric, cells, runs, {run.folder: rows[run.folder] for run in counted}, blank=blank)
    if metric == pooled.METRIC and (lines := pooled.lines(runs_of_cells(summary), summary.label)):
        summary = replace(summary, findings={pooled.TITLE: lines})
    if not by:
        notes += inconsistencies(counted, summary.rows_of_runs, summary.datasets)
    more = len(notes) - MOST_NOTES
    return replace(summary, notes=[*notes[:MOST_NOTES], f"… and {more} more."] if more > 0 else notes)


def with_paper(summary: Summary) -> Summary:
    """The same with the papers' figures beside its cells, and what else they state of such runs."""
    runs = runs_of_cells(summary)
    also = costs_and_gammas(runs)
    findings = {**summary.findings, "The papers also state": also} if also else summary.findings
    return replace(summary, published=against_paper(summary.metric, summary.cells, runs), findings=findings)


def runs_of_cells(summary: Summary) -> dict[Place, list[Run]]:
    """The runs of each cell."""
    runs: dict[Place, list[Run]] = defaultdict(list)
    for run in summary.runs:
        if run.folder in summary.rows_of_runs:
            runs[summary.rows_of_runs[run.folder], run.dataset].append(run)
    return runs


def _seeds(runs: Sequence[Run]) -> tuple[int, ...]:
    return tuple(sorted({run.seed for run in runs if run.seed >= 0}))


def _cells(counted: Sequence[Run], rows: Mapping[Path, Row], metric: str, seeds: tuple[int, ...]) -> dict[Place, Cell]:
    scores: dict[Place, dict[tuple[int, int], list[float]]] = defaultdict(lambda: defaultdict(list))
    num_folds: dict[Place, int] = {}
    costs: dict[Place, list[Mapping[str, float]]] = defaultdict(list)
    floors: dict[Place, Mapping[str, float]] = {}
    for run in counted:
        place = rows[run.folder], run.dataset
        if metric in run.metrics:
            scores[place][run.seed, run.fold].append(run.metrics[metric])
        num_folds[place] = max(num_folds.get(place, 0), run.num_folds)
        costs[place].append(run.cost)
        if place not in floors and SENSING in run.cost:
            floors[place] = floor(run.constants)
    cells = {
        place: Cell(
            {at: sum(several) / len(several) for at, several in scores[place].items()},
            num_folds[place],
            seeds,
            cost={**common(costs[place]), **floors.get(place, {})},
        )
        for place in num_folds
    }
    widest: dict[str, set[int]] = defaultdict(set)  # every fold that some number of the column averages
    for (_, dataset), cell in cells.items():
        widest[dataset].update(fold for _, fold in cell.scores)
    return {
        (row, dataset): replace(cell, comparable=all(set(folds) == widest[dataset] for folds in cell.folds.values()))
        for (row, dataset), cell in sorted(cells.items(), key=lambda item: (item[0][0].order, item[0][1]))
    }


def _monitor(finished: Sequence[Run]) -> str:
    monitors = sorted({run.monitor for run in finished})
    if len(monitors) > 1:
        raise ReportError(f"the runs monitor different metrics ({', '.join(monitors)}): choose one with --metric")
    return monitors[0] if monitors else ""


def _once(rows: Mapping[Path, Row], scored: Sequence[Run], metric: str) -> tuple[list[Run], list[str]]:
    """Every (row, data set, seed, fold) once: the newest where several folders hold it."""
    places: dict[tuple[Row, str, int, int], list[Run]] = defaultdict(list)
    for run in scored:
        places[rows[run.folder], run.dataset, run.seed, run.fold].append(run)
    counted, other_scores, same = [], [], 0
    for several in places.values():
        several.sort(key=lambda run: (run.written, str(run.folder)))
        newest = several[-1]
        counted.append(newest)
        for other in several[:-1]:
            if other.metrics.get(metric) == newest.metrics.get(metric):
                same += 1
            else:
                texts = [f"{run.path} ({_score(run, metric)})" for run in (newest, other)]
                other_scores.append(", not ".join(texts))
    notes = []
    if other_scores:
        notes.append(
            f"{len(other_scores)} {'run has' if len(other_scores) == 1 else 'runs have'} been done again with another "
            f"score; the newest counts: {some(other_scores)}."
        )
    if same:
        notes.append(f"Folders of a run already counted, with the same score: {same}.")
    return counted, notes


def _score(run: Run, metric: str) -> str:
    return f"{run.metrics[metric]:.4f}" if metric in run.metrics else run.not_finite[metric]
