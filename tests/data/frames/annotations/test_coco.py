"""COCO annotations as tools write them: ids, sizes, boxes, flags and file names of any kind."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.hostile_names import HOSTILE
from tests.refusal import assert_names, refused

from qsense.data.errors import DataError
from qsense.data.frames.annotations.boxes import BoxCheck
from qsense.data.frames.annotations.coco import chosen_classes, read_annotations
from qsense.data.frames.annotations.pictures import Picture, find_file, read_pictures
from qsense.data.frames.coco_raw import CocoRaw

Made = dict[str, Any]


def content(boxes: int = 3) -> Made:
    return {
        "images": [{"id": i, "file_name": f"{i}.png", "width": 60, "height": 40} for i in (1, 2)],
        "annotations": [
            {"id": i, "image_id": 1, "category_id": 1, "bbox": [6, 4, 12, 8], "iscrowd": 0} for i in range(boxes)
        ],
        "categories": [{"id": 1, "name": "lamp"}, {"id": 9, "name": "cup"}],
    }


def write(root: Path, made: Made) -> Path:
    (root / "images").mkdir(exist_ok=True)
    for image in made["images"]:
        name = image.get("file_name") if isinstance(image, dict) else None
        if isinstance(name, str) and not {"/", "\\", "\0"} & set(name) and 0 < len(name) < 200:
            (root / "images" / name).touch()
    file = root / "instances.json"
    file.write_text(json.dumps(made))
    return file


def read(root: Path, made: Made, strict: bool = False, **settings: Any) -> list[Picture]:
    found = read_annotations(write(root, made))
    check = BoxCheck(strict)
    pictures = read_pictures(found, root / "images", chosen_classes(found, None), check, **settings)
    check.finish(str(found.file))
    return pictures


@pytest.mark.parametrize(
    ("stated", "referred", "original"),
    [
        (-1, -1, -1),
        (0, 0, 0),
        (2**63 + 5, 2**63 + 5, 2**63 + 5),
        (-(2**80), -(2**80), -(2**80)),
        (1.0, 1, 1),
        (7, "7", 7),
        ("7", 7, 7),
        (7.5, 7.5, "7.5"),
        ("a1", "a1", "a1"),
        ("007", "007", "007"),
        ("", "", ""),
        ("3f2504e0-4f89-11d3-9a0c-0305e82c3301", "3f2504e0-4f89-11d3-9a0c-0305e82c3301", None),
        ("9" * 30, int("9" * 30), int("9" * 30)),
        *((name, name, -1 if name == "-1" else name) for name in HOSTILE),
    ],
)
def test_ids_may_be_of_any_kind(tmp_path: Path, stated: Any, referred: Any, original: Any) -> None:
    made = content()
    made["images"][0]["id"] = stated
    made["categories"] = [{"id": "first", "name": "lamp"}, {"id": stated, "name": "cup"}]
    made["annotations"][0] |= {"id": stated, "image_id": referred, "category_id": referred}
    made["annotations"] = made["annotations"][:1]
    first, second = read(tmp_path, made)
    assert first.original == (stated if original is None else original)
    assert first.boxes.tolist() == [[6, 4, 18, 12]]
    assert (first.id, second.id) == (0, 1)
    assert len(second.boxes) == 0
    assert first.random_seed >= 0
    np.random.default_rng([0, first.random_seed])
    rest = CocoRaw(str(tmp_path), test=0.5)
    assert len(rest.frames("train")) == len(rest.frames("test")) == 1


@pytest.mark.parametrize("value", [None, True, [1], {"a": 1}, float("nan"), float("inf")])
def test_what_is_no_id_is_named(tmp_path: Path, value: Any) -> None:
    made = content()
    made["images"][1]["id"] = value
    with refused(DataError, "instances.json", "image number 2", "id"):
        read(tmp_path, made)
    made = content()
    made["categories"][1]["id"] = value
    with refused(DataError, "instances.json", "category number 2", "id"):
        read(tmp_path, made)
    made = content()
    made["annotations"][1]["image_id"] = value
    with refused(DataError, "instances.json", "annotation 1", "image"):
        read(tmp_path, made)


def test_the_order_of_ids_is_that_of_numbers_then_texts(tmp_path: Path) -> None:
    made = content()
    made["categories"] = [{"id": key, "name": f"n{key}"} for key in ("b", 10, "9", -3, "a", 2.0)]
    made["annotations"] = []
    found = read_annotations(write(tmp_path, made))
    assert found.categories == ("n-3", "n2.0", "n9", "n10", "na", "nb")


Change = Callable[[Made], Any]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda made: made["images"][1].update(id=1.0), ("image id 1", "2 times")),
        (lambda made: made["images"][1].update(id="1"), ("image id 1", "2 times")),
        (lambda made: made["annotations"].append(made["annotations"][0]), ("annotation id 0", "2 times")),
        (lambda made: made["images"].append(made["images"][0]), ("image id 1", "'1.png'", "2 times")),
        (lambda made: made["categories"].append({"id": 5, "name": "lamp"}), ("'lamp'", "2 times")),
        (lambda made: made["categories"].append({"id": 9, "name": "hat"}), ("category id 9", "2 times")),
        (lambda made: made["categories"].append({"id": 5, "name": "  "}), ("category number 3", "'  '")),
        (lambda made: made["categories"].append({"id": 5, "name": None}), ("category number 3", "None")),
        (lambda made: made["categories"].append({"id": 5, "name": ["a"]}), ("category number 3", "['a']")),
        (lambda made: made["categories"].append({"id": 5}), ("category number 3", "name")),
        (lambda made: made["categories"].append({"id": 5, "name": "a\ud800"}), ("category number 3", r"'a\ud800'")),
        (lambda made: made["categories"].append("hat"), ("category number 3", "'hat'")),
        (lambda made: made["images"].append({"id": 3, "width": 9, "height": 9}), ("image number 3", "no file_name")),
        (lambda made: made["images"][0].update(file_name=""), ("image number 1", "file_name ''")),
        (lambda made: made["images"][0].update(file_name=5), ("image number 1", "file_name 5")),
        (lambda made: made["images"][0].update(width="wide"), ("id 1", "width 'wide'")),
        (lambda made: made["images"][0].update(width=640.5), ("id 1", "width 640.5")),
        (lambda made: made["images"][0].update(width=-60), ("id 1", "width -60")),
        (lambda made: made["images"][0].update(width=True), ("id 1", "width True")),
        (lambda made: made["images"][0].update(width=None, height=0), ("id 1", "width None", "height 0")),
        (lambda made: made["images"][0].update(width=10**400), ("id 1", "width")),
        (lambda made: made["images"][0].update(file_name="../1.png"), ("'../1.png'", "folder")),
        (lambda made: made["images"][0].update(file_name="a/../../1.png"), ("'a/../../1.png'", "folder")),
        (lambda made: made["images"][0].update(file_name="..\\..\\1.png"), ("folder",)),
        (lambda made: made["images"][0].update(file_name="./2.png"), ("images 1", 2, "2.png")),
        (lambda made: [each.update(image_id=5) for each in made["annotations"]],
         ("3 entries", "image 5", "annotation 2")),
        (lambda made: made["annotations"][0].pop("category_id"), ("annotation 0", "category_id")),
        (lambda made: made["annotations"][0].update(bbox={"x": 1}), ("annotation 0", "{'x': 1}")),
        (lambda made: made["annotations"][0].update(bbox="1,2,3,4"), ("annotation 0", "'1,2,3,4'")),
        (lambda made: made["annotations"][0].update(bbox=[1, 2, "far", 4]), ("annotation 0", "bbox [1, 2, nan, 4]")),
        (lambda made: made["annotations"][0].update(bbox=[1, 2, 10**400, 4]), ("annotation 0", "number")),
        (lambda made: made["annotations"][0].update(bbox=[1, 2, None, 4]), ("annotation 0", "number")),
        (lambda made: made["annotations"][0].update(bbox=[1, 2, [3], 4]), ("annotation 0", "number")),
        (lambda made: made["annotations"][0].update(bbox=[1, 2, -3, 4]), ("annotation 0", "[1, 2, -3, 4]", "reversed")),
        (lambda made: made["annotations"][0].update(iscrowd="maybe"), ("annotation 0", "iscrowd 'maybe'")),
        (lambda made: made["annotations"][0].update(iscrowd=[0]), ("annotation 0", "iscrowd [0]")),
        (lambda made: [each.update(bbox=[.1, .1, .2, .2]) for each in made["annotations"]],
         ("shares", "data.dataset.bbox=xywh_shares")),
    ],
)  # fmt: skip
def test_contradictions_are_named(tmp_path: Path, change: Change, named: tuple[object, ...]) -> None:
    made = content()
    change(made)
    write(tmp_path, made)
    with refused(DataError, *named):
        CocoRaw(str(tmp_path), test="same").check()


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "7", '{"images": 1}', "[" * 100_000, '{"images": [', "1" * 5000, "\ufeff",
     '{"images": {}, "annotations": [], "categories": []}'],
)  # fmt: skip
def test_what_is_no_annotation_file_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "instances.json"
    file.write_text(text)
    with refused(DataError, file):
        read_annotations(file)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le"])
def test_encodings_of_json_are_known(tmp_path: Path, encoding: str) -> None:
    file = write(tmp_path, content())
    file.write_text(json.dumps(content(), ensure_ascii=False), encoding=encoding)
    assert read_annotations(file).categories == ("lamp", "cup")


@pytest.mark.parametrize(
    ("value", "crowd"),
    [(0, False), (1, True), ("0", False), ("1", True), ("false", False), ("False", False), ("true", True),
     ("TRUE", True), (True, True), (False, False), (None, False), ("", False), (1.0, True), (0.0, False),
     ("no", False), ("yes", True), (" 1 ", True), ("1.0", True)],
)  # fmt: skip
def test_flags_mean_what_they_say(tmp_path: Path, value: Any, crowd: bool) -> None:
    made = content(1)
    made["annotations"][0]["iscrowd"] = value
    assert read(tmp_path, made)[0].crowd.tolist() == [crowd]


def test_flags_in_words_are_another_data_set(tmp_path: Path) -> None:
    """They were once all read as true."""
    made = content(1)
    seen = CocoRaw(str(tmp_path)).settings if write(tmp_path, made) else {}
    assert "flags" not in seen
    assert "bbox" not in seen
    made["annotations"][0]["iscrowd"] = "0"
    write(tmp_path, made)
    assert CocoRaw(str(tmp_path)).settings["flags"] == "text"


@pytest.mark.parametrize(
    ("change", "box", "area"),
    [
        ({}, [6, 4, 18, 12], 96),
        ({"bbox": [6.0, "4", " 12", 8]}, [6, 4, 18, 12], 96),
        ({"bbox": None, "segmentation": [[6, 4, 18, 4, 18, 12]]}, [6, 4, 18, 12], 96),
        ({"bbox": [], "segmentation": {"size": [40, 60], "counts": [244, 8, 2148]}}, [6, 4, 7, 12], 8),
        ({"area": 50}, [6, 4, 18, 12], 50),
        ({"area": "50.5"}, [6, 4, 18, 12], 50.5),
        ({"area": None}, [6, 4, 18, 12], 96),
        ({"area": 0}, [6, 4, 18, 12], 96),
        ({"area": -3}, [6, 4, 18, 12], 96),
        ({"area": float("nan")}, [6, 4, 18, 12], 96),
        ({"area": "large"}, [6, 4, 18, 12], 96),
        ({"id": None}, [6, 4, 18, 12], 96),
        ({"bbox": [6, 4, 1, 1]}, [6, 4, 7, 5], 1),
        ({"bbox": [-6, 4, 12, 8]}, [0, 4, 6, 12], 48),
        ({"bbox": [50, 30, 100, 100]}, [50, 30, 60, 40], 100),
    ],
)  # fmt: skip
def test_boxes_and_areas_are_read(tmp_path: Path, change: Made, box: list[float], area: float) -> None:
    made = content(1)
    made["annotations"][0] |= change
    first = read(tmp_path, made)[0]
    assert first.boxes.tolist() == [box]
    assert first.area.tolist() == [area]


def test_sizes_may_be_written_as_text_or_with_a_point(tmp_path: Path) -> None:
    made = content()
    made["images"][0] |= {"width": "60", "height": 40.0}
    first = read(tmp_path, made)[0]
    assert (type(first.width), first.width, type(first.height), first.height) == (int, 60, int, 40)


def test_bad_boxes_are_left_out_with_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = content(6)
    for entry, box in zip(
        made["annotations"], ([1, 2, 6.5, 0], [1, 2, 0, 3], [90, 2, 3, 3], [-3, 2, 9, 9]), strict=False
    ):
        entry["bbox"] = box
    made["annotations"][1]["image_id"] = 2
    write(tmp_path, made)
    with caplog.at_level(logging.WARNING):
        first, second = CocoRaw(str(tmp_path), test="same").frames("train")
    assert len(caplog.records) == 1
    assert_names(caplog.text, tmp_path / "instances.json", "6 boxes", "3 in 2 images", "2 without area", "1 in 1 image")
    assert_names(caplog.text, "annotation 0", "image 1", "'1.png'", "bbox [1, 2, 6.5, 0]", "data.dataset.strict=true")
    assert (len(first.boxes), len(second.boxes)) == (3, 0)
    strict = CocoRaw(str(tmp_path), test="same", strict=True)
    with refused(DataError, "4 of 6", "2 images", "annotation 0", "annotation 1", "annotation 2", "annotation 3"):
        strict.check()


def test_boxes_of_classes_not_asked_for_do_not_matter(tmp_path: Path) -> None:
    made = content(2)
    made["annotations"][0] |= {"category_id": 9, "bbox": [1, 2, float("nan"), 9]}
    write(tmp_path, made)
    assert len(CocoRaw(str(tmp_path), test="same", classes=["lamp"]).frames("train")[0].boxes) == 1


@pytest.mark.parametrize(
    ("kind", "bbox"),
    [
        ("xywh", [6, 4, 12, 8]),
        ("xyxy", [6, 4, 18, 12]),
        ("xywh_shares", [0.1, 0.1, 0.2, 0.2]),
        ("xyxy_shares", [0.1, 0.1, 0.3, 0.3]),
    ],
)
def test_what_four_numbers_are_may_be_stated(tmp_path: Path, kind: Any, bbox: list[float]) -> None:
    made = content()
    for entry in made["annotations"]:
        entry["bbox"] = bbox
    del made["annotations"][2]["bbox"]
    outline = np.array([[6, 4], [18, 4], [18, 12]]) / ((60, 40) if "shares" in kind else 1)
    made["annotations"][2]["segmentation"] = [outline.ravel().tolist()]
    np.testing.assert_allclose(read(tmp_path, made, kind=kind)[0].boxes, [[6, 4, 18, 12]] * 3, rtol=1e-6)


@pytest.mark.parametrize(("kind", "area"), [("xywh_shares", 0.02), ("xyxy_shares", 0.02), ("xywh_shares", 48)])
def test_areas_beside_shares_are_shares_where_they_are_no_pixels(tmp_path: Path, kind: Any, area: float) -> None:
    made = content(1)
    made["annotations"][0] |= {"bbox": [0.1, 0.1, 0.3, 0.3], "area": area}
    np.testing.assert_allclose(read(tmp_path, made, kind=kind)[0].area, [48])


def test_corners_given_as_sizes_are_recognised(tmp_path: Path) -> None:
    made = content(4)
    for entry, box in zip(
        made["annotations"], ([30, 20, 55, 38], [5, 5, 9, 9], [40, 1, 60, 30], [35, 9, 45, 40]), strict=True
    ):
        entry["bbox"] = box
    with refused(DataError, "3 of 4", "annotation 0", "data.dataset.bbox=xyxy"):
        read(tmp_path, made)
    assert read(tmp_path, made, kind="xyxy")[0].boxes[0].tolist() == [30, 20, 55, 38]
    made["annotations"][0]["bbox"] = [30, 20, 12, 8]
    with refused(DataError, "reversed", "annotation 0"):
        read(tmp_path, made, kind="xyxy")
    with refused(ValueError, "bbox='yolo'", "xywh", "xyxy", "xywh_shares", "xyxy_shares"):
        CocoRaw(str(tmp_path), bbox="yolo")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("1.png", "1.png"),
        ("sub/1.png", "sub/1.png"),
        ("sub\\1.png", "sub/1.png"),
        ("/1.png", "1.png"),
        ("//1.png", "1.png"),
        ("./sub//1.png", "sub/1.png"),
        ("sub/../1.png", "1.png"),
        ("images/1.png", "1.png"),
        ("set/images/sub/1.png", "sub/1.png"),
        ("/home/me/set/images/sub/1.png", "sub/1.png"),
        ("C:\\data\\images\\1.png", "1.png"),
        ("D:/data/1.png", "1.png"),
        ("http://images.example.org/train/1.png", "1.png"),
        ("https://example.org/1.png?size=full#top", "1.png"),
        ("s3://bucket/a%20b.png", "a b.png"),
        ("file:///data/1.png", "1.png"),
        ("a:b.png", "a:b.png"),
        ("back\\slash.png", "back\\slash.png"),
        ("e\u0301.png", "\u00e9.png"),
        ("other/1.png", None),
        ("sub", None),
        ("x" * 300 + ".png", None),
        ("a\0.png", None),
        ("http://[", None),
        (".", None),
    ],
)  # fmt: skip
def test_file_names_are_found_within_their_folder(tmp_path: Path, name: str, place: str | None) -> None:
    folder = tmp_path / "set" / "images"
    (folder / "sub").mkdir(parents=True)
    for file in ("1.png", "sub/1.png", "a b.png", "a:b.png", "back\\slash.png", "\u00e9.png"):
        (folder / file).touch()
    assert find_file(folder, name) == (None if place is None else folder / place)


@pytest.mark.parametrize(
    "name", ["../secret", "..", "a/../../secret", "/../secret", "..\\secret", "images/../../secret"]
)
def test_no_file_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "secret").touch()
    try:
        assert find_file(tmp_path / "images", name) is None  # "/.." is "/"
    except DataError as error:
        assert_names(str(error), "folder")


def test_missing_files_are_counted(tmp_path: Path) -> None:
    made = content()
    made["images"] += [{"id": i, "file_name": f"{i}.png", "width": 6, "height": 6} for i in range(3, 50)]
    write(tmp_path, made)
    for i in range(5, 50):
        (tmp_path / "images" / f"{i}.png").unlink()
    with refused(DataError, "45 of the 49", "5.png", "image 5", "40 more", "data.dataset.images") as caught:
        CocoRaw(str(tmp_path), test="same").check()
    assert len(str(caught.value).splitlines()) < 20


def test_two_thousand_images_as_in_coco(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A small train2017: polygons, crowds, two boxes of no height, images without objects, ids with gaps."""
    rng = np.random.default_rng(0)
    ids = np.sort(rng.choice(580_000, 2_000, replace=False)).tolist()
    images = [{"id": i, "file_name": f"{i:012}.jpg", "width": 640, "height": 480, "license": 3} for i in ids]
    x, y, w, h = (rng.uniform(0.01, top, 9_000).round(2).tolist() for top in (300, 200, 300, 250))
    h[100] = h[5_000] = 0.0
    owner = rng.integers(0, 1_980, 9_000).tolist()
    names = [{"id": i, "name": f"class {i}", "supercategory": "thing"} for i in range(1, 161, 2)]
    kinds = rng.choice(range(1, 161, 2), 9_000).tolist()
    objects = [
        {"id": 7 * i, "image_id": ids[owner[i]], "category_id": kinds[i], "bbox": [x[i], y[i], w[i], h[i]],
         "iscrowd": int(i % 85 == 0), "area": w[i] * h[i] / 2, "segmentation": [[x[i], y[i], x[i] + w[i], y[i] + h[i]]]}
        for i in range(9_000)
    ]  # fmt: skip
    pictures = read(tmp_path, {"images": images, "annotations": objects, "categories": names})
    assert_names(caplog.text, "9000 boxes", "2 in 2 images", "2 without area")
    assert sum(len(picture.boxes) for picture in pictures) == 8_998
    assert sum(int(picture.crowd.sum()) for picture in pictures) == 106
    assert [len(picture.boxes) for picture in pictures[1_980:]] == [0] * 20
    some = pictures[owner[0]]
    assert np.abs(some.boxes[:, :2] - [x[0], y[0]]).sum(1).min() < 1e-4
    assert [picture.original for picture in pictures] == ids
