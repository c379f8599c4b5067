"""How far a study has come, as its folders tell, and how long the rest may take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qsense.runs.announcements import not_begun
from qsense.runs.status import FINISHED, RUNNING, STATES, TO_DO
from qsense.study.run import Run
from qsense.study.summary import Summary

States = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Progress:
    """The runs of one data set.

    Args:
        dataset: its name.
        count: how many runs are in each of `runs.status.STATES`; "to do" are the folds and seeds of the table's cells
            of which nothing is there yet, and runs that a sweep at work has yet to begin.
        seconds_left: until all of them are finished, at the speed so far and with as many at a time as run now; None
            where nothing is at work, or no run has told how long it took.
    """

    dataset: str
    count: Mapping[str, int]
    seconds_left: float | None

    @property
    def total(self) -> int:
        """All runs that there should be."""
        return sum(self.count.values())


def progress(summary: Summary) -> list[Progress]:
    """Of each data set, in the order of their names; the folders of one and the same run count once."""
    runs = once(summary.runs)
    names = dataset_names(runs)
    running = sum(run.status == RUNNING for run in runs)
    everywhere = _mean([run.seconds for run in runs])
    shown = {run.data: name for run, name in zip(runs, names, strict=True)}
    coming = Counter(
        shown.get(data, data)
        for folder in {run.folder.parent for run in summary.runs}
        for data in (name.partition("-")[0] for name in not_begun(folder))
    )
    parts = []
    for dataset in sorted({*names, *coming}):
        here = [run for run, name in zip(runs, names, strict=True) if name == dataset]
        count = {state: sum(run.status == state for run in here) for state in STATES}
        cells = [cell for (_, name), cell in summary.cells.items() if name == dataset]
        # A run that is not finished leaves a gap in its cell, and is counted once.
        gaps = sum(cell.expected - len(cell.scores) for cell in cells)
        count[TO_DO] = max(coming[dataset], gaps - (len(here) - count[FINISHED]))
        mean = _mean([run.seconds for run in here]) or everywhere
        left = sum(count.values()) - count[FINISHED] - count[RUNNING] / 2
        idle = not (running or coming.total())
        parts.append(Progress(dataset, count, None if mean is None or idle else mean * left / max(1, running)))
    return parts


def once(runs: Sequence[Run]) -> list[Run]:
    """Each run (settings, seed, fold) once: of a copied folder the one that has come furthest."""
    furthest: dict[tuple[object, ...], Run] = {}
    settings: dict[int, States] = {}  # runs share them
    for run in runs:
        if not run.settings:  # nobody knows which run it is
            furthest[(run.folder,)] = run
            continue
        own = settings.setdefault(id(run.settings), tuple(sorted(run.settings.items())))
        kind = (run.task, run.data, run.quant, run.model, run.bits, run.network_bits, run.seed, run.fold, own)
        if kind not in furthest or _rank(run) > _rank(furthest[kind]):
            furthest[kind] = run
    return list(furthest.values())


def _rank(run: Run) -> int:
    return 2 * (run.status == FINISHED) + (run.status == RUNNING)


def dataset_names(runs: Sequence[Run]) -> list[str]:
    """Each run's data set by name; of an unfinished run, that of a finished one with the same settings of data."""

    def data(settings: Mapping[str, str], run: Run) -> tuple[str, States]:
        if id(settings) not in made:
            made[id(settings)] = tuple(item for item in sorted(settings.items()) if item[0].startswith("data."))
        return run.data, made[id(settings)]

    made: dict[int, States] = {}
    names = {data(run.settings, run): run.dataset for run in runs if run.status == FINISHED}
    return [run.dataset if run.num_folds else names.get(data(run.settings, run), run.dataset) for run in runs]


def _mean(seconds: Sequence[float | None]) -> float | None:
    known = [value for value in seconds if value is not None]
    return sum(known) / len(known) if known else None
