"""Mosaics of numbers alone: bytes, packed bits, padded rows, and files whose size tells of another layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.refusal import refused

from qsense.commands.scenes import from_file, parser
from qsense.data.errors import DataError
from qsense.data.frames.files.headless import PACKINGS, Layout, read_headless
from qsense.data.frames.geometry.bayer import pack

SIZE = (3, 7)  # a row ends within a group


def stored(file: Path, content: bytes) -> Path:
    file.write_bytes(content)
    return file


@pytest.mark.parametrize(("sample", "kind"), [(1, np.uint8), (2, np.uint16), (3, np.uint32), (4, np.uint32)])
@pytest.mark.parametrize("order", ["little", "big"])
def test_numbers_of_whole_bytes_are_read_in_either_order(tmp_path: Path, sample: Any, kind: type, order: Any) -> None:
    values = [0, 1, 255, (1 << 8 * sample) - 1, 1 << 8 * (sample - 1), 200]
    file = stored(tmp_path / "a.raw", b"".join(value.to_bytes(sample, order) for value in values))
    found = read_headless(file, Layout(2, 3, sample, byte_order=order))
    assert found.dtype == kind
    assert found.tolist() == [values[:3], values[3:]]


def packed(row: list[int], packing: str) -> bytes:
    """The definition, sample by sample."""
    kind, bits = packing[:-2], int(packing[-2:])
    if kind == "mipi":
        group = 4 if bits == 10 else 2
        padded = row + [0] * (-len(row) % group)
        cells = [padded[i : i + group] for i in range(0, len(padded), group)]
        low = bits - 8
        return b"".join(
            bytes(v >> low for v in cell) + bytes([sum((v & (1 << low) - 1) << low * i for i, v in enumerate(cell))])
            for cell in cells
        )
    size = -(-len(row) * bits // 8)
    if kind == "lsb":
        return sum(v << bits * i for i, v in enumerate(row)).to_bytes(size, "little")
    return (int("".join(f"{v:0{bits}b}" for v in row), 2) << size * 8 - len(row) * bits).to_bytes(size, "big")


@pytest.mark.parametrize("packing", PACKINGS[1:])
@pytest.mark.parametrize("padding", [None, 0, 5])
@pytest.mark.parametrize("width", [1, 2, 4, 7, 8])
def test_packed_samples_are_unpacked(tmp_path: Path, packing: Any, padding: int | None, width: int) -> None:
    codes = np.random.default_rng(0).integers(0, 1 << int(packing[-2:]), (3, width))
    codes[0, -1] = (1 << int(packing[-2:])) - 1
    layout = Layout(3, width, packing=packing)
    rows = [packed(row, packing) for row in codes.tolist()]
    assert [len(row) for row in rows] == [layout.row] * 3
    if padding is not None:
        layout = Layout(3, width, packing=packing, stride=layout.row + padding)
    content = b"".join(row + b"\xee" * (padding or 0) for row in rows)
    for length in {len(content), len(content) - (padding or 0)}:  # the last row may be padded, or not
        found = read_headless(stored(tmp_path / "a.raw", content[:length]), layout)
        assert found.dtype == np.uint16
        assert found.tolist() == codes.tolist()


def test_published_examples_of_packing(tmp_path: Path) -> None:
    """MIPI CSI-2's RAW10 and RAW12, GenICam's Mono12p, and TIFF's order of bits."""
    for packing, content, values in (
        ("mipi10", "ff 00 80 01 1b", [1023, 2, 513, 4]),
        ("mipi12", "ab cd 21", [0xAB1, 0xCD2]),
        ("lsb12", "23 61 45", [0x123, 0x456]),
        ("msb12", "12 34 56", [0x123, 0x456]),
    ):
        layout = Layout(1, len(values), packing=packing)  # type: ignore[arg-type]
        assert read_headless(stored(tmp_path / "a.raw", bytes.fromhex(content)), layout).tolist() == [values]


def test_rows_of_whole_bytes_may_be_padded(tmp_path: Path) -> None:
    file = stored(tmp_path / "a.raw", bytes([1, 0, 2, 0, 9, 3, 0, 4, 0, 9]))
    assert read_headless(file, Layout(2, 2, stride=5)).tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("size", "layout", "named"),
    [
        (5, Layout(2, 3), (5, 12, "2 rows of 3 samples of 2 bytes", "sample=1 6", "sample=4 24", "None fits")),
        (6, Layout(2, 3), (6, 12, "It would fit sample=1")),
        (12, Layout(2, 3, 4), (12, 24, "It would fit sample=2")),
        (10, Layout(2, 4), (10, 16, "packing=mipi10 or packing=lsb10 or packing=msb10")),
        (64 * 50 * 3 // 2, Layout(50, 64), ("packing=mipi12 or packing=lsb12 or packing=msb12",)),
        (50 * 160, Layout(50, 64), ("sample=2 with stride=160", "packing=mipi12 with stride=160")),
        (50 * 128, Layout(50, 64, stride=160), (6400, 8000, "stride 160", "sample=2")),
        (50 * 128, Layout(50, 64, packing="mipi12"), (6400, 4800, "64 samples of mipi12", "sample=2")),
        (0, Layout(2, 3), (0, 12, "None fits")),
        (10**6, Layout(2, 3), (10**6, 12, "None fits")),
    ],
)
def test_another_size_names_the_layouts_that_fit(
    tmp_path: Path, size: int, layout: Layout, named: tuple[object, ...]
) -> None:
    file = stored(tmp_path / "a.raw", bytes(size))
    with refused(DataError, file, *named) as caught:
        read_headless(file, layout)
    assert len(str(caught.value)) < 800


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    for place in (tmp_path / "b.raw", tmp_path):
        with refused(DataError, place):
            read_headless(place, Layout(2, 3))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"height": 0}, ("height=0",)),
        ({"width": -4}, ("width=-4",)),
        ({"sample": 5}, ("sample=5", "1, 2, 3, 4")),
        ({"packing": "mipi14"}, ("packing='mipi14'", "mipi10", "msb12")),
        ({"byte_order": "network"}, ("byte_order='network'", "little, big")),
        ({"stride": 5}, ("stride=5", "6 bytes", "2 rows of 3 samples of 2 bytes")),
        ({"packing": "lsb12", "stride": 4}, ("stride=4", "5 bytes")),
        ({"packing": "lsb12", "byte_order": "big"}, ("byte_order=big", "packing=lsb12")),
    ],
)
def test_layouts_that_cannot_be_are_refused(arguments: dict[str, Any], named: tuple[object, ...]) -> None:
    with refused(ValueError, *named):
        Layout(**{"height": 2, "width": 3, **arguments})


@pytest.mark.parametrize("pattern", ["RGGBX", "RGG", "rggb", "RGBG", ""])
def test_a_pattern_that_only_begins_like_bayer_is_refused(pattern: str) -> None:
    with refused(ValueError, f"pattern={pattern!r}", "RGGB, BGGR, GRBG, GBRG"):
        pack(np.zeros((4, 4), dtype=np.uint16), pattern)
    with pytest.raises(SystemExit):
        parser().parse_args(["a.raw", "--pattern", pattern])


def test_scenes_are_drawn_from_any_layout(tmp_path: Path) -> None:
    codes = [[1, 300, 3, 4], [5, 6, 7, 8]]  # dark: white is what 10 bits hold, not 9
    file = stored(tmp_path / "a.raw", b"".join(packed(row, "mipi10") + b"pad" for row in codes))
    line = [str(file), "--width", "4", "--height", "2", "--packing", "mipi10", "--stride", "8"]
    scene = from_file(file, parser().parse_args(line))
    assert scene.codes.tolist() == pack(np.array(codes)).tolist()
    assert (scene.signal.native_bits, scene.signal.white) == (10, 1023)
