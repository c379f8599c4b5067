"""Whatever an annotation file holds, it is read, or refused as bad data: never another error."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsense.data.errors import DataError
from qsense.data.frames.annotations.boxes import BoxCheck
from qsense.data.frames.annotations.coco import chosen_classes, read_annotations
from qsense.data.frames.annotations.labelme import read_labelme
from qsense.data.frames.annotations.pictures import read_pictures
from qsense.data.frames.annotations.rawdet import read_rawdet
from qsense.data.frames.annotations.voc import read_voc
from qsense.data.frames.dataset import Frame

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-3, 70)
    | st.sampled_from(
        [10**400, -(2**63), 1e308, -1e308, 5e-324, "12", "0", "nan", "1e999", "\ud800", "\0", "../x", "a\\b"]
    )
    | st.floats()
    | st.text(max_size=8)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
BOX = [6, 4, 12, 8]
COCO: dict[str, Any] = {
    "images": [{"id": i, "file_name": f"{i}.png", "width": 60, "height": 40} for i in (1, 2)],
    "annotations": [
        {
            "id": 1,
            "image_id": 1,
            "category_id": 1,
            "bbox": BOX,
            "iscrowd": 0,
            "area": 96.0,
            "segmentation": [[6, 4, 18, 12]],
        },
        {
            "id": 2,
            "image_id": 2,
            "category_id": 1,
            "bbox": None,
            "segmentation": {"size": [40, 60], "counts": [244, 8, 2148]},
        },
    ],
    "categories": [{"id": 1, "name": "lamp"}],
}
LABELME: dict[str, Any] = {
    "version": "5.0.1",
    "flags": {},
    "shapes": [
        {
            "label": "lamp",
            "points": [[1, 2], [9, 8]],
            "shape_type": kind,
            "group_id": None,
            "flags": {"difficult": False},
        }
        for kind in ("rectangle", "circle", "line", "mask")
    ],
    "imageHeight": 40,
    "imageWidth": 60,
}
RAWDET: dict[str, Any] = {
    "image_path": "a.jpg",
    "img_width": 60,
    "img_height": 40,
    "annotations": [{"class_name": "lamp", "bbox": [1, 2, 9, 8], "score": score} for score in (0.9, [0.9], 0.1)],
}
VOC = """<annotation><size><width>60</width><height>40</height></size><object><name>lamp</name>
<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>9</xmax><ymax>8</ymax></bndbox><difficult>0</difficult></object></annotation>"""


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to all values within a document."""
    below = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(place for key, value in below for place in places(value, (*path, key)))]


@st.composite
def mutated(draw: st.DrawFn, document: Any) -> Any:
    """The document with one to three values replaced, removed or repeated."""
    changed = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from([place for place in places(changed) if place] or [("images",)]))
        node = changed
        for key in way:
            node = node[key]
        change = draw(st.sampled_from(["replace", "remove", "repeat"]))
        if change == "remove":
            node.pop(last, None) if isinstance(node, dict) else node.pop(last)
        elif change == "repeat" and isinstance(node, list):
            node.append(copy.deepcopy(node[last]))
        else:
            node[last] = draw(VALUES)
    return changed


def tolerated(read: Callable[[BoxCheck], None], strict: bool) -> None:
    """It is read, or refused in one screen."""
    check, text = BoxCheck(strict), ""
    try:
        read(check)
        check.finish("source")
    except DataError as error:
        text = str(error)
    assert len(text) < 5_000
    assert len(text.splitlines()) < 40


def boxed(frame: Frame | Any, width: int, height: int) -> None:
    """What was read keeps the promises of a frame."""
    assert frame.boxes.shape == (len(frame.labels), 4)
    assert np.isfinite(frame.boxes).all()
    assert (frame.boxes[:, 2:] > frame.boxes[:, :2]).all()
    assert (frame.boxes >= 0).all()
    assert (frame.boxes <= np.array([width, height, width, height], dtype=np.float32)).all()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("mutated")
    (root / "images").mkdir()
    for name in ("1.png", "2.png"):
        (root / "images" / name).touch()
    return root


@settings(max_examples=100)
@given(
    document=mutated(COCO), strict=st.booleans(), kind=st.sampled_from(["xywh", "xyxy", "xywh_shares", "xyxy_shares"])
)
def test_coco(folder: Path, document: Any, strict: bool, kind: Any) -> None:
    (folder / "instances.json").write_text(json.dumps(document))

    def read(check: BoxCheck) -> None:
        found = read_annotations(folder / "instances.json")
        pictures = read_pictures(found, folder / "images", chosen_classes(found, None), check, kind)
        for frame in pictures:
            boxed(frame, frame.width, frame.height)
            assert (frame.area > 0).all()
            assert frame.random_seed >= 0

    tolerated(read, strict)


@settings(max_examples=100)
@given(document=mutated(LABELME), strict=st.booleans())
def test_labelme(document: Any, strict: bool) -> None:
    content = json.dumps(document).encode()
    tolerated(lambda check: boxed(read_labelme(content, "a.json", ["lamp"], (), (40, 60), check), 60, 40), strict)


@settings(max_examples=100)
@given(document=mutated(RAWDET), strict=st.booleans())
def test_rawdet(document: Any, strict: bool) -> None:
    content = json.dumps(document).encode()

    def read(check: BoxCheck) -> None:
        _, found = read_rawdet(content, "a.json", ["lamp"], 0.8, check)
        boxed(found, *found.size[::-1])

    tolerated(read, strict)


@settings(max_examples=100)
@given(data=st.data(), strict=st.booleans())
def test_voc(data: st.DataObject, strict: bool) -> None:
    content = bytearray(VOC.encode())
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(content)))
        end = data.draw(st.integers(start, min(start + 12, len(content))))
        tokens = st.sampled_from(
            [b"", b"-1", b"nan", b"1e400", b"<part/>", b"&amp;", b"<!DOCTYPE a>", b"\xff", b"\0", b"</object>"]
        )
        content[start:end] = data.draw(
            tokens | st.binary(max_size=6) | st.text(max_size=4).map(lambda t: t.encode("utf-8", "replace"))
        )
    tolerated(lambda check: boxed(read_voc(bytes(content), "a.xml", ["lamp"], (40, 60), check), 60, 40), strict)

    def read(check: BoxCheck) -> None:
        found = read_voc(bytes(content), "a.xml", ["lamp"], None, check)
        boxed(found, *found.size[::-1])

    tolerated(read, strict)


@settings(max_examples=60)
@given(content=st.binary(max_size=60), strict=st.booleans())
def test_bytes(folder: Path, content: bytes, strict: bool) -> None:
    (folder / "instances.json").write_bytes(content)
    tolerated(lambda check: boxed(read_voc(content, "a.xml", ["lamp"], (40, 60), check), 60, 40), strict)
    tolerated(lambda check: boxed(read_labelme(content, "a.json", ["lamp"], (), (40, 60), check), 60, 40), strict)
    with pytest.raises(DataError):
        read_annotations(folder / "instances.json")
