"""SBHAR (HAPT): postures, walking and the transitions between them, a phone at the waist (Reyes-Ortiz et al. 2015).

Open it when the original archive of this data set cannot be read.
"""

from __future__ import annotations

import io
import logging
import re
import zipfile
import zlib
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from qsense.data.cache import digest, file_digest
from qsense.data.download import download as fetch
from qsense.data.download import verify
from qsense.data.errors import DataError
from qsense.data.series.csv_recordings import CSVRecordings
from qsense.data.series.dataset import Recording
from qsense.data.series.gaps import fill_gaps
from qsense.data.series.tables.files import folders_in, hidden

log = logging.getLogger(__name__)

_SIGNAL = re.compile(r"(?:.*/)?RawData/acc_exp(\d+)_user(\d+)\.txt")


class Segment(NamedTuple):
    """A row of labels.txt; samples count from 1, both ends belong to it."""

    row: int
    experiment: int
    user: int
    activity: int
    start: int
    end: int


class SBHAR(CSVRecordings):
    """30 subjects, 61 recordings, 12 activities and NULL, 3 axes in g at 50 Hz.

    Read from the original archive, as a zip file or unpacked (`RawData/acc_exp<e>_user<u>.txt` and
    `RawData/labels.txt`), or from the common CSV layout, which joins a subject's recordings into one. `root` is the zip
    file, a folder that holds it, or the unpacked folder; where it holds both layouts, the original counts. `sha256` is
    compared with the zip file, fetched or found.

    The full scale is not published; ±2 g is read off the samples, which end at −2.01 and 2.00 g.
    """

    name = "SBHAR"
    # Order and spelling of the common layout's annotations; index = activity number of the archive.
    classes = (
        "NULL",
        "walking",
        "walking_upstairs",
        "walking_downstairs",
        "sitting",
        "standing",
        "lying",
        "stand-to-sit",
        "sit-to-stand",
        "sit-to-lie",
        "lie-to-sit",
        "stand-to-lie",
        "lie-to-stand",
    )
    axes = ("x", "y", "z")
    named_axes = False  # of the common CSV layout
    rate_hz = 50.0
    unit = "g"
    range = (-2.0, 2.0)
    num_subjects = 30
    url = (
        "https://archive.ics.uci.edu/static/public/341/"
        "smartphone+based+recognition+of+human+activities+and+postural+transitions.zip"
    )
    homepage = "https://doi.org/10.24432/C54G7M"

    def check(self) -> None:
        """See the base class."""
        if not (self._original() or self._tables() or self.download):
            self._missing("it holds neither a zip archive, nor RawData/labels.txt, nor raw/inertial/sbj_0.csv")
        original = self._original()
        if original is not None and original.is_file():
            verify(original, self.sha256)

    def sources(self) -> tuple[Path, ...]:
        """The zip archive, or the unpacked files, or those of the common layout."""
        self._fetch()
        original = self._original()
        if original is None:
            return super().sources()
        if original.is_file():
            return (original,)
        return (*sorted((original / "RawData").glob("acc_exp*_user*.txt")), original / "RawData" / "labels.txt")

    def fingerprint(self) -> str:
        """See the base class."""
        return digest(self.name, [(path.name, file_digest(path)) for path in self.sources()])

    def recordings(self) -> list[Recording]:
        """See the base class. From the archive: one recording per experiment, in the experiments' order."""
        self._fetch()
        original = self._original()
        if original is None:
            return super().recordings()
        if original.is_file():
            log.info("%s has the SHA-256 %s", original, file_digest(original))
        try:
            with zipfile.ZipFile(original) if original.is_file() else nullcontext(original) as source:
                return self._read_archive(source, str(original))
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise DataError(f"{original} is damaged or incomplete ({error}): delete it and fetch it again") from error

    def _original(self) -> Path | None:
        """The archive of the original data: a zip file or the folder that holds RawData."""
        if self.root.is_file():
            return self.root
        for folder in folders_in(self.root, depth=2):  # the archive has a folder of its own, and may be in another one
            if (folder / "RawData" / "labels.txt").is_file():
                return folder
        return min((path for path in self.root.glob("*.zip") if not hidden(Path(path.name))), default=None)

    def _fetch(self) -> None:
        self.check()
        if self._original() or self._complete():
            return
        if self.download:
            target = self.root if self.root.suffix == ".zip" else self.root / "hapt.zip"
            fetch(str(self.url), target, self.sha256)
        else:
            super()._fetch()

    def _read_archive(self, source: zipfile.ZipFile | Path, where: str) -> list[Recording]:
        if isinstance(source, Path):
            names = [path.relative_to(source).as_posix() for path in source.glob("RawData/*.txt")]
        else:
            names = source.namelist()
        signals = {
            (int(match[1]), int(match[2])): name for name in names if (match := _SIGNAL.fullmatch(name)) is not None
        }
        table = next((name for name in names if name.endswith("RawData/labels.txt")), None)
        if table is None:
            raise DataError(f"{where} holds no RawData/labels.txt: it is not the archive of SBHAR")
        segments = self._segments(_bytes(source, table), f"{where}: {table}")
        for segment in segments:
            if (segment.experiment, segment.user) not in signals:
                raise DataError(
                    f"{where}: {table}, row {segment.row} labels experiment {segment.experiment} of user "
                    f"{segment.user}, but acc_exp{segment.experiment:02d}_user{segment.user:02d}.txt is missing"
                )
        recordings = [
            self._recording(
                user,
                f"{where}: {name}",
                _bytes(source, name),
                [segment for segment in segments if segment.experiment == experiment and segment.user == user],
                f"{where}: {table}",
            )
            for (experiment, user), name in sorted(signals.items())
        ]
        absent = set(range(self.num_subjects)) - {recording.subject for recording in recordings}
        if absent:
            raise DataError(f"{where}: no recording of user {min(absent) + 1}; SBHAR has 1 … {self.num_subjects}")
        return recordings

    def _segments(self, raw: bytes, where: str) -> list[Segment]:
        segments = []
        for row, line in enumerate(raw.decode("ascii", errors="replace").splitlines(), start=1):
            if not line.strip():
                continue
            try:
                experiment, user, activity, start, end = (int(field) for field in line.split())
            except ValueError as error:
                raise DataError(
                    f"{where}, row {row}: {line!r} is not experiment, user, activity, start, end"
                ) from error
            if not 1 <= activity < len(self.classes):
                raise DataError(f"{where}, row {row}: unknown label {activity}; there are 1 … {len(self.classes) - 1}")
            if not 1 <= user <= self.num_subjects:
                raise DataError(f"{where}, row {row}: unknown user {user}; there are 1 … {self.num_subjects}")
            if not 1 <= start <= end:
                raise DataError(f"{where}, row {row}: start {start} and end {end} do not delimit any samples")
            segments.append(Segment(row, experiment, user, activity, start, end))
        return segments

    def _recording(self, user: int, where: str, raw: bytes, segments: list[Segment], table: str) -> Recording:
        samples = _samples(raw, where)
        labels = np.zeros(len(samples), dtype=np.int64)  # what nobody labelled is NULL
        for segment in segments:
            if segment.end > len(samples):
                raise DataError(
                    f"{table}, row {segment.row}: the label ends at sample {segment.end}, but {where} holds only "
                    f"{len(samples)}: the file is incomplete or not sampled at {self.rate_hz:g} Hz"
                )
            labels[segment.start - 1 : segment.end] = segment.activity
        filled = fill_gaps(samples, self.axes, self.rate_hz, f"user {user}, {where}")
        return Recording(user - 1, where.rsplit("/", 1)[-1], samples.astype(np.float32), labels, filled)


def _bytes(source: zipfile.ZipFile | Path, name: str) -> bytes:
    return (source / name).read_bytes() if isinstance(source, Path) else source.read(name)


def _samples(raw: bytes, where: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Three columns of numbers, separated by blanks."""
    rows = raw.count(b"\n")
    if not raw.endswith(b"\n"):
        raise DataError(f"{where}, row {rows + 1}: the file breaks off in its last row; fetch it again")
    try:
        frame = pd.read_csv(io.BytesIO(raw), sep=r"\s+", header=None, names=["x", "y", "z"], dtype=np.float64)
        if isinstance(frame.index, pd.RangeIndex) and len(frame) == rows and frame.notna().all(axis=None):
            return frame.to_numpy()
    except ValueError:
        pass
    # Something is wrong or missing: find the row.
    values = np.full((rows, 3), np.nan)
    for row, line in enumerate(raw.decode("ascii", errors="replace").splitlines(), start=1):
        try:
            values[row - 1] = [float(field) for field in line.split()]
        except ValueError as error:
            raise DataError(f"{where}, row {row}: {line!r} is not three numbers") from error
    return values
