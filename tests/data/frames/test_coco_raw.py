"""COCO photo sets as simulated raw frames: annotations, splits, conversion, and bad input by file and id."""

from __future__ import annotations

import copy
import inspect
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image
from tests.refusal import assert_names, refused

from qsense.data.errors import DataError, DataMissingError
from qsense.data.frames import coco_raw
from qsense.data.frames.coco_raw import CocoRaw
from qsense.experiment.schema import config_folder

SIZES = [(40, 30), (41, 31), (64, 48), (30, 40), (40, 30), (40, 30)]


def content() -> dict[str, Any]:
    images = [{"id": 100 + i, "file_name": f"{i:03}.png", "width": w, "height": h} for i, (w, h) in enumerate(SIZES)]
    boxes = [(100, 3, [1, 2, 10, 12]), (100, 1, [5, 5, 20, 20]), (101, 1, [20, 10, 21, 21]), (102, 7, [0, 0, 64, 48])]
    annotations = [
        {"id": 50 + i, "image_id": image, "category_id": category, "bbox": bbox, "area": 99.5, "iscrowd": 0}
        for i, (image, category, bbox) in enumerate(boxes)
    ]
    annotations[1]["iscrowd"] = 1
    del annotations[2]["area"]
    categories = [{"id": 7, "name": "dog"}, {"id": 1, "name": "car"}, {"id": 3, "name": "person"}]
    return {"images": images, "annotations": annotations, "categories": categories}


def write(root: Path, made: dict[str, Any], images: str = "images", file: str = "instances.json") -> Path:
    (root / images).mkdir(parents=True, exist_ok=True)
    for image in made["images"]:
        rng = np.random.default_rng(image["id"])
        codes = rng.integers(0, 256, (image["height"], image["width"], 3), dtype=np.uint8)
        Image.fromarray(codes).save(root / images / image["file_name"])
    (root / file).write_text(json.dumps(made))
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write(tmp_path / "set", content())


def test_annotations_become_frames(root: Path) -> None:
    data = CocoRaw(str(root), test="same")
    data.check()
    assert data.classes == ("car", "person", "dog")  # in the order of their ids
    frames = data.frames("train")
    assert [frame.id for frame in frames] == [0, 1, 2, 3, 4, 5]
    first = frames[0]
    assert (first.name, first.width, first.height) == ("000.png", 40, 30)
    assert first.boxes.dtype == np.float32
    assert first.boxes.tolist() == [[1, 2, 11, 14], [5, 5, 25, 25]]
    assert first.labels.tolist() == [1, 0]
    assert first.crowd.tolist() == [False, True]
    assert first.area.tolist() == [99.5, 99.5]
    assert frames[1].area.tolist() == [21 * 21]
    assert [len(frame.boxes) for frame in frames] == [2, 1, 1, 0, 0, 0]
    assert frames[5].boxes.shape == (0, 4)


def test_classes_are_chosen_by_name_and_other_images_become_negatives(root: Path) -> None:
    data = CocoRaw(str(root), classes=["dog", "car"], test="same")
    assert data.classes == ("dog", "car")
    assert [frame.labels.tolist() for frame in data.frames("test")] == [[1], [1], [0], [], [], []]


def test_raw_frames_have_four_planes_of_half_the_size(root: Path) -> None:
    data = CocoRaw(str(root), native_bits=10, test="same")
    signal = data.signal
    assert (signal.channels, signal.native_bits, signal.bayer) == (4, 10, "RGGB")
    assert data.simulated
    assert data.name == "COCO (simulated raw)"
    for frame in data.frames("train"):
        codes = data.codes(frame)
        assert codes.dtype == np.uint16
        assert codes.shape == (4, frame.height // 2, frame.width // 2)
        assert codes.max() <= 1023
    odd = data.frames("train")[1]
    assert (odd.width, odd.height) == (42, 32)  # completed to whole cells
    assert odd.boxes[0].tolist() == [20, 10, 41, 31]


def test_photographs_as_they_are(root: Path) -> None:
    data = CocoRaw(str(root), image="srgb", test="same")
    assert (data.signal.channels, data.signal.native_bits, data.signal.bayer) == (3, 8, None)
    assert not data.simulated
    assert data.name == "COCO (sRGB)"
    frame = data.frames("train")[1]
    assert (frame.width, frame.height) == (41, 31)
    expected = np.asarray(Image.open(root / "images" / "001.png"))
    np.testing.assert_array_equal(data.codes(frame), expected.transpose(2, 0, 1))


def test_darkness_noise_and_camera_are_as_asked(root: Path) -> None:
    def mean(**arguments: Any) -> float:
        data = CocoRaw(str(root), camera="mean", test="same", **arguments)
        return float(data.codes(data.frames("train")[2]).mean())

    assert mean(exposure=0.1) == pytest.approx(0.1 * mean(), rel=0.02)
    assert mean(native_bits=16) == pytest.approx(mean() * 65535 / 4095, rel=0.01)

    def difference(iso: float) -> float:
        pair = [CocoRaw(str(root), iso=iso, camera="mean", test="same", seed=seed) for seed in (0, 1)]
        first, second = (data.codes(data.frames("train")[2]).astype(float) for data in pair)
        return float(np.abs(first - second).mean())

    assert difference(6400) > 5 * difference(100) > 0


def test_what_is_random_depends_on_seed_and_id_alone(root: Path, tmp_path: Path) -> None:
    data = CocoRaw(str(root), test="same")
    frames = data.frames("train")
    made = content()
    made["images"] = made["images"][::-1][:4]  # others, in another order
    made["annotations"] = [entry for entry in made["annotations"] if entry["image_id"] > 101]
    fewer = CocoRaw(str(write(tmp_path / "fewer", made)), test="same")
    by_name = {frame.name: fewer.codes(frame) for frame in fewer.frames("train")}
    for frame in frames[2:]:
        np.testing.assert_array_equal(by_name[frame.name], data.codes(frame))
    other = CocoRaw(str(root), test="same", seed=1)
    assert (other.codes(frames[2]) != data.codes(frames[2])).mean() > 0.5


def test_the_split_depends_on_the_ids_alone(root: Path, tmp_path: Path) -> None:
    data = CocoRaw(str(root), test=0.34)
    train, test = data.frames("train"), data.frames("test")
    assert (len(train), len(test)) == (4, 2)
    assert not {frame.id for frame in train} & {frame.id for frame in test}
    made = content()
    made["images"].reverse()
    again = CocoRaw(str(write(tmp_path / "again", made)), test=0.34, seed=5, classes=["car"])
    assert {frame.name for frame in again.frames("test")} == {frame.name for frame in test}
    tiny = CocoRaw(str(root), test=0.01)
    assert len(tiny.frames("test")) == 1


def test_a_test_part_may_be_stated(root: Path) -> None:
    made = content()
    for image in made["images"]:
        image["file_name"] = f"t{image['file_name']}"  # the same ids in another file are other images
    write(root, made, "more", "test.json")
    data = CocoRaw(str(root), test_annotations="test.json", test_images="more")
    data.check()
    train, test = data.frames("train"), data.frames("test")
    assert [frame.name for frame in test] == [f"t{i:03}.png" for i in range(6)]
    assert len({frame.id for frame in [*train, *test]}) == 12
    assert data.codes(test[0]).shape == (4, 15, 20)
    with refused(DataError, root / "images" / "000.png", root / "instances.json"):
        CocoRaw(str(root), test_annotations="instances.json").check()


def test_converted_frames_are_those_computed_on_demand(root: Path, tmp_path: Path) -> None:
    direct, data = CocoRaw(str(root), test="same"), CocoRaw(str(root), test="same")
    data.prepare(tmp_path / "cache", short_side=800)
    for frame in data.frames("train"):
        codes = data.codes(frame)
        assert isinstance(codes, np.memmap)
        np.testing.assert_array_equal(codes, direct.codes(frame))
    assert data._cache is not None
    assert data._cache.facts("images/000.png")["simulated"] is True


def test_conversion_makes_frames_smaller_and_never_larger(root: Path, tmp_path: Path) -> None:
    data, direct = CocoRaw(str(root), test="same"), CocoRaw(str(root), test="same")
    data.prepare(tmp_path / "cache", short_side=18)
    shapes = [data.codes(frame).shape for frame in data.frames("train")]
    assert shapes == [(4, 15, 20), (4, 16, 21), (4, 18, 24), (4, 20, 15), (4, 15, 20), (4, 15, 20)]
    full = direct.codes(direct.frames("train")[2])
    rows, columns = np.arange(18) * 24 // 18, np.arange(24) * 32 // 24
    np.testing.assert_array_equal(data.codes(data.frames("train")[2]), full[:, rows][:, :, columns])


OTHER_FRAMES: list[dict[str, Any]] = [
    {},
    {"native_bits": 14},
    {"iso": 800.0},
    {"exposure": 0.5},
    {"camera": "mean"},
    {"seed": 3},
    {"image": "srgb"},
]


def test_other_settings_are_converted_apart(root: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    for change in OTHER_FRAMES:
        data = CocoRaw(str(root), test="same", **change)
        data.prepare(cache, 800)
        frame = data.frames("train")[0]
        np.testing.assert_array_equal(data.codes(frame), CocoRaw(str(root), test="same", **change).codes(frame))
    assert len([entry for entry in cache.iterdir() if entry.is_dir()]) == len(OTHER_FRAMES)
    CocoRaw(str(root), classes=["car"], test=0.5).prepare(cache, 800)  # the same frames
    assert len([entry for entry in cache.iterdir() if entry.is_dir()]) == len(OTHER_FRAMES)


def test_the_fingerprint_knows_settings_and_bytes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = [*OTHER_FRAMES, {"classes": ["car"]}, {"test": "same"}]
    prints = [CocoRaw(str(root), **change).fingerprint() for change in changes]
    assert len(set(prints)) == len(prints)
    assert CocoRaw(str(root), name="other").fingerprint() == prints[0]
    assert len(CocoRaw(str(root)).sources()) == 7
    Image.new("RGB", SIZES[0]).save(root / "images" / "000.png")
    assert CocoRaw(str(root)).fingerprint() not in prints
    monkeypatch.setattr(coco_raw, "VERSION", 99)
    assert CocoRaw(str(root)).fingerprint() not in prints


def test_boxes_that_stick_out_by_rounding_are_cut_off_and_counted(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = content()
    made["annotations"][0]["bbox"] = [-1, 2, 10, 12]
    made["annotations"][3]["bbox"] = [0, 0, 65.5, 48]
    write(root, made)
    with caplog.at_level(logging.WARNING):
        frames = CocoRaw(str(root), test="same").frames("train")
    assert frames[0].boxes[0].tolist() == [0, 2, 9, 14]
    assert frames[2].boxes[0].tolist() == [0, 0, 64, 48]
    assert_names(caplog.text, root / "instances.json", 2)


Change = Callable[[dict[str, Any]], Any]


def bbox(*sides: float) -> Change:
    return lambda made: made["annotations"][0].update(bbox=list(sides))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda made: made["images"][1].update(id=100), ("image id 100",)),
        (lambda made: made["annotations"][1].update(id=50), ("annotation id 50",)),
        (lambda made: made["categories"][1].update(id=7), ("category id 7",)),
        (lambda made: made["images"][1].update(file_name="000.png"), ("'000.png'",)),
        (lambda made: made["categories"][1].update(name="dog"), ("category", "'dog'")),
        (lambda made: made["annotations"][0].update(image_id=9), ("annotation 50", "image 9")),
        (lambda made: made["annotations"][0].update(category_id=9), ("annotation 50", "category 9")),
        (lambda made: made["images"][2].update(width=0), ("image number 3", "id 102", "width 0")),
        (lambda made: made["images"][2].pop("height"), ("image number 3", "id 102", "no height")),
        (lambda made: made["annotations"][3].pop("bbox"), ("annotation 53", "no bbox", "segmentation")),
        (lambda made: made["annotations"].append(5), ("annotation number 5", 5)),
        (lambda made: made.pop("categories"), ("images", "annotations", "categories")),
        (bbox(1, 2, 3), ("annotation 50", "bbox [1, 2, 3]", "x, y, width, height")),
        (bbox(1, 2, 0, 12), ("annotation 50", "'000.png'", "bbox [1, 2, 0, 12]", "area", "data.dataset.strict=false")),
        (bbox(10, 2, -5, 12), ("annotation 50", "'000.png'", "bbox [10, 2, -5, 12]", "reversed")),
        (bbox(1, 2, float("nan"), 12), ("annotation 50", "bbox [1, 2, nan, 12]", "number")),
        (bbox(50, 2, 5, 12), ("annotation 50", "bbox [50, 2, 5, 12]", "40 × 30")),
        (bbox(30, 2, 20, 12), ("annotation 50", "bbox [30, 2, 20, 12]", "40 × 30", 2)),
    ],
)
def test_annotations_that_contradict_themselves_are_named(
    root: Path, change: Change, named: tuple[object, ...]
) -> None:
    made = copy.deepcopy(content())
    change(made)
    (root / "instances.json").write_text(json.dumps(made))
    with refused(DataError, root / "instances.json", *named):
        CocoRaw(str(root), strict=True).check()


def test_damaged_json_is_named(root: Path) -> None:
    text = (root / "instances.json").read_text()
    (root / "instances.json").write_text(text[: len(text) // 2])
    with refused(DataError, root / "instances.json", "JSON", "line 1"):
        CocoRaw(str(root)).check()
    (root / "instances.json").write_bytes(b"\xff\xfe\xff")
    with refused(DataError, root / "instances.json", "JSON"):
        CocoRaw(str(root)).check()


def test_what_is_missing_is_named_with_what_to_do(root: Path) -> None:
    with refused(DataMissingError, root / "nowhere" / "images", "data.dataset.root=…", "data.dataset.images=…"):
        CocoRaw(str(root / "nowhere")).check()
    with refused(DataMissingError, root / "other.json", "data.dataset.annotations=…"):
        CocoRaw(str(root), annotations="other.json").check()
    with refused(DataError, root / "instances.json", "'cat'", "car, person, dog"):
        CocoRaw(str(root), classes=["cat"]).check()
    (root / "images" / "004.png").unlink()
    with refused(DataError, root / "images" / "004.png", root / "instances.json", "image 104", "data.dataset.images"):
        CocoRaw(str(root)).check()


def test_images_that_cannot_be_used_are_named_when_converting(root: Path, tmp_path: Path) -> None:
    whole = (root / "images" / "002.png").read_bytes()
    (root / "images" / "002.png").write_bytes(whole[: len(whole) // 2])
    (root / "images" / "003.png").write_text("no image")
    Image.new("RGB", (8, 6)).save(root / "images" / "004.png")
    data = CocoRaw(str(root))
    data.check()  # does not look into them
    with refused(DataError, 3, 6, "002.png", "003.png", "004.png", "8 × 6", "40 × 30"):
        data.prepare(tmp_path / "cache", 800)


def test_one_image_cannot_be_split(root: Path) -> None:
    made = content()
    made["images"] = made["images"][:1]
    made["annotations"] = made["annotations"][:2]
    write(root, made)
    with refused(DataError, root / "instances.json", 1, 2):
        CocoRaw(str(root)).frames("train")
    assert len(CocoRaw(str(root), test="same").frames("test")) == 1


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"image": "jpeg"}, ("image='jpeg'", "raw", "srgb")),
        ({"camera": "phone"}, ("camera='phone'", "random", "mean")),
        ({"native_bits": 7}, ("native_bits=7", 8, 16)),
        ({"native_bits": 17}, ("native_bits=17", 8, 16)),
        ({"iso": 0}, ("iso=0", 25, 102400)),
        ({"exposure": 0.0}, ("exposure=0.0", 0, 16)),
        ({"test": 1.0}, ("test=1.0", "(0, 1)", "same")),
        ({"test": "all"}, ("test='all'", "(0, 1)", "same")),
        ({"classes": []}, ("classes=[]", "null")),
        ({"classes": ["car", "car"]}, ("classes=['car', 'car']", "null")),
        ({"seed": -1}, ("seed=-1", 0)),
    ],
)
def test_arguments_out_of_range_are_named(arguments: dict[str, Any], named: tuple[object, ...], tmp_path: Path) -> None:
    with refused(ValueError, *named):
        CocoRaw(str(tmp_path), **arguments)


def test_the_yaml_spells_out_every_argument_with_its_default() -> None:
    text = (config_folder() / "data" / "coco_raw.yaml").read_text()
    node = yaml.safe_load(text)["data"]["dataset"]
    assert text.startswith("# @package _global_\n")
    assert node.pop("_target_") == "qsense.data.frames.coco_raw.CocoRaw"
    assert node.pop("root") == "???"
    assert node == {name: p.default for name, p in inspect.signature(CocoRaw).parameters.items() if name != "root"}


def test_the_check_imports_nothing_heavy(root: Path) -> None:
    code = f"import sys; from qsense.data.frames.coco_raw import CocoRaw; CocoRaw({str(root)!r}).check(); "
    code += "sys.exit(any(name in sys.modules for name in ('torch', 'lightning')))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


STREET = Path(os.environ.get("QSENSE_DATA", "nowhere")) / "coco_street"


@pytest.mark.skipif(not STREET.is_dir(), reason="QSENSE_DATA has no coco_street")
def test_real_photographs(tmp_path: Path) -> None:
    data = CocoRaw(str(STREET), test="same")
    data.check()
    data.prepare(tmp_path / "cache", 64)
    frames = data.frames("train")
    assert (len(frames), sum(len(frame.boxes) for frame in frames)) == (50, 239)
    assert data.classes == ("car", "bicycle", "person")
    for frame in frames:
        codes = data.codes(frame)
        assert min(codes.shape[1:]) == 64
        # Green is the brightest colour of a raw frame before white balance.
        assert codes[1:3].mean() > codes[[0, 3]].mean()


@pytest.mark.parametrize(
    "json_file", ["result.json", "train/_annotations.coco.json", "annotations/instances_default.json"]
)
def test_what_may_be_the_annotations_is_named(root: Path, json_file: str) -> None:
    (root / json_file).parent.mkdir(exist_ok=True)
    (root / "instances.json").rename(root / json_file)
    with refused(DataMissingError, root / "instances.json", "data.dataset.annotations", json_file):
        CocoRaw(str(root)).check()
    with refused(DataMissingError, root / "photos", "data.dataset.root", "data.dataset.images", json_file):
        CocoRaw(str(root), images="photos").check()
    CocoRaw(str(root), annotations=json_file).check()
