"""RawDet-7's annotations: what is read, what its authors skip, and what is refused by name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.refusal import assert_names, refused

from qsense.data.errors import DataError
from qsense.data.frames.annotations.boxes import BoxCheck
from qsense.data.frames.annotations.rawdet import read_rawdet

CLASSES = ("car", "person")


def entry(name: Any = "car", box: Any = (10, 20, 30, 40), **more: Any) -> dict[str, Any]:
    return {"class_name": name, "bbox": box, **more}


def document(*entries: Any, **facts: Any) -> bytes:
    content = {"image_path": "/home/x/a.jpg", "img_width": 600, "img_height": 400, "annotations": list(entries)}
    return json.dumps(content | facts).encode()


def test_boxes_are_two_corners_in_pixels_of_the_stated_size() -> None:
    image, found = read_rawdet(document(entry(), entry("person", (0, 0, 600.5, 400))), "a.json", CLASSES)
    assert image == "/home/x/a.jpg"
    assert found.boxes.tolist() == [[10, 20, 30, 40], [0, 0, 600, 400]]
    assert found.labels.tolist() == [0, 1]
    assert found.difficult.tolist() == [False, False]
    assert found.size == (400, 600)
    assert read_rawdet(document(), "a.json", CLASSES)[1].boxes.shape == (0, 4)


@pytest.mark.parametrize(
    ("score", "kept"),
    [(0.8, True), (0.79, False), (1, True), (None, True), ([0.9, 0.1], True), ([0.1, 0.9], False), ([], True)],
)
def test_a_score_is_high_enough_or_not_stated(score: Any, kept: bool) -> None:
    assert len(read_rawdet(document(entry(score=score)), "a.json", CLASSES)[1].labels) == kept
    assert len(read_rawdet(document(entry(score=score)), "a.json", CLASSES, score=0)[1].labels) == 1
    assert len(read_rawdet(document(entry()), "a.json", CLASSES)[1].labels) == 1


def test_what_its_authors_skip_is_left_out_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    entries = entry("dog"), entry(box=(30, 20, 10, 40)), entry(box=(10, 20, 10, 40)), entry("person")
    _, found = read_rawdet(document(*entries), "a.json", CLASSES)
    assert found.labels.tolist() == [1]
    assert len(caplog.records) == 1
    assert_names(caplog.text, "a.json", 3, "1 of other classes", "2 without area", "'dog'", "car, person")
    check = BoxCheck(strict=True)
    read_rawdet(document(*entries), "a.json", CLASSES, check=check)
    with refused(DataError, "3 of 4", "box 1 of 4", "'dog'", "box 2 of 4", "box 3 of 4", "data.dataset.strict=false"):
        check.finish("a.json")


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"{", ("img_width", "annotations")),
        (b"[]", ("img_height", "class_name")),
        (document(3), ("annotations",)),
        (document(image_path=3), ("image_path", 3)),
        (document(img_width=0), ("img_width 0", "img_height 400")),
        (document(entry(box=[1, 2, 3])), ("box 1", "[1, 2, 3]")),
        (document(entry(box=[1, 2, "x", 4])), ("box 1 of 1", "number")),
    ],
)
def test_what_cannot_be_read_is_named(content: bytes, named: tuple[Any, ...]) -> None:
    with refused(DataError, "a.json", *named):
        read_rawdet(content, "a.json", CLASSES)
