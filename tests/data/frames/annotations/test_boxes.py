"""Annotated boxes: what is refused, left out or cut off, and how that is said once."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
from tests.refusal import assert_names, refused

from qsense.data.errors import DataError
from qsense.data.frames.annotations.boxes import BoxCheck

GOOD = [1.0, 2.0, 10.0, 20.0]
SIZE = (30, 40)


def fit(*boxes: list[float], strict: bool = False, **settings: Any) -> tuple[Any, BoxCheck]:
    check = BoxCheck(strict, **settings)
    found, keep = check.fit(boxes, SIZE, lambda i: f"box {i} {tuple(boxes[i])}", lambda i: i // 2)
    return found[keep].tolist(), check


def test_good_boxes_stay_and_none_is_fine(caplog: pytest.LogCaptureFixture) -> None:
    found, check = fit(GOOD, [0.0, 0.0, 30.0, 40.0])
    assert found == [GOOD, [0, 0, 30, 40]]
    check.finish("a.xml")
    found, check = fit()
    assert found == []
    check.finish("a.xml")
    assert not caplog.text
    assert BoxCheck().fit([GOOD], SIZE, str, str)[0].dtype == np.float32


@pytest.mark.parametrize(
    ("box", "cut"),
    [
        ([-2, -1, 32, 40.5], [0, 0, 30, 40]),
        ([-1e-9, 0, 30, 40], [0, 0, 30, 40]),
        ([29, 39, 32, 42], [29, 39, 30, 40]),
    ],
)
def test_rounding_is_cut_off_and_said_even_if_strict(
    box: list[float], cut: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    for strict in (False, True):
        found, check = fit(GOOD, box, strict=strict)
        assert found == [GOOD, cut]
        check.finish(f"{strict} a.xml")
        assert_names(caplog.text, "a.xml", "2 boxes", "1 in 1 image", tuple(box), "30 × 40", "data.dataset.strict=true")
        caplog.clear()


BEYOND: list[tuple[list[float], tuple[str, ...], list[list[float]]]] = [
    ([5, 2, 5, 20], ("area",), []),
    ([1, 2, 10, 2], ("area",), []),
    ([7, 7, 7, 7], ("area",), []),
    ([20, 2, 20.0000001, 20], ("area",), []),  # none in single precision
    ([50, 2, 50, 20], ("area",), []),
    ([30, 2, 31, 20], ("30 × 40",), []),
    ([-5, 2, -1, 20], ("30 × 40",), []),
    ([1, 40, 10, 43], ("30 × 40",), []),
    ([1, 2, 10, 43], ("30 × 40", "2 pixels"), [[1, 2, 10, 40]]),
    ([-9, 2, 10, 40], ("30 × 40", "2 pixels"), [[0, 2, 10, 40]]),
    ([-1e9, -1e9, 1e9, 1e9], ("30 × 40", "2 pixels"), [[0, 0, 30, 40]]),
]


@pytest.mark.parametrize(("box", "named", "left"), BEYOND)
def test_others_are_left_out_or_cut_with_a_warning_or_refused(
    box: list[float], named: tuple[str, ...], left: list[list[float]], caplog: pytest.LogCaptureFixture
) -> None:
    found, check = fit(GOOD, box)
    assert found == [GOOD, *left]
    with caplog.at_level(logging.WARNING):
        check.finish("a.xml")
    assert len(caplog.records) == 1
    assert_names(caplog.text, "a.xml", "2 boxes", "1 in 1 image", f"box 1 {tuple(box)}")
    with refused(DataError, "a.xml", "1 of 2", f"box 1 {tuple(box)}", *named):
        fit(GOOD, box, strict=True)[1].finish("a.xml")


@pytest.mark.parametrize(
    ("box", "named"),
    [
        ([10, 2, 1, 20], "reversed"),
        ([1, 20, 10, 2], "reversed"),
        ([90, 20, 80, 2], "reversed"),
        ([1, 2, float("nan"), 20], "number"),
        ([1, 2, float("inf"), 20], "number"),
        ([float("-inf"), 2, 3, 20], "number"),
        ([float("nan")] * 4, "number"),
    ],
)
def test_nonsense_is_refused_whatever_the_user_allows(box: list[float], named: str) -> None:
    for strict in (False, True):
        with refused(DataError, "a.xml", "1 of 2", "1 image", f"box 1 {tuple(box)}", named):
            fit(GOOD, box, strict=strict)[1].finish("a.xml")


def test_many_are_counted_in_one_message_of_one_screen(caplog: pytest.LogCaptureFixture) -> None:
    empty = [[float(i), 2.0, float(i), 9.0] for i in range(30)]
    _, check = fit(*empty, GOOD, [-9, 2, 10, 40])
    check.finish("a.xml")
    assert len(caplog.records) == 1
    assert_names(
        caplog.text, "32 boxes", "30 in 15 images", "30 without area", "1 in 1 image", "box 0 (0.0, 2.0, 0.0, 9.0)"
    )
    with refused(DataError, "a.xml", "30 of 31", "15 images", "box 0", "box 19", "10 more") as caught:
        fit(*empty, GOOD, strict=True)[1].finish("a.xml")
    assert "box 20" not in str(caught.value)


def test_shares_of_the_image_are_no_pixels() -> None:
    shares: list[list[list[float]]] = [
        [[0.1, 0.1, 0.4, 0.4]],
        [[0, 0, 1, 1], [0.25, 0.5, 1, 1.001]],
        [[0, 0, 0.5, 0.5]] * 50,
    ]
    for boxes in shares:
        with refused(DataError, "a.json", len(boxes), "shares", "(0 … 1)", "do this"):
            fit(*boxes)[1].finish("a.json", "do this")
    pixels: list[list[list[float]]] = [[[0, 0, 1, 1]], [[0.1, 0.1, 0.4, 0.4], GOOD], [[0, 0, 1, 1], [0, 0, 0.5, 1.5]]]
    for boxes in pixels:
        found, check = fit(*boxes)
        check.finish("a.json")
        assert len(found) == len(boxes)


def test_boxes_of_images_of_another_size_are_refused() -> None:
    large = [[float(3 * i), 8.0, 3.0 * i + 40, 80.0] for i in range(12)]
    with refused(DataError, "a.json", "12 of 12", "another size"):
        fit(*large)[1].finish("a.json")
    fit(*large, *[GOOD] * 12)[1].finish("a.json")  # half of them fit
    fit(*large[:9])[1].finish("a.json")  # too few to tell


def test_a_process_warns_once_of_the_same_boxes(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        fit([-9.0, 1.0, 20.0, 20.0])[1].finish("a.json")
    assert len(caplog.messages) == 1
