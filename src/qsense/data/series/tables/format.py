"""See how a table of text is written: delimiter, decimal sign, which columns are numbers, and where the header stands.

Open it when a file's format is taken for another one.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

# Also by the words that need no quoting in a shell.
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|", "space": " "}
DECIMALS = {"point": ".", "comma": ","}
NAMED = {sign: word for word, sign in DELIMITERS.items()}
# Where numbers are missing; labels and subjects are taken as they are written.
MISSING = ("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A",
           "NA", "NULL", "NaN", "None", "n/a", "nan", "null")  # fmt: skip
# Numbers whose thousands are set apart by the sign, and those that have no thousands.
THOUSANDS = {sign: re.compile(rf"[+-]?[1-9]\d{{0,2}}(?:{re.escape(sign)}\d{{3}})+") for sign in ".,"}
SMALL = re.compile(r"[+-]?\d{1,3}")
Row = TypeVar("Row")


@dataclass(frozen=True)
class TableFormat:
    """How a table is written; what is None is seen from the file.

    Args:
        delimiter: the sign between two fields, or comma, semicolon, tab, pipe or space (any number of blanks).
        decimal: . or , (or point, comma).
        encoding: as Python names it, as in utf-8, utf-16, latin-1.
        header: row that holds the columns' names, from 1 on; 0: none does.

    Raises:
        ValueError: none of these.
    """

    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    header: int | None = None

    def __post_init__(self) -> None:
        for key, words in (("delimiter", DELIMITERS), ("decimal", DECIMALS)):
            value = getattr(self, key)
            value = words.get(value, value)
            if value is not None and (len(value) != 1 or (key == "decimal" and value not in ".,")):
                raise ValueError(f"{key}={value!r} must be one sign or one of {', '.join(words)}")
            object.__setattr__(self, key, value)
        if self.header is not None and self.header < 0:
            raise ValueError(f"header={self.header} must be the row of the columns' names, from 1 on, or 0 for none")
        try:
            "".encode(self.encoding or "utf-8")  # refuses codecs of bytes, as base64
        except LookupError as error:
            raise ValueError(
                f"encoding={self.encoding!r} is unknown; common ones are utf-8, utf-16, latin-1"
            ) from error


def closed_by_semicolons(lines: Sequence[str]) -> bool:
    """Whether rows end with a semicolon and have no other one, as WISDM's do."""
    rows = [line.rstrip() for line in lines if line.strip()]
    return sum(row.endswith(";") and row.count(";") == 1 for row in rows) > 0.9 * len(rows) > 0


def fields_of(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    """Every line's fields; a delimiter between quotes is none."""
    if delimiter == " ":
        lines = [line.replace("\t", " ").strip() for line in lines]
    rows = []
    for line in lines:  # one by one: a quote that never ends shall not swallow the rest
        try:
            rows.append(next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), []))
        except csv.Error:
            rows.append([line])
    return rows


def spread(rows: Sequence[Row]) -> Sequence[Row]:
    """A few of them all over the head, the last first: the first ones may say something else."""
    return rows[:: -max(1, len(rows) // 60)]


def usual(counts: Sequence[int]) -> int:
    """The most frequent one; 0 of none."""
    return Counter(counts).most_common(1)[0][0] if counts else 0


def signs(lines: Sequence[str], form: TableFormat) -> tuple[str, str]:
    """The delimiter and the decimal sign by which most fields are numbers, in rows of the same length."""
    stated = re.match(r'"?sep=(.)"?$', lines[0].strip("\r\n ")) if lines else None  # as Excel writes it
    wanted = form.delimiter or (stated[1] if stated else None)
    best, best_score = (wanted or ",", form.decimal or "."), (0, 0)
    for delimiter in [wanted] if wanted else DELIMITERS.values():
        rows = fields_of(spread(lines), delimiter)
        width = usual([len(row) for row in rows])
        if width < 2:
            continue
        regular = [row for row in rows if len(row) == width]
        for decimal in form.decimal or (".", ","):
            score = (sum(is_number(field, decimal) for row in regular for field in row), len(regular))
            if score > best_score:
                best, best_score = (delimiter, decimal), score
    return best


def numeric_columns(rows: Sequence[Sequence[str]], decimal: str) -> frozenset[int]:
    """Columns in which the fields that hold anything are numbers, most of them."""
    found = set()
    for column in range(len(rows[0]) if rows else 0):
        fields = [row[column].strip() for row in rows]
        fields = [field for field in fields if field not in MISSING]
        if fields and 2 * sum(is_number(field, decimal) for field in fields) >= len(fields):
            found.add(column)
    return frozenset(found)


def header_rows(
    rows: Sequence[Sequence[str]], width: int, numeric: frozenset[int], decimal: str, stated: int | None
) -> tuple[int, int]:
    """Row of the names (0: there is none) and row of the first sample, both from 1 on.

    A header has words where the samples have numbers. What stands above it is a preamble; rows below it that have no
    number at all are units.
    """

    def count(row: Sequence[str], wanted: bool) -> int:
        fields = [row[column].strip() for column in numeric if column < len(row)]
        return sum(field not in MISSING and is_number(field, decimal) == wanted for field in fields)

    header = stated
    if header is None:
        header = 0
        for number, row in enumerate(rows[:100], start=1):
            if len(row) == width and 2 * count(row, True) >= len(numeric) > 0:
                break
            if len(row) == width and 2 * count(row, False) >= len(numeric):
                header = number
                break
    first = header
    while first < len(rows) and (
        (not any(field.strip() for field in rows[first]) and first == header)
        or (count(rows[first], False) > 0 and count(rows[first], True) == 0 and len(numeric) > 0)
        or (header == 0 and len(rows[first]) != width and sum(is_number(f, decimal) for f in rows[first]) < 2)
    ):
        first += 1
    return header, first + 1


def is_number(field: str, decimal: str = ".") -> bool:
    """
    >>> [is_number(field) for field in ("1", "-1.5e-3", ".5", "1,5", "1.2.3", "", "g")]
    [True, True, True, False, False, False, False]
    """
    try:
        float(field.strip().replace(decimal, ".") if decimal in field or "." not in field else "no")
    except ValueError:
        return False
    return "_" not in field


def may_be_thousands(values: npt.NDArray[np.float64]) -> bool:
    """Whether thousands set apart, read as decimals, would give such numbers; few others do, and their text tells.

    >>> [may_be_thousands(np.array(values)) for values in ([982, 1.024, -3], [982.0, 0.5], [982, 1024], [9, 1.024])]
    [True, False, False, False]
    """
    values = values[np.isfinite(values)]
    size = np.abs(values)
    broken = size != np.floor(size)
    if not broken.any() or size[broken].min() < 1 or size.max() >= 1000 or not (size[~broken] >= 100).any():
        return False
    return bool(np.allclose(size[broken] * 1000, np.round(size[broken] * 1000), rtol=0, atol=1e-6))
