"""Files by their layout: of a folder with several kinds, those that are the data set.

Open it when another sensor's files are taken than those of the acceleration.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from qsense.data.errors import DataError
from qsense.data.findings import counted, size_of
from qsense.data.series.discover.columns import Seen
from qsense.data.series.discover.finding import Finding, first_line
from qsense.data.series.discover.gather import Gathered
from qsense.data.series.discover.glance import columns_of, layout_of, opened
from qsense.data.series.tables.format import TableFormat
from qsense.data.series.tables.table import Table


class Others(NamedTuple):
    """Files of other layouts.

    Args:
        words: which; empty where there are none.
        alike: how many suit as well as those that are read, but for their heads.
    """

    words: str
    alike: int


def one_layout(
    gathered: Gathered, form: TableFormat, given: Mapping[str, Any], found: Finding
) -> tuple[list[Table], Others]:
    """The tables of the layout that most files have, or that holds accelerations; and what the others are."""
    names = Counter(file.name for file in gathered.files)
    recurring = [name for name, count in names.items() if count > 1]
    groups: dict[Any, list[Table]] = {}
    unreadable = []
    for path in gathered.files:
        try:
            table = opened(path, form)
        except DataError as error:
            unreadable.append(first_line(error, gathered.root))
            continue
        groups.setdefault(layout_of(table, recurring), []).append(table)
    total = sum(file.stat().st_size for file in gathered.files)
    found.say("files", f"{counted(len(gathered.files), 'table')}, {size_of(total)}, below {gathered.root}")
    for line in unreadable[:5]:
        found.say("unreadable", line)
    if len(unreadable) > 5:
        found.say("unreadable", f"… and {len(unreadable) - 5} more files")
    if not groups:
        several = f"none of {len(gathered.files)} files can be read as a table: " if len(gathered.files) > 1 else ""
        raise DataError(f"{several}{unreadable[0]}")

    def worth(group: list[Table]) -> tuple[int, int]:
        try:
            seen = columns_of(group[0], given)
        except DataError:
            return 0, len(group)
        return _sensor(group[0], seen), len(group)

    ranked = sorted(groups.values(), key=worth, reverse=True)
    kinds = sorted({group[0].path.name for group in ranked[1:]})
    others = sum(map(len, ranked[1:]))
    text = f"{counted(others, 'file')} of other kinds, as {', '.join(kinds[:4])}{' …' * (len(kinds) > 4)}"
    chosen, suits = ranked[0], worth(ranked[0])[0]
    alike = sum(len(group) for group in ranked[1:] if worth(group)[0] == suits and group[0].names != chosen[0].names)
    return chosen, Others(text if others else "", alike)


def _sensor(table: Table, seen: Seen) -> int:
    """How well a file suits: accelerations with gravity first, then without it, then other sensors."""
    name = table.path.stem.lower()
    if any(word in name for word in ("gyro", "magnet", "gravity", "orient", "location", "baro", "compass")):
        return 1
    return 0 if not seen.axes else 2 + (len(seen.axes) == 3) + (not seen.without_gravity) + 2 * ("total" in name) + (
        "uncalibrated" in name
    )  # fmt: skip
