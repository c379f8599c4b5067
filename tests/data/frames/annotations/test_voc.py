"""VOC annotations: what is read, and what is refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.refusal import assert_names, refused

from qsense.data.errors import DataError
from qsense.data.frames.annotations.boxes import BoxCheck
from qsense.data.frames.annotations.voc import Objects, read_voc

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


def test_a_size_that_is_not_known_is_the_stated_one() -> None:
    found = read_voc(document(thing((1, 1, 600, 400))), "a.xml", CLASSES, None)
    assert (found.boxes.tolist(), found.size) == ([[0, 0, 600, 400]], (400, 600))
    for size in ("", "<width>600</width>", "<width>0</width><height>400</height>"):
        with refused(DataError, "a.xml", "size/width", "size/height"):
            read_voc(document(size=size), "a.xml", CLASSES, None)


def test_rounding_beyond_the_edge_is_cut_off() -> None:
    assert read_voc(document(thing((0, 0, 601, 402))), "a.xml", CLASSES, (400, 600)).boxes.tolist() == [
        [0, 0, 600, 400]
    ]


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"<annotation><object>", ("XML",)),
        (b"", ("XML",)),
        (document(size="<width>600</width>"), ("size/height", None)),
        (document(size="<width>0</width><height>0</height>"), ("0 × 0", "600 × 400")),
        (document(size="<width>400</width><height>600</height>"), ("400 × 600", "600 × 400")),
        (document(thing(), thing(name="tram")), ("object 2", "'tram'", "car, bicycle")),
        (document("<object></object>"), ("object 1", "''", "car, bicycle")),
        (document(thing((1, 2, 3, "x"))), ("object 1", "bndbox/ymax", "'x'")),
        (document("<object><name>car</name></object>"), ("object 1", "bndbox/xmin", None)),
        (document(thing(), thing((30, 20, 10, 40))), ("box 2", "(30, 20, 10, 40)", "reversed")),
        (document(thing((10, 40, 30, 20))), ("box 1", "(10, 40, 30, 20)", "reversed")),
        (document(thing((700, 20, 710, 40))), ("box 1", "(700, 20, 710, 40)", "600 × 400")),
        (document(thing((590, 20, 610, 40))), ("box 1", "(590, 20, 610, 40)", "600 × 400", 2)),
        (document(thing(("nan", 20, 30, 40))), ("box 1", "(nan, 20, 30, 40)", "number")),
    ],
)
def test_bad_voc_annotations_are_named(content: bytes, named: tuple[object, ...]) -> None:
    with refused(DataError, "a.xml", *named):
        read_voc(content, "a.xml", CLASSES, (400, 600))


def read(content: bytes | str, strict: bool = False) -> Objects:
    check = BoxCheck(strict)
    found = read_voc(content.encode() if isinstance(content, str) else content, "a.xml", CLASSES, (400, 600), check)
    check.finish("annotations")
    return found


@pytest.mark.parametrize(
    ("box", "read_as"),
    [
        ((10, 20, 10, 40), [9, 19, 10, 40]),  # a pixel wide
        ((10, 20, 10, 20), [9, 19, 10, 20]),
        ((600, 400, 600, 400), [599, 399, 600, 400]),
        ((0, 0, 600, 400), [0, 0, 600, 400]),  # counted from 0
        (("10.5", "20.0", " 30.5 ", "4e1"), [9.5, 19, 30.5, 40]),
        ((-1, -2, 601, 402), [0, 0, 600, 400]),
        ((590, 20, 700, 40), [589, 19, 600, 40]),
    ],
)
def test_sides_are_read_as_pixels(box: tuple[Any, ...], read_as: list[float]) -> None:
    assert read(document(thing(box))).boxes.tolist() == [read_as]


@pytest.mark.parametrize(
    ("text", "marked"),
    [("0", False), ("1", True), ("true", True), ("True", True), ("false", False), ("False", False), ("", False),
     ("Unspecified", False), (" 1 ", True), ("no", False), ("yes", True), ("1.0", True)],
)  # fmt: skip
def test_flags_mean_what_they_say(text: str, marked: bool) -> None:
    found = read(document(thing().replace("<difficult>0", f"<difficult>{text}")))
    assert found.difficult.tolist() == [marked]
    assert found.reread == (marked != (text.strip() == "1"))
    plain = thing().replace("<difficult>0</difficult>", "<truncated>yes</truncated><occluded>maybe</occluded>")
    assert read(document(plain)).difficult.tolist() == [False]


PART = "<part><name>wheel</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></part>"


@pytest.mark.parametrize(
    "content",
    [
        document(thing(), size=""),
        document(thing()).replace(b"<size>", b"<size><depth>3</depth>"),
        document(thing()).replace(b"</object>", PART.encode() + b"</object>"),
        document(thing()).replace(b"<object>", b"<object>" + PART.encode()),
        document(thing(name="\n\tcar ")),
        document(thing(name="c&#97;r")),
        document(thing(name="<![CDATA[car]]>")),
        b"\n " + document(thing()),
        b"\xef\xbb\xbf" + document(thing()),
        b'<?xml version="1.0" encoding="UTF-8"?>' + document(thing()),
        b'<?xml version="1.0" encoding="GBK"?>' + document(thing()).replace(b"x.png", "车.png".encode("gbk")),
        b'<?xml version="1.0" encoding="gb2312"?>\n' + document(thing()),
        b'<?xml version="1.0" encoding="iso-8859-1"?>' + document(thing()).replace(b"x.png", b"\xe9.png"),
        document(thing()).decode().encode("utf-16"),
        document(thing()).replace(b"<annotation>", b'<annotation verified="yes"><!-- by hand -->'),
    ],
)
def test_files_of_all_tools_are_read(content: bytes) -> None:
    assert read(content).boxes.tolist() == [[9, 19, 30, 40]]


LAUGHS = "".join(f'<!ENTITY l{i + 1} "{f"&l{i};" * 10}">' for i in range(30))


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (f'<!DOCTYPE lolz [<!ENTITY l0 "ha">{LAUGHS}]><annotation>&l30;</annotation>', ("<!DOCTYPE lolz>",)),
        ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation>&x;</annotation>', ("<!DOCTYPE a>",)),
        ('<!DOCTYPE annotation SYSTEM "voc.dtd"><annotation/>', ("<!DOCTYPE annotation>",)),
        ("<annotation>&car;</annotation>", ("XML",)),
        ('<?xml version="1.0" encoding="klingon"?><annotation/>', ("XML",)),
        ('<?xml version="1.0" encoding="base64"?><annotation/>', ("XML",)),
        (b'<?xml version="1.0" encoding="gbk"?><annotation>\xff</annotation>', ("XML",)),
        (b"<annotation>\xe9</annotation>", ("XML",)),
        (b"<annotation>\x00</annotation>", ("XML",)),
        ("{}", ("XML",)),
        (document(thing((1, 2, "inf", 9))), ("annotations", "box 1 of 1", "(1, 2, inf, 9)", "number")),
        (document(thing((30, 2, 29, 9))), ("annotations", "box 1 of 1", "(30, 2, 29, 9)", "reversed")),
        (document(thing((0.1, 0.2, 0.5, 0.6))), ("annotations", "shares")),
        (document(thing(difficult=2)), ("object 1", "difficult", "'2'")),
        (document(thing(name="Car")), ("object 1", "'Car'", "car, bicycle")),
        (document(thing().replace("bndbox", "robndbox")), ("object 1", "bndbox/xmin")),
        (document(size="<width>six</width><height>400</height>"), ("size/width", "'six'")),
    ],
)
def test_what_cannot_be_read_is_named(content: bytes | str, named: tuple[object, ...]) -> None:
    with refused(DataError, *named):
        read(content)


def test_boxes_outside_are_left_out_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    content = document(
        thing(), thing((700, 2, 710, 9)), thing((-30, 2, -10, 9), "bicycle"), thing((5, 6, 7, 8), "bicycle")
    )
    found = read(content)
    assert found.labels.tolist() == [0, 1]
    assert len(caplog.records) == 1
    assert_names(caplog.text, "annotations", "4 boxes", "2 in 1 image", "box 2 of 4", "(700, 2, 710, 9)")
    with refused(DataError, "2 of 4", "box 2 of 4", "box 3 of 4", "600 × 400"):
        read(content, strict=True)
