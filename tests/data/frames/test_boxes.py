"""Annotated boxes: what is refused, and what is cut off."""

from __future__ import annotations

import numpy as np
import pytest
from tests.refusal import refused

from qsense.data.errors import DataError
from qsense.data.frames.boxes import check_boxes

GOOD = [1.0, 2.0, 10.0, 20.0]


def test_good_boxes_stay_and_none_is_fine() -> None:
    boxes = check_boxes([GOOD, [0.0, 0.0, 30.0, 40.0]], 30, 40, "a.xml")
    assert boxes.dtype == np.float32
    assert boxes.tolist() == [GOOD, [0, 0, 30, 40]]
    assert check_boxes([], 30, 40, "a.xml").shape == (0, 4)


def test_what_sticks_out_by_rounding_is_cut_off() -> None:
    assert check_boxes([[-2, -1, 32, 40.5]], 30, 40, "a.xml").tolist() == [[0, 0, 30, 40]]
    assert check_boxes([[-9, 0, 30, 40]], 30, 40, "a.xml", tolerance=10).tolist() == [[0, 0, 30, 40]]


@pytest.mark.parametrize(
    ("box", "named"),
    [
        ([10, 2, 1, 20], ("reversed",)),
        ([1, 20, 10, 2], ("reversed",)),
        ([5, 2, 5, 20], ("area",)),
        ([1, 2, 10, 2], ("area",)),
        ([1, 2, float("nan"), 20], ("number",)),
        ([1, 2, float("inf"), 20], ("number",)),
        ([30, 2, 31, 20], ("30 × 40",)),
        ([-5, 2, -1, 20], ("30 × 40",)),
        ([1, 2, 10, 43], ("30 × 40", 2)),
    ],
)
def test_others_are_refused_by_file_and_number(box: list[float], named: tuple[object, ...]) -> None:
    with refused(DataError, "a.xml", "box 2", tuple(box), *named):
        check_boxes([GOOD, box], 30, 40, "a.xml")
