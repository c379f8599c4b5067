"""Labelme annotations, of all its versions and of X-AnyLabeling: what is read, and what is refused by name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.refusal import assert_names, refused

from qsense.data.errors import DataError
from qsense.data.frames.annotations.boxes import BoxCheck
from qsense.data.frames.annotations.labelme import read_labelme

CLASSES = ("car", "bicycle")


def shape(label: str = "car", points: Any = ((10, 20), (30, 40))) -> dict[str, Any]:
    return {"label": label, "points": points, "shape_type": "rectangle"}


def labelme(*shapes: Any) -> bytes:
    return json.dumps({"version": "4", "shapes": list(shapes), "imageData": None}).encode()


@pytest.mark.parametrize("points", [[(10, 20), (30, 40)], [(30, 40), (10, 20)], [(10, 40), (30, 20)]])
def test_corners_may_come_in_any_order(points: Any) -> None:
    found = read_labelme(labelme(shape("bicycle", points)), "a.json", CLASSES, (), (400, 600))
    assert found.boxes.tolist() == [[10, 20, 30, 40]]
    assert found.labels.tolist() == [1]


def test_polygons_are_boxed_and_some_classes_left_out() -> None:
    content = labelme(shape("sign"), shape(points=[(5, 6), (9, 1), (7, 8)]), shape("sign"))
    found = read_labelme(content, "a.json", CLASSES, ["sign"], (400, 600))
    assert found.boxes.tolist() == [[5, 1, 9, 8]]
    assert found.labels.tolist() == [0]
    found = read_labelme(labelme(), "a.json", CLASSES, (), (400, 600))
    assert found.boxes.shape == (0, 4)
    assert found.labels.shape == (0,)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"{", ("JSONDecodeError", "'shapes'", "'label'", "'points'")),
        (b"[]", ("TypeError", "'shapes'", "'label'", "'points'")),
        (b"{}", ("KeyError('shapes')", "'label'", "'points'")),
        (labelme({"label": "car"}), ("KeyError('points')", "'shapes'", "'label'")),
        (labelme(shape(points=[["a", 1], [2, 3]])), ("box 1", "(nan, 1, nan, 3)", "number")),
        (labelme(shape(points=[(1, 2)])), ("shape 1", "[[1, 2]]")),
        (labelme(shape(points=[])), ("shape 1", "[]")),
        (labelme(shape(), shape("tram")), ("shape 2", "'tram'", "car, bicycle", "data.dataset.skip")),
        (labelme(shape(points=[(10, 20), (10, 40)])), ("box 1", "(10, 20, 10, 40)", "area")),
        (labelme(shape(points=[(590, 20), (650, 40)])), ("box 1", "(590, 20, 650, 40)", "600 × 400", 2)),
    ],
)
def test_bad_labelme_annotations_are_named(content: bytes, named: tuple[object, ...]) -> None:
    with refused(DataError, "a.json", *named):
        read_labelme(content, "a.json", CLASSES, (), (400, 600))


def read(*shapes: Any, strict: bool = False, size: tuple[int, int] = (400, 600), **fields: Any) -> Any:
    document = {"version": "5.5.0", "shapes": list(shapes), "imageData": None, **fields}
    check = BoxCheck(strict)
    found = read_labelme(json.dumps(document).encode(), "a.json", CLASSES, (), size, check)
    check.finish("anno")
    return found


ROTATED = [[20.0, 10.0], [30.0, 20.0], [20.0, 30.0], [10.0, 20.0]]


@pytest.mark.parametrize(
    ("changes", "box"),
    [
        ({}, [10, 20, 30, 40]),
        ({"shape_type": None}, [10, 20, 30, 40]),
        ({"points": [[10, 20], [30, 20], [30, 40], [10, 40]]}, [10, 20, 30, 40]),  # X-AnyLabeling since 2.0
        ({"shape_type": "circle", "points": [[100, 100], [103, 104]]}, [95, 95, 105, 105]),
        ({"shape_type": "circle", "points": [[100, 100], [100, 90]]}, [90, 90, 110, 110]),
        ({"shape_type": "rotation", "points": ROTATED, "direction": 0.785}, [10, 10, 30, 30]),
        ({"shape_type": "quadrilateral", "points": ROTATED}, [10, 10, 30, 30]),
        ({"shape_type": "polygon", "points": [*ROTATED, [50, 15]]}, [10, 10, 50, 30]),
        ({"shape_type": "mask", "points": [[10, 20], [29, 39]], "mask": "iVBORw0KGgo="}, [10, 20, 30, 40]),
        ({"points": [["10", "20"], [30.0, 40]]}, [10, 20, 30, 40]),
        ({"points": [[-1, -2], [601, 402]]}, [0, 0, 600, 400]),
        ({"points": [[590, 20], [650, 40]]}, [590, 20, 600, 40]),
        ({"label": " car "}, [10, 20, 30, 40]),
        ({"group_id": 3, "description": "", "score": None, "attributes": {}}, [10, 20, 30, 40]),
    ],
)
def test_shapes_of_all_versions_are_boxed(changes: dict[str, Any], box: list[float]) -> None:
    found = read(shape(points=[[30, 40], [10, 20]]) | changes)
    assert found.boxes.tolist() == [box]
    assert found.labels.tolist() == [0]
    assert found.difficult.tolist() == [False]


@pytest.mark.parametrize("kind", ["line", "linestrip", "point", "points"])
def test_lines_and_points_are_left_out_with_a_word(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    found = read(shape(), shape() | {"shape_type": kind}, shape("bicycle"))
    assert found.labels.tolist() == [0, 1]
    assert len(caplog.records) == 1
    assert_names(caplog.text, "anno", "1 in 1 image", "a.json", "shape 2", kind)
    with refused(DataError, "anno", "a.json", "shape 2", kind):
        read(shape(), shape() | {"shape_type": kind}, strict=True)


@pytest.mark.parametrize(
    ("changes", "marked"),
    [
        ({"difficult": True}, True),
        ({"difficult": "true"}, True),
        ({"difficult": "false"}, False),
        ({"difficult": "0"}, False),
        ({"difficult": None}, False),
        ({"flags": {"difficult": 1}}, True),
        ({"flags": {"crowd": "1"}}, True),
        ({"flags": {"Group": True}}, True),
        ({"flags": {"group": "False", "crowd": 0}}, False),
        ({"flags": {"occluded": True, "parked": "maybe"}}, False),
        ({"flags": {}}, False),
        ({"flags": None}, False),
    ],
)
def test_flags_mean_what_they_say(changes: dict[str, Any], marked: bool) -> None:
    assert read(shape() | changes).difficult.tolist() == [marked]
    assert read(shape() | changes).reread == marked


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"imageHeight": 400, "imageWidth": 600},
        {"imageHeight": "400", "imageWidth": 600.0},
        {"imageHeight": None},
        {"imagePath": "..\\..\\raws\\a b.png", "imageData": None},
        {"imagePath": "C:\\data\\a.png", "flags": {"day": True}, "version": "3.0.1-beta"},
    ],
)
def test_the_stated_image_is_that_of_the_frame(fields: dict[str, Any]) -> None:
    assert len(read(shape(), **fields).boxes) == 1


@pytest.mark.parametrize(
    ("changes", "fields", "named"),
    [
        ({}, {"imageHeight": 600, "imageWidth": 400}, ("400 × 600", "600 × 400", "imageHeight")),
        ({}, {"imageHeight": 400, "imageWidth": 1200}, ("1200 × 400", "600 × 400", "imageWidth")),
        ({}, {"imageHeight": "tall"}, ("'tall'", "600 × 400")),
        ({"shape_type": "cuboid"}, {}, ("shape 1", "'cuboid'", "rectangle, polygon, circle, rotation")),
        ({"shape_type": "circle", "points": [[1, 2], [3, 4], [5, 6]]}, {}, ("shape 1", "circle", "centre")),
        ({"points": [[1, 2, 3], [4, 5, 6]]}, {}, ("shape 1", "[[1, 2, 3], [4, 5, 6]]")),
        ({"points": [[1, 2], [3]]}, {}, ("shape 1", "[[1, 2], [3]]")),
        ({"points": {"x": 1}}, {}, ("shape 1", "{'x': 1}")),
        ({"points": None}, {}, ("shape 1", "None")),
        ({"points": [[1, None], [3, 4]]}, {}, ("box 1", "number")),
        ({"points": [[1, float("inf")], [3, 4]]}, {}, ("box 1", "number")),
        ({"points": [[1, 10**400], [3, 4]]}, {}, ("box 1", "number")),
        ({"points": [[0.1, 0.2], [0.5, 0.7]]}, {}, ("anno", "shares")),
        ({"label": None}, {}, ("shape 1", "None", "car, bicycle")),
        ({"label": ["car"]}, {}, ("shape 1", "['car']", "car, bicycle")),
        ({"label": "Car"}, {}, ("shape 1", "'Car'", "car, bicycle")),
        ({"difficult": "perhaps"}, {}, ("shape 1", "difficult", "'perhaps'")),
        ({"flags": ["crowd"]}, {}, ("shape 1", "['crowd']")),
    ],
)
def test_what_cannot_be_read_is_named(
    changes: dict[str, Any], fields: dict[str, Any], named: tuple[object, ...]
) -> None:
    with refused(DataError, *named):
        read(shape() | changes, **fields)


@pytest.mark.parametrize(
    "content", [b'{"shapes": {}}', b'{"shapes": "car"}', b'{"shapes": [7]}', b"7", b"null", b"\xff"]
)
def test_what_is_no_labelme_file_is_named(content: bytes) -> None:
    with refused(DataError, "a.json", "'shapes'", "'label'", "'points'"):
        read_labelme(content, "a.json", CLASSES, (), (400, 600))
