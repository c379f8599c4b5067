"""NOD in its own layout: tiny raw files of two cameras, COCO annotations; then the real annotations."""

from __future__ import annotations

import json
import logging
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.refusal import assert_names, refused

from qsense.data.errors import DataError, DataMissingError
from qsense.data.frames.geometry.bayer import pack
from qsense.data.frames.module import DetectionDataModule
from qsense.data.frames.nod import ANNOTATIONS, NOD

WriteDng = Callable[..., Path]
CATEGORIES = ["person", "bicycle", "car"]
# Samples that LibRaw reads and pixels that were annotated: height and width.
RAW = {"nikon": (48, 64), "sony": (60, 72)}
ANNOTATED = {"nikon": (44, 56), "sony": (56, 64)}
NAMES = {
    ("nikon", "train"): ["DSC_0557.NEF", "DSC_0558.NEF"],
    ("nikon", "val"): ["DSC_0600.NEF"],
    ("nikon", "test"): ["DSC_0001.NEF", "DSC_0002.NEF"],
    ("sony", "train"): ["DSC01088.ARW"],
    ("sony", "val"): ["DSC01089.ARW"],
    ("sony", "test"): ["DSC01993.ARW"],
}


def mosaic(name: str) -> Any:
    size = RAW["nikon" if "_" in name else "sony"]
    return np.random.default_rng(int(name[4:8])).integers(600, 16384, size).astype(np.uint16)


def document(camera: str, split: str) -> dict[str, Any]:
    """Ids are stems, but in Sony's test file, which has flags per box, too; Nikon's test file lists more categories."""
    numbered = (camera, split) == ("sony", "test")
    height, width = ANNOTATED[camera]
    images, boxes = [], []
    for place, name in enumerate(NAMES[camera, split]):
        key = place + 125 if numbered else name.partition(".")[0]
        images.append({"id": key, "width": width, "height": height, "file_name": name, "license": 1})
        flags = {"isbacklit": False, "islabeled": True} if numbered else {}
        own = [([4, 6, 20, 10], 3), ([0, 0, width, height], 1)][: 2 - place]
        boxes += [{"image_id": key, "bbox": box, "category_id": kind} | flags for box, kind in own]
    if (camera, split) == ("nikon", "test"):
        boxes.append({"image_id": "DSC_0002", "bbox": [17, 8, 2, 0], "category_id": 1})
    names = CATEGORIES + (["motorcycle", "toothbrush"] if (camera, split) == ("nikon", "test") else [])
    return {
        "images": images,
        "categories": [{"id": key, "name": name} for key, name in enumerate(names, start=1)],
        "annotations": [box | {"id": key, "iscrowd": 0, "area": 7} for key, box in enumerate(boxes)],
    }


@pytest.fixture
def root(tmp_path: Path, write_dng: WriteDng) -> Path:
    folder = tmp_path / "nod"
    for (camera, split), names in NAMES.items():
        file = folder / "annotations" / ANNOTATIONS[camera][split]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(document(camera, split)))
        (folder / "raw" / camera).mkdir(parents=True, exist_ok=True)
        for name in names:
            write_dng(folder / "raw" / camera / name, mosaic(name), white=16383, black=(600,) * 4)
    return folder


def test_both_cameras_are_mixed_and_each_is_a_condition(root: Path) -> None:
    data = NOD(str(root))
    data.check()
    train, test = data.frames("train"), data.frames("test")
    assert [frame.name for frame in train] == ["DSC_0557.NEF", "DSC_0558.NEF", "DSC01088.ARW"]
    assert [frame.name for frame in test] == ["DSC_0001.NEF", "DSC_0002.NEF", "DSC01993.ARW"]
    assert data.signal.conditions == ("nikon", "sony")
    assert [frame.condition for frame in train + test] == [0, 0, 1, 0, 0, 1]
    assert {(frame.height, frame.width) for frame in train} == set(ANNOTATED.values())
    assert train[0].boxes.tolist() == [[4, 6, 24, 16], [0, 0, 56, 44]]
    assert [data.classes[label] for label in train[0].labels] == ["car", "person"]
    assert (data.name, data.signal.native_bits, data.signal.bayer) == ("NOD", 14, "RGGB")


@pytest.mark.parametrize("camera", ["nikon", "sony"])
def test_one_camera_has_no_conditions(root: Path, camera: Any) -> None:
    data = NOD(str(root), camera=camera, test=["val", "test"])
    assert data.signal.conditions == ()
    assert data.name == f"NOD {camera.capitalize()}"
    assert [frame.name for frame in data.frames("train")] == NAMES[camera, "train"]
    assert [frame.name for frame in data.frames("test")] == NAMES[camera, "val"] + NAMES[camera, "test"]
    assert {frame.condition for frame in data.frames("test")} == {0}


def test_the_middle_is_converted_and_a_crop_may_be_stated(root: Path, tmp_path: Path) -> None:
    for crop, (left, top) in (("centre", (4, 2)), ([8, 4], (8, 4)), ([3, 1], (3, 1))):
        data = NOD(str(root), camera="nikon", crop=crop)  # type: ignore[arg-type]
        data.prepare(tmp_path / "cache", 800)
        counts = mosaic("DSC_0001.NEF")[top : top + 44, left : left + 56]
        np.testing.assert_array_equal(data.codes(data.frames("test")[0]), pack(counts, "BGGR" if left == 3 else "RGGB"))
    with refused(DataError, "DSC_0557.NEF", "64 × 48", "56 × 44", "data.dataset.crop=centre"):
        NOD(str(root), crop="none").check()


def test_counts_beyond_14_bits_are_clipped(root: Path, tmp_path: Path, write_dng: WriteDng) -> None:
    counts = mosaic("DSC01993.ARW")
    counts[30, 30] = 16390
    write_dng(root / "raw" / "sony" / "DSC01993.ARW", counts, white=16383)
    data = NOD(str(root), camera="sony")
    data.prepare(tmp_path / "cache", 800)
    np.testing.assert_array_equal(data.codes(data.frames("test")[0]), pack(np.minimum(counts, 16383)[2:58, 4:68]))


def test_the_box_without_height_is_left_out_with_one_warning(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        data = NOD(str(root))
        data.check()
        assert len(data.frames("test")[1].labels) == 1
    assert len(caplog.records) == 1
    assert_names(caplog.text, "raw_new_Nikon750_test.json", "DSC_0002", "1 in 1 image", "data.dataset.strict=true")
    with refused(DataError, "1 of 6", "'DSC_0002.NEF'", "area"):
        NOD(str(root), strict=True).check()


def test_it_trains_from_its_cache_alone(root: Path, tmp_path: Path) -> None:
    data = DetectionDataModule(NOD(str(root)), batch_size=3, cache=str(tmp_path / "cache"))
    data.prepare_data()
    data.setup()
    for file in (root / "raw").rglob("*.*"):
        file.write_bytes(b"gone")
    batch = data.on_after_batch_transfer(next(iter(data.test_dataloader())), 0)
    assert batch.condition == [0, 0, 1]
    assert batch.sizes == [(22, 28), (22, 28), (28, 32)]


def test_the_fingerprint_follows_annotations_and_options(root: Path) -> None:
    seen = [
        NOD(str(root), **how).fingerprint() for how in ({}, {"camera": "nikon"}, {"crop": [4, 2]}, {"test": ["val"]})
    ]
    file = root / "annotations" / ANNOTATIONS["sony"]["train"]
    file.write_text(file.read_text().replace("[4, 6, 20, 10]", "[4, 6, 20, 11]"))
    seen.append(NOD(str(root)).fingerprint())
    assert len(set(seen)) == 5
    assert NOD(str(root)).fingerprint() == seen[-1]


def test_what_is_missing_is_named_with_where_to_get_it(root: Path, tmp_path: Path) -> None:
    with refused(DataMissingError, "NOD", tmp_path / "nowhere", NOD.url, "data.dataset.root=…"):
        NOD(str(tmp_path / "nowhere")).check()
    with refused(
        DataMissingError, root / "x" / "Nikon" / "raw_new_Nikon750_train.json", NOD.url, "data.dataset.annotations=…"
    ):
        NOD(str(root), annotations="x").check()
    (root / "raw" / "nikon" / "DSC_0558.NEF").unlink()
    with refused(
        DataError, "1 of the 2 images", "raw_new_Nikon750_train.json", root / "DSC_0558.NEF", "data.dataset.images"
    ):
        NOD(str(root)).check()


def test_damaged_files_are_named(root: Path, tmp_path: Path) -> None:
    raw = root / "raw" / "sony" / "DSC01088.ARW"
    whole = raw.read_bytes()
    raw.write_bytes(whole[:-100])
    with refused(DataError, 1, 6, raw):
        NOD(str(root)).prepare(tmp_path / "cache", 800)
    raw.write_bytes(b"nothing" * 99)
    with refused(DataError, "NOD", "1 of 6 raw files", raw):
        NOD(str(root)).check()
    raw.write_bytes(whole)
    file = root / "annotations" / ANNOTATIONS["nikon"]["test"]
    file.write_text(file.read_text()[:200])
    with refused(DataError, file, "JSON"):
        NOD(str(root)).check()


def test_wrong_arguments_are_refused() -> None:
    for arguments, named in (
        ({"camera": "canon"}, ("camera='canon'", "nikon", "sony", "both")),
        ({"train": "train"}, ("train='train'", "list", "train", "val", "test")),
        ({"test": ["tests"]}, ("test=['tests']", "val")),
        ({"train": []}, ("train=[]",)),
        ({"train": ["train", "val"], "test": ["val"]}, ("train=['train', 'val']", "test=['val']", "val")),
        ({"crop": "middle"}, ("crop=middle", "centre")),
    ):
        with refused(ValueError, *named):
            NOD("x", **arguments)


COUNTS = {  # published frames and boxes; one more box of Nikon's test file has no height
    ("nikon", "train"): (3206, 22474),
    ("nikon", "val"): (400, 2720),
    ("nikon", "test"): (400, 2851),
    ("sony", "train"): (2571, 14982),
    ("sony", "val"): (321, 1896),
    ("sony", "test"): (321, 1827),
}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real annotations, and an empty file for every photograph."""
    source = os.environ.get("QSENSE_DATA")
    archive = Path(source or "") / "nod" / "nod_raw_annotations.tar.gz"
    if not source or not archive.is_file():
        pytest.skip("needs QSENSE_DATA with nod/nod_raw_annotations.tar.gz")
    folder = tmp_path_factory.mktemp("nod")
    with tarfile.open(archive) as content:
        content.extractall(folder, filter="data")
    for file in (folder / "annotations").rglob("*.json"):
        for image in json.loads(file.read_bytes())["images"]:
            (folder / image["file_name"]).touch()
    return folder


@pytest.mark.parametrize(("camera", "split"), COUNTS)
def test_the_real_annotations_have_the_published_counts(published: Path, camera: Any, split: str) -> None:
    other = next(part for part in ("train", "val") if part != split)
    pictures = NOD(str(published), camera=camera, train=[other], test=[split]).annotated("test")
    labels = np.concatenate([picture.labels for picture in pictures])
    assert (len(pictures), len(labels)) == COUNTS[camera, split]
    assert set(labels.tolist()) == {0, 1, 2}
    size = {"nikon": (2624, 3936), "sony": (3648, 5472)}[camera]
    assert {(picture.height, picture.width) for picture in pictures} == {size}
    assert all(picture.width >= picture.boxes[:, 2].max() for picture in pictures)


def test_the_real_parts_of_both_cameras_are_7219_different_frames(published: Path) -> None:
    data = NOD(str(published), train=["train"], test=["val", "test"])
    pictures = data.annotated("train") + data.annotated("test")
    assert len({picture.file for picture in pictures}) == len(pictures) == 7219
    counts = np.bincount(np.concatenate([picture.labels for picture in pictures])).tolist()
    assert dict(zip(data.classes, counts, strict=True)) == {"person": 31905, "bicycle": 9599, "car": 5246}
