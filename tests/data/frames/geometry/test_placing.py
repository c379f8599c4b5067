"""Where annotated pictures lie in raw frames, by the sizes of both."""

from __future__ import annotations

from typing import Any

import pytest
from tests.refusal import refused

from qsense.data.frames.geometry.placing import Place, check_crop, find_place


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
    with refused(ValueError, "crop=center", "centre", "centre"):  # what is meant, and what is allowed
        check_crop("center")  # type: ignore[arg-type]
