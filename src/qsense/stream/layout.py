"""Lines of text → samples: which column is which axis, seen from the first lines by what reads data sets.

Open it when a line that holds a sample is not taken for one, or one that holds none is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time
from functools import cached_property
from pathlib import Path

import numpy as np

from qsense.data.errors import DataError
from qsense.data.series.stamps import UNITS, likely_unit
from qsense.data.series.tables.columns import LABELS, Column, Wanted, choose
from qsense.data.series.tables.format import MISSING, TableFormat, fields_of, is_number
from qsense.data.series.tables.labels import class_indices
from qsense.data.series.tables.table import Table, table_of
from qsense.runs.words import clipped
from qsense.stream.counts import Counts
from qsense.stream.events import Bad, Sample

SHOWN = 60  # characters of a bad line


@dataclass(frozen=True)
class Known:
    """What is known of the lines before the first one comes.

    Args:
        names: of the run's axes.
        rate_hz: samples per second that the run was trained at.
        classes: in index order.
        codes: class names by what stands for them in the run's own tables.
        axes: the columns that the user names, by name or number from 1 on; None: they are looked for.
        time: the column of the time stamp, likewise; False: there is none.
        wanted: the columns of the run's own tables, where it read such.
        form: how those are written.
        time_format: of their time stamps.
        missing: numbers that stand for missing values.
        counts: what native counts mean, where lines hold them.
    """

    names: tuple[str, ...]
    rate_hz: float
    classes: tuple[str, ...]
    codes: Mapping[str, str] = field(default_factory=dict)
    axes: tuple[str | int, ...] | None = None
    time: Column = None
    wanted: Wanted | None = None
    form: TableFormat = field(default_factory=TableFormat)
    time_format: str | None = None
    missing: tuple[float, ...] = ()
    counts: Counts | None = None


@dataclass(frozen=True)
class Layout:
    """How samples stand in lines.

    Args:
        known: see there.
        table: the first lines as a table.
        axes: columns from 0 on.
        time: column of the time stamp; None: there is none.
        label: column of the class; None: there is none.
        stamp: a time stamp's text in seconds; it raises ValueError.
    """

    known: Known
    table: Table
    axes: tuple[int, ...]
    time: int | None
    label: int | None
    stamp: Callable[[str], float]

    @cached_property
    def classes(self) -> dict[str, int | None]:
        """Indices of the words that have come as labels."""
        return {}

    def read(self, line: str) -> Sample | Bad | None:
        """A sample, or why it is none; None for an empty line and the columns' names, which a sensor may repeat."""
        line = line.strip("\r\n\x00")
        if not line.strip(" \t,;"):
            return None
        (fields,) = fields_of([line], self.table.format.delimiter or ",")
        if len(fields) != self.table.width:
            if len(fields) == self.table.width + 1 and not fields[-1].strip():  # a separator at the end
                fields = fields[:-1]
            else:
                return bad(f"{len(fields)} of {self.table.width} fields", line)
        if self.table.names and fields[-1].strip() == self.table.names[-1] and fields[1:2] == [*self.table.names[1:2]]:
            return None
        values = np.empty(len(self.axes))
        for place, column in enumerate(self.axes):
            text = fields[column].strip()
            if text in MISSING:
                values[place] = np.nan
            elif is_number(text, self.table.format.decimal or "."):
                values[place] = float(text.replace(self.table.format.decimal or ".", "."))
            else:
                return bad("a value is no number", line)
        if np.isinf(values).any():
            return bad("a value is infinite", line)
        if self.known.missing:
            values[np.isin(values, self.known.missing)] = np.nan
        if self.known.counts is not None:
            if flaw := self.known.counts.flaw(values):
                return bad(flaw, line)
            values = self.known.counts.in_unit(values)
        seconds = None
        if self.time is not None:
            try:
                seconds = self.stamp(fields[self.time].strip())
            except ValueError:
                return bad("the time stamp is no time", line)
        return Sample(values, seconds, None if self.label is None else self._truth(fields[self.label]))

    def _truth(self, word: str) -> int | None:
        if word not in self.classes:
            if len(self.classes) > 1000:
                return None
            self.classes.update(class_indices([word], self.known.classes, self.known.codes))
        return self.classes[word]


def bad(why: str, line: str) -> Bad:
    """A line that is no sample."""
    return Bad(why, clipped(line[: 10 * SHOWN], SHOWN))


def layout_of(lines: bytes, source: str, known: Known, encoding: str = "utf-8") -> Layout:
    """See how samples stand in the first lines.

    Args:
        lines: UTF-8, with plain line ends.
        source: where they come from, for messages.
        known: see there.
        encoding: that they had.

    Raises:
        DataError: no samples of these axes can be seen.
    """
    lines, tries = without_closing_signs(lines), []
    if known.axes is not None:
        tries.append((TableFormat(), Wanted(known.axes, subject=False, time=known.time, by_place=False)))
    else:
        if known.wanted is not None:
            own = replace(known.form, header=known.form.header and None)  # rows above the names are left out
            tries.append((own, replace(known.wanted, time=known.time or known.wanted.time)))
        tries.append((TableFormat(), Wanted(known.names, subject=False, time=known.time, by_place=False)))
        tries.append((TableFormat(), Wanted(len(known.names), time=known.time, by_place=False)))
    for form, wanted in tries:
        try:
            table = table_of(Path(source), lines, encoding, form)
            return _layout(table, wanted, known)
        except DataError as error:
            why = str(error).partition("\n")[0]
    shown = ", ".join(known.names)
    raise DataError(
        f"{why} This run has the axes {shown}: name their columns in this order, by name or number, as in --axes "
        + ",".join(str(number + 1) for number in range(len(known.names)))
    )


def without_closing_signs(lines: bytes) -> bytes:
    """Lines without the separator behind each last number, as many a sensor prints it.

    >>> without_closing_signs(b"x,y\\n1,2,\\n3,4,\\n"), without_closing_signs(b"x,label\\n1,\\n3,walk\\n")
    (b'x,y\\n1,2\\n3,4\\n', b'x,label\\n1,\\n3,walk\\n')
    """
    rows = [row.rstrip(b" ") for row in lines.split(b"\n") if row.strip()]
    for sign in (b",", b";", b"\t"):
        closed = [row.endswith(sign) for row in rows]
        if sum(closed) >= max(1, len(rows) - 1) and (closed[0] or rows[0].count(sign) < rows[-1].count(sign)):
            return re.sub(re.escape(sign) + rb" *(?=\n|$)", b"", lines)
    return lines


def _layout(table: Table, wanted: Wanted, known: Known) -> Layout:
    wanted = replace(wanted, subject=None if isinstance(wanted.axes, int) else False, session=None, settable=False)
    wanted = replace(wanted, label=_label(table, wanted.label), by_place=False)
    rows = [row for row in fields_of(_some_lines(table), table.format.delimiter or ",") if len(row) == table.width]
    if not rows:
        raise DataError(f"{table.path}: no line is a sample.")
    if wanted.time is None and isinstance(wanted.axes, int) and not table.names:
        others = table.width - (wanted.label is not False)
        wanted = replace(wanted, time=1 if others == wanted.axes + 1 else False)
    columns = choose(table, wanted)
    if absent := [each for each in columns.axes if each not in table.numeric]:
        raise DataError(f"{table.path}: column {absent[0] + 1} holds no numbers.")
    words = [] if columns.time is None else [row[columns.time].strip() for row in rows]
    return Layout(known, table, columns.axes, columns.time, columns.label, _stamp(words, table, known))


def _some_lines(table: Table) -> list[str]:
    """The first lines below the names."""
    return table.body[: 1 << 16].decode(errors="replace").split("\n")[:2000]


def _label(table: Table, wanted: Column) -> Column:
    """The column of the label, if there is one: a live sensor sends none."""
    names = {name.casefold(): name for name in table.names}
    if isinstance(wanted, str):
        return names.get(wanted.casefold(), False)
    if isinstance(wanted, int) and wanted:
        return wanted if wanted <= table.width else False
    for common in LABELS:
        if common in names:
            return names[common]
    last = table.width - 1
    return table.width if not table.names and last not in table.numeric and last > 0 else False


def _stamp(words: Sequence[str], table: Table, known: Known) -> Callable[[str], float]:
    """What reads a time stamp."""
    form, decimal = known.time_format, table.format.decimal or "."
    numbers = [word for word in words if is_number(word, decimal)]
    if form in UNITS or (form is None and 2 * len(numbers) > len(words)):
        values = np.array([float(word.replace(decimal, ".")) for word in numbers])
        unit = UNITS[form] if form in UNITS else likely_unit(values, known.rate_hz)

        def number(text: str) -> float:
            seconds = float(text.replace(decimal, ".")) * unit
            if not math.isfinite(seconds):
                raise ValueError(text)
            return seconds

        return number
    if form is not None:
        return lambda text: datetime.strptime(text, form).timestamp()
    return moment


def moment(text: str) -> float:
    """Seconds of an ISO date, or of a time of day.

    >>> moment("1970-01-02T00:00:00.25+00:00"), moment("08:00:00.020")
    (86400.25, 28800.02)

    Raises:
        ValueError: it is neither.
    """
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        clock = time.fromisoformat(text)
        return clock.hour * 3600.0 + clock.minute * 60 + clock.second + clock.microsecond / 1e6
