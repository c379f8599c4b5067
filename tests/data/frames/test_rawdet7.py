"""RawDet-7 in its own layout: tiny raw files of five sensors and four kinds, one JSON file per frame."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.refusal import assert_names, refused

from qsense.data.errors import DataError, DataMissingError
from qsense.data.frames import rawdet7
from qsense.data.frames.discover.survey import survey_set
from qsense.data.frames.files.headless import Layout
from qsense.data.frames.geometry.bayer import pack
from qsense.data.frames.module import DetectionDataModule
from qsense.data.frames.rawdet7 import SENSORS, RawDet7
from qsense.runs.layout import FIXED

WriteDng = Callable[..., Path]
SIZE = (40, 56)  # height and width of the pictures that were annotated
BITS = {"PASCAL_RAW": 12, "RAOD": 24, "RAW_NOD_NIKON": 14, "RAW_NOD_SONY": 14, "ZURICH": 10}
PICTURES = {"PASCAL_RAW": ".jpg", "RAOD": ".png", "RAW_NOD_NIKON": ".JPG", "RAW_NOD_SONY": ".JPG", "ZURICH": ".jpg"}
ENDINGS = {"PASCAL_RAW": ".nef", "RAOD": ".raw", "RAW_NOD_NIKON": ".NEF", "RAW_NOD_SONY": ".ARW", "ZURICH": ".png"}
NAMES = {  # of the training part, and of val, which is tested on
    "PASCAL_RAW": ("2014_000001", "2014_000002"),
    "RAOD": ("night-00001", "day-00002"),
    "RAW_NOD_NIKON": ("DSC_0001", "DSC_0002"),
    "RAW_NOD_SONY": ("DSC00001", "DSC00002"),
    "ZURICH": ("1", "2"),
}


def mosaic(sensor: str, name: str) -> Any:
    """All of a sensor's counts; the Nikon has borders that were not annotated."""
    height, width = SIZE if sensor != "RAW_NOD_NIKON" else (44, 64)
    codes = np.random.default_rng([len(sensor), *name.encode()]).integers(0, 1 << BITS[sensor], (height, width))
    codes[0, 0] = (1 << BITS[sensor]) - 1
    return codes.astype(np.uint32 if sensor == "RAOD" else np.uint16)


def entry(name: str, *box: float, **more: Any) -> dict[str, Any]:
    return {"class_name": name, "bbox": box, **more}


ENTRIES = [entry("car", 4, 6, 24, 16, score=0.95), entry("bus", 1, 1, 9, 9, score=0.5), entry("tram", 0, 0, 56, 40)]


def annotate(file: Path, image: str, *entries: dict[str, Any]) -> None:
    document = {"image_path": f"/ceph/x/{image}", "img_width": SIZE[1], "img_height": SIZE[0], "annotations": entries}
    file.write_text(json.dumps(document))


@pytest.fixture
def root(tmp_path: Path, write_dng: WriteDng, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A frame of each sensor to train, one to test; the Zurich one to train shows nothing that is sure."""
    raod = replace(SENSORS["RAOD"], format=replace(SENSORS["RAOD"].format, layout=Layout(*SIZE, sample=3)))
    monkeypatch.setitem(rawdet7.SENSORS, "RAOD", raod)
    folder = tmp_path / "rawdet7"
    for sensor, names in NAMES.items():
        for part, name in zip(("train", "val"), names, strict=True):
            annotated, raw = (folder / kind / part / sensor for kind in ("annotations_normal_json", "combined_raw"))
            annotated.mkdir(parents=True)
            raw.mkdir(parents=True)
            sure = [] if (sensor, part) == ("ZURICH", "train") else ENTRIES
            annotate(annotated / f"{name}.json", name + PICTURES[sensor], *(sure or ENTRIES[1:2]))
            codes, file = mosaic(sensor, name), raw / (name + ENDINGS[sensor])
            if sensor == "RAOD":
                file.write_bytes(codes.astype("<u4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes())
            elif sensor == "ZURICH":
                Image.fromarray(codes).save(file)
            else:
                height, width = codes.shape
                write_dng(file, codes, white=(1 << BITS[sensor]) - 1, active=(2, 2, height - 2, width - 4))
    return folder


def test_five_sensors_are_mixed_and_each_is_a_condition(root: Path) -> None:
    data = RawDet7(str(root))
    data.check()
    train, test = data.frames("train"), data.frames("test")
    assert [frame.name for frame in train] == [NAMES[sensor][0] + ENDINGS[sensor] for sensor in SENSORS]
    assert [frame.name for frame in test] == [NAMES[sensor][1] + ENDINGS[sensor] for sensor in SENSORS]
    assert data.signal.conditions == tuple(SENSORS)
    assert [frame.condition for frame in train + test] == [*range(5), *range(5)]
    assert {(frame.height, frame.width) for frame in train + test} == {SIZE}
    assert train[0].boxes.tolist() == [[4, 6, 24, 16], [0, 0, 56, 40]]
    assert [data.classes[label] for label in train[0].labels] == ["car", "tram"]
    assert train[4].boxes.shape == (0, 4)
    assert (data.name, data.signal.native_bits, data.signal.bayer) == ("RawDet-7", 24, "RGGB")


def test_codes_are_the_upper_bits_of_one_width(root: Path, tmp_path: Path) -> None:
    data = RawDet7(str(root))
    data.prepare(tmp_path / "cache", 800)
    for frame, sensor in zip(data.frames("test"), SENSORS, strict=True):
        counts = mosaic(sensor, NAMES[sensor][1])
        counts = counts[2:42, 4:60] if sensor == "RAW_NOD_NIKON" else counts
        codes = data.codes(frame)
        assert codes.dtype == np.uint32
        np.testing.assert_array_equal(codes >> np.uint32(24 - BITS[sensor]), pack(counts))


@pytest.mark.parametrize("sensor", SENSORS)
def test_one_sensor_has_its_own_bits_and_no_condition(root: Path, tmp_path: Path, sensor: Any) -> None:
    data = RawDet7(str(root), sensor=sensor)
    data.prepare(tmp_path / "cache", 800)
    (frame,) = data.frames("test")
    assert (data.signal.native_bits, data.signal.conditions) == (BITS[sensor], ())
    assert data.name == f"RawDet-7 {sensor}"
    assert int(data.codes(frame).max()) < 1 << BITS[sensor]
    assert data.codes(frame).shape == (4, 20, 28)


def test_a_check_says_the_levels_of_every_sensor(root: Path) -> None:
    found = survey_set(RawDet7(str(root)))
    kinds = [line.text.replace(FIXED, " ") for line in found.lines[:5]]
    assert found.lines[0].topic == "raw files"
    for sensor, bits in BITS.items():
        ending = ENDINGS[sensor].lstrip(".").upper()
        assert any(f"{ending}: 2 files" in kind and f"{bits} bits, RGGB" in kind for kind in kinds), kinds


def test_light_is_a_condition_instead(root: Path) -> None:
    data = RawDet7(str(root), condition="light")
    names = [data.signal.conditions[frame.condition] for frame in data.frames("train") + data.frames("test")]
    assert names == ["day", "night", "night", "night", "day", "day", "day", "night", "night", "day"]
    assert RawDet7(str(root), sensor="RAOD", condition="light").signal.conditions == ("day", "night")
    assert RawDet7(str(root), sensor="ZURICH", condition="light").signal.conditions == ()
    assert RawDet7(str(root), condition="none").signal.conditions == ()


def test_scores_and_negatives_are_options(root: Path) -> None:
    assert len(RawDet7(str(root), score=0.5).frames("train")[4].labels) == 1
    some = RawDet7(str(root), negatives=False)
    assert [frame.name for frame in some.frames("train")] == [
        NAMES[sensor][0] + ENDINGS[sensor] for sensor in list(SENSORS)[:4]
    ]
    prints = [
        RawDet7(str(root), **how).fingerprint()
        for how in ({}, {"score": 0.5}, {"negatives": False}, {"condition": "light"})
    ]
    assert len(set(prints)) == 4
    assert RawDet7(str(root)).fingerprint() == prints[0]


def test_a_cameras_visible_part_may_be_taken(root: Path, tmp_path: Path) -> None:
    file = root / "annotations_normal_json" / "val" / "RAW_NOD_NIKON" / "DSC_0002.json"
    file.write_text(file.read_text().replace('"img_width": 56', '"img_width": 58'))
    data = RawDet7(str(root), sensor="RAW_NOD_NIKON", area="visible")
    data.prepare(tmp_path / "cache", 800)
    np.testing.assert_array_equal(
        data.codes(data.frames("test")[0]), pack(mosaic("RAW_NOD_NIKON", "DSC_0002")[2:42, 2:60])
    )


def test_counts_of_the_sony_are_clipped(root: Path, tmp_path: Path, write_dng: WriteDng) -> None:
    counts = mosaic("RAW_NOD_SONY", "DSC00002")
    counts[5, 5] = 16400
    write_dng(root / "combined_raw" / "val" / "RAW_NOD_SONY" / "DSC00002.ARW", counts, white=16383)
    data = RawDet7(str(root), sensor="RAW_NOD_SONY")
    data.prepare(tmp_path / "cache", 800)
    np.testing.assert_array_equal(data.codes(data.frames("test")[0]), pack(np.minimum(counts, 16383)))


def test_it_trains_from_its_cache_alone(root: Path, tmp_path: Path) -> None:
    data = DetectionDataModule(RawDet7(str(root)), batch_size=5, cache=str(tmp_path / "cache"))
    data.prepare_data()
    data.setup()
    for file in (root / "combined_raw").rglob("*.*"):
        file.write_bytes(b"gone")
    batch = data.on_after_batch_transfer(next(iter(data.test_dataloader())), 0)
    assert (batch.condition, batch.sizes) == ([0, 1, 2, 3, 4], [(20, 28)] * 5)


def test_what_is_missing_is_named_with_where_to_get_it(root: Path, tmp_path: Path) -> None:
    with refused(DataMissingError, "RawDet-7", tmp_path / "nowhere", RawDet7.url, "data.dataset.root=…"):
        RawDet7(str(tmp_path / "nowhere")).check()
    raw = root / "combined_raw" / "train" / "RAW_NOD_SONY"
    (raw / "DSC00001.ARW").unlink()
    with refused(DataError, raw, 1, "*.arw", "/ceph/x/DSC00001.JPG"):
        RawDet7(str(root)).check()
    raw.rmdir()
    with refused(DataMissingError, raw, RawDet7.url, "data.dataset.root=…", "data.dataset.sensor=…"):
        RawDet7(str(root)).check()
    RawDet7(str(root), sensor="ZURICH").check()
    folder = root / "annotations_normal_json" / "val" / "ZURICH"
    (folder / "2.json").unlink()
    with refused(DataError, folder, "*.json"):
        RawDet7(str(root), sensor="ZURICH").check()


def test_damaged_files_are_named(root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    raw = root / "combined_raw" / "val"
    for sensor, name in (("PASCAL_RAW", "2014_000002.nef"), ("RAOD", "day-00002.raw"), ("ZURICH", "2.png")):
        file = raw / sensor / name
        file.write_bytes(file.read_bytes()[:-100])
        with refused(DataError, file):
            RawDet7(str(root), sensor=sensor).prepare(tmp_path / "cache", 800)  # type: ignore[arg-type]
    file = root / "annotations_normal_json" / "train" / "RAW_NOD_NIKON" / "DSC_0001.json"
    annotate(file, "DSC_0001.JPG", entry("dog", 1, 1, 9, 9), entry("car", 9, 1, 1, 9), entry("car", 50, 30, 60, 40))
    data = RawDet7(str(root), sensor="RAW_NOD_NIKON")
    data.check()
    assert data.frames("train")[0].boxes.tolist() == [[50, 30, 56, 40]]
    assert_names(caplog.text, "1 of other classes", "1 without area", "1 in 1 image", "DSC_0001.json")
    with refused(DataError, 3, "'dog'", file, "data.dataset.strict=false"):
        RawDet7(str(root), sensor="RAW_NOD_NIKON", strict=True).check()
    file.write_text("{")
    with refused(DataError, file, "img_width"):
        RawDet7(str(root)).check()


def test_a_frame_without_a_light_in_its_name_is_named(root: Path) -> None:
    for kind in ("annotations_normal_json", "combined_raw"):
        (file,) = (root / kind / "val" / "RAOD").iterdir()
        file.rename(file.with_stem("dusk-1"))
    annotate(root / "annotations_normal_json" / "val" / "RAOD" / "dusk-1.json", "dusk-1.png")
    RawDet7(str(root)).check()
    with refused(DataError, "dusk-1.raw", "day-", "night-"):
        RawDet7(str(root), condition="light").check()


def test_wrong_arguments_are_refused() -> None:
    for arguments, named in (
        ({"sensor": "NIKON"}, ("sensor='NIKON'", "all", *SENSORS)),
        ({"condition": "time"}, ("condition='time'", "sensor", "light", "none")),
        ({"score": 2}, ("score=2", 0, 1)),
        ({"area": "half"}, ("area='half'", "visible", "all")),
    ):
        with refused(ValueError, *named):
            RawDet7("x", **arguments)
