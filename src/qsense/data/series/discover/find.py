"""Look at unknown tables, say what they hold, and give the arguments with which `csv_har` reads them.

Open it when a guess is wrong, or a problem is not said before training.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from qsense.data.errors import DataError
from qsense.data.findings import GUESS, SURE
from qsense.data.series.discover.columns import Seen
from qsense.data.series.discover.finding import Finding, first_line
from qsense.data.series.discover.gather import gather
from qsense.data.series.discover.glance import Content, columns_of, content_of
from qsense.data.series.discover.layouts import one_layout
from qsense.data.series.discover.owners import say_owners
from qsense.data.series.discover.trial import try_reading
from qsense.data.series.discover.values import say_axes, say_time, say_values
from qsense.data.series.tables.format import NAMED, TableFormat
from qsense.data.series.tables.table import Table

FORM = ("delimiter", "decimal", "encoding", "header")


def find(words: Sequence[str], given: Mapping[str, Any]) -> Finding:
    """What the tables among files, folders and patterns hold.

    Args:
        words: names of files or folders, or patterns.
        given: arguments of `CSVActivityDataset` that the user states; None where something is to be seen.

    Raises:
        FileNotFoundError: a name that nothing has.
        DataError: there is no table.
    """
    gathered = gather(words)
    found = Finding()
    form = TableFormat(*(given.get(key) for key in FORM))
    tables, others = one_layout(gathered, form, given, found)
    first = tables[0]
    seen = columns_of(first, given)
    found.arguments = {"root": str(gathered.root)} | {
        key: given[key] for key in (*FORM, "time_format", "session", "missing") if given.get(key) is not None
    }
    if not seen.axes:
        known = ", ".join(first.names) or f"{first.width} columns without names"
        found.problems.append(f"no column of numbers is an axis: --axes A,B,C (columns: {known[:200]})")
        return found
    contents = _contents(tables, form, seen, given, found)
    if not contents:
        return found
    read = {content.path for content in contents}
    seen = replace(seen, times=seen.times[:1] if contents[0].clock else ())
    _format(found, tables)
    say_time(found, first, seen, contents, given)
    say_axes(found, first, seen, given)
    say_values(found, first, seen, contents, given)
    say_owners(found, gathered, first, seen, contents, given, broken={table.path for table in tables} - read)
    if others.words:
        found.say("left out", f"{others.words}; {found.arguments['files']} is read", GUESS if others.alike else SURE)
    if others.alike:
        text = f"{others.alike} of them seem to hold the same under other heads"
        found.say("", f"{text}: give all files the same names of columns, or make each kind a data set", GUESS)
    for line in gathered.left_out:
        found.say("left out", line)
    if found.problems:
        return found
    found.windows = int(sum(content.rows / content.share for content in contents) / (found.window // 2))
    try_reading(found, sum(content.path.stat().st_size for content in contents), given)
    return found


def _contents(
    tables: Sequence[Table], form: TableFormat, seen: Seen, given: Mapping[str, Any], found: Finding
) -> list[Content]:
    contents: list[Content] = []
    for table in tables:
        times = seen.times or (None,)
        for number, _ in enumerate(times):  # of several columns of time the first that is one
            try:
                content = content_of(
                    table.path, form, replace(seen, times=seen.times[number:]), given.get("time_format")
                )
            except DataError as error:
                found.problems.append(first_line(error))
                break
            if content.clock or number == len(times) - 1:
                contents.append(content)
                break
    partly = [content for content in contents if content.share < 1]
    for content in partly:
        found.say(
            "sampled",
            f"{content.path.name} is large: its first 8 MB and its last MB were looked at, {content.share:.1%} of it",
            GUESS,
        )
    return contents


def _format(found: Finding, tables: Sequence[Table]) -> None:
    forms = Counter(
        f"{NAMED.get(t.format.delimiter or '', t.format.delimiter)}, decimal "
        f"{'comma' if t.format.decimal == ',' else 'point'}, {t.format.encoding}, "
        + (f"names in row {t.header}" if t.header else "no names")
        for t in tables
    )
    text = "; ".join(f"{form}" + f" ({count} files)" * (len(forms) > 1) for form, count in forms.most_common(4))
    found.say("format", text)
