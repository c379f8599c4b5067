"""What was found in tables: lines of a report, arguments, problems; and how columns are put in words.

Open it when a line of the report reads badly whatever it is about.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qsense.data.findings import Findings
from qsense.data.series.tables.table import Table
from qsense.runs.words import duration

WINDOW_S, LEAST_WINDOW = 1.0, 50  # γ-Quant's window: one second, 50 samples


@dataclass
class Finding(Findings):
    """What tables hold.

    Args (the others are those of `Findings`):
        arguments: of `CSVActivityDataset`, but for its name.
        window: samples of a window.
        windows: how many there are in all, and how many subjects; 0 where not all was read.
        subjects: how many there are.
    """

    arguments: dict[str, Any] = field(default_factory=dict)
    window: int = LEAST_WINDOW
    windows: int = 0
    subjects: int = 0


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


def lasting(samples: int, rate: float) -> str:
    """
    >>> lasting(500, 50.0), lasting(50_000, 50.0), lasting(7, math.nan)
    ('10 s', '17 min', '7 rows')
    """
    if math.isnan(rate):
        return f"{samples} rows"
    seconds = samples / rate
    return f"{seconds:.0f} s" if seconds < 120 else duration(seconds)
