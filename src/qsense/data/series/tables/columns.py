"""Which column of a table is the subject, the time, the label and each axis: as its user says, or by common names.

Open it when a column is taken for another one.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import NoReturn

from qsense.data.errors import DataError
from qsense.data.series.tables.table import Table

# A column by its name, or by its number from 1 on; None: by its common names, False: there is none.
Column = str | int | None
SUBJECTS = ("sbj_id", "subject", "subject_id", "subjectid", "subj", "sbj", "user", "user_id", "userid", "participant",
            "participant_id", "person", "person_id", "volunteer")  # fmt: skip
TIMES = ("timestamp", "time", "timestamps", "datetime", "date_time", "time_s", "time_ms", "timestamp_ms",
         "timestamp_s", "timestamp_ns", "time (s)", "time (ms)", "time(s)", "time(ms)", "epoch (ms)", "elapsed (s)",
         "seconds_elapsed", "t")  # fmt: skip
LABELS = ("label", "labels", "activity", "activities", "activity_label", "activity_name", "class", "target")


@dataclass(frozen=True)
class Wanted:
    """What is known of the columns before a file is opened; each as a name, or as a number from 1 on.

    Args:
        axes: columns of the axes in order, or how many there are.
        subject: None: by a common name, or the first column; False: there is none.
        time: None: by a common name, if there is one; False: not looked at.
        label: None: by a common name; False: there is none.
        session: column whose changes begin a new recording; None: there is none.
        by_place: the first column is the subject's where no column has a common name of it.
        settable: these are arguments that a user can set.
    """

    axes: int | tuple[str | int, ...]
    subject: Column = None
    time: Column = None
    label: Column = None
    session: Column = None
    by_place: bool = True
    settable: bool = False


@dataclass(frozen=True)
class Columns:
    """Columns of one table, as numbers from 0 on; None where there is none."""

    subject: int | None
    time: int | None
    label: int | None
    session: int | None
    axes: tuple[int, ...]

    @property
    def text(self) -> list[int]:
        """What is read as it is written."""
        return [column for column in (self.subject, self.label, self.session) if column is not None]

    @property
    def numbers(self) -> list[int]:
        """What is read as numbers, if it consists of them."""
        return [*self.axes, *([] if self.time is None else [self.time])]


def choose(table: Table, wanted: Wanted) -> Columns:
    """The columns of a table.

    Args:
        table: an open table.
        wanted: what is known of them.

    Raises:
        DataError: a column is missing, or it is not clear which one is meant.
    """
    pick = _Picker(table, wanted.settable)
    label = None if wanted.label is False else pick.one("label", wanted.label, LABELS)
    session = None if wanted.session is None else pick.one("session", wanted.session, ())
    if isinstance(wanted.axes, int):
        return _by_number(pick, wanted, label, session)
    axes = tuple(pick.one("axes", axis, ()) for axis in wanted.axes)
    absent = [str(name) for name, found in zip(wanted.axes, axes, strict=True) if found is None]
    if absent:
        pick.refuse(f"column {', '.join(absent)} is missing", "axes")
    found = tuple(axis for axis in axes if axis is not None)
    if len(set(found)) < len(found):
        pick.refuse("a column is named twice", "axes")
    time = None if wanted.time is False else pick.one("time", wanted.time, TIMES)
    if wanted.time is None and time in found:  # as a temperature named t
        time = None
    if label is None and wanted.label is not False:
        label = pick.last_as_label(taken={*found, time})
    subject = None if wanted.subject is False else pick.one("subject", wanted.subject, SUBJECTS)
    counts_rows = bool(table.names) and pick.name(0).lower() in ("", "index", "unnamed: 0")
    if wanted.by_place and subject is wanted.subject is None and not counts_rows:
        subject = None if 0 in (*found, time, label, session) else 0
    return Columns(subject, time, label, session, found)


def _by_number(pick: _Picker, wanted: Wanted, label: int | None, session: int | None) -> Columns:
    """Axes whose names nobody knows: what is left beside subject, time and label."""
    table = pick.table
    assert isinstance(wanted.axes, int)
    if label is None and wanted.label is not False:
        label = pick.last_as_label()
    rest = list(range(table.width))
    # The first column is the subject whatever its name, and `timestamp` the time; other names count only where the
    # number of axes says so.
    ways = (((), TIMES[:1]), (SUBJECTS, TIMES[:1]), ((), TIMES), (SUBJECTS, TIMES))
    for subjects, times in ways if wanted.by_place else ways[3:]:
        time = None if wanted.time is False else pick.one("time", wanted.time, times)
        subject = None if wanted.subject is False else pick.one("subject", wanted.subject, subjects)
        rest = [column for column in range(table.width) if column not in (time, subject, label, session)]
        if wanted.by_place and subject is wanted.subject is None and len(rest) == wanted.axes + 1 and rest[0] == 0:
            subject, rest = 0, rest[1:]
        if len(rest) == wanted.axes and (subject is not None or wanted.subject is False or not wanted.by_place):
            return Columns(subject, time, label, session, tuple(rest))
    left = ", ".join(pick.name(column) for column in rest)[:200]
    return pick.refuse(
        f"{wanted.axes} axes are expected, but beside subject, time and label there are {len(rest)} columns: {left}",
        "axes",
    )


class _Picker:
    def __init__(self, table: Table, settable: bool) -> None:
        self.table = table
        self.settable = settable

    def name(self, column: int) -> str:
        return self.table.names[column] if self.table.names else f"column {column + 1}"

    def one(self, what: str, wanted: Column, common: Sequence[str]) -> int | None:
        """The column that is wanted, or else the one of a common name; None where there is none."""
        if isinstance(wanted, int):
            if not 1 <= wanted <= self.table.width:
                self.refuse(f"{what}={wanted}: there are columns 1 to {self.table.width}", what)
            return wanted - 1
        for name in common if wanted is None else (wanted,):
            places = self._named(name)
            if len(places) > 1:
                self.refuse(f"{what}: {len(places)} columns are named {name}", what)
            if places:
                return places[0]
        if wanted is not None and what != "axes":
            self.refuse(f"{what}={wanted}: there is no such column", what)
        return None

    def last_as_label(self, taken: Set[int | None] = frozenset()) -> int:
        """The last column, where a table without names has words there."""
        last = self.table.width - 1
        if self.table.names or last in self.table.numeric or last in taken:
            self.refuse(
                "no column is the label. Where each file holds one activity and its name says which, write {label} for "
                "it in data.dataset.files, as in '{label}_{subject}.csv'",
                "label",
            )
        return last

    def _named(self, name: str) -> list[int]:
        """Columns of this name; capitals matter only where they tell columns apart."""
        exact = [place for place, known in enumerate(self.table.names) if known == name]
        return exact or [
            place for place, known in enumerate(self.table.names) if known.casefold() == name.strip().casefold()
        ]

    def refuse(self, why: str, key: str) -> NoReturn:
        hint = (
            f"\nSet data.dataset.{key}=… (columns by name, or by number from 1 on), or delimiter, decimal, encoding or "
            "header where these are wrong"
        )
        raise DataError(
            f"{self.table.path}, row {self.table.header or self.table.first_row}: {why}.\n{self.table.describe()}"
            + (hint if self.settable else "")
        )
