"""How far a study has come, as its folders tell, and how long the rest may take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qsense.runs.announcements import not_begun
from qsense.study.run import Run
from qsense.study.summary import Summary

States = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Progress:
    """The runs of one data set.

    Args:
        dataset: its name.
        finished, running, failed, interrupted: how many runs are so.
        missing: folds and seeds of the table's cells of which nothing is there yet, and runs that a sweep at work has
            yet to begin.
        seconds_left: until all of them are finished, at the speed so far and with as many at a time as run now (one,
            if none does); None where no run has told how long it took.
    """

    dataset: str
    finished: int
    running: int
    failed: int
    interrupted: int
    missing: int
    seconds_left: float | None

    @property
    def total(self) -> int:
        """All runs that there should be."""
        return self.finished + self.running + self.failed + self.interrupted + self.missing


def progress(summary: Summary) -> list[Progress]:
    """Of each data set, in the order of their names."""
    names = dataset_names(summary.runs)
    parallel = max(1, sum(run.status == "running" for run in summary.runs))
    everywhere = _mean([run.seconds for run in summary.runs])
    shown = {run.data: name for run, name in zip(summary.runs, names, strict=True)}
    coming = Counter(
        shown.get(data, data)
        for folder in {run.folder.parent for run in summary.runs}
        for data in (name.partition("-")[0] for name in not_begun(folder))
    )
    found = []
    for dataset in sorted({*names, *coming}):
        here = [run for run, name in zip(summary.runs, names, strict=True) if name == dataset]
        count = {status: sum(run.status == status for run in here) for status in ("running", "failed", "interrupted")}
        cells = [cell for (_, name), cell in summary.cells.items() if name == dataset]
        # A run that is not finished leaves a gap in its cell, and is counted once.
        gaps = sum(cell.expected - len(cell.scores) for cell in cells)
        missing = max(coming[dataset], gaps - sum(count.values()))
        each = _mean([run.seconds for run in here]) or everywhere
        left = missing + count["failed"] + count["interrupted"] + count["running"] / 2
        found.append(
            Progress(
                dataset=dataset,
                finished=sum(run.status == "finished" for run in here),
                **count,
                missing=missing,
                seconds_left=None if each is None else each * left / parallel,
            )
        )
    return found


def dataset_names(runs: Sequence[Run]) -> list[str]:
    """Each run's data set by name; of an unfinished run, that of a finished one with the same settings of data."""

    def data(settings: Mapping[str, str], run: Run) -> tuple[str, States]:
        if id(settings) not in made:
            made[id(settings)] = tuple(item for item in sorted(settings.items()) if item[0].startswith("data."))
        return run.data, made[id(settings)]

    made: dict[int, States] = {}
    names = {data(run.settings, run): run.dataset for run in runs if run.status == "finished"}
    return [run.dataset if run.num_folds else names.get(data(run.settings, run), run.dataset) for run in runs]


def _mean(seconds: Sequence[float | None]) -> float | None:
    known = [value for value in seconds if value is not None]
    return sum(known) / len(known) if known else None
