"""Read activity data sets in the common CSV layout: one file per subject, labels as text, checked down to the row.

Open it to add a published data set in this layout: subclass `CSVRecordings` and state its facts.
"""

from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt
import pandas as pd
from filelock import FileLock

from qsense.data.cache import digest, file_digest
from qsense.data.download import download, extract, verify
from qsense.data.errors import DataError, DataMissingError
from qsense.data.series.dataset import ActivityDataset, Recording
from qsense.data.series.gaps import fill_gaps

log = logging.getLogger(__name__)

# The share in which γ-Quant's data sets were published together in this layout; it packs a folder when asked.
SHARE = "https://uni-siegen.sciebo.de/s/BNuj9LWBaMs5tZs"
FOLDER_IN_SHARE = f"{SHARE}/download?path=%2F&files="

NULL = "NULL"
TIMESTAMP = "timestamp"
LABEL = "label"


class CSVRecordings(ActivityDataset):
    """A data set in the layout in which γ-Quant's five data sets were published together.

    `<root>/raw/inertial/sbj_<i>.csv`: a header; the subject's number i first, then the axes, then `label` as text,
    NULL as `null` or empty. Optional: a `timestamp` column anywhere between, and `<root>/annotations/loso_sbj_<i>.json`
    with `label_dict` (without NULL) and each subject's `duration` in seconds; both serve as checks. Files of further
    subjects are left alone.

    A published data set is a subclass that states its facts as class attributes: those of `ActivityDataset` and those
    below. It inherits the constructor.

    Args:
        root: folder of the data set.
        range: full scale of the sensor, [low, high] in `unit`; None takes the published one, if any.
        download: fetch the archive if the data is missing.
        sha256: checksum the archive must have to be unpacked (hex); it says nothing about what is unpacked already.
            None accepts any and logs the one seen.

    Attributes:
        named_axes: whether the files' columns have the names `axes`; else the columns are checked by their number.
        url: address of a zip archive of the layout, or None.
        homepage: page from which a person can fetch the data, or None.

    Raises:
        ValueError: `range` is not [low, high] with low below high.
    """

    range: tuple[float, float] | None = None
    named_axes: bool = True
    url: str | None = None
    homepage: str | None = None

    def __init__(
        self, root: str, range: Sequence[float] | None = None, download: bool = False, sha256: str | None = None
    ) -> None:
        if range is not None:
            if len(range) != 2 or not range[0] < range[1]:
                raise ValueError(f"range={list(range)} must be [low,high] with low below high")
            self.range = (float(range[0]), float(range[1]))
        self.root = Path(root).expanduser()
        self.download = download
        self.sha256 = sha256

    def check(self) -> None:
        """See the base class."""
        missing = [path for path in self._files() if not path.is_file()]
        if not missing:
            return
        if self.download and self.url:
            if self._archive().is_file():
                verify(self._archive(), self.sha256)
            return
        if len(missing) < self.num_subjects:
            self._missing(f"{missing[0]} is missing ({len(missing)} of {self.num_subjects} subjects' files are)")
        self._missing(f"there is no {missing[0].relative_to(self.root)}")

    def sources(self) -> tuple[Path, ...]:
        """The subjects' files and the annotations, fetched first if that was asked for."""
        self._fetch()
        return (*self._files(), *sorted((self.root / "annotations").glob("loso_sbj_*.json"))[:1])

    def fingerprint(self) -> str:
        """See the base class."""
        files = [(path.name, file_digest(path)) for path in self.sources()]
        return digest(self.name, self.classes, self.axes, self.rate_hz, self.num_subjects, files)

    def recordings(self) -> list[Recording]:
        """See the base class."""
        self._fetch()
        durations = self._annotated_durations()
        header: tuple[str, ...] | None = None
        recordings = []
        for subject, path in enumerate(self._files()):
            recording, columns = self._read(subject, path, durations.get(subject))
            if header not in (None, columns):
                raise DataError(
                    f"{path}: the axes are {', '.join(columns)}, but those of the files before it are "
                    f"{', '.join(header or ())}"
                )
            header = columns
            recordings.append(recording)
        return recordings

    def _files(self) -> list[Path]:
        return [self.root / "raw" / "inertial" / f"sbj_{subject}.csv" for subject in range(self.num_subjects)]

    def _archive(self) -> Path:
        """Where the layout's archive is fetched to; it is kept after unpacking."""
        return self.root.parent / f"{self.root.name}.zip"

    def _missing(self, what: str) -> NoReturn:
        get = [f"data.dataset.download=true (from {self.url})"] if self.url else []
        get += [f"by hand from {self.homepage}"] if self.homepage else []
        raise DataMissingError(
            f"{self.name} is not in {self.root.absolute()}: {what}.\n"
            + (f"To get it: {', or '.join(get)}.\n" if get else "")
            + "To point at it: data.dataset.root=FOLDER, or QSENSE_DATA=FOLDER that holds all data sets."
        )

    def _fetch(self) -> None:
        if self.download and self.url and any(not path.is_file() for path in self._files()):
            self.root.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{self.root}.lock"):  # of two processes, the second finds everything there
                if any(not path.is_file() for path in self._files()):
                    download(self.url, self._archive(), self.sha256)
                    extract(self._archive(), self.root, inside="raw/inertial")
        for path in self._files():
            if not path.is_file():
                self._missing(f"{path} is missing")

    def _annotated_durations(self) -> dict[int, float]:
        """Seconds of each subject as the annotations state them; their class names are compared on the way."""
        files = sorted((self.root / "annotations").glob("loso_sbj_*.json"))
        if not files:
            return {}
        try:
            content = json.loads(files[0].read_text())
            names = set(content["label_dict"])
            durations = {
                int(name.rsplit("_", 1)[1]): float(facts["duration"]) for name, facts in content["database"].items()
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise DataError(f"{files[0]} is not a complete annotation file ({error!r}): fetch it again") from error
        expected = set(self.classes) - {NULL}
        if names != expected:
            raise DataError(
                f"{files[0]}: label_dict differs from the classes of {self.name}: "
                f"only in the file: {', '.join(sorted(names - expected)) or 'none'}; "
                f"missing in it: {', '.join(sorted(expected - names)) or 'none'}"
            )
        return durations

    def _read(self, subject: int, path: Path, duration: float | None) -> tuple[Recording, tuple[str, ...]]:
        raw = path.read_bytes()
        if raw.endswith(b"\n"):
            raw = raw.rstrip() + b"\n"  # empty lines at the end mean nothing
        columns = self._columns(path, raw)
        _check_shape(path, raw, len(columns))
        try:
            frame = pd.read_csv(
                io.BytesIO(raw), index_col=False, low_memory=False, skipinitialspace=True, dtype={LABEL: "str"}
            )
        except ValueError as error:  # not text, or quotes that never end
            raise DataError(f"{path} cannot be read as CSV ({error})") from error
        frame.columns = pd.Index(columns)
        axes = tuple(name for name in columns[1:-1] if name != TIMESTAMP)
        identity = _numeric(path, frame, columns[0])
        if (wrong := np.flatnonzero(identity != subject)).size:
            raise DataError(
                f"{path}, row {wrong[0] + 2}: {columns[0]} is {identity[wrong[0]]:g} in the file of subject {subject}"
            )
        if TIMESTAMP in columns:
            _check_timestamps(path, frame[TIMESTAMP], self.rate_hz)
        if duration is not None and duration > 0 and not 0.95 < len(frame) / duration / self.rate_hz < 1.05:
            raise DataError(
                f"{path}: {len(frame)} samples at {self.rate_hz:g} Hz last {len(frame) / self.rate_hz:.1f} s, but the "
                f"annotations say {duration:.1f} s: it is incomplete, or its rate is {len(frame) / duration:.1f} Hz"
            )
        x = np.stack([_numeric(path, frame, axis) for axis in axes], axis=1)
        y = self._labels(path, raw, frame[LABEL])
        filled = fill_gaps(x, axes, self.rate_hz, f"subject {subject}, {path}", first_row=2)
        return Recording(subject, path.name, x.astype(np.float32), y, filled), axes

    def _columns(self, path: Path, raw: bytes) -> tuple[str, ...]:
        """The header, checked: subject's number, axes, label."""
        try:
            first = raw[: raw.find(b"\n")].decode("utf-8-sig").strip()
        except UnicodeDecodeError as error:
            raise DataError(f"{path}, row 1: the header is not text ({error})") from error
        columns = tuple(name.strip().strip('"') for name in first.split(","))
        if columns[-1] != LABEL:
            raise DataError(f"{path}, row 1: the last column must be {LABEL}; the header is {first!r}")
        axes = [name for name in columns[1:-1] if name != TIMESTAMP]
        if self.named_axes:
            absent = [name for name in self.axes if name not in axes]
            if absent:
                raise DataError(f"{path}, row 1: column {', '.join(absent)} is missing; the header is {first!r}")
        if len(axes) != len(self.axes) or (self.named_axes and tuple(axes) != self.axes):
            raise DataError(
                f"{path}, row 1: expected the subject's number, the axes {', '.join(self.axes)} and {LABEL}; "
                f"the header is {first!r}"
            )
        return columns

    def _labels(self, path: Path, raw: bytes, column: pd.Series) -> npt.NDArray[np.int64]:
        """Class index of every row."""
        text = column.str.strip()
        null = column.isna() | text.str.lower().isin(("null", "nan", ""))
        if not raw.endswith(b"\n") and (null.iloc[-1] or text.iloc[-1] not in self.classes):
            raise DataError(f"{path}, row {len(column) + 1}: the file breaks off in its last row; fetch it again")
        index = text.mask(null, NULL).map({name: number for number, name in enumerate(self.classes)})
        if (unknown := np.flatnonzero(index.isna())).size:
            row = unknown[0]
            what = "no label" if null.iloc[row] else f"unknown label {text.iloc[row]!r}"
            raise DataError(f"{path}, row {row + 2}: {what}; {self.name} has {', '.join(self.classes)}")
        return np.asarray(index, dtype=np.int64)


def _check_shape(path: Path, raw: bytes, columns: int) -> None:
    """Every row must have as many fields as the header; pandas would silently fill short ones up."""
    rows = raw.count(b"\n") + (not raw.endswith(b"\n"))
    if rows < 2:
        raise DataError(f"{path} holds no samples")
    if raw.count(b",") == (columns - 1) * rows:
        return
    for number, row in enumerate(csv.reader(io.StringIO(raw.decode("utf-8-sig", errors="replace"))), start=1):
        if len(row) != columns:
            cut = number == rows and not raw.endswith(b"\n")
            why = "the file breaks off there; fetch it again" if cut else "every row needs as many as the header"
            raise DataError(f"{path}, row {number}: {len(row)} of {columns} fields: {why}")


def _numeric(path: Path, frame: pd.DataFrame, name: str) -> npt.NDArray[np.float64]:
    """A column as numbers, NaN where it is empty."""
    column = frame[name]
    if column.dtype.kind in "fiu":
        return column.to_numpy(dtype=np.float64)
    numbers = pd.to_numeric(column.astype("str"), errors="coerce")
    wrong = np.flatnonzero(numbers.isna() & column.notna())
    if wrong.size:
        raise DataError(f"{path}, row {wrong[0] + 2}: {name} is {column.iloc[wrong[0]]!r}, not a number")
    return numbers.to_numpy(dtype=np.float64)


def _check_timestamps(path: Path, column: pd.Series, rate_hz: float) -> None:
    """Timestamps (seconds, milli-, micro- or nanoseconds, or dates) must rise at the stated rate without long holes."""
    if column.dtype.kind in "fiu":
        time = column.to_numpy(dtype=np.float64)
        units: tuple[float, ...] = (1.0, 1e-3, 1e-6, 1e-9)
    else:
        parsed = pd.to_datetime(column, errors="coerce", format="ISO8601")
        if (wrong := np.flatnonzero(parsed.isna())).size:
            value = column.iloc[wrong[0]]
            raise DataError(f"{path}, row {wrong[0] + 2}: {TIMESTAMP} {value!r} is neither a number nor a date")
        time = (parsed - parsed.iloc[0]).dt.total_seconds().to_numpy()
        units = (1.0,)
    step = np.diff(time)
    if (wrong := np.flatnonzero(~(step >= 0))).size:
        raise DataError(f"{path}, row {wrong[0] + 3}: {TIMESTAMP} goes back or is missing")
    if not step.size:
        return
    typical = float(np.median(step))
    # The unit is not stated: the one that comes closest to the rate is meant.
    unit = min(units, key=lambda unit: abs(np.log(max(typical, 1e-12) * unit * rate_hz)))
    rate = 1 / (typical * unit) if typical > 0 else np.inf
    if not 0.95 < rate / rate_hz < 1.05:
        raise DataError(f"{path}: the timestamps say {rate:.4g} Hz, but data.dataset.rate_hz is {rate_hz:g}")
    if (wrong := np.flatnonzero(step * unit > 1.0)).size:
        raise DataError(
            f"{path}, row {wrong[0] + 3}: {step[wrong[0]] * unit:.2f} s are missing before it; "
            f"holes of more than 1 s must be cut out of the data"
        )
