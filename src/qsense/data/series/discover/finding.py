"""What was found in tables: lines of a report, arguments, problems; and how they are put in words.

Open it when a line of the report reads badly whatever it is about.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qsense.data.series.tables.table import Table
from qsense.runs.words import duration

SURE, GUESS = " ", "?"
WINDOW_S, LEAST_WINDOW = 1.0, 50  # γ-Quant's window: one second, 50 samples


@dataclass(frozen=True)
class Line:
    """One thing that was found: what about, whether it is a guess, and what it is."""

    topic: str
    mark: str
    text: str


@dataclass
class Finding:
    """What tables hold.

    Args:
        arguments: of `CSVActivityDataset`, but for its name.
        lines: what was found, in the order of a report.
        problems: what would keep the data from training, each with how to mend it.
        window: samples of a window.
        windows: how many there are in all, and how many subjects; 0 where not all was read.
        subjects: how many there are.
    """

    arguments: dict[str, Any] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    window: int = LEAST_WINDOW
    windows: int = 0
    subjects: int = 0

    def say(self, topic: str, text: str, mark: str = SURE) -> None:
        """Add a line."""
        self.lines.append(Line(topic, mark, text))


def configured(table: Table, column: int) -> str | int:
    """A column as a configuration names it: by its name, or by its number where that is not enough."""
    if not table.names:
        return column + 1
    names = [name.casefold() for name in table.names]
    name = table.names[column]
    return name if name and name == name.strip() and names.count(name.casefold()) == 1 else column + 1


def quoted(table: Table, column: int) -> str:
    return f'"{table.names[column]}"' if table.names else f"column {column + 1}"


def first_line(error: Exception, root: Path | None = None) -> str:
    text = str(error).splitlines()[0].rstrip(".")
    return text.replace(f"{root}/", "") if root else text


def counted(number: int, noun: str) -> str:
    """
    >>> counted(1, "gap"), counted(2, "gap")
    ('1 gap', '2 gaps')
    """
    return f"{number} {noun}{'s' * (number != 1)}"


def size_of(count: int) -> str:
    """
    >>> size_of(900), size_of(3_400_000), size_of(3_200_000_000)
    ('0.9 kB', '3.4 MB', '3.2 GB')
    """
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1e3:.1f} kB"


def lasting(samples: int, rate: float) -> str:
    """
    >>> lasting(500, 50.0), lasting(50_000, 50.0), lasting(7, math.nan)
    ('10 s', '17 min', '7 rows')
    """
    if math.isnan(rate):
        return f"{samples} rows"
    seconds = samples / rate
    return f"{seconds:.0f} s" if seconds < 120 else duration(seconds)
