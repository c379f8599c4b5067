"""WISDM: a phone in the trouser pocket (Kwapisz et al., SensorKDD 2010), and a phone or a watch (Weiss et al., 2019).

Open it when lines or timestamps of these two data sets are read wrongly.
"""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from qsense.data.errors import DataError
from qsense.data.series.csv_recordings import CSVRecordings
from qsense.data.series.dataset import Recording
from qsense.data.series.stamps import LONGEST_S, on_grid

log = logging.getLogger(__name__)

MOST_BROKEN = 0.01  # share of lines; the published files have a few in a million
_NS = 1e-9


class Samples(NamedTuple):
    """The lines of a file that hold a sample.

    Args:
        line: number of each line, from 1 on; int64 [samples].
        subject: as in the file; int64 [samples].
        label: as in the file.
        time: seconds; float64 [samples].
        x: float64 [samples, 3].
    """

    line: npt.NDArray[np.int64]
    subject: npt.NDArray[np.int64]
    label: pd.Categorical
    time: npt.NDArray[np.float64]
    x: npt.NDArray[np.float64]


class WISDM(CSVRecordings):
    """36 subjects, 6 activities without NULL, 3 axes in m/s² at 20 Hz: version 1.1, of 2012.

    Read as it is unpacked: `WISDM_ar_v1.1_raw.txt`, one file for all. A line is user, activity, time in ns, x, y, z and
    a semicolon; a few lines lack fields, have a comma too many, or hold two samples. `root` is the folder
    WISDM_ar_v1.1 or the one above. What is no sample is left out, and so are lines without a time (0) and those that
    repeat the time of the line before. A recording ends where the user changes, and where the time goes back or leaps
    by more than a second.

    Timestamps are irregular. The literature takes lines as samples at 20 Hz all the same, and so do we unless
    `resample` is set. It takes windows of up to 10 s (`data.window=200`), and often divides by windows, which shows the
    network all subjects.

    The full scale is that of the file's description: values between −20 and 20, where 10 is 1 g.

    Args:
        root: see `CSVRecordings`, as for the others.
        range: see `CSVRecordings`; None: ±20 m/s².
        resample: interpolate linearly at 20 Hz by the timestamps.

    Raises:
        ValueError: see `CSVRecordings`.
    """

    name = "WISDM"
    classes: tuple[str, ...] = ("walking", "jogging", "upstairs", "downstairs", "sitting", "standing")
    codes = MappingProxyType({name.capitalize(): name for name in classes})
    axes = ("x", "y", "z")
    rate_hz = 20.0
    unit = "m/s²"
    range: tuple[float, float] | None = (-20.0, 20.0)
    num_subjects = 36
    first_subject = 1
    files = "WISDM_ar_v1.1_raw.txt"
    homepage = "https://www.cis.fordham.edu/wisdm/dataset.php"

    def __init__(self, root: str, range: Sequence[float] | None = None, resample: bool = False) -> None:
        super().__init__(root, range)
        self.resample = resample

    def recordings(self) -> list[Recording]:
        """See the base class. In the order of the files' lines."""
        self._fetch()
        found = [recording for owner, path in self._tables() for recording in self._read(owner, path)]
        absent = set(np.arange(self.num_subjects)) - {recording.subject for recording in found}
        if absent:
            raise DataError(
                f"{self.root}: no sample of subject {min(absent) + self.first_subject}; {self.name} has "
                f"{self.first_subject} … {self.first_subject + self.num_subjects - 1}"
            )
        return found

    def _read(self, owner: str, path: Path) -> list[Recording]:
        samples = read_samples(path)
        subject = samples.subject - self.first_subject
        right = (subject >= 0) & (subject < self.num_subjects)
        if owner.isdigit():
            right &= samples.subject == int(owner)
        if (wrong := np.flatnonzero(~right)).size:
            expected = (
                owner if owner.isdigit() else f"{self.first_subject} … {self.first_subject + self.num_subjects - 1}"
            )
            raise DataError(
                f"{path}, line {samples.line[wrong[0]]}: the subject is {samples.subject[wrong[0]]}, not {expected}"
            )
        classes = [self.codes.get(str(word).strip()) for word in samples.label.categories]
        if None in classes:
            place = np.flatnonzero(samples.label.codes == classes.index(None))[0]
            raise DataError(
                f"{path}, line {samples.line[place]}: unknown label {samples.label[place]!r}; {self.name} has "
                f"{', '.join(f'{code} ({name})' for code, name in self.codes.items())}"
            )
        y = np.array([self.classes.index(str(name)) for name in classes], dtype=np.int64)[samples.label.codes]
        step = np.diff(samples.time)
        cut = (step < 0) | (step > LONGEST_S) | (np.diff(subject) != 0)
        found = []
        for rows in np.split(np.arange(len(subject)), np.flatnonzero(cut) + 1):
            x, labels = samples.x[rows], y[rows]
            if self.resample:
                x, labels = on_grid(samples.time[rows], x, labels, self.rate_hz)
            name = f"{path.name}, from line {samples.line[rows[0]]}"
            found.append(Recording(int(subject[rows[0]]), name, x.astype(np.float32), labels))
        return found


class WISDM2019(WISDM):
    """51 subjects, 18 activities without NULL, 3 axes in m/s² at 20 Hz: phone in the pocket, or watch; of 2019.

    Read as it is unpacked: `raw/<device>/accel/data_<1600…1650>_accel_<device>.txt`, lines as in `WISDM`. `root` is the
    folder wisdm-dataset or the one above. Recordings end as there. That the samples are in m/s² and the timestamps in
    ns, on all devices, is assumed; the full scale is not published with the data.

    Args:
        root: see `CSVRecordings`, as for the others.
        range: see `CSVRecordings`.
        download: see `CSVRecordings`.
        sha256: see `CSVRecordings`.
        device: phone or watch.
        resample: interpolate linearly at 20 Hz by the timestamps.

    Raises:
        ValueError: an unknown device; see also `CSVRecordings`.
    """

    name = "WISDM-2019"
    classes = (
        "walking",
        "jogging",
        "stairs",
        "sitting",
        "standing",
        "typing",
        "brushing teeth",
        "eating soup",
        "eating chips",
        "eating pasta",
        "drinking",
        "eating a sandwich",
        "kicking",
        "playing catch",
        "dribbling",
        "writing",
        "clapping",
        "folding clothes",
    )
    codes = MappingProxyType(dict(zip("ABCDEFGHIJKLMOPQRS", classes, strict=True)))  # there is no N
    range = None
    num_subjects = 51
    first_subject = 1600
    url = (
        "https://archive.ics.uci.edu/static/public/507/"
        "wisdm+smartphone+and+smartwatch+activity+and+biometrics+dataset.zip"
    )
    homepage = "https://doi.org/10.24432/C5HK59"

    def __init__(
        self,
        root: str,
        range: Sequence[float] | None = None,
        download: bool = False,
        sha256: str | None = None,
        device: Literal["phone", "watch"] = "phone",
        resample: bool = False,
    ) -> None:
        super(WISDM, self).__init__(root, range, download, sha256)
        if device not in ("phone", "watch"):
            raise ValueError(f"device={device!r} is not phone or watch")
        self.files = f"raw/{device}/accel/data_{{subject}}_accel_{device}.txt"
        self.resample = resample


def read_samples(path: Path) -> Samples:
    """The samples of a file; lines that hold none are left out, and those without a time or with that of the last one.

    Raises:
        DataError: too many lines hold no sample.
    """
    entries, numbers, broken = [], [], 0
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        for entry in line.split(b";"):
            sample = entry.strip().rstrip(b",")
            if sample.count(b",") == 5:
                entries.append(sample)
                numbers.append(number)
            elif sample:
                broken += 1
    columns = ["subject", "label", "time", "x", "y", "z"]
    frame = pd.read_csv(
        io.BytesIO(b"\n".join(entries)),
        header=None,
        names=columns,
        dtype={"label": "category"},
        quoting=csv.QUOTE_NONE,
        keep_default_na=False,
        low_memory=False,
        encoding="latin-1",  # reads any byte: a damaged label is unknown, and named
    )
    values = frame[["subject", *columns[2:]]].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    whole = np.isfinite(values).all(axis=1) & (values[:, 0] % 1 == 0)
    broken += int((~whole).sum())
    if broken > max(10, MOST_BROKEN * len(entries)) or not whole.any():
        raise DataError(
            f"{path}: {broken} lines are not user,activity,time,x,y,z; and {int(whole.sum())} are: it is damaged, or "
            f"another file than is expected here"
        )
    subject, time = values[:, 0], values[:, 1]
    again = np.concatenate(([False], (np.diff(time) == 0) & (np.diff(subject) == 0)))
    used = whole & (time > 0) & ~again
    if broken or not used.all():
        log.warning(
            "%s: left out are %d broken lines, %d without a time, and %d with the time of the line before.",
            path.name,
            broken,
            int((whole & (time <= 0)).sum()),
            int((whole & (time > 0) & again).sum()),
        )
    label = frame["label"].array
    assert isinstance(label, pd.Categorical)
    return Samples(
        np.array(numbers, dtype=np.int64)[used],
        subject[used].astype(np.int64),
        label[used].remove_unused_categories(),
        time[used] * _NS,
        values[used, 2:],
    )
