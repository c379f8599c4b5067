"""AODRaw in its own layout: tiny raw files, one turned by a quarter; COCO annotations with tags, regions to ignore."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.refusal import refused

from qsense.data.errors import DataError, DataMissingError
from qsense.data.frames.aodraw import AODRaw
from qsense.data.frames.geometry.bayer import pack
from qsense.data.frames.module import DetectionDataModule

WriteDng = Callable[..., Path]
RAW, ANNOTATED = (46, 66), (40, 60)  # height and width
TAGS: tuple[list[str], ...] = (["low_light"], ["rain", "low_light"], ["normal_light"], ["fog"], [], ["indoor", "night"])
TURNED = 1  # the frame that is turned


def mosaic(number: int) -> Any:
    return np.random.default_rng(number).integers(512, 16384, RAW).astype(np.uint16)


def document(numbers: range) -> dict[str, Any]:
    images, boxes = [], []
    for key, number in enumerate(numbers):
        height, width = ANNOTATED if number != TURNED else ANNOTATED[::-1]
        name = f"{number:08d}.ARW"
        images.append({"id": key, "file_name": name, "height": height, "width": width, "tag": TAGS[number]})
        boxes.append({"image_id": key, "bbox": [4, 6, 20, 10], "category_id": number % 2, "iscrowd": 0, "area": 200})
        if number == 2:
            boxes.append({"image_id": key, "bbox": [0, 0, 30, 40], "category_id": 62, "iscrowd": 1, "area": 1200})
    names = {0: "person", 1: "traffic_sign", 62: "ignore"}
    return {
        "type": "instance",
        "images": images,
        "categories": [{"id": key, "name": name, "supercategory": "none"} for key, name in names.items()],
        "annotations": [box | {"id": key, "ignore": 0, "segmentation": []} for key, box in enumerate(boxes)],
    }


@pytest.fixture
def root(tmp_path: Path, write_dng: WriteDng) -> Path:
    folder = tmp_path / "aodraw"
    for name in ("images", "annotations"):
        (folder / name).mkdir(parents=True)
    for number in range(6):
        write_dng(
            folder / "images" / f"{number:08d}.ARW",
            mosaic(number),
            white=16383,
            orientation=8 if number == TURNED else 1,
        )
        Image.new("RGB", ANNOTATED[::-1]).save(folder / "images" / f"{number:08d}.JPG")
    for part, numbers in (("train", range(4)), ("test", range(4, 6))):
        (folder / "annotations" / f"{part}_annotations.json").write_text(json.dumps(document(numbers)))
    return folder


def test_a_frames_condition_is_the_first_of_its_tags(root: Path) -> None:
    data = AODRaw(str(root))
    data.check()
    frames = data.frames("train") + data.frames("test")
    names = [data.signal.conditions[frame.condition] for frame in frames]
    assert names == ["low_light", "low_light", "normal_light", "fog", "other", "indoor"]
    rain = AODRaw(str(root), tags=["rain", "low_light"])
    assert [rain.signal.conditions[frame.condition] for frame in rain.frames("train")][:2] == ["low_light", "rain"]
    every = AODRaw(str(root), tags=None)
    assert every.signal.conditions == (
        "fog", "indoor + night", "low_light", "low_light + rain", "none", "normal_light",
    )  # fmt: skip
    assert (data.name, data.signal.native_bits, data.signal.bayer) == ("AODRaw", 14, "RGGB")


def test_frames_are_turned_and_their_middle_taken(root: Path, tmp_path: Path) -> None:
    data = AODRaw(str(root))
    data.prepare(tmp_path / "cache", 800)
    frames = data.frames("train")
    assert [(frame.height, frame.width) for frame in frames[:2]] == [ANNOTATED, ANNOTATED[::-1]]
    np.testing.assert_array_equal(data.codes(frames[0]), pack(mosaic(0)[3:43, 3:63], "BGGR"))
    upright = np.rot90(
        mosaic(TURNED)
    )  # as EXIF's 8 says; its cells are GB RG then, and RG GB … from row and column 3 on
    np.testing.assert_array_equal(data.codes(frames[1]), pack(upright[3:63, 3:43], "GRBG"))
    assert frames[1].boxes.tolist() == [[4, 6, 24, 16]]


def test_regions_to_ignore_are_crowds_of_every_class(root: Path) -> None:
    data = AODRaw(str(root))
    assert data.classes == ("person", "traffic_sign")
    frame = data.frames("train")[2]
    assert frame.labels.tolist() == [0, 0, 1]
    assert frame.crowd.tolist() == [False, True, True]
    assert frame.boxes.tolist() == [[4, 6, 24, 16], [0, 0, 30, 40], [0, 0, 30, 40]]
    assert frame.area.tolist() == [200, 1200, 1200]
    chosen = AODRaw(str(root), classes=["traffic_sign"]).frames("train")
    assert [frame.labels.tolist() for frame in chosen] == [[], [0], [0], [0]]
    assert chosen[2].crowd.all()


def test_it_trains_from_its_cache_alone(root: Path, tmp_path: Path) -> None:
    data = DetectionDataModule(AODRaw(str(root)), batch_size=2, cache=str(tmp_path / "cache"))
    data.prepare_data()
    data.setup()
    (root / "images" / "00000004.ARW").write_bytes(b"gone")
    batch = data.on_after_batch_transfer(next(iter(data.test_dataloader())), 0)
    assert batch.sizes == [(20, 30)] * 2


def test_what_is_missing_is_named_with_where_to_get_it(root: Path, tmp_path: Path) -> None:
    with refused(DataMissingError, "AODRaw", tmp_path / "nowhere", AODRaw.url, "data.dataset.root=…"):
        AODRaw(str(tmp_path / "nowhere")).check()
    with refused(DataMissingError, root / "x.json", "data.dataset.annotations=…"):
        AODRaw(str(root), annotations="x.json").check()
    (root / "images" / "00000003.ARW").unlink()
    with refused(DataError, "1 of the 4 images", root / "images" / "00000003.ARW"):
        AODRaw(str(root)).check()


def test_damaged_files_are_named(root: Path, tmp_path: Path) -> None:
    raw = root / "images" / "00000005.ARW"
    raw.write_bytes(raw.read_bytes()[:-100])
    with refused(DataError, 1, 6, raw):
        AODRaw(str(root)).prepare(tmp_path / "cache", 800)
    file = root / "annotations" / "test_annotations.json"
    file.write_text(file.read_text()[:200])
    with refused(DataError, file, "JSON"):
        AODRaw(str(root)).check()
    for arguments, named in (
        ({"tags": []}, ("tags=[]",)),
        ({"tags": "rain"}, ("tags=rain", "list")),
        ({"tags": ["rain", "rain"]}, ("tags=['rain', 'rain']", "null")),
    ):
        with refused(ValueError, *named):
            AODRaw("x", **arguments)
