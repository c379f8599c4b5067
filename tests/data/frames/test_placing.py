"""Where annotated pictures lie in raw frames: sizes, and what turning and cutting do to a mosaic."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.refusal import refused

from qsense.data.frames.bayer import pack
from qsense.data.frames.files.raw_files import Mosaic
from qsense.data.frames.placing import Place, check_crop, find_place, part_of
from qsense.data.frames.raw_conversion import left_aligned
from qsense.data.photos import TURNS
from qsense.signal import BAYER


def test_the_middle_of_a_nikon_d750s_frame() -> None:
    assert find_place((3968, 2640), (3936, 2624), "centre") == Place(16, 8, 3936, 2624)
    assert find_place((3968, 2640), (3968, 2640), "centre") == Place(0, 0, 3968, 2640)
    assert find_place((3968, 2640), (3936, 2624), [10, 3]) == Place(10, 3, 3936, 2624)


def test_a_picture_that_is_clearly_smaller_was_resized() -> None:
    place = find_place((6034, 4012), (600, 400), "none")  # PASCAL RAW
    assert (place.width, place.height, place.across, place.down) == (6034, 4012, 6034 / 600, 4012 / 400)
    assert place.resized
    assert find_place((6034, 4012), (600, 400), "centre") == place  # never its middle 600 × 400
    assert find_place((6034, 4012), (600, 400), [17, 6, 6000, 4000]) == Place(17, 6, 6000, 4000, 10, 10)
    assert find_place((6034, 4012), (600, 400), [17, 6]) == Place(17, 6, 600, 400)  # cut out, as is said


@pytest.mark.parametrize(
    ("raw", "annotated", "crop", "named"),
    [
        ((3968, 2640), (3936, 2624), "none", ("3968 × 2640", "3936 × 2624", 32, 16, "data.dataset.crop=centre")),
        ((3968, 2640), (4000, 2640), "centre", ("3968 × 2640", "4000 × 2640", -32)),
        ((6000, 4000), (1000, 800), "centre", ("6000 × 4000", "1000 × 800", "6", "5")),
        ((6000, 4000), (5900, 2000), "centre", ("6000 × 4000", "5900 × 2000")),  # half of it is no margin
        ((3968, 2640), (3936, 2624), (33, 0), ("crop=[33, 0]", "33 + 3936 = 3969", "3968")),
        ((3968, 2640), (400, 400), (0, 0, 1200, 800), ("crop=[0, 0, 1200, 800]", "1200 / 400 = 3", "800 / 400 = 2")),
    ],
)
def test_sizes_that_do_not_belong_together(raw: Any, annotated: Any, crop: Any, named: tuple[Any, ...]) -> None:
    with refused(ValueError, *named):
        find_place(raw, annotated, crop)


def test_crops_are_checked() -> None:
    assert check_crop([1, 2]) == (1, 2)
    assert check_crop("centre") == "centre"
    for wrong in ("middle", [1], [1, 2, 3], [-1, 0], [0.5, 1], [True, 0]):
        with refused(ValueError, "crop", "none", "centre", "[left, top]"):
            check_crop(wrong)  # type: ignore[arg-type]


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
