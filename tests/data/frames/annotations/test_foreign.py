"""Annotations of other formats, given as COCO's: refused by their name, with what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.refusal import refused

from qsense.data.errors import DataError
from qsense.data.frames.annotations.coco import read_annotations
from qsense.data.frames.coco_raw import CocoRaw

LABELME = json.dumps({"version": "5.5.0", "flags": {}, "shapes": [], "imagePath": "a.jpg", "imageData": None})
VOC = "<?xml version='1.0'?><annotation><filename>a.jpg</filename></annotation>"
YOLO = "0 0.5 0.5 0.25 0.25\n3 0.1 0.2 0.1 0.1\n"
COCO = json.dumps({"images": [], "annotations": [], "categories": [], "licenses": []})


@pytest.mark.parametrize(
    ("files", "given", "named"),
    [
        ({"a.json": LABELME}, "a.json", "labelme"),
        ({"a.json": LABELME.replace(" ", "\n")}, "a.json", "labelme"),
        ({"a.json": LABELME, "a.jpg": ""}, ".", "labelme"),
        ({"train/a.json": LABELME}, ".", "labelme"),
        ({"a.xml": VOC}, "a.xml", "VOC"),
        ({"a.xml": VOC.removeprefix("<?xml version='1.0'?>")}, "a.xml", "VOC"),
        ({"Annotations/a.xml": VOC, "ImageSets/Main/train.txt": "a"}, "Annotations", "VOC"),
        ({"Annotations/a.xml": VOC, "JPEGImages/a.jpg": "", "train.txt": "a"}, ".", "VOC"),
        ({"a.txt": YOLO}, "a.txt", "YOLO"),
        ({"labels/a.txt": YOLO, "classes.txt": "lamp"}, ".", "YOLO"),
        ({"a.txt": "7 0.1 0.1 0.9 0.1 0.9 0.8"}, ".", "YOLO"),
    ],
)
def test_another_format_is_refused_by_its_name(tmp_path: Path, files: dict[str, str], given: str, named: str) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    with refused(DataError, tmp_path / given, named, "COCO", "data.dataset.annotations=…"):
        read_annotations(tmp_path / given)


@pytest.mark.parametrize("files", [{}, {"instances.json": COCO}, {"notes.txt": "1 2 3 4 5"}, {"a.json": "[]"}])
def test_any_other_folder_asks_for_the_file(tmp_path: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with refused(DataError, tmp_path, "folder", "data.dataset.annotations=…") as caught:
        read_annotations(tmp_path)
    assert "format" not in str(caught.value)


@pytest.mark.parametrize(("file", "content", "named"), [("xmls/a.xml", VOC, "VOC"), ("labels/a.txt", YOLO, "YOLO")])
def test_a_set_of_another_format_is_known_by_what_it_holds(tmp_path: Path, file: str, content: str, named: str) -> None:
    for folder in (tmp_path / "images", (tmp_path / file).parent):
        folder.mkdir()
    (tmp_path / file).write_text(content)
    with refused(DataError, tmp_path, named, "COCO", "data.dataset.annotations=…"):
        CocoRaw(str(tmp_path)).check()
