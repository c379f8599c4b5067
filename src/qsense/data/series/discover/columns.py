"""Which columns of an unknown table are time, axes, label, subject and session: by names, then by what stands in them.

Open it when a column of a phone's or logger's export is taken for another one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from qsense.data.series.tables.columns import LABELS, SUBJECTS, TIMES
from qsense.data.series.tables.format import MISSING
from qsense.data.series.tables.table import Table

TIME = re.compile(r"^(time|timestamp|zeit|uhrzeit|temps|tiempo|epoch|elapsed|seconds?|millis|ms|us|µs|ns|date|datum|"
                  r"datetime|loggingtime|yyyy|t)(?![a-z])|(time|timestamp)$", re.IGNORECASE)  # fmt: skip
LABEL = re.compile(r"^(activit|label|class|target|aktivit|tätigkeit|gesture|annotation|etiquette)", re.IGNORECASE)
PERSON = re.compile(r"^(subject|sbj|participant|proband|teilnehmer|person|volunteer|user|vp|pid)", re.IGNORECASE)
SESSION = re.compile(r"^(session|trial|recording|rec_?id|sitzung|take)", re.IGNORECASE)
COUNTER = ("", "index", "unnamed: 0", "row", "no", "no.", "nr", "nr.", "#", "count", "sample", "sample_id", "id", "n",
           "packet", "seq", "sequence", "lfd", "counter")  # fmt: skip
ACCELERATION = re.compile(r"acc|beschl|g-?force|^gf|(^|[^a-z])a[_·]", re.IGNORECASE)
WITHOUT_GRAVITY = re.compile(r"lin(ear)?[^a-z]|linear|user|without g|ohne g|free", re.IGNORECASE)
OTHER_SENSORS = re.compile(
    r"gyr|rot|magn|(^|[^a-z])mag|orient|gravit|quat|euler|angle|winkel|drehr|w[_·]|gps|lat|lon|pos|grav", re.IGNORECASE
)
OVERALL = re.compile(r"abs|total|magnitude|betrag|norm|resultant|rms", re.IGNORECASE)
MOST_CLASSES = 60


@dataclass(frozen=True)
class Seen:
    """Columns by their number from 0 on; None where there is none.

    Args:
        times: columns that may be the time, the likeliest first.
        axes: in order.
        left_out: columns that are read for nothing.
        certain: whether the names of the axes say so.
        without_gravity: whether they do, of accelerations without gravity.
    """

    times: tuple[int, ...]
    axes: tuple[int, ...]
    label: int | None = None
    subject: int | None = None
    session: int | None = None
    left_out: tuple[int, ...] = ()
    certain: bool = True
    without_gravity: bool = False


def see_columns(table: Table, frame: pd.DataFrame) -> Seen:
    """What each column of a table is.

    Args:
        table: an open table.
        frame: all its columns as text, [rows, columns]; a part of the rows is enough.
    """
    names = [name.strip() for name in table.names] or [""] * table.width
    numeric = [column for column in range(table.width) if column in table.numeric]
    counters = {column for column in numeric if _counts(frame[column]) and names[column].lower() in COUNTER}
    taken = set(counters)

    def take(common: Sequence[str], sounds: re.Pattern[str]) -> int | None:
        free = [column for column in range(len(names)) if column not in taken and names[column]]
        exact = [column for name in common for column in free if names[column].lower() == name]
        like = [column for column in free if sounds.search(names[column]) and not _axis(names[column])[1]]
        found = next(iter([*exact, *like]), None)
        taken.update(() if found is None else (found,))
        return found

    label, subject, session = take(LABELS, LABEL), take(SUBJECTS, PERSON), take((), SESSION)
    free = [column for column in range(table.width) if column not in taken]
    times = [c for n in TIMES for c in free if names[c].lower() == n]
    times += [c for c in free if c not in times and names[c] and TIME.search(names[c]) and not _axis(names[c])[1]]
    if not times:
        bare = [column for column in free if not _axis(names[column])[1]]
        times = [column for column in bare if _rises(frame[column], column in table.numeric)][:1]
    taken.update(times)
    if label is None:
        label = _words(table, frame, taken, bool(table.names))
        taken.update(() if label is None else (label,))
    if subject is None and not table.names:
        subject = _words(table, frame, taken, named=True)
        taken.update(() if subject is None else (subject,))
    rest = [column for column in numeric if column not in taken]
    axes, certain, linear = _axes(names, rest, frame)
    used = {*axes, *times, label, subject, session}
    left_out = tuple(column for column in range(table.width) if column not in used)
    return Seen(tuple(times), axes, label, subject, session, left_out, certain, linear)


def _axis(name: str) -> tuple[str, str]:
    """What a name says beside its axis, with · in the axis' place, and the axis.

    >>> _axis("Acceleration x (m/s^2)"), _axis("gFx"), _axis("x-axis[m/s^2]"), _axis("Label")
    (('acceleration ·', 'x'), ('gf·', 'x'), ('·-axis', 'x'), ('label', ''))
    """
    plain = re.sub(r"[\[(][^\[\]()]*[\])]", "", name).strip().lower()
    match = re.search(r"(?:(?<=[\W_\d])|^)([xyz])(?=[\W_\d]|$)", plain) or re.search(r"(?<=[a-z])([xyz])$", plain)
    return (plain[: match.start()] + "·" + plain[match.end() :], match[1]) if match else (plain, "")


def _axes(names: Sequence[str], rest: Sequence[int], frame: pd.DataFrame) -> tuple[tuple[int, ...], bool, bool]:
    """The columns of acceleration, whether their names say so, and whether they say that gravity is left out."""
    triples: dict[str, dict[str, int]] = {}
    for column in rest:
        stem, axis = _axis(names[column])
        if axis:
            triples.setdefault(stem, {}).setdefault(axis, column)
    whole = {stem: axes for stem, axes in triples.items() if len(axes) == 3}

    def score(stem: str) -> int:
        if OTHER_SENSORS.search(stem) and not re.search(r"acc|beschl", stem):
            return 0
        if WITHOUT_GRAVITY.search(stem):
            return 1
        return 3 if ACCELERATION.search(stem) else 2

    if whole:
        best = max(score(stem) for stem in whole)
        chosen = [stem for stem in whole if score(stem) == best]
        columns = tuple(whole[stem][axis] for stem in chosen for axis in "xyz")
        return columns, best != 0, best == 1 or any("without g" in names[column].lower() for column in columns)
    rest = [column for column in rest if not OVERALL.search(names[column])]
    if len(rest) > 3:  # numbers for classes are whole
        broken = [column for column in rest if not _whole(frame[column])]
        rest = broken if len(broken) == 3 else rest
    return tuple(rest), len(rest) == 3 and not any(names), False


def _words(table: Table, frame: pd.DataFrame, taken: set[int], named: bool) -> int | None:
    """The last column of few words that repeat, rather one of several than one that never changes.

    Where nothing is named, also of few whole numbers.
    """
    constant = None
    for column in reversed(range(table.width)):
        if column in taken:
            continue
        distinct = set(frame[column].astype(str).str.strip()) - set(MISSING)
        few = 0 < len(distinct) <= MOST_CLASSES and len(distinct) * 5 <= len(frame)
        if few and (column not in table.numeric or (not named and _whole(frame[column]) and len(distinct) <= 20)):
            if len(distinct) > 1:
                return column
            constant = column if constant is None else constant
    return constant


def _numbers(column: pd.Series) -> pd.Series:
    return pd.to_numeric(column.astype(str).str.replace(",", "."), errors="coerce")


def _whole(column: pd.Series) -> bool:
    return bool(column.astype(str).str.fullmatch(r"\s*-?\d+(?:[.,]0*)?\s*|").all())


def _counts(column: pd.Series) -> bool:
    """Whether it is the number of its row."""
    steps = np.diff(_numbers(column).to_numpy())
    return len(steps) > 0 and bool((steps == 1).mean() > 0.99)


def _rises(column: pd.Series, numeric: bool) -> bool:
    """Whether it is a time: numbers that rise, or text that is one."""
    if numeric:
        steps = np.diff(_numbers(column).to_numpy(dtype=np.float64))
        return len(steps) > 5 and bool(np.mean(steps > 0) > 0.6 and np.mean(steps >= 0) > 0.99)
    word = str(column.iloc[0])
    return bool(re.search(r"\d\d?:\d\d", word))
