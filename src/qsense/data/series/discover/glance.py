"""One file at a glance: its format and columns from its head, and its samples; of a large file head and end alone.

Open it when a table's format is right and what is read of it is not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qsense.data.errors import DataError
from qsense.data.series.discover.clock import Clock, clock_of
from qsense.data.series.discover.columns import Seen, see_columns
from qsense.data.series.tables.format import MISSING, TableFormat
from qsense.data.series.tables.recordings import subject_id
from qsense.data.series.tables.table import Table, end_of, open_table

GLANCE = 1 << 18  # bytes by which files are told apart
LARGE = 64 << 20  # bytes of a file of which all is read
HEAD, END = 8 << 20, 1 << 20  # bytes of a larger one
ROWS = 3000  # by which columns are told
Layout = tuple[tuple[str, ...], int, str]  # names of columns, their number, and the file's own name where that matters


@dataclass
class Content:
    """What one file holds.

    Args:
        path: the file.
        clock: what its timestamps say; None where there are none.
        x: its samples, NaN where one is missing [rows, axes].
        labels: how many rows each label has.
        subjects: whose rows they are.
        pairs: how many rows each subject and label have.
        rows: how many were looked at.
        share: of the file that was looked at.
    """

    path: Path
    clock: Clock | None
    x: npt.NDArray[np.float64]
    labels: Counter[str] = field(default_factory=Counter)
    subjects: Counter[str] = field(default_factory=Counter)
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    rows: int = 0
    share: float = 1.0


def opened(path: Path, form: TableFormat) -> Table:
    """A file's format.

    Raises:
        DataError: it is empty, no text, or no table; in one line.
    """
    if not path.stat().st_size:
        raise DataError(f"{path.name} is empty")
    table = open_table(path, form, GLANCE)
    if not table.body or table.width < 2 or not table.numeric:
        raise DataError(f"{path.name} is no table of numbers")
    return table


def columns_of(table: Table, given: Mapping[str, Any]) -> Seen:
    """What its columns are, as its user says or as they look.

    Raises:
        DataError: a column that is stated and not there.
    """
    head = replace(table, body=_first_rows(table.body))
    seen = see_columns(table, head.read(range(table.width), []))
    changes: dict[str, Any] = {}
    for key in ("label", "subject", "session"):
        if given.get(key) is not None:
            changes[key] = None if given[key] is False else place_of(table, given[key], key)
    if given.get("time") is not None:
        changes["times"] = () if given["time"] is False else (place_of(table, given["time"], "time"),)
    if given.get("axes") is not None:
        axes = given["axes"]
        wanted = list(axes.values() if isinstance(axes, Mapping) else axes)
        changes |= {"axes": tuple(place_of(table, axis, "axes") for axis in wanted), "certain": True}
    return replace(seen, **changes)


def place_of(table: Table, column: str | int, key: str) -> int:
    """A column's number from 0 on, of a name or a number from 1 on.

    Raises:
        DataError: there is none; all names are shown.
    """
    if isinstance(column, int):
        if 1 <= column <= table.width:
            return column - 1
    else:
        names = [name.casefold() for name in table.names]
        if column.casefold() in names:
            return names.index(column.casefold())
    known = ", ".join(table.names) if table.names else f"1 to {table.width}"
    raise DataError(f"--{key} {column}: {table.path.name} has no such column; it has {known[:300]}")


def content_of(path: Path, form: TableFormat, seen: Seen, time_format: str | None) -> Content:
    """What a file holds in the columns that were seen in another of its kind.

    Raises:
        DataError: it cannot be read; the row is named.
    """
    size = path.stat().st_size
    table = open_table(path, form, HEAD if size > LARGE else None)
    found = _read(table, seen, time_format)
    if size > LARGE:
        last = _read(end_of(table, END), seen, time_format)
        found.labels += last.labels
        found.subjects += last.subjects
        found.pairs += last.pairs
        found.x = np.concatenate([found.x, last.x])
        found.rows += last.rows
        found.share = (HEAD + END) / size
    return found


def _read(table: Table, seen: Seen, time_format: str | None) -> Content:
    texts = [column for column in (seen.label, seen.subject, seen.session) if column is not None]
    frame = table.read(texts, [*seen.axes, *seen.times[:1]])
    x = np.stack([table.numbers(frame, column, _name(table, column)) for column in seen.axes], axis=1)
    clock = None
    if seen.times:
        column = seen.times[0]
        starts = np.zeros(len(frame), dtype=bool)
        for owner in (seen.subject, seen.session):
            if owner is not None:
                codes = frame[owner].cat.codes.to_numpy()
                starts[1:] |= codes[1:] != codes[:-1]
        clock = clock_of(frame[column], _name(table, column), time_format, str(table.path), starts)
    found = Content(table.path, clock, x, rows=len(frame))
    words = [
        [""] * len(frame) if column is None else frame[column].astype(str).str.strip().tolist()
        for column in (seen.subject, seen.label)
    ]
    found.pairs.update(zip(map(subject_id, words[0]), map(null_or, words[1]), strict=True))
    for (subject, label), count in found.pairs.items():
        found.subjects[subject] += count
        found.labels[label] += count
    return found


def null_or(word: str) -> str:
    """A label, or NULL for the words that mean none."""
    return "NULL" if word in MISSING or word.lower() in ("null", "nan", "none") else word


def layout_of(table: Table, recurring: Sequence[str]) -> Layout:
    """What files have in common that are read as one data set.

    Args:
        table: an open table.
        recurring: names that files of several folders have: one for each sensor.
    """
    return table.names, table.width, table.path.name if table.path.name in recurring else ""


def _name(table: Table, column: int) -> str:
    return table.names[column] if table.names else f"column {column + 1}"


def _first_rows(body: bytes) -> bytes:
    lines = body.split(b"\n", ROWS)
    return b"\n".join(lines[:ROWS]).rstrip(b"\n") + b"\n"
