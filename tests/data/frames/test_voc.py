"""VOC and labelme annotations: what is read, and what is refused by name."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from tests.refusal import refused

from qsense.data.errors import DataError
from qsense.data.frames.labelme import read_labelme
from qsense.data.frames.voc import read_voc

CLASSES = ("car", "bicycle")


def thing(box: tuple[Any, ...] = (10, 20, 30, 40), name: str = "car", difficult: int = 0) -> str:
    sides = "".join(
        f"<{side}>{value}</{side}>" for side, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    )
    return f"<object><name>{name}</name><bndbox>{sides}</bndbox><difficult>{difficult}</difficult></object>"


def document(*things: str, size: str = "<width>600</width><height>400</height>") -> bytes:
    return f"<annotation><filename>x.png</filename><size>{size}</size>{''.join(things)}</annotation>".encode()


def test_boxes_are_counted_from_one_and_include_their_last_pixels() -> None:
    found = read_voc(
        document(thing((1, 1, 600, 400)), thing((2, 3, 4, 5), "bicycle", difficult=1)), "a.xml", CLASSES, (400, 600)
    )
    assert found.boxes.tolist() == [[0, 0, 600, 400], [1, 2, 4, 5]]
    assert found.boxes.dtype == np.float32
    assert found.labels.tolist() == [0, 1]
    assert found.difficult.tolist() == [False, True]


def test_an_image_without_objects_has_none() -> None:
    found = read_voc(document(), "a.xml", CLASSES, (400, 600))
    assert found.boxes.shape == (0, 4)
    assert found.labels.shape == found.difficult.shape == (0,)


def test_rounding_beyond_the_edge_is_cut_off() -> None:
    assert read_voc(document(thing((0, 0, 601, 402))), "a.xml", CLASSES, (400, 600)).boxes.tolist() == [
        [0, 0, 600, 400]
    ]


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"<annotation><object>", ("XML",)),
        (b"", ("XML",)),
        (document(size=""), ("size/height", None)),
        (document(size="<width>0</width><height>0</height>"), ("0 × 0", "600 × 400")),
        (document(size="<width>400</width><height>600</height>"), ("400 × 600", "600 × 400")),
        (document(thing(), thing(name="tram")), ("object 2", "'tram'", "car, bicycle")),
        (document("<object></object>"), ("object 1", "''", "car, bicycle")),
        (document(thing((1, 2, 3, "x"))), ("object 1", "bndbox/ymax", "'x'")),
        (document("<object><name>car</name></object>"), ("object 1", "bndbox/xmin", None)),
        (document(thing(), thing((30, 20, 10, 40))), ("box 2", "(30, 20, 10, 40)", "reversed")),
        (document(thing((10, 40, 30, 20))), ("box 1", "(10, 40, 30, 20)", "reversed")),
        (document(thing((10, 20, 10, 40))), ("box 1", "(10, 20, 10, 40)", "area")),
        (document(thing((700, 20, 710, 40))), ("box 1", "(700, 20, 710, 40)", "600 × 400")),
        (document(thing((590, 20, 610, 40))), ("box 1", "(590, 20, 610, 40)", "600 × 400", 2)),
        (document(thing(("nan", 20, 30, 40))), ("box 1", "(nan, 20, 30, 40)", "number")),
    ],
)
def test_bad_voc_annotations_are_named(content: bytes, named: tuple[object, ...]) -> None:
    with refused(DataError, "a.xml", *named):
        read_voc(content, "a.xml", CLASSES, (400, 600))


def shape(label: str = "car", points: Any = ((10, 20), (30, 40))) -> dict[str, Any]:
    return {"label": label, "points": points, "shape_type": "rectangle"}


def labelme(*shapes: Any) -> bytes:
    return json.dumps({"version": "4", "shapes": list(shapes), "imageData": None}).encode()


@pytest.mark.parametrize("points", [[(10, 20), (30, 40)], [(30, 40), (10, 20)], [(10, 40), (30, 20)]])
def test_corners_may_come_in_any_order(points: Any) -> None:
    boxes, labels = read_labelme(labelme(shape("bicycle", points)), "a.json", CLASSES, (), (400, 600))
    assert boxes.tolist() == [[10, 20, 30, 40]]
    assert labels.tolist() == [1]


def test_polygons_are_boxed_and_some_classes_left_out() -> None:
    content = labelme(shape("sign"), shape(points=[(5, 6), (9, 1), (7, 8)]), shape("sign"))
    boxes, labels = read_labelme(content, "a.json", CLASSES, ["sign"], (400, 600))
    assert boxes.tolist() == [[5, 1, 9, 8]]
    assert labels.tolist() == [0]
    boxes, labels = read_labelme(labelme(), "a.json", CLASSES, (), (400, 600))
    assert boxes.shape == (0, 4)
    assert labels.shape == (0,)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"{", ("JSONDecodeError", "'shapes'", "'label'", "'points'")),
        (b"[]", ("TypeError", "'shapes'", "'label'", "'points'")),
        (b"{}", ("KeyError('shapes')", "'label'", "'points'")),
        (labelme({"label": "car"}), ("KeyError('points')", "'shapes'", "'label'")),
        (labelme(shape(points=[["a", 1], [2, 3]])), ("ValueError", "'a'", "'shapes'", "'label'", "'points'")),
        (labelme(shape(points=[(1, 2)])), ("shape 1", "[[1.0, 2.0]]")),
        (labelme(shape(points=[])), ("shape 1", "[]")),
        (labelme(shape(), shape("tram")), ("shape 2", "'tram'", "car, bicycle", "data.dataset.skip")),
        (labelme(shape(points=[(10, 20), (10, 40)])), ("box 1", "(10, 20, 10, 40)", "area")),
        (labelme(shape(points=[(590, 20), (650, 40)])), ("box 1", "(590, 20, 650, 40)", "600 × 400", 2)),
    ],
)
def test_bad_labelme_annotations_are_named(content: bytes, named: tuple[object, ...]) -> None:
    with refused(DataError, "a.json", *named):
        read_labelme(content, "a.json", CLASSES, (), (400, 600))
