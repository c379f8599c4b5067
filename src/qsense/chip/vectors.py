"""The conformance vectors: native counts with the codes that every form of a converter must give.

One line per vector, `row_count_code` in hexadecimal, which `$readmemh` of Verilog and `sscanf` of C read alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qsense.chip.coding import Coding
from qsense.chip.converter import Converter, Counts
from qsense.chip.origin import Origin
from qsense.runs.escapes import comment

SAMPLED = 4096  # random counts of a row, where there are too many to list all


@dataclass(frozen=True, eq=False)
class Vectors:
    """What is to be converted, and to what.

    Args:
        row: row of each vector, int64 [V].
        count: its native count.
        code: the code it must become.
    """

    row: Counts
    count: Counts
    code: Counts


def vectors(converter: Converter) -> Vectors:
    """Every native count in every row; beyond 16 native bits the counts around each threshold, the ends, and 4 096
    random ones."""
    found = []
    for r in range(len(converter.rows)):
        counts = np.arange(converter.native.codes) if converter.listed else _around(converter, r)
        found.append(np.stack([np.full_like(counts, r), counts, converter.encode(r, counts)]))
    return Vectors(*np.concatenate(found, axis=1))


def widths(converter: Converter) -> tuple[int, int, int]:
    """Hexadecimal digits of a vector's row, count and code."""
    return (
        -(-max(len(converter.rows) - 1, 1).bit_length() // 4),
        -(-converter.native.bits // 4),
        -(-converter.bits // 4),
    )


def as_text(converter: Converter, origin: Origin) -> str:
    """The vector file, with the SHA-256 of its vector lines at its head."""
    coding = converter.native.coding
    every, (of_row, of_count, of_code) = vectors(converter), widths(converter)
    lines = zip(every.row.tolist(), coding.word(every.count).tolist(), every.code.tolist(), strict=True)
    body = "".join(f"{r:0{of_row}x}_{count:0{of_count}x}_{code:0{of_code}x}\n" for r, count, code in lines)
    what = "every native count" if converter.listed else "native counts around each threshold and at random"
    rows = ", ".join(f"{r:x} = {name}" for r, name in enumerate(converter.rows))
    counted = f", counts in {coding.name}" * coding.signed
    head = [
        f"{converter.name}: {len(every.row)} vectors, {what} in every row",
        *origin.lines(),
        f"row_count_code in hexadecimal{counted}; rows: {rows}",
    ]
    return sealed(head, body)


def sealed(head: Sequence[str], body: str) -> str:
    """Lines of vectors below remarks, the last of which is their checksum."""
    remarks = [*head, f"sha256 of the lines below: {checksum(body)}"]
    return "".join(f"// {comment(line)}\n" for line in remarks) + body


def checksum(body: str) -> str:
    """SHA-256, hexadecimal."""
    return hashlib.sha256(body.encode()).hexdigest()


def read(text: str, coding: Coding | None = None) -> Vectors:
    """A vector file's vectors.

    Args:
        text: the file's.
        coding: how it writes counts; None: in offset binary.

    Raises:
        ValueError: its lines are not those that its checksum stands for.
    """
    row, words, code = opened(text, 3)
    return Vectors(row, words if coding is None else coding.word(words), code)


def opened(text: str, fields: int) -> Counts:
    """The numbers of a vector file, [fields, vectors].

    Raises:
        ValueError: its lines are not those that its checksum stands for.
    """
    lines = text.splitlines(keepends=True)
    head = [line for line in lines if line.startswith("//")]
    body = [line for line in lines if not line.startswith("//")]
    stated = head[-1].rsplit(" ", 1)[-1].strip() if head else "none"
    if stated != checksum("".join(body)):
        raise ValueError(
            f"the vector file is damaged: its lines have the checksum {checksum(''.join(body))}, and its head states "
            f"{stated}: export it again"
        )
    numbers = [[int(field, 16) for field in line.split("_")] for line in body]
    return np.array(numbers, dtype=np.int64).reshape(-1, fields).T


def _around(converter: Converter, row: int) -> Counts:
    last = converter.native.codes - 1
    near = converter.counts[row][:, None] + np.array([-1, 0, 1])
    black, white = converter.native.black, converter.native.white
    random = np.random.default_rng(row).integers(0, last, SAMPLED, endpoint=True)
    return np.unique(np.concatenate([near.ravel(), random, [0, black, white, last]]).clip(0, last))
