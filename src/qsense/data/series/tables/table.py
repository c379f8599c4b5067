"""Read a table of text as tools write it: delimiter, decimal sign, encoding, line ends and header row are seen from it.

Open it when a file of numbers and words is read wrongly, or refused although it is in order.
"""

from __future__ import annotations

import codecs
import io
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt
import pandas as pd

from qsense.data.errors import DataError
from qsense.data.series.tables.format import (
    MISSING,
    NAMED,
    SMALL,
    THOUSANDS,
    TableFormat,
    closed_by_semicolons,
    fields_of,
    header_rows,
    may_be_thousands,
    numeric_columns,
    signs,
    spread,
    usual,
)

HEAD = 1 << 16  # bytes from which the format is seen
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NO_TEXT = (
    (b"PK\x03\x04", "an Excel workbook or a zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"PAR1", "Parquet"),
)


@dataclass(frozen=True)
class Table:
    """A file whose format is known, and whose rows are still text.

    Args:
        path: the file.
        names: the columns' names, empty where the file has none.
        units: the fields of a row of units below the names, empty where there is none.
        width: number of columns.
        header: row that holds the names, from 1 on; 0: none does.
        first_row: row of the first sample, from 1 on.
        body: the rows from there on, UTF-8, each ended by one line feed where the file does so.
        head: the first rows, from the header on, for messages.
        format: how it is written.
        numeric: columns whose fields are numbers.
    """

    path: Path
    names: tuple[str, ...]
    units: tuple[str, ...]
    width: int
    header: int
    first_row: int
    body: bytes
    head: tuple[str, ...]
    format: TableFormat
    numeric: frozenset[int]

    @property
    def complete(self) -> bool:
        """Whether the last row ends with a line end; else it may be cut off."""
        return self.body.endswith(b"\n")

    def describe(self) -> str:
        """How the file was understood, and its first rows, short and printable."""
        delimiter = self.format.delimiter or ""
        form = (
            f"delimiter={NAMED.get(delimiter, delimiter)}, decimal={self.format.decimal!r}, "
            f"encoding={self.format.encoding}, header={self.header}"
        )
        return f"It was read with {form} and begins with\n{excerpt(self.head)}"

    def unit(self, column: int) -> str:
        """What stands for a column's unit in the row of units, or in brackets at the end of its name; empty: nothing.

        In "acc_x [g]", it is g.
        """
        if self.units:
            return self.units[column]
        match = re.search(r"[\[(]([^\[\]()]+)[\])]\s*$", self.names[column]) if self.names else None
        return match[1] if match else ""

    def read(self, text: Sequence[int], numbers: Sequence[int]) -> pd.DataFrame:
        """Columns by their number from 0 on: those of `text` as categories, as written; the others as numbers or text.

        Raises:
            DataError: no rows, or one with more or fewer fields than the others; it is named.
        """
        blanks = self.format.delimiter == " " and not _single_blanks(self.body)
        self._check_shape(blanks)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", pd.errors.ParserWarning)  # fields of a long row would be dropped
                frame: pd.DataFrame = pd.read_csv(  # type: ignore[call-overload]
                    io.BytesIO(self.body),
                    sep=r"\s+" if blanks else self.format.delimiter or ",",
                    decimal=self.format.decimal or ".",
                    header=None,
                    names=range(self.width),
                    # pandas would take a long row for a short one if it were not to read every column
                    usecols=None if blanks else sorted({*text, *numbers}),
                    index_col=False,
                    low_memory=False,
                    skipinitialspace=True,
                    dtype=dict.fromkeys(text, str),  # pandas would make numbers of categories: 01 and 1 are two
                    na_values={number: list(MISSING) for number in range(self.width) if number not in text},
                    keep_default_na=False,
                    on_bad_lines="error",
                )
        except (ValueError, pd.errors.ParserWarning) as error:  # quotes that never end, or a row with too many fields
            self._name_row()
            raise DataError(f"{self.path} cannot be read as a table ({str(error)[:200]})\n{self.describe()}") from error
        if blanks and frame[self.width - 1].isin(["", np.nan]).any():
            self._name_row()  # pandas fills short rows up
        return frame.astype(dict.fromkeys(text, "category"))

    def numbers(self, frame: pd.DataFrame, column: int, name: str) -> npt.NDArray[np.float64]:
        """A column of `read` as numbers, NaN where it is empty.

        Raises:
            DataError: a field is no number, or its thousands seem to be set apart; its row or an example is named.
        """
        values = frame[column]
        if values.dtype.kind in "fiu":
            found = values.to_numpy(dtype=np.float64)
            if may_be_thousands(found):
                self._refuse_thousands(column, name)
            return found
        as_text = values.astype("str")
        if self.format.decimal == ",":
            marked = np.flatnonzero(as_text.str.fullmatch(THOUSANDS["."]).to_numpy(dtype=bool))
            if marked.size:
                self._name_thousands(f", row {marked[0] + self.first_row}", name, as_text.iloc[marked[0]])
            as_text = as_text.str.replace(",", ".")
        parsed = pd.to_numeric(as_text, errors="coerce")
        wrong = np.flatnonzero(parsed.isna() & values.notna())
        if wrong.size:
            raise DataError(
                f"{self.path}, row {wrong[0] + self.first_row}: {name} is {str(values.iloc[wrong[0]])[:40]!r}, not a "
                f"number"
            )
        return parsed.to_numpy(dtype=np.float64)

    def _refuse_thousands(self, column: int, name: str) -> None:
        """Whole numbers of which only those from 1000 on have a sign, before three digits: it is no decimal sign."""
        words = [str(word).strip() for word in self.read([column], [])[column].cat.categories]
        marked = [word for word in words if THOUSANDS[self.format.decimal or "."].fullmatch(word)]
        if marked and all(word in MISSING or SMALL.fullmatch(word) for word in set(words) - set(marked)):
            self._name_thousands("", name, marked[0])

    def _name_thousands(self, where: str, name: str, word: str) -> NoReturn:
        raise DataError(
            f"{self.path}{where}: {name} is {word[:40]!r}, which looks like a number with a sign between its "
            f"thousands (with decimal={self.format.decimal!r}). Write the file without signs between thousands"
        )

    def _check_shape(self, blanks: bool) -> None:
        """Refuse an empty table and rows of another length; where several blanks part fields, pandas is asked later."""
        rows = self.body.count(b"\n") + (not self.complete)
        if not self.body:
            raise DataError(f"{self.path} holds no samples")
        if blanks:
            return
        if self.body.count((self.format.delimiter or ",").encode()) != (self.width - 1) * rows:
            self._name_row()

    def _name_row(self) -> None:
        """Name the first row with another number of fields than the columns, if there is one; quotes are minded."""
        lines = self.body.removesuffix(b"\n").decode(errors="replace").split("\n")  # Unicode has further line ends
        rows = fields_of(lines, self.format.delimiter or ",")
        last = self.body.count(b"\n") + (not self.complete)
        for number, row in enumerate(rows, start=1):
            if len(row) != self.width:
                cut = number == last and not self.complete
                why = "the file breaks off there; fetch it again" if cut else "every row needs as many as the others"
                raise DataError(
                    f"{self.path}, row {number + self.first_row - 1}: {len(row)} of {self.width} fields: {why}"
                )


def open_table(path: Path, form: TableFormat | None = None, most: int | None = None) -> Table:
    """See how a table is written, without reading all of it as numbers.

    Args:
        path: the file.
        form: what is known of its format.
        most: bytes that are read; the whole rows among them are the table. None: all.

    Raises:
        DataError: it is no text, or no table can be seen in it.
    """
    form = form or TableFormat()
    return table_of(path, *_text(path, form.encoding, most), form)


def table_of(path: Path, body: bytes, encoding: str, form: TableFormat) -> Table:
    """The same of text that is at hand: UTF-8 with plain line ends.

    Args:
        path: where it comes from, for messages.
        body: the text.
        encoding: it was in.
        form: what is known of its format.
    """
    body = _without_empty_end(body)
    head = body[:HEAD]
    lines = head.decode(errors="replace").split("\n")
    if len(body) > HEAD and len(lines) > 1:
        lines.pop()  # it may be cut
    elif lines[-1] == "":
        lines.pop()
    if form.delimiter != ";" and closed_by_semicolons(lines):
        body = re.sub(rb"; *(?=\n|$)", b"", body)
        lines = [line.rstrip().removesuffix(";") for line in lines]
    delimiter, decimal = signs(lines, form)
    rows = fields_of(lines, delimiter)
    width = usual([len(row) for row in spread(rows)])
    numeric = numeric_columns([row for row in spread(rows) if len(row) == width], decimal)
    header, first = header_rows(rows, width, numeric, decimal, form.header)
    names = tuple(_printable(name.strip()) for name in rows[header - 1]) if 0 < header <= len(rows) else ()
    if names:
        names = (names[0].lstrip("#% "), *names[1:])
    return Table(
        path,
        names,
        next((tuple(row) for row in rows[header : first - 1] if names and len(row) == len(names)), ()),
        len(names) or width,
        header,
        first,
        body[_offset(body, first - 1) :],
        tuple(lines[max(0, header - 1) :][:3]),
        TableFormat(delimiter, decimal, encoding, header),
        numeric,
    )


def end_of(table: Table, most: int) -> Table:
    """The last rows of a table's file, as many as `most` bytes hold; rows count from there.

    Raises:
        DataError: its encoding does not let text be read from the middle.
    """
    encoding = table.format.encoding or "utf-8"
    if encoding.startswith(("utf-16", "utf-32")):
        raise DataError(f"{table.path} is written in {encoding}, whose end cannot be read by itself")
    with table.path.open("rb") as file:
        file.seek(-most, 2)
        raw = file.read()
    text = raw[raw.find(b"\n") + 1 :].decode(encoding, errors="replace").encode()
    body = _without_empty_end(text.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
    return replace(table, body=body, first_row=1)


def excerpt(lines: Sequence[str], width: int = 100) -> str:
    """A file's first lines, for a message: printable, and shortened.

    >>> print(excerpt(["a;b", "x" * 200], width=8))
      'a;b'
      'xxxxxxxx…'
    """
    shown = [repr(line[: width + 1]) for line in lines[:3]]  # signs that cannot be printed take several
    return "\n".join(f"  {text}" if len(text) <= width + 2 else f"  {text[: width + 1]}…'" for text in shown) or "  ''"


def _text(path: Path, encoding: str | None, most: int | None = None) -> tuple[bytes, str]:
    """A file's text as UTF-8 with plain line ends, and the encoding it was in."""
    with path.open("rb") as file:
        raw = file.read(-1 if most is None else most)
        whole = not file.read(1)
    for magic, what in _NO_TEXT:
        if raw.startswith(magic):
            raise DataError(f"{path} is {what}, no text: write it as CSV")
    found = encoding or next((name for bom, name in _BOMS if raw.startswith(bom)), None)
    if found is None and (zeros := raw[:1000].count(0)):
        even = raw[:1000:2].count(0)
        found = "utf-16-be" if even > zeros / 2 else "utf-16-le"
    try:
        if found is not None and codecs.lookup(found).name != "utf-8":
            raw = _decoded(raw, found, whole).removeprefix("\ufeff").encode()
        else:
            raw = raw.removeprefix(codecs.BOM_UTF8)
            if not raw.isascii():
                _decoded(raw, "utf-8", whole)
    except UnicodeError as error:
        if found is not None:
            raise DataError(
                f"{path} cannot be read as {found} ({str(error)[:100]}): it is no text, or in another encoding"
            ) from error
        # What Windows writes. A class or an axis that is read wrongly is unknown, and refused.
        found = "cp1252"
        raw = raw.decode("cp1252", errors="replace").encode()
    if b"\0" in raw[:1000]:
        raise DataError(f"{path} is no text: it holds bytes of zero")
    if b"\r" in raw:
        raw = raw.replace(b"\r\r\n", b"\n").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return raw if whole else raw[: raw.rfind(b"\n") + 1], found or "utf-8"


def _decoded(raw: bytes, encoding: str, whole: bool) -> str:
    """Text of bytes; where they are not the whole file, the last character may be cut."""
    return codecs.getincrementaldecoder(encoding)().decode(raw, final=whole)


def _without_empty_end(body: bytes) -> bytes:
    """Empty rows at the end mean nothing."""
    end = body.find(b"\n", len(body.rstrip(b" \t,;\n")))
    return body[: end + 1] if body.endswith(b"\n") else body


def _printable(name: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in name)


def _offset(body: bytes, lines: int) -> int:
    """Where the line begins that `lines` lines come before."""
    place = 0
    for _ in range(lines):
        end = body.find(b"\n", place)
        if end < 0:
            return len(body)
        place = end + 1
    return place


def _single_blanks(body: bytes) -> bool:
    """Whether each blank of the body stands between two fields."""
    return not (b"\t" in body or b"  " in body or b"\n " in body or b" \n" in body or body[:1] == b" ")
