"""A table of samples → recordings: subjects and sessions apart, labels as indices, gaps filled or cut out.

Open it when a file's columns are right and what is made of them is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from qsense.data.errors import DataError
from qsense.data.series.dataset import ActivityDataset, Recording
from qsense.data.series.gaps import fill_gaps, pieces, refuse_infinite
from qsense.data.series.stamps import on_grid, seconds, stretches
from qsense.data.series.tables.columns import Columns
from qsense.data.series.tables.format import is_number
from qsense.data.series.tables.labels import NULL, class_indices
from qsense.data.series.tables.table import Table

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Part(NamedTuple):
    """Samples at a steady rate, with NaN where some are missing."""

    x: Floats
    y: Ints
    first_row: int
    lost: int


@dataclass
class TableReader:
    """Reads one data set's tables.

    Args:
        dataset: its classes, axes and rate.
        codes: class names by what stands for them in the files.
        resample: see `CSVRecordings`.
        time_format: see `stamps.seconds`.
        missing: see `CSVRecordings`.
    """

    dataset: ActivityDataset
    codes: Mapping[str, str]
    resample: bool
    time_format: str | None
    missing: Sequence[float] = ()
    irregular: float = 0.0
    numbers_seen: set[str] = field(default_factory=set)
    units_seen: set[str] = field(default_factory=set)

    def read(
        self,
        table: Table,
        columns: Columns,
        owner: str,
        subjects: Mapping[str, int],
        alone: bool,
        label: str | None = None,
    ) -> list[Recording]:
        """The recordings of a table's subjects, as far as they are wanted.

        Args:
            table: an open table.
            columns: its columns.
            owner: the subject that the file's name tells.
            subjects: index of every subject that is wanted.
            alone: all rows must be the owner's.
            label: of all rows, where there is no column of it.

        Raises:
            DataError: something in it cannot be used; the row is named.
        """
        frame = table.read(columns.text, columns.numbers)
        names = self.axis_names(table, columns)
        self.units_seen |= {table.unit(axis) for axis in columns.axes}
        owners = None if columns.subject is None else _categories(frame[columns.subject])
        if alone and owners is not None:
            _refuse_others(table, columns, owners, owner)
            owners = None
        session = None if columns.session is None else _categories(frame[columns.session])
        time = self._time(table, columns, frame)
        x = np.stack(
            [table.numbers(frame, column, name) for column, name in zip(columns.axes, names, strict=True)], axis=1
        )
        if self.missing:
            x[np.isin(x, self.missing)] = np.nan
        refuse_infinite(x, names, str(table.path), table.first_row)
        if np.isnan(x).all(axis=0).any():
            fill_gaps(x, names, self.dataset.rate_hz, f"subject {owner}, {table.path}", table.first_row)  # refuses it
        if columns.label is None:
            y = np.full(len(x), self._label_of_file(table, label or ""), dtype=np.int64)
        else:
            y = self._labels(table, columns, frame[columns.label])
        runs = _runs(len(x), owners, session)
        if len(runs) > 100 and len(x) < len(runs) * self.dataset.rate_hz:
            raise DataError(
                f"{table.path}: subjects or sessions change after every {len(x) / len(runs):.1f} rows: sort the table "
                f"by them and by time"
            )
        found = []
        for start, stop in runs:
            who = owner if owners is None else subject_id(str(owners.categories[owners.codes[start]]))
            if who in subjects:
                rows = slice(start, stop)
                parts = self._parts(
                    x[rows], y[rows], None if time is None else time[rows], str(table.path), table.first_row + start
                )
                found += [
                    Recording(subjects[who], f"{table.path.name}, from row {first_row}", *content)
                    for first_row, content in _whole(parts, names, self.dataset.rate_hz, f"subject {who}, {table.path}")
                ]
        if len(found) == 1 and len(runs) == 1:
            found = [replace(found[0], name=table.path.name)]
        return found

    def axis_names(self, table: Table, columns: Columns) -> tuple[str, ...]:
        """The file's names of the axes, or else the data set's."""
        return tuple(table.names[axis] for axis in columns.axes) if table.names else self.dataset.axes

    def refuse_shifted_numbers(self) -> None:
        """Numbers for classes count from 0; where none is 0, they may count from 1."""
        seen = self.numbers_seen
        if seen and "0" not in seen and self.dataset.classes[0] != NULL:
            raise DataError(
                f"{self.dataset.name}: labels are the numbers {', '.join(sorted(seen, key=int))} and never 0. State "
                f"which class each is: data.dataset.labels={{1: {self.dataset.classes[0]}, …}}"
            )

    def _time(self, table: Table, columns: Columns, frame: pd.DataFrame) -> Floats | None:
        if columns.time is None:
            return None
        return seconds(frame[columns.time], self.time_format, self.dataset.rate_hz, str(table.path), table.first_row)

    def _parts(self, x: Floats, y: Ints, time: Floats | None, source: str, first_row: int) -> list[Part]:
        """Between long gaps in the timestamps; short ones become NaN, or all is brought to the rate."""
        rate_hz = self.dataset.rate_hz
        if time is None:
            return [Part(x, y, first_row, 0)]
        if self.resample:
            return _resampled(x, y, time, rate_hz, source, first_row)
        parts = []
        for stretch in stretches(time, rate_hz, source, first_row):
            self.irregular = max(self.irregular, stretch.irregular)
            rows = slice(stretch.start, stretch.stop)
            samples, labels = x[rows], y[rows]
            if stretch.place is not None:
                samples = np.full((stretch.place[-1] + 1, x.shape[1]), np.nan)
                samples[stretch.place] = x[rows]
                labels = labels[np.searchsorted(stretch.place, np.arange(len(samples)), side="right") - 1]
            parts.append(Part(samples, labels, first_row + stretch.start, stretch.lost))
        return parts

    def _label_of_file(self, table: Table, word: str) -> int:
        """The class that a file's name tells."""
        index = class_indices([word], self.dataset.classes, self.codes)[word]
        if index is None:
            raise DataError(f"{table.path}: its name tells the unknown label {word[:60]!r}; {self._known_labels()}")
        return index

    def _known_labels(self) -> str:
        known = ", ".join([*self.dataset.classes, *(f"{code} ({name})" for code, name in self.codes.items())])
        return f"{self.dataset.name} has {known}"

    def _labels(self, table: Table, columns: Columns, column: pd.Series) -> Ints:
        """Class index of every row."""
        labels = _categories(column)
        words = [str(word) for word in labels.categories]
        found = class_indices(words, self.dataset.classes, self.codes)
        names = {*self.dataset.classes, *self.codes}
        counted = {word for word in words if found[word] is not None and word.strip() not in names}
        self.numbers_seen |= {str(found[word]) for word in counted if word.strip()[:1].isdigit()}
        last = words[labels.codes[-1]]
        if not table.complete and columns.label == table.width - 1 and (last in counted or found[last] is None):
            raise DataError(
                f"{table.path}, row {len(column) + table.first_row - 1}: the file breaks off in its last row; fetch it "
                "again"
            )
        indices = [-1 if found[word] is None else found[word] for word in words]
        index = np.array(indices, dtype=np.int64)[labels.codes]
        if (unknown := np.flatnonzero(index < 0)).size:
            word = words[labels.codes[unknown[0]]].strip()
            what = f"unknown label {word[:60]!r}" if word else "no label"
            raise DataError(f"{table.path}, row {unknown[0] + table.first_row}: {what}; {self._known_labels()}")
        return np.asarray(index, dtype=np.int64)


def subject_id(word: str) -> str:
    """
    >>> subject_id(" P000"), subject_id("3.0"), subject_id("1.20000e+01"), subject_id("007"), subject_id("1e3")
    ('P000', '3', '12', '007', '1e3')
    """
    word = word.strip()
    number = float(word) if re.fullmatch(r"\+?\d+\.\d*([eE][+-]?\d{1,2})?", word) else 0.5
    return str(int(number)) if number.is_integer() else word


def _categories(column: pd.Series) -> pd.Categorical:
    values = column.array
    assert isinstance(values, pd.Categorical)
    return values


def _runs(rows: int, *columns: pd.Categorical | None) -> list[tuple[int, int]]:
    """Rows in which none of the columns changes."""
    change = np.zeros(max(0, rows - 1), dtype=bool)
    for column in columns:
        if column is not None:
            change |= np.diff(column.codes) != 0
    return list(pairwise([0, *(np.flatnonzero(change) + 1).tolist(), rows]))


def _whole(
    parts: Sequence[Part], axes: tuple[str, ...], rate_hz: float, source: str
) -> Iterator[tuple[int, tuple[npt.NDArray[np.float32], Ints, int, int]]]:
    """First row, and x, y, filled, lost, of parts without what is missing for long; short gaps are filled."""
    lost = 0
    for part in parts:
        place = 0
        lost += part.lost
        for piece in pieces(part.x, rate_hz):
            x = part.x[piece]
            first_row = part.first_row + piece.start
            filled = fill_gaps(x, axes, rate_hz, source, first_row)
            yield first_row, (x.astype(np.float32), part.y[piece], filled, lost + piece.start - place)
            place, lost = piece.stop, 0
        lost += len(part.x) - place


def _refuse_others(table: Table, columns: Columns, owners: pd.Categorical, owner: str) -> None:
    """In the common layout, every row is the subject's whose number the file's name has, or any one name's."""
    words = [str(word) for word in owners.categories]
    name = table.names[columns.subject or 0] if table.names else f"column {(columns.subject or 0) + 1}"
    first = subject_id(words[owners.codes[0]])
    expected = float(owner) if is_number(first) else first

    def same(word: str) -> bool:
        word = subject_id(word)
        return float(word) == expected if isinstance(expected, float) and is_number(word) else word == expected

    right = np.array([same(word) for word in words])
    if (wrong := np.flatnonzero(~right[owners.codes])).size:
        word = subject_id(words[owners.codes[wrong[0]]])
        shown = word[:40] if is_number(word) else repr(word[:40])
        raise DataError(
            f"{table.path}, row {wrong[0] + table.first_row}: {name} is {shown} in the file of subject {owner}"
        )


def _resampled(x: Floats, y: Ints, time: Floats, rate_hz: float, source: str, first_row: int) -> list[Part]:
    parts = []
    rows = np.flatnonzero(~np.isnan(x).any(axis=1))
    if not rows.size:
        return [Part(x, y, first_row, 0)]  # which is refused
    for stretch in stretches(time[rows], rate_hz, source, first_row, steady=False):
        part = rows[stretch.start : stretch.stop]
        samples, labels = on_grid(time[part], x[part], y[part], rate_hz)
        parts.append(Part(samples, labels, first_row + int(part[0]), stretch.lost))
    return parts
