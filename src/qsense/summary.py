"""Many runs → one number per cell: mean over folds per seed, then mean ± std over seeds."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from qsense import runs

COST = ("macs", "bops", "size_mb")
MOST_NAMED, MOST_NOTES = 3, 5  # a note stays one line, and the notes a paragraph
PAPER_ORDER = ("none", "linear", "log", "gamma", "gamma_per_axis")  # others follow by name


class ReportError(ValueError):
    """Nothing to report on; the message says what was looked for and where."""


@dataclass(frozen=True)
class Run:
    """One run's folder, as far as a table needs it.

    Args:
        folder: where it lies.
        status: "finished", "failed" or "interrupted".
        reason: why it is not finished, in a few words; empty for a finished run.
        task, data, quant, model: which option of each group was taken.
        dataset: the data set's name in tables (the group's option where the run is not finished).
        bits: of the sensor's ADC; None without one.
        seed, fold: what the run's randomness depends on.
        num_folds: folds of its data set; 0 where the run is not finished.
        monitor: the metric that its task reports.
        metrics: what the last test measured.
        learned: the quantizer's learned values, one per axis.
        cost: what its network costs per prediction: "macs", "bops", "size_mb"; empty where nobody counted.
        settings: the dotted keys of its configuration that decide its numbers, but for bits, seed and fold.
    """

    folder: Path
    status: str
    reason: str
    task: str
    data: str
    quant: str
    model: str
    dataset: str
    bits: int | None
    seed: int
    fold: int
    num_folds: int = 0
    monitor: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    learned: Mapping[str, Sequence[float]] = field(default_factory=dict)
    cost: Mapping[str, float] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        """What tells most about why it did not finish: the damaged result, the traceback, a log, else the folder."""
        for name in (runs.RESULT, runs.FAILURE):
            if (self.folder / name).is_file():
                return self.folder / name
        return next(iter(sorted(self.folder.glob("*.log"))), self.folder)


@dataclass(frozen=True)
class Row:
    """One row of the table: a quantizer at some bits, and whatever else tells its runs from those of other rows."""

    quant: str
    bits: int | None
    task: str
    model: str
    settings: tuple[tuple[str, str], ...] = ()

    @property
    def order(self) -> tuple[Any, ...]:
        """No quantizer first, then from many bits to few, quantizers in the papers' order."""
        known = PAPER_ORDER.index(self.quant) if self.quant in PAPER_ORDER else len(PAPER_ORDER)
        settings = tuple((key, _number(value), value) for key, value in self.settings)
        return self.task, self.model, self.bits is not None, -(self.bits or 0), known, self.quant, settings


@dataclass(frozen=True)
class Cell:
    """What stands behind one number of the table.

    Args:
        scores: {(seed, fold): score}.
        num_folds: folds of the data set.
        seeds: the seeds seen in the report; every fold of each is expected.
        comparable: whether each seed averages the same folds as the rest of the column.
        cost: of its runs, like `Run.cost`; they have the same network at the same bits.
    """

    scores: Mapping[tuple[int, int], float]
    num_folds: int
    seeds: tuple[int, ...]
    comparable: bool = True
    cost: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def folds(self) -> dict[int, list[int]]:
        """The folds there are, by seed."""
        folds: dict[int, list[int]] = {}
        for seed, fold in sorted(self.scores):
            folds.setdefault(seed, []).append(fold)
        return folds

    @cached_property
    def seed_means(self) -> dict[int, float]:
        """Mean over folds of each seed."""
        return {seed: float(np.mean([self.scores[seed, fold] for fold in folds])) for seed, folds in self.folds.items()}

    @property
    def mean(self) -> float:
        """Mean over the seeds' means."""
        return float(np.mean(list(self.seed_means.values())))

    @property
    def std(self) -> float | None:
        """Standard deviation (ddof 0) of the seeds' means; None with a single seed, whose spread nobody knows."""
        return float(np.std(list(self.seed_means.values()))) if len(self.seed_means) > 1 else None

    @property
    def expected(self) -> int:
        """How many runs there should be."""
        return self.num_folds * len(self.seeds)

    @property
    def complete(self) -> bool:
        """Whether all of them are there."""
        return not self.missing

    @cached_property
    def missing(self) -> str:
        """Which are not, compactly: "seed 0: folds 4–29; seeds 1–2: all 30 folds"."""
        by_gap: dict[tuple[int, ...], list[int]] = {}
        for seed in self.seeds:
            gap = tuple(sorted(set(range(self.num_folds)) - set(self.folds.get(seed, []))))
            if gap:
                by_gap.setdefault(gap, []).append(seed)
        return "; ".join(
            f"{_many('seed', seeds)}: "
            + (f"all {self.num_folds} folds" if len(gap) == self.num_folds else _many("fold", gap))
            for gap, seeds in by_gap.items()
        )

    @property
    def count(self) -> str:
        """How many runs stand behind it, folds × seeds: "30×3", "4×1 of 30×3", or "5 of 30×3" where seeds differ."""
        whole = f"{self.num_folds}×{len(self.seeds)}"
        if self.complete:
            return whole
        per_seed = {tuple(folds) for folds in self.folds.values()}
        there = f"{len(next(iter(per_seed)))}×{len(self.folds)}" if len(per_seed) == 1 else str(len(self.scores))
        return f"{there} of {whole}"


@dataclass(frozen=True)
class Summary:
    """The table over many runs.

    Args:
        metric: which metric the scores are.
        cells: {(row, data set): cell}, rows and columns in the order to show them.
        runs: every run found, in the order of their folders.
        notes: what a reader must know about the numbers.
    """

    metric: str
    cells: Mapping[tuple[Row, str], Cell]
    runs: Sequence[Run]
    notes: Sequence[str] = ()

    @property
    def rows(self) -> list[Row]:
        """Rows in the order to show them."""
        return list(dict.fromkeys(row for row, _ in self.cells))

    @property
    def datasets(self) -> list[str]:
        """Columns, by name."""
        return sorted({dataset for _, dataset in self.cells})

    @property
    def unfinished(self) -> list[Run]:
        """Failed runs, then interrupted ones."""
        return sorted((run for run in self.runs if run.status != "finished"), key=lambda run: run.status != "failed")

    @property
    def percent(self) -> bool:
        """Whether scores are shown times 100, like the papers' (all but losses)."""
        return "loss" not in self.metric

    def label(self, row: Row) -> str:
        """A row's name: "gamma 2 bit · quant.sensor.gamma=0.3"; task and model where the report has several."""
        parts = [row.quant if row.bits is None else f"{row.quant} {row.bits} bit"]
        for name in ("task", "model"):
            if len({getattr(other, name) for other in self.rows}) > 1:
                parts.append(f"{name}={getattr(row, name)}")
        return " · ".join([*parts, *(f"{key}={value}" for key, value in row.settings)])


# ----------------------------------------------------------------------------------------------------------- reading


def find_runs(paths: Iterable[Path]) -> list[Path]:
    """Folders that hold a run's configuration or result, among `paths` and everything below them, each once.

    Raises:
        ReportError: a path does not exist or is no folder.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        if not path.is_dir():
            raise ReportError(f"{path} is not a folder: give run folders, or folders of them")
        for folder, below, files in os.walk(path):
            below[:] = sorted(name for name in below if not name.startswith("."))
            if runs.CONFIG in files or runs.RESULT in files:
                found.setdefault(Path(folder).resolve(), Path(folder))
                below.clear()  # a run's own folders hold no runs
    return sorted(found.values())


def read_run(folder: Path) -> Run:
    """Read a run's folder, in whatever state it was left; never raises for what is inside."""
    try:
        config = yaml.load((folder / runs.CONFIG).read_text(encoding="utf-8"), _Loader)
        config = config if isinstance(config, dict) else {}
    except (OSError, ValueError, yaml.YAMLError):
        config = {}
    choices = config.get("choices") or {}
    names = {group: str(choices.get(group) or "?") for group in ("task", "data", "quant", "model")}
    run = Run(
        folder=folder,
        status="interrupted",
        reason="interrupted, or still running",
        dataset=names["data"],
        bits=config.get("bits"),
        seed=config.get("seed", -1),
        fold=config.get("fold", -1),
        settings=settings(config),
        task=names["task"],
        data=names["data"],
        quant=names["quant"],
        model=names["model"],
    )
    if (folder / runs.RESULT).is_file():
        try:
            result = runs.result(folder)
            return replace(
                run,
                status="finished",
                reason="",
                dataset=result["dataset"],
                bits=result["bits"],
                seed=int(result["seed"]),
                fold=int(result["fold"]),
                num_folds=int(result["num_folds"]),
                monitor=result["monitor"],
                metrics={name: float(value) for name, value in result["metrics"].items()},
                learned=result.get("quantizer") or {},
                cost={key: float(result["cost"][key]) for key in COST} if result.get("cost") else {},
                task=str(result["task"]),
                data=str(result["data"]),
                quant=str(result["quant"]),
                model=str(result["model"]),
            )
        except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
            return replace(
                run, status="failed", reason=f"{runs.RESULT} cannot be read ({type(error).__name__}: {error})"
            )
    if (folder / runs.FAILURE).is_file():
        return replace(run, status="failed", reason=_exception(folder / runs.FAILURE))
    return run


def _exception(file: Path) -> str:
    """The last traceback's exception: the first line after it that is not indented."""
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("Traceback")]
    after = lines[starts[-1] + 1 :] if starts else lines
    return next((line for line in after if line.strip() and not line[0].isspace()), "no message")


_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # 1000 configurations in a second rather than ten


def settings(config: Mapping[str, Any]) -> dict[str, str]:
    """The dotted keys that decide a run's numbers, but for bits, seed and fold, with their values as text."""
    flat: dict[str, str] = {}

    def walk(path: str, node: Any, dropped: set[str]) -> None:
        if isinstance(node, Mapping):
            for key, value in node.items():
                if key not in dropped:
                    walk(f"{path}.{key}", value, dropped)
        else:
            flat[path] = node if isinstance(node, str) else json.dumps(node, default=str)

    for group in runs.GROUPS:
        if config.get(group) is not None:
            walk(group, config[group], runs.NOT_SCIENCE.get(group, set()))
    flat.pop("quant.sensor.bits", None)  # the row says it
    return flat


# --------------------------------------------------------------------------------------------------------- gathering


def summarise(paths: Iterable[Path], metric: str | None = None) -> Summary:
    """Gather runs into a table.

    Args:
        paths: run folders, or folders of them.
        metric: which metric; None for the one that the runs' task monitors.

    Raises:
        ReportError: no run at all, a path that is no folder, a metric that no run has, or runs of tasks that monitor
            different metrics.
    """
    paths = list(paths)
    found = [read_run(folder) for folder in find_runs(paths)]
    if not found:
        where = ", ".join(map(str, paths))
        raise ReportError(f"no runs in {where}: neither {runs.CONFIG} nor {runs.RESULT} in any folder there")
    finished = [run for run in found if run.status == "finished"]
    metric = metric or _monitor(finished)
    notes: list[str] = []
    scored = [run for run in finished if metric in run.metrics]
    if finished and not scored:
        known = sorted({name for run in finished for name in run.metrics})
        raise ReportError(f"no run measured {metric}; there are {', '.join(known)}")
    if len(scored) < len(finished):
        notes.append(f"Finished runs that did not measure {metric} and are left out: {len(finished) - len(scored)}.")

    rows = _rows(scored)
    kept, said = _once(rows, scored, metric)
    notes += said
    seeds = tuple(sorted({run.seed for run in found if run.seed >= 0}))
    scores: dict[tuple[Row, str], dict[tuple[int, int], float]] = defaultdict(dict)
    num_folds: dict[tuple[Row, str], int] = {}
    costs: dict[tuple[Row, str], Mapping[str, float]] = {}
    for run in kept:
        place = rows[run.folder], run.dataset
        scores[place][run.seed, run.fold] = run.metrics[metric]
        num_folds[place] = max(num_folds.get(place, 0), run.num_folds)
        costs[place] = costs.get(place) or run.cost
    cells = {place: Cell(scores[place], num_folds[place], seeds, cost=costs[place]) for place in scores}
    widest: dict[str, set[int]] = defaultdict(set)  # every fold that some number of the column averages
    for (_, dataset), cell in cells.items():
        widest[dataset].update(fold for _, fold in cell.scores)
    cells = {
        (row, dataset): replace(cell, comparable=all(set(folds) == widest[dataset] for folds in cell.folds.values()))
        for (row, dataset), cell in sorted(cells.items(), key=lambda item: (item[0][0].order, item[0][1]))
    }
    summary = Summary(metric, cells, found, notes)
    notes += _inconsistencies(summary, rows, kept)
    more = len(notes) - MOST_NOTES
    return replace(summary, notes=[*notes[:MOST_NOTES], f"… and {more} more."] if more > 0 else notes)


def _monitor(finished: Sequence[Run]) -> str:
    monitors = sorted({run.monitor for run in finished})
    if len(monitors) > 1:
        raise ReportError(f"the runs monitor different metrics ({', '.join(monitors)}): choose one with --metric")
    return monitors[0] if monitors else ""


def varying(group: Iterable[Run]) -> set[str]:
    """Keys that do not have one and the same value in all runs whose configuration is known."""
    values: dict[str, set[str]] = defaultdict(set)
    group = [run for run in group if run.settings]
    for run in group:
        for key, value in run.settings.items():
            values[key].add(value)
    everywhere = set.intersection(*(set(run.settings) for run in group)) if group else set()
    return {key for key, several in values.items() if len(several) > 1 or key not in everywhere}


def _rows(scored: Sequence[Run]) -> dict[Path, Row]:
    """Each run's row. Runs that differ in more than seed and fold are told apart by the keys in which they differ.

    Data sets differ in many keys by nature, so keys are compared within a data set; one that varies within any of them
    is named in all. It is named in the other rows too, as far as they have one value of it (a quantizer's, model's or
    task's own keys: in those of the same kind), so that rows can be told apart by their names. Runs that have lost
    their configuration are a row of their own beside others.
    """
    groups: dict[tuple[str, int | None, str, str], list[Run]] = defaultdict(list)
    for run in scored:
        groups[run.quant, run.bits, run.task, run.model].append(run)
    own: dict[tuple[str, int | None, str, str], set[str]] = {}
    said: set[tuple[str, str]] = set()  # (key, the kind of rows that name it)
    for name, group in groups.items():
        datasets = {run.dataset for run in group}
        own[name] = set().union(*(varying(run for run in group if run.dataset == dataset) for dataset in datasets))
        said.update((key, _kind(key, group[0])) for key in own[name])
    rows = {}
    for name, group in groups.items():
        differing = varying(group)
        known = any(run.settings for run in group)
        for run in group:
            keys = {key for key in run.settings if (key, _kind(key, run)) in said and key not in differing} | own[name]
            named = [(key, run.settings[key]) for key in sorted(keys) if key in run.settings]
            rows[run.folder] = Row(*name, tuple(named) if run.settings or not known else (("config", "unknown"),))
    return rows


def _kind(key: str, run: Run) -> str:
    """Which rows have a key in the same meaning: those of the same quantizer, model or task; else all."""
    return {"quant": run.quant, "model": run.model, "task": run.task}.get(key.partition(".")[0], "")


def _once(rows: Mapping[Path, Row], scored: Sequence[Run], metric: str) -> tuple[list[Run], list[str]]:
    """Every (row, data set, seed, fold) once: the newest where several folders hold it."""
    places: dict[tuple[Row, str, int, int], list[Run]] = defaultdict(list)
    for run in scored:
        places[rows[run.folder], run.dataset, run.seed, run.fold].append(run)
    kept, other_scores, same = [], [], 0
    for several in places.values():
        several.sort(key=lambda run: ((run.folder / runs.RESULT).stat().st_mtime, str(run.folder)))
        newest = several[-1]
        kept.append(newest)
        for other in several[:-1]:
            if other.metrics[metric] == newest.metrics[metric]:
                same += 1
            else:
                other_scores.append(
                    f"{newest.folder} ({newest.metrics[metric]:.4f}), not {other.folder} ({other.metrics[metric]:.4f})"
                )
    notes = []
    if other_scores:
        notes.append(
            f"{len(other_scores)} {'run has' if len(other_scores) == 1 else 'runs have'} been done again with another "
            f"score; the newest counts: {_some(other_scores)}."
        )
    if same:
        notes.append(f"Folders of a run already counted, with the same score: {same}.")
    return kept, notes


def _inconsistencies(summary: Summary, rows: Mapping[Path, Row], kept: Sequence[Run]) -> list[str]:
    """What else differs between the rows of a column, beside the quantizer and what their names say."""
    notes = []
    for dataset in summary.datasets:
        here = [run for run in kept if run.dataset == dataset and run.settings]
        differing = []
        for key in sorted(varying(here)):
            if key.startswith("quant.") or all(key in dict(rows[run.folder].settings) for run in here):
                continue
            if key.startswith("model.") and len({run.model for run in here}) > 1:
                continue
            values = dict.fromkeys(run.settings.get(key, "not set") for run in here)
            differing.append(f"{key} ({_some(list(values), '; ')})")
        if differing:
            number = f"{len(differing)} setting{'s' * (len(differing) > 1)}"
            notes.append(f"Rows of {dataset} also differ in {number}, see runs.csv: {_some(differing)}.")
    return notes


def _some(texts: Sequence[str], separator: str = ", ") -> str:
    """The first few of a list, and how many there are.

    >>> _some(["a", "b"]), _some(["a", "b", "c", "d", "e"])
    ('a, b', 'a, b, c … and 2 more')
    """
    more = len(texts) - MOST_NAMED
    return separator.join(texts[:MOST_NAMED]) + (f" … and {more} more" if more > 0 else "")


def _many(noun: str, numbers: Sequence[int]) -> str:
    """
    >>> _many("fold", [3]), _many("fold", [0, 1, 4, 5, 6])
    ('fold 3', 'folds 0, 1, 4–6')
    """
    stretches: list[list[int]] = []
    for number in sorted(numbers):
        if stretches and number == stretches[-1][-1] + 1:
            stretches[-1].append(number)
        else:
            stretches.append([number])
    texts = [f"{s[0]}–{s[-1]}" if len(s) > 2 else ", ".join(map(str, s)) for s in stretches]
    return f"{noun}{'s' * (len(numbers) > 1)} {', '.join(texts)}"


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("inf")
