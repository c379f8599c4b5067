"""Mosaics stored as numbers alone: whole bytes or packed bits, rows with or without padding, either byte order.

Open it when a file of a development kit or a frame grabber is read wrongly, or to add a way of packing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import numpy.typing as npt

from qsense.data.errors import DataError

if TYPE_CHECKING:
    from qsense.data.frames.storing.plane_cache import Codes

Sample = Literal[1, 2, 3, 4]
Packing = Literal["none", "mipi10", "mipi12", "lsb10", "lsb12", "msb10", "msb12"]
ByteOrder = Literal["little", "big"]
PACKINGS: tuple[Packing, ...] = get_args(Packing)
PADDING = 256  # bytes: rows are padded to multiples of at most this


@dataclass(frozen=True)
class Layout:
    """How a file's bytes become samples.

    Args:
        height: rows.
        width: samples in a row.
        sample: bytes of each, if they are not packed.
        packing: "none"; MIPI CSI-2's "mipi10" (four high bytes, then a byte of their low bits) and "mipi12" (two, then
            one), as phones and the Raspberry Pi store them; or one stream of bits, each sample's lowest first, "lsb10"
            and "lsb12" (GenICam's Mono10p and Mono12p), or highest first, "msb10" and "msb12" (TIFF, DNG).
        byte_order: of samples of several bytes, if they are not packed.
        stride: bytes from one row to the next; None: rows follow each other.

    Raises:
        ValueError: an argument out of its range.
    """

    height: int
    width: int
    sample: Sample = 2
    packing: Packing = "none"
    byte_order: ByteOrder = "little"
    stride: int | None = None

    def __post_init__(self) -> None:
        if not all(type(side) is int and side > 0 for side in (self.height, self.width)):
            raise ValueError(f"height={self.height}, width={self.width}: whole numbers of samples, at least 1 of each")
        choices = (("sample", get_args(Sample)), ("packing", PACKINGS), ("byte_order", get_args(ByteOrder)))
        for name, allowed in choices:
            if (value := getattr(self, name)) not in allowed:
                raise ValueError(f"{name}={value!r} must be one of {', '.join(map(str, allowed))}")
        if self.packing != "none" and self.byte_order != "little":
            raise ValueError(f"byte_order=big is for whole bytes; packing={self.packing} says where each bit is")
        if self.stride is not None and (type(self.stride) is not int or self.stride < self.row):
            raise ValueError(f"stride={self.stride} bytes is less than the {self.row} bytes of a row ({self.words})")

    @property
    def bits(self) -> int:
        """Of a sample."""
        return 8 * self.sample if self.packing == "none" else int(self.packing[-2:])

    @property
    def row(self) -> int:
        """Bytes of a row without padding."""
        if self.packing.startswith("mipi"):  # whole groups
            samples, size = _group(self.bits)
            return -(-self.width // samples) * size
        return -(-self.width * self.bits // 8)

    @property
    def size(self) -> int:
        """Bytes of the file, the last row's padding included."""
        return self.height * (self.stride or self.row)

    @property
    def words(self) -> str:
        """The layout in a message."""
        each = f"{self.sample} byte{'s' * (self.sample > 1)}" if self.packing == "none" else self.packing
        padding = "" if self.stride is None else f", stride {self.stride}"
        return f"{self.height} rows of {self.width} samples of {each}{padding}"

    def fits(self, size: int) -> bool:
        """Whether a file of so many bytes may have this layout; the last row's padding may be left out."""
        return size in (self.size, self.size - (self.stride or self.row) + self.row)

    def decode(self, content: npt.NDArray[np.uint8]) -> Codes:
        """The samples [height, width] of a file's bytes: uint8, uint16, or uint32 for three and four bytes."""
        stride = self.stride or self.row
        whole = np.zeros(self.size, dtype=np.uint8)
        whole[: content.size] = content
        rows = whole.reshape(self.height, stride)[:, : self.row]
        return self._bytes(rows) if self.packing == "none" else self._packed(rows)

    def _bytes(self, rows: npt.NDArray[np.uint8]) -> Codes:
        each = rows.reshape(self.height, self.width, self.sample)
        if self.byte_order == "big":
            each = each[..., ::-1]
        wide = np.zeros((self.height, self.width, 4 if self.sample == 3 else self.sample), dtype=np.uint8)
        wide[..., : self.sample] = each  # no arithmetic: uint8 · 256 would overflow
        numbers: Codes = wide.view(f"<u{wide.shape[-1]}")[..., 0]
        return numbers

    def _packed(self, rows: npt.NDArray[np.uint8]) -> Codes:
        samples, size = _group(self.bits)
        groups = -(-self.width // samples)
        padded = np.zeros((self.height, groups * size), dtype=np.uint8)
        padded[:, : self.row] = rows
        cells = padded.reshape(self.height, groups, size).astype(np.uint64)
        found = np.empty((self.height, groups, samples), dtype=np.uint16)
        mask = np.uint64((1 << self.bits) - 1)
        if self.packing.startswith("mipi"):
            low = self.bits - 8
            for i in range(samples):
                rest = cells[..., -1] >> np.uint64(low * i) & np.uint64((1 << low) - 1)
                found[..., i] = cells[..., i] << np.uint64(low) | rest
        else:
            lowest_first = self.packing.startswith("lsb")
            word = np.zeros((self.height, groups), dtype=np.uint64)
            for i in range(size):
                word |= cells[..., i] << np.uint64(8 * (i if lowest_first else size - 1 - i))
            for i in range(samples):
                found[..., i] = word >> np.uint64(self.bits * (i if lowest_first else samples - 1 - i)) & mask
        return found.reshape(self.height, -1)[:, : self.width]


def read_headless(file: Path, layout: Layout) -> Codes:
    """A mosaic stored as numbers alone: [height, width].

    Returns:
        uint8, uint16, or uint32 for three and four bytes.

    Raises:
        DataError: unreadable, or another number of bytes than the layout has; the layouts that would fit are named.
    """
    try:
        content = np.fromfile(file, dtype=np.uint8)
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}") from error
    if not layout.fits(content.size):
        plain = replace(layout, packing="none", stride=None, byte_order="little")
        sizes = ", ".join(f"{words} {each.size}" for words, each in _alternatives(plain))
        fitting = _fitting(plain, content.size)
        remedy = (
            f"It would fit {' or '.join(fitting)}" if fitting else "None fits: is it truncated, or of another size?"
        )
        raise DataError(
            f"{file} has {content.size} bytes, but {layout.size} are expected: {layout.words}. So many samples take: "
            f"{sizes}. {remedy}"
        )
    return layout.decode(content)


def _group(bits: int) -> tuple[int, int]:
    """Samples that fill whole bytes, and how many bytes.

    >>> _group(10), _group(12)
    ((4, 5), (2, 3))
    """
    samples = next(n for n in (1, 2, 4, 8) if n * bits % 8 == 0)
    return samples, samples * bits // 8


def _alternatives(layout: Layout) -> Iterator[tuple[str, Layout]]:
    for sample in get_args(Sample):
        yield f"sample={sample}", replace(layout, sample=sample)
    for packing in PACKINGS[1:]:
        yield f"packing={packing}", replace(layout, packing=packing)


def _fitting(layout: Layout, size: int) -> list[str]:
    """Layouts of this height and width for a file of so many bytes; with padded rows where there is no other."""
    exact = [words for words, other in _alternatives(layout) if other.fits(size)]
    stride, rest = divmod(size, layout.height)
    if exact or rest:
        return exact
    return [
        f"{words} with stride={stride}"
        for words, other in _alternatives(layout)
        if other.row < stride < other.row + PADDING
    ]
