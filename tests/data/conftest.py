"""Tiny data written in the real layouts, and a data set that needs no file."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from lightning import Trainer

from qsense.data.series.dataset import ActivityDataset, Recording

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


@dataclass
class Experiment:
    """One recording of the fake SBHAR: numbers as in its file names, samples, activity numbers (0 = not labelled)."""

    number: int
    user: int
    x: Floats
    activity: Labels


def samples(rng: np.random.Generator, count: int, axes: int) -> Floats:
    """Random samples on SBHAR's grid of 1/720 g."""
    return np.asarray(rng.integers(-1440, 1440, (count, axes)) / 720)


def experiments(users: int = 30, length: int = 120) -> list[Experiment]:
    """One recording per user, a second one for the first user; three labelled stretches each."""
    rng = np.random.default_rng(0)
    made = []
    for number, user in enumerate([1, *range(1, users + 1)], start=1):
        activity = np.zeros(length + number, dtype=np.int64)
        for start in (10, 40, 80):
            activity[start : start + 25] = rng.integers(1, 13)
        made.append(Experiment(number, user, samples(rng, len(activity), 3), activity))
    return made


def write_sbhar(folder: Path, content: Sequence[Experiment]) -> Path:
    """The layout of the archive, unpacked."""
    (folder / "RawData").mkdir(parents=True)
    rows = []
    for item in content:
        lines = [" ".join(repr(float(value)) for value in row) for row in item.x]
        path = folder / "RawData" / f"acc_exp{item.number:02d}_user{item.user:02d}.txt"
        path.write_text("\n".join(lines) + "\n")
        edges = np.flatnonzero(np.diff(item.activity, prepend=0, append=0))
        for start, end in pairwise(edges):
            if item.activity[start]:
                rows.append(f"{item.number} {item.user} {item.activity[start]} {start + 1} {end}")
    (folder / "RawData" / "labels.txt").write_text("\n".join(rows) + "\n")
    return folder


def write_bundle(
    folder: Path,
    classes: Sequence[str],
    axes: Sequence[str],
    recordings: Sequence[tuple[Floats, Labels]],
    rate_hz: float = 50.0,
) -> Path:
    """The common CSV layout, annotations included."""
    inertial = folder / "raw" / "inertial"
    inertial.mkdir(parents=True)
    database = {}
    for subject, (x, y) in enumerate(recordings):
        lines = [",".join(("sbj_id", *axes, "label"))]
        for row, label in zip(x, y, strict=True):
            name = "null" if classes[label] == "NULL" else classes[label]
            lines.append(",".join((str(subject), *(repr(float(value)) for value in row), name)))
        (inertial / f"sbj_{subject}.csv").write_text("\n".join(lines) + "\n")
        database[f"sbj_{subject}"] = {"subset": "Training", "duration": len(x) / rate_hz, "fps": 50, "annotations": []}
    (folder / "annotations").mkdir()
    names = [name for name in classes if name != "NULL"]
    content = {"version": [], "database": database, "label_dict": {name: index for index, name in enumerate(names)}}
    (folder / "annotations" / "loso_sbj_0.json").write_text(json.dumps(content))
    return folder


CLASSES = ("NULL", "walk", "run")
AXES = ("acc_x", "acc_y")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Three subjects, two axes, NULL, walk and run, 120 samples each."""
    rng = np.random.default_rng(1)
    content = [(samples(rng, 120, 2), np.repeat([0, 1, 2], 40)) for _ in range(3)]
    return write_bundle(tmp_path / "bundle", CLASSES, AXES, content)


@pytest.fixture
def csv_file(bundle: Path) -> Callable[[Callable[[list[str]], None]], None]:
    """Change the lines of subject 1's file: line 0 is its header, its row 1."""

    def change(edit: Callable[[list[str]], None]) -> None:
        path = bundle / "raw" / "inertial" / "sbj_1.csv"
        lines = path.read_text().splitlines()
        edit(lines)
        path.write_text("\n".join(lines) + "\n")

    return change


class Memory(ActivityDataset):
    """Recordings given directly; every sample's first axis is its own number over the whole set, for tracing it."""

    name = "Memory"
    axes = ("x", "y")
    rate_hz = 50.0
    unit = "g"

    def __init__(
        self,
        lengths: Sequence[Sequence[int]],
        classes: Sequence[str] = CLASSES,
        range: tuple[float, float] | None = (-1.0, 4000.0),
        absent: Sequence[tuple[int, int]] = (),
    ) -> None:
        self.lengths = lengths
        self.classes = tuple(classes)
        self.range = range
        self.num_subjects = len(lengths)
        self.absent = absent
        self.reads = 0

    def check(self) -> None:
        pass

    def fingerprint(self) -> str:
        return f"{self.lengths} {self.absent}"

    def recordings(self) -> list[Recording]:
        self.reads += 1
        made = []
        first = 0
        for subject, lengths in enumerate(self.lengths):
            for number, length in enumerate(lengths):
                x = np.stack([np.arange(first, first + length), np.arange(length)], axis=1).astype(np.float32)
                y = (np.arange(length) // 10) % len(self.classes)
                for who, what in self.absent:
                    if who == subject:
                        y[y == what] = 0
                made.append(Recording(subject, f"{subject}-{number}", x, y.astype(np.int64), filled=subject))
                first += length
        return made


@pytest.fixture
def memory() -> type[Memory]:
    return Memory


@pytest.fixture
def fake_experiments() -> list[Experiment]:
    return experiments()


@pytest.fixture
def sbhar_writer() -> Callable[[Path, Sequence[Experiment]], Path]:
    return write_sbhar


@pytest.fixture
def bundle_writer() -> Callable[..., Path]:
    return write_bundle


@pytest.fixture
def write_dng() -> Callable[..., Path]:
    """See `dng.py`: a module beside this one, which is no package."""
    writer: Callable[..., Path] = runpy.run_path(str(Path(__file__).parent / "frames" / "dng.py"))["write_dng"]
    return writer


@pytest.fixture
def trainer() -> Trainer:
    """Two epochs on the processor, without files or output."""
    return Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
