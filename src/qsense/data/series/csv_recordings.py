"""Read activity data sets from tables of text: the common CSV layout, or files and columns that a subclass names.

Open it to add a published data set whose files are tables: subclass `CSVRecordings` and state its facts.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, NoReturn, TypedDict

from filelock import FileLock

from qsense.data.cache import digest, file_digest
from qsense.data.download import download, extract, verify
from qsense.data.errors import DataError, DataMissingError
from qsense.data.series.dataset import ActivityDataset, Recording
from qsense.data.series.stamps import has_losses, seconds
from qsense.data.series.tables.annotations import annotated_durations
from qsense.data.series.tables.columns import Columns, Wanted, choose
from qsense.data.series.tables.files import (
    INERTIAL,
    LABEL,
    SUBJECT,
    common_files,
    label_in,
    matching_files,
    natural,
    nearby,
)
from qsense.data.series.tables.format import TableFormat
from qsense.data.series.tables.recordings import TableReader, subject_id
from qsense.data.series.tables.table import Table, open_table
from qsense.data.series.units import contradicting_units

log = logging.getLogger(__name__)

MOST_IRREGULAR = 0.1  # share of steps, without a word

# The share in which γ-Quant's data sets were published together in this layout; it packs a folder when asked.
SHARE = "https://uni-siegen.sciebo.de/s/BNuj9LWBaMs5tZs"
FOLDER_IN_SHARE = f"{SHARE}/download?path=%2F&files="


class Source(TypedDict, total=False):
    """What every published data set is told of where its files come from; `CSVRecordings` says what it means."""

    range: Sequence[float] | None
    download: bool
    sha256: str | None


class CSVRecordings(ActivityDataset):
    """A data set whose files are tables, in the layout in which γ-Quant's five data sets were published or another one.

    The common layout is `<root>/raw/inertial/sbj_<i>.csv`: a header; the subject's number i first, then the axes, then
    `label` as text, NULL as `null` or empty. Optional: a `timestamp` column, and
    `<root>/annotations/loso_sbj_<i>.json` with `label_dict` (without NULL) and each subject's `duration` in seconds;
    both serve as checks. Files of further subjects are left alone, and so are further columns where the axes are named.

    Delimiter, decimal sign, encoding, line ends and header are seen from each file (`tables`). Short gaps are filled
    linearly, longer ones end a recording (`gaps`, `stamps`).

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
        elsewhere: what else a user can do where files are not found.
        files: files' names as a pattern relative to `root`, as in "Protocol/subject{subject}.dat" or "*.csv"; None: the
            common layout. Whose a file is says its {subject}, else its column of subjects, else its name; where
            it holds {label}, that is the class of all of a file's samples.
        form: how the tables are written.
        wanted: which column is what, by name or number; None: columns of the common names, and of the axes' own.
        codes: class names by what stands for them in the files.
        resample: interpolate samples at irregular timestamps at `rate_hz`.
        time_format: unit or format of timestamps, see `stamps.seconds`.
        missing: numbers that stand for missing samples, as -999.

    Raises:
        ValueError: `range` is not [low, high] with low below high.
    """

    range: tuple[float, float] | None = None
    named_axes: bool = True
    elsewhere: ClassVar[str] = ""
    url: str | None = None
    homepage: str | None = None
    files: str | None = None
    form: TableFormat = TableFormat()
    wanted: Wanted | None = None
    codes: Mapping[str, str] = MappingProxyType({})
    resample: bool = False
    time_format: str | None = None
    missing: Sequence[float] = ()

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

    @property
    def settings(self) -> dict[str, Any]:
        """What decides how the files are read, where that is not the usual way."""
        facts = {
            "files": self.files,
            "form": None if self.form == TableFormat() else vars(self.form),
            "wanted": self._named_columns(),
            "codes": dict(self.codes) or None,
            "resample": self.resample or None,
            "time_format": self.time_format,
            "missing": list(self.missing) or None,
        }
        return {name: value for name, value in facts.items() if value is not None}

    def check(self) -> None:
        """See the base class."""
        if self.files is not None:
            if self._found():
                if SUBJECT in self.files:  # their names tell how many there are
                    self.subject_names()
            elif not (self.download and self.url):
                self._missing(f"no file is named {self.files}; {nearby(self.root, Path(self.files).suffix)}")
            return
        tables = common_files(self.root, self.rate_hz)
        missing = [number for number in range(self.num_subjects) if number not in tables]
        if tables and not missing:
            return
        if self.download and self.url:
            if self._archive().is_file():
                verify(self._archive(), self.sha256)
            return
        path = INERTIAL / f"sbj_{missing[0] if missing else 0}.csv"
        if tables:
            folder = next(iter(tables.values())).parent
            self._missing(
                f"{folder / path.name} is missing ({len(missing)} of {self.num_subjects} subjects' files are)"
            )
        self._missing(f"there is no {path}; {nearby(self.root, '.csv')}")

    def sources(self) -> tuple[Path, ...]:
        """The subjects' files and the annotations, fetched first if that was asked for."""
        self._fetch()
        return (*(path for _, path in self._tables()), *self._annotations())

    def fingerprint(self) -> str:
        """See the base class."""
        files = [(path.name, file_digest(path)) for path in self.sources()]
        facts = [self.name, self.classes, self.axes, self.rate_hz, self.num_subjects, files]
        if self.settings:
            facts.append(self.settings)
        if SUBJECT in str(self.files) and SUBJECT not in Path(str(self.files)).name:  # it is a folder's name
            facts.append({"owners": [owner for owner, _ in self._tables()]})
        if LABEL in str(self.files):
            facts.append({"labels": [label_in(path, str(self.files)) for _, path in self._tables()]})
        # Earlier versions did not fill in what the timestamps lack: the arrays that they prepared must not be found.
        filled = [] if self.settings else [path.name for _, path in self._tables() if self._has_losses(path)]
        return digest(*facts, *([{"filled by timestamps": filled}] if filled else []))

    def recordings(self) -> list[Recording]:
        """See the base class."""
        self._fetch()
        durations = annotated_durations(self._annotations(), self.classes, self.name)
        header: tuple[str, ...] | None = None
        recordings: list[Recording] = []
        reader = TableReader(self, self.codes, self.resample, self.time_format, self.missing)
        subjects = {name: number for number, name in enumerate(self.subject_names())}
        for owner, path in self._tables():
            table, columns = self._open(path)
            names = tuple(table.names[axis] for axis in columns.axes) if table.names else ()
            if header not in (None, names):
                raise DataError(
                    f"{path}: the axes are {', '.join(names)}, but those of the files before it are "
                    f"{', '.join(header or ())}"
                )
            header = names
            label = label_in(path, self.files) if self.files is not None and LABEL in self.files else None
            found = reader.read(table, columns, owner, subjects, alone=self.files is None, label=label)
            if owner in durations:
                self._check_duration(path, found, durations[owner])
            recordings += found
        reader.refuse_shifted_numbers()
        if units := contradicting_units(reader.units_seen, self.unit):
            log.warning(
                "%s: the heads of its tables say %s, but its unit is %s: set the right one (data.dataset.unit of "
                "data=csv_har).",
                *(self.name, " and ".join(units), self.unit),
            )
        if reader.irregular > MOST_IRREGULAR:
            log.warning(
                "%s: timestamps are irregular, up to %.0f %% of a recording's steps are off by more than half a "
                "sample; samples are taken as if they were steady. data.dataset.resample=true interpolates them at "
                "%g Hz.",
                *(self.name, 100 * reader.irregular, self.rate_hz),
            )
        return recordings

    def subject_names(self) -> list[str]:
        """The subjects in their order, by their numbers or by what stands in the files or their names.

        Raises:
            DataError: there are fewer than stated.
        """
        if self.files is None:
            return [str(number) for number in range(self.num_subjects)]
        found = self._all_subjects()
        if len(found) < self.num_subjects:
            raise DataError(
                f"{self.root}: {self.name} has {self.num_subjects} subjects, but the files {self.files} show "
                f"{len(found)}: {', '.join(found[:20])}"
            )
        return found[: self.num_subjects]

    def _all_subjects(self) -> list[str]:
        """All subjects that the files or their names show."""
        if self.files is None:
            return [str(number) for number in common_files(self.root, self.rate_hz)]
        names: set[str] = set()
        for owner, path in self._found():
            shown = None
            if SUBJECT not in str(self.files):
                facts = path.stat()
                shown = _subjects_in(path, facts.st_size, facts.st_mtime_ns, self.form, self.columns_wanted())
            names |= {owner} if shown is None else shown
        return sorted(names, key=lambda name: (natural(name), name))  # 07 and 7 are two

    def columns_wanted(self) -> Wanted:
        """Which column of a table is what, as far as it is known before the table is opened."""
        axes = self.axes if self.named_axes else len(self.axes)
        return self.wanted or Wanted(axes, by_place=self.files is None)

    def _named_columns(self) -> list[Any] | None:
        """Columns that are named, and not seen from the files."""
        wanted = self.columns_wanted()
        columns = [wanted.subject, wanted.time, wanted.label, wanted.session]
        axes = None if wanted.axes in (self.axes, len(self.axes)) else wanted.axes
        return None if axes is None and columns == [None] * 4 else [axes, *columns]

    def _open(self, path: Path) -> tuple[Table, Columns]:
        table = open_table(path, self.form)
        columns = choose(table, self.columns_wanted())
        return table, replace(columns, subject=None) if SUBJECT in str(self.files) else columns

    def _has_losses(self, path: Path) -> bool:
        """Whether timestamps tell of missing samples, which are filled in."""
        table, columns = self._open(path)
        if columns.time is None or self.resample:
            return False
        frame = table.read([], [columns.time])
        time = seconds(frame[columns.time], self.time_format, self.rate_hz, str(path), table.first_row)
        return has_losses(time, self.rate_hz, str(path), table.first_row)

    def _check_duration(self, path: Path, recordings: list[Recording], duration: float) -> None:
        samples = sum(len(recording.x) for recording in recordings)
        missing = sum(recording.lost for recording in recordings)
        lasting = [count / duration / self.rate_hz for count in (samples, samples + missing)] if duration > 0 else [1.0]
        if not any(0.95 < share < 1.05 for share in lasting):
            raise DataError(
                f"{path}: {samples} samples at {self.rate_hz:g} Hz last {samples / self.rate_hz:.1f} s, but the "
                f"annotations say {duration:.1f} s: it is incomplete, or its rate is {samples / duration:.1f} Hz"
            )

    def _tables(self) -> list[tuple[str, Path]]:
        """The files that are read, each with the subject that its name tells."""
        found = self._found()
        if SUBJECT not in str(self.files):
            return found
        subjects = self.subject_names()
        return [(owner, path) for owner, path in found if owner in subjects]

    def _found(self) -> list[tuple[str, Path]]:
        """All files that are there, of the subjects of the common layout or of all."""
        if self.files is not None:
            return matching_files(self.root, self.files)
        files = common_files(self.root, self.rate_hz)
        return [(str(number), files[number]) for number in range(self.num_subjects) if number in files]

    def _complete(self) -> bool:
        found = self._found()
        return bool(found) and (self.files is not None or len(found) == self.num_subjects)

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
            + self.elsewhere
        )

    def _fetch(self) -> None:
        if self.download and self.url and not self._complete():
            self.root.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{self.root}.lock"):  # of two processes, the second finds everything there
                if not self._complete():
                    download(self.url, self._archive(), self.sha256)
                    first, below, _ = (self.files or "").partition("/")
                    folder = first if below and not {"*", "{"} & set(first) else ""
                    extract(self._archive(), self.root, inside=folder if self.files else INERTIAL.as_posix())
        if not self._complete():
            CSVRecordings.check(self)

    def _annotations(self) -> list[Path]:
        return [] if self.files is not None else sorted((self.root / "annotations").glob("loso_sbj_*.json"))[:1]


@lru_cache(maxsize=1024)
def _subjects_in(path: Path, size: int, mtime_ns: int, form: TableFormat, wanted: Wanted) -> set[str] | None:
    """The subjects that a file names, read once as long as it does not change; None without such a column."""
    table = open_table(path, form)
    columns = choose(table, wanted)
    if columns.subject is None:
        return None
    frame = table.read([columns.subject], [])
    return {subject_id(str(word)) for word in frame[columns.subject].unique()}
