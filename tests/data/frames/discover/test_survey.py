"""What is said of folders of raw files: files, cameras, boxes, margins, and what keeps them from training."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.refusal import assert_names, refused

from qsense.data.errors import DataMissingError
from qsense.data.findings import GUESS, report
from qsense.data.frames.discover import cameras
from qsense.data.frames.discover.shown import choose, show
from qsense.data.frames.discover.survey import RawFindings, holds_raw_files, survey

WriteDng = Callable[..., Path]


def write_coco(file: Path, names: dict[str, tuple[int, int]], **fields: Any) -> None:
    """A box in each image but the last."""
    images = [
        {"id": number, "file_name": name, "width": width, "height": height, "time": "dn"[number % 2], **fields}
        for number, (name, (width, height)) in enumerate(names.items())
    ]
    boxes = [{"id": each["id"], "image_id": each["id"], "category_id": 3, "bbox": [4, 4, 20, 10]} for each in images]
    categories = [{"id": 3, "name": "car"}, {"id": 9, "name": "tram"}]
    file.write_text(json.dumps({"images": images, "annotations": boxes[:-1], "categories": categories}))


@pytest.fixture
def root(tmp_path: Path, write_dng: WriteDng) -> Path:
    """Four files of 12 bits and two of 14, with margins of 4 and 2 around what was annotated."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(6):
        bits = 14 if number > 3 else 12
        counts = np.random.default_rng(number).integers(64, 1 << bits, (44, 68)).astype(np.uint16)
        write_dng(folder / f"p{number}.dng", counts, white=(1 << bits) - 1, black=(64,) * 4)
    write_coco(folder / "boxes.json", {f"p{number}.jpg": (60, 40) for number in range(6)})
    return folder


def told(root: Path, **given: Any) -> tuple[RawFindings, str]:
    found = survey(root, given)
    text = report(found)
    assert max(map(len, text.splitlines())) <= 80
    return found, text


def test_files_levels_boxes_and_margins_are_said(root: Path) -> None:
    found, text = told(root)
    assert found.problems == []
    assert found.arguments == {"root": str(root), "annotations": "boxes.json", "crop": "centre"}
    assert_names(text, "boxes.json", "6 DNG", "qsense test", "68 × 44", "60 × 40", "12 bits", "14 bits", "RGGB", 4095)
    assert_names(text, 16383, "black 64", "5 car", "0 tram", "crop=centre", "condition=time", "5 to train", "1 to test")
    assert found.dataset is not None
    found.dataset.check()


def test_boxes_that_are_left_out_are_counted_apart(root: Path) -> None:
    content = json.loads((root / "boxes.json").read_text())
    outside = {**content["annotations"][0], "id": 99, "bbox": [100, 4, 20, 10]}
    (root / "boxes.json").write_text(json.dumps({**content, "annotations": [*content["annotations"], outside]}))
    _, text = told(root)
    assert_names(text, "6 boxes", "5 of 6 boxes")
    _, text = told(root, crop="centre", classes=["tram"])
    assert_names(text, "6 boxes", "0 of 6 boxes")


def test_what_is_stated_is_no_guess(root: Path) -> None:
    found, text = told(root, annotations="boxes.json", crop=[4, 2], condition="time", test="same")
    assert "?" not in text
    assert_names(text, "from sample 4 and row 2", "d: 3", "n: 3")
    assert found.dataset is not None
    assert found.dataset.crop == (4, 2)


def test_margins_that_nothing_explains_are_to_mend(root: Path) -> None:
    write_coco(root / "boxes.json", {f"p{number}.jpg": (60, 20) for number in range(6)})
    found, text = told(root)
    assert found.dataset is None
    assert_names(text, "to mend", "60 × 20", "68 × 44")


def test_annotations_are_looked_for(root: Path) -> None:
    write_coco(root / "test.json", {"p5.jpg": (60, 40)})
    write_coco(root / "boxes.json", {f"p{number}.jpg": (60, 40) for number in range(5)})
    found, _ = told(root)
    assert (found.arguments["annotations"], found.arguments["test_annotations"]) == ("boxes.json", "test.json")
    write_coco(root / "more.json", {"p5.jpg": (60, 40)})
    found, text = told(root)
    assert_names(text, "boxes.json", "more.json", "--annotations")
    for file in root.glob("*.json"):
        file.unlink()
    found, text = told(root)
    assert_names(text, "COCO", "--annotations", "6 DNG")
    assert len(found.problems) == 1


def test_files_that_nobody_annotated_are_said(root: Path) -> None:
    write_coco(root / "boxes.json", {f"p{number}.jpg": (60, 40) for number in range(4)})
    assert_names(told(root)[1], "2 raw files", "p4.dng", "3 to train", "1 to test")


def test_files_that_are_missing_or_broken_are_said(root: Path) -> None:
    (root / "p0.dng").unlink()
    found, text = told(root)
    assert_names(text, 1, 6, "p0.jpg")
    assert len(found.problems) == 1
    (root / "p0.dng").write_bytes(b"nothing")
    found, text = told(root)
    assert_names(text, "1 file cannot be read", "p0.dng")
    with refused(DataMissingError, root / "no"):
        survey(root / "no", {})


@pytest.mark.parametrize("ending", ["bin", "raw"])
def test_headless_files_are_proposed_by_their_size(tmp_path: Path, ending: str) -> None:
    np.zeros((40, 60), "<u2").tofile(tmp_path / f"a.{ending}")
    np.zeros((40, 60), "<u2").tofile(tmp_path / f"b.{ending}")
    write_coco(tmp_path / "boxes.json", {"a.png": (60, 40), "b.png": (60, 40)})
    assert holds_raw_files(tmp_path)
    found, text = told(tmp_path)
    assert_names(
        text.replace("\n             ", " "), f"a.{ending}", 4800, "height: 40", "width: 60", "sample: 2", "pattern"
    )
    layout = {"height": 40, "width": 60, "sample": 2}
    found, _ = told(tmp_path, headless=layout, pattern="RGGB", native_bits=12)
    assert found.problems == []


def test_that_only_some_headers_were_read_is_said(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cameras, "MOST_READ", 2)
    assert_names(told(root)[1], "one in 3", "6 DNG")


def test_a_file_that_cannot_be_decoded_is_said(tmp_path: Path) -> None:
    np.zeros((40, 60), "<u2").tofile(tmp_path / "a.bin")
    write_coco(tmp_path / "boxes.json", {"a.png": (60, 40)})
    found, _ = told(tmp_path, headless={"height": 40, "width": 60}, native_bits=12, test="same")
    (line,) = [line for line in found.lines if "a.bin" in line.text]
    assert line.mark == GUESS
    assert_names(line.text, "data.dataset.pattern", "RGGB")


def test_photos_are_known_and_warnings_are_said_once(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    coco = root / "boxes.json"
    content = json.loads(coco.read_text())
    content["annotations"].append({**content["annotations"][0], "id": 99, "bbox": [9999, 0, 5, 5]})
    for number, image in enumerate(content["images"]):
        image["tag"] = str(number % 2)
    coco.write_text(json.dumps(content))
    assert_names(told(root)[1], "condition=tag")
    assert caplog.text.count("left out: 1") == 1
    for file in root.rglob("*.dng"):
        file.rename(file.with_suffix(".jpg"))
    assert_names(told(root)[1], "data=coco_raw")


def test_tables_are_no_raw_files(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    (tmp_path / "facts.json").write_text("{}")
    assert not holds_raw_files(tmp_path)


def test_shown_frames_are_of_all_kinds_and_as_light(root: Path) -> None:
    found, _ = told(root, crop="centre", condition="time")
    assert found.dataset is not None
    chosen = choose(found.dataset, 4)
    assert [frame.name for frame in chosen] == ["p0.dng", "p1.dng", "p4.dng", "p5.dng"]
    assert len(choose(found.dataset, 99)) == 6
    shown = show(found.dataset, chosen[0])
    assert shown.light.shape == (4, 20, 30)
    assert 0 <= shown.light.min() < 0.05
    assert 0.95 < shown.light.max() <= 1
    assert shown.boxes.tolist() == [[2, 2, 12, 7]]
    assert_names(shown.note, "60 × 40", "12 bits", "d")
