"""UCI HAR: six activities, a phone at the waist, published as overlapping windows (Anguita et al., ESANN 2013).

Open it when windows are joined wrongly into recordings.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Unpack

import numpy as np
import numpy.typing as npt
import pandas as pd

from qsense.data.errors import DataError
from qsense.data.series.csv_recordings import CSVRecordings, Source
from qsense.data.series.dataset import Recording

log = logging.getLogger(__name__)

WINDOW = 128
STEP = WINDOW // 2


class UCIHAR(CSVRecordings):
    """30 subjects, 6 activities without NULL, 3 axes in g at 50 Hz.

    Read as it is unpacked: `<train, test>/Inertial Signals/total_acc_<x, y, z>_<train, test>.txt`, a window of 128
    samples in every row, with `subject_<train, test>.txt` and `y_<train, test>.txt`. `root` is the folder
    `UCI HAR Dataset`, one within it, or the one above. The total acceleration is read, gravity included.

    Windows overlap by half. Those of a subject that continue the one before, sample by sample, are joined into one
    recording; where one does not, another recording begins. So no window spans two, every sample counts once, and
    windows of 128 samples with a stride of 64 are those that were published, with their labels: a window's label holds
    for what is new in it. That successive windows hold the same numbers where they overlap is assumed.

    The literature trains on 21 subjects and tests on the other 9: `split=official`, one fold. Else each subject is
    held out in turn, as in the other data sets.

    The phone is SBHAR's, whose samples end at ±2 g. These were filtered against noise before they were published: they
    are no raw output of a converter, and may exceed that a little.

    Args:
        root: see `CSVRecordings`, as for the others.
        range: see `CSVRecordings`; None: ±2 g.
        download: see `CSVRecordings`.
        sha256: see `CSVRecordings`.
        split: subjects: each is held out in turn; official: fold 0 holds out the nine of the folder test.

    Raises:
        ValueError: an unknown split; see also `CSVRecordings`.
    """

    name = "UCI-HAR"
    classes = ("walking", "walking upstairs", "walking downstairs", "sitting", "standing", "laying")
    axes = ("x", "y", "z")
    rate_hz = 50.0
    unit = "g"
    range = (-2.0, 2.0)
    num_subjects = 30
    files = "train/Inertial Signals/total_acc_x_train.txt"
    url = "https://archive.ics.uci.edu/static/public/240/human+activity+recognition+using+smartphones.zip"
    homepage = "https://doi.org/10.24432/C54S4K"

    def __init__(
        self,
        root: str,
        split: Literal["subjects", "official"] = "subjects",
        **settings: Unpack[Source],
    ) -> None:
        super().__init__(root, **settings)
        if split not in ("subjects", "official"):
            raise ValueError(f"split={split!r} is not subjects or official")
        self.split = split

    @property
    def num_folds(self) -> int:
        """One per subject, or the official one."""
        return 1 if self.split == "official" else self.num_subjects

    @property
    def settings(self) -> dict[str, Any]:
        """See the base class; and who is held out."""
        return super().settings | ({"split": self.split} if self.split == "official" else {})

    def check(self) -> None:
        """See the base class."""
        super().check()
        if missing := [path for path in self._paths() if not path.is_file()]:
            self._missing(f"there is no {missing[0]}")

    def sources(self) -> tuple[Path, ...]:
        """The files of both parts."""
        self._fetch()
        return tuple(self._paths())

    def recordings(self) -> list[Recording]:
        """See the base class. In the order of the files' rows, those of train first."""
        self._fetch()
        self.check()
        paths = self._paths()
        train, test = self._part(paths[: len(paths) // 2]), self._part(paths[len(paths) // 2 :])
        absent = set(range(self.num_subjects)) - {recording.subject for recording in [*train, *test]}
        if absent:
            raise DataError(f"{self.root}: no window of subject {min(absent) + 1}; there are 1 … {self.num_subjects}")
        if self.split == "official":  # fold 0 holds out whom the recordings call 0
            train = [replace(recording, subject=1) for recording in train]
            test = [replace(recording, subject=0) for recording in test]
        return [*train, *test]

    def _paths(self) -> list[Path]:
        """Of train, then of test: samples of each axis, subjects, labels."""
        tables = self._tables()
        if not tables:
            return []
        folder = tables[0][1].parents[2]
        return [
            folder / part / name
            for part in ("train", "test")
            for name in (
                *(f"Inertial Signals/total_acc_{axis}_{part}.txt" for axis in self.axes),
                f"subject_{part}.txt",
                f"y_{part}.txt",
            )
        ]

    def _part(self, paths: Sequence[Path]) -> list[Recording]:
        *signals, subjects, labels = paths
        subject = _rows(subjects, 1)[:, 0]
        label = _rows(labels, 1)[:, 0]
        axes = [_rows(path, WINDOW) for path in signals]
        for path, rows in zip(paths, [*axes, subject, label], strict=True):
            if len(rows) != len(axes[0]):
                raise DataError(f"{path} has {len(rows)} rows, but {signals[0]} has {len(axes[0])}: fetch them again")
        for path, rows, most in ((subjects, subject, self.num_subjects), (labels, label, len(self.classes))):
            if (wrong := np.flatnonzero(~np.isin(rows, np.arange(1, most + 1)))).size:
                raise DataError(f"{path}, row {wrong[0] + 1}: {rows[wrong[0]]:g} is not one of 1 … {most}")
        x = np.stack(axes, axis=2)
        continues: npt.NDArray[np.bool_] = (x[1:, :STEP] == x[:-1, STEP:]).all(axis=(1, 2)) & (np.diff(subject) == 0)
        if not continues.any():
            log.warning("%s: no window continues the one before: each is a recording of its own.", signals[0])
        y = np.repeat(label.astype(np.int64) - 1, STEP).reshape(-1, STEP)
        found = []
        for windows in np.split(np.arange(len(x)), np.flatnonzero(~continues) + 1):
            first = windows[0]
            samples = np.concatenate([x[first, :STEP], x[windows, STEP:].reshape(-1, len(self.axes))])
            name = f"{signals[0].parents[1].name}, windows {first + 1} to {windows[-1] + 1}"
            known = np.concatenate([y[first], y[windows].ravel()])
            found.append(Recording(int(subject[first]) - 1, name, samples.astype(np.float32), known))
        return found


def _rows(path: Path, columns: int) -> npt.NDArray[np.float64]:
    """Rows of numbers, separated by blanks; float64 [rows, columns].

    Raises:
        DataError: a row has more or fewer, or something else; it is named where it can be.
    """
    try:
        frame = pd.read_csv(path, sep=r"\s+", header=None, dtype=np.float64)
    except (ValueError, pd.errors.ParserError) as error:
        raise DataError(f"{path} does not hold {columns} numbers in every row ({str(error).strip()[:200]})") from error
    values = frame.to_numpy()
    if values.shape[1] != columns:
        raise DataError(f"{path}, row 1: {values.shape[1]} numbers instead of {columns}; fetch the file again")
    if (wrong := np.flatnonzero(~np.isfinite(values).all(axis=1))).size:
        raise DataError(f"{path}, row {wrong[0] + 1}: it does not hold {columns} numbers; fetch the file again")
    return values
