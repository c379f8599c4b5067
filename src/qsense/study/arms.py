"""The runs of an audit, by quantizer: their scores, and how far learning moved each."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from qsense.experiment.overrides import Job, experiment_of, key_of
from qsense.runs import folder as run_folder
from qsense.runs.status import FINISHED
from qsense.study.run import Run, read_run

Kind = Literal["learned", "fixed", "baseline"]
Path2D = Mapping[str, Sequence[float]]  # {learned value: its values, from the start to the last epoch}
TRAJECTORY = "learned.csv"


@dataclass(frozen=True)
class Arm:
    """One quantizer of an audit with all of its seeds and folds.

    Args:
        kind: "learned", "fixed" (a point of the grid) or "baseline".
        name: as tables have it.
        place: (γ, μ) of a fixed point; None for others.
        planned: how many runs it should have.
        runs: those that are finished, by (seed, fold).
    """

    kind: Kind
    name: str
    place: tuple[float, float] | None
    planned: int
    runs: Mapping[tuple[int, int], Run]

    @property
    def scores(self) -> dict[tuple[int, int], float]:
        """What each run's task monitors, by (seed, fold)."""
        return {pair: run.metrics[run.monitor] for pair, run in self.runs.items()}

    @property
    def trajectories(self) -> dict[tuple[int, int], Path2D]:
        """What each run learned, epoch by epoch; without those that left no record of it."""
        paths = {pair: trajectory(run.folder) for pair, run in self.runs.items()}
        return {pair: path for pair, path in paths.items() if path}


def arms(kind: Kind, folders: Mapping[Job, Path]) -> list[Arm]:
    """One arm for each quantizer among planned runs, named by what tells it from the others."""
    groups: dict[Job, list[Path]] = {}
    for job, folder in folders.items():
        groups.setdefault(experiment_of(job), []).append(folder)
    return [Arm(kind, *_named(kind, job, list(groups)), len(own), _finished(own)) for job, own in groups.items()]


def _named(kind: Kind, job: Job, others: Sequence[Job]) -> tuple[str, tuple[float, float] | None]:
    values = {key_of(entry): entry.partition("=")[2] for entry in job}
    if kind == "fixed":
        place = float(values["quant.sensor.gamma"]), float(values.get("quant.sensor.mu", 0.0))
        return point_name(*place), place
    quant = values.get("quant", "gamma")
    if kind == "baseline":
        return quant, None
    alike = set.intersection(*map(set, others))
    own = [entry.removeprefix("quant.sensor.") for entry in job if entry not in alike and key_of(entry) != "quant"]
    return " · ".join([quant, *own]), None


def point_name(gamma: float, mu: float) -> str:
    """
    >>> point_name(0.4, 0.0), point_name(0.4, -0.1)
    ('γ 0.4', 'γ 0.4, μ -0.1')
    """
    return f"γ {gamma:g}" + (f", μ {mu:g}" if mu else "")


def _finished(folders: Iterable[Path]) -> dict[tuple[int, int], Run]:
    runs = [read_run(folder) for folder in folders if run_folder.finished(folder)]
    return {(run.seed, run.fold): run for run in runs if run.status == FINISHED}


def trajectory(folder: Path) -> Path2D:
    """A run's learned values, {name with the axis's number: value after each epoch}; empty without a record.

    Args:
        folder: the run's.
    """
    try:
        with (folder / TRAJECTORY).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError:
        return {}
    return {name: [float(row[name]) for row in rows] for name in rows[0] if name != "epoch"} if rows else {}


def moved(arm: Arm) -> dict[str, tuple[float, float, float]]:
    """Where each learned value began and where it ended, {name: (start, mean end, std of the ends over runs)}."""
    paths = list(arm.trajectories.values())
    ends_of = {}
    for name in paths[0] if paths else ():
        ends = [path[name][-1] for path in paths]
        mean = math.fsum(ends) / len(ends)
        std = math.sqrt(math.fsum((end - mean) ** 2 for end in ends) / len(ends))
        ends_of[name] = math.fsum(path[name][0] for path in paths) / len(paths), mean, std
    return ends_of
