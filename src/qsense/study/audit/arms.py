"""The runs of an audit, by quantizer: their scores, and how far learning moved each."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from qsense.experiment.command_line.overrides import Job, experiment_of, key_of
from qsense.runs import folder as run_folder
from qsense.runs.escapes import one_line
from qsense.runs.reading import read_text
from qsense.runs.status import FINISHED
from qsense.runs.words import clipped
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
        runs: those that are finished and have a score, by (seed, fold).
        unreadable: files of its runs that cannot be read, or say nothing, each with the reason, in a line.
    """

    kind: Kind
    name: str
    place: tuple[float, float] | None
    planned: int
    runs: Mapping[tuple[int, int], Run]
    unreadable: Sequence[str] = ()

    @property
    def scores(self) -> dict[tuple[int, int], float]:
        """What each run's task monitors, by (seed, fold)."""
        return {pair: run.metrics[run.monitor] for pair, run in self.runs.items()}

    @cached_property
    def trajectories(self) -> dict[tuple[int, int], Path2D]:
        """What each run learned, epoch by epoch; without those that left no record of it, or one of other values."""
        paths: dict[tuple[int, int], Path2D] = {}
        for pair, run in self.runs.items():
            with suppress(OSError, ValueError):  # said in `unreadable`
                paths[pair] = trajectory(run.folder)
        names = max((set(path) for path in paths.values()), key=len, default=set())
        return {pair: path for pair, path in paths.items() if path and set(path) == names}


def arms(kind: Kind, folders: Mapping[Job, Path]) -> list[Arm]:
    """One arm for each quantizer among planned runs, named by what tells it from the others."""
    groups: dict[Job, list[Path]] = {}
    for job, folder in folders.items():
        groups.setdefault(experiment_of(job), []).append(folder)
    return [Arm(kind, *_named(kind, job, list(groups)), len(own), *_finished(own)) for job, own in groups.items()]


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


def _finished(folders: Iterable[Path]) -> tuple[dict[tuple[int, int], Run], list[str]]:
    """The finished runs that have a score; and what cannot be read of them all."""
    runs = [read_run(folder) for folder in folders if os.path.lexists(folder / run_folder.RESULT)]
    scored = {(run.seed, run.fold): run for run in runs if run.status == FINISHED and run.monitor in run.metrics}
    lines = [line for run in runs for line in run.unreadable]
    lines += [
        f"{run.path}: {run.monitor} = {run.not_finite[run.monitor]}" for run in runs if run.monitor in run.not_finite
    ]
    for run in scored.values():
        try:
            trajectory(run.folder)
        except (OSError, ValueError) as error:
            lines.append(f"{run.path}/{TRAJECTORY}: {one_line(getattr(error, 'strerror', None) or str(error))}")
    return scored, lines


def trajectory(folder: Path) -> Path2D:
    """A run's learned values, {name with the axis's number: value after each epoch}; empty without a record.

    Args:
        folder: the run's.

    Raises:
        OSError: the record may not be read, or is no file.
        ValueError: it is another program's; the message names line and column.
    """
    try:
        lines = read_text(folder / TRAJECTORY).splitlines()
    except FileNotFoundError:
        return {}
    try:
        names, *rows = list(csv.reader(lines, strict=True)) or [[]]
    except csv.Error as error:
        raise ValueError(f"no CSV: {error}") from error
    values: dict[str, list[float]] = {name: [] for name in names if name != "epoch"}
    for number, row in enumerate(rows, 2):
        if len(row) != len(names):
            raise ValueError(f"line {number} has {len(row)} values, and the first {len(names)}")
        for name, text in zip(names, row, strict=True):
            if name != "epoch":
                values[name].append(_number(text, number, name))
    return values if rows else {}


def _number(text: str, line: int, column: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"line {line}, {column}={clipped(text)}: a finite number expected")
    return value


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
