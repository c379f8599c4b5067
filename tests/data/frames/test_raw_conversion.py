"""What turning and cutting do to a mosaic before its counts become a frame's codes."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from qsense.data.frames.files.raw_files import Mosaic
from qsense.data.frames.geometry.bayer import pack
from qsense.data.frames.geometry.placing import Place
from qsense.data.frames.raw_conversion import left_aligned, part_of
from qsense.data.photos import TURNS
from qsense.signal import BAYER


@given(data=st.data())
def test_turning_cutting_and_packing_keep_each_count_its_colour(data: st.DataObject) -> None:
    """Beside a reference that carries every sample's colour and black level along."""
    height, width = data.draw(st.integers(4, 9)), data.draw(st.integers(4, 9))
    pattern, orientation = data.draw(st.sampled_from(BAYER)), data.draw(st.integers(1, 8))
    bits = data.draw(st.integers(2, 16))
    common = data.draw(st.integers(bits, 24))
    codes = np.random.default_rng(height * width).integers(0, 1 << bits, (height, width)).astype(np.uint16)
    black = (1, 2, 3, 4)

    red = divmod(pattern.index("R"), 2)
    rows, columns = np.indices((height, width))
    on_red_row, on_red_column = rows % 2 == red[0], columns % 2 == red[1]
    colour = np.where(on_red_row, np.where(on_red_column, 0, 1), np.where(on_red_column, 2, 3)).astype(np.uint8)

    def upright(array: Any) -> Any:
        if orientation == 1:
            return array
        order = np.asarray(
            Image.fromarray(np.arange(array.size, dtype=np.uint8).reshape(array.shape)).transpose(TURNS[orientation])
        )
        return array.ravel()[order]

    own, colours = upright(codes), upright(colour)
    top, left = data.draw(st.integers(0, own.shape[0] - 2)), data.draw(st.integers(0, own.shape[1] - 2))
    place = Place(
        left, top, data.draw(st.integers(2, own.shape[1] - left)), data.draw(st.integers(2, own.shape[0] - top))
    )
    area = np.s_[top : top + place.height // 2 * 2, left : left + place.width // 2 * 2]
    own, colours = own[area], colours[area]

    found = part_of(Mosaic(codes, pattern, black, 0, None), orientation, place)
    planes = left_aligned(pack(found.codes, found.pattern), bits, common)

    levels = np.array(black)[colours]
    red_row = np.flatnonzero((colours == 0).any(1))[0] % 2
    for plane, chosen in enumerate(
        (colours == 0, np.isin(colours, (1, 2)) & (np.indices(own.shape)[0] % 2 == red_row),
         np.isin(colours, (1, 2)) & (np.indices(own.shape)[0] % 2 != red_row), colours == 3)
    ):  # fmt: skip
        expected = own[chosen].reshape(planes.shape[1:])
        np.testing.assert_array_equal(planes[plane] >> (common - bits), expected)  # it can be undone
        np.testing.assert_array_equal(planes[plane], expected.astype(np.int64) << (common - bits))
        assert set(levels[chosen].tolist()) == {found.black[plane]}
