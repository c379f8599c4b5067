"""RAOD in its own layout: tiny headless mosaics of 24 bits, labelme annotations, parts by folder or list."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tests.refusal import assert_names, refused

from qsense.data.errors import DataError, DataMissingError
from qsense.data.frames.geometry.bayer import pack
from qsense.data.frames.module import DetectionDataModule
from qsense.data.frames.raod import RAOD

SIZE = (64, 96)
TRAIN, TEST = ("day-00001", "day-00002", "night-00007"), ("night-00001", "day-00003")


class Small(RAOD):
    """Frames of a few samples."""

    size = SIZE


def mosaic(name: str) -> Any:
    """Codes over all 24 bits, the largest among them."""
    codes = np.random.default_rng(len(name) + int(name[-1])).integers(0, 1 << 24, SIZE).astype(np.uint32)
    codes[0, 0] = (1 << 24) - 1
    return codes


def shape(label: str, *points: tuple[float, float]) -> dict[str, Any]:
    return {"label": label, "points": points, "shape_type": "rectangle"}


def annotate(file: Path, *shapes: dict[str, Any]) -> None:
    file.write_text(json.dumps({"shapes": shapes, "imageData": None}))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Frame day-00002 shows nothing."""
    folder = tmp_path / "raod"
    for part, names in (("00Train", TRAIN), ("01Valid", TEST)):
        for kind in ("raws", "anno", "srgb"):
            (folder / kind / part).mkdir(parents=True)
        for name in names:
            stored = mosaic(name).astype("<u4").view(np.uint8).reshape(-1, 4)[:, :3]
            (folder / "raws" / part / f"{name}.raw").write_bytes(stored.tobytes())
            shapes = [
                shape("Car", (30, 40), (10, 20)),
                shape("Tricycle", (1, 1), (5, 5)),
                shape("Tram", (0, 0), (96, 64)),
            ]
            annotate(folder / "anno" / part / f"{name}.json", *([] if name == "day-00002" else shapes))
            picture = Image.fromarray(np.full((32, 48, 3), int(name[-1]), dtype=np.uint8))
            picture.save(folder / "srgb" / part / f"{name}.{'png' if name.startswith('d') else 'jpg'}")
    return folder


def test_frames_carry_their_condition(root: Path) -> None:
    data = Small(str(root))
    data.check()
    train, test = data.frames("train"), data.frames("test")
    assert [frame.name for frame in train] == list(TRAIN)
    assert [frame.name for frame in test] == sorted(TEST)
    assert [data.signal.conditions[frame.condition] for frame in train + test] == [
        "day",
        "day",
        "night",
        "day",
        "night",
    ]
    assert sorted(frame.id for frame in train + test) == list(range(5))
    assert train[0].boxes.tolist() == [[10, 20, 30, 40], [0, 0, 96, 64]]
    assert train[0].labels.tolist() == [2, 4]
    assert train[0].area.tolist() == [400, 96 * 64]
    assert train[1].boxes.shape == (0, 4)
    assert (data.signal.native_bits, data.signal.bayer, data.signal.channels) == (24, "RGGB", 4)


def test_24_bit_codes_arrive_exactly(root: Path, tmp_path: Path) -> None:
    module = DetectionDataModule(Small(str(root)), batch_size=2, cache=str(tmp_path / "cache"))
    module.prepare_data()
    module.setup()
    batch = module.on_after_batch_transfer(next(iter(module.test_dataloader())), 0)
    assert batch.x.dtype == torch.int32
    assert batch.condition == [0, 1]
    for row, frame in zip(batch.x, batch.frames, strict=True):
        np.testing.assert_array_equal(row[:, :32, :48].numpy(), pack(mosaic(frame.name)))
    assert int(batch.x.max()) == (1 << 24) - 1
    assert module.training_sample(100).max() <= 1


def test_given_pictures_are_the_srgb_baseline(root: Path, tmp_path: Path) -> None:
    data = Small(str(root), image="srgb")
    data.prepare(tmp_path / "cache", 16)
    frame = data.frames("train")[1]
    codes = data.codes(frame)
    assert codes.shape == (3, 16, 24)
    assert codes.dtype == np.uint8
    assert (codes == 2).all()
    assert data.signal.native_bits == 8
    (root / "srgb" / "00Train" / "day-00001.png").write_bytes(b"nothing")
    with refused(DataError, 1, 5, "day-00001.png"):
        Small(str(root), image="srgb").prepare(tmp_path / "cache", 16)
    (root / "srgb" / "00Train" / "day-00001.png").unlink()
    with refused(DataError, root / "srgb", 1, 5, "day-00001", "(.png, .jpg, .jpeg)"):
        Small(str(root), image="srgb").check()


def test_given_pictures_of_16_bits_are_scaled(root: Path, tmp_path: Path) -> None:
    plain = Small(str(root), image="srgb")
    plain.prepare(tmp_path / "cache", 16)
    before = plain.fingerprint()
    file = root / "srgb" / "00Train" / "day-00001.png"
    size = file.stat().st_size
    Image.fromarray(np.full((32, 48), 32768, dtype=np.uint16)).save(file)
    file.write_bytes(file.read_bytes().ljust(size, b"\0"))
    (file.parent / f"._{file.name}").write_bytes(b"x")  # macOS's companion
    data = Small(str(root), image="srgb")
    data.prepare(tmp_path / "cache", 16)
    assert (data.codes(data.frames("train")[0]) == 128).all()
    assert data.fingerprint() != before


def test_a_raw_file_of_another_size_is_named_with_its_bytes(root: Path, tmp_path: Path) -> None:
    file = root / "raws" / "00Train" / "night-00007.raw"
    file.write_bytes(file.read_bytes()[:-3])
    with refused(DataError, file, 18429, 18432, 64, 96, "3 bytes"):
        Small(str(root)).prepare(tmp_path / "cache", 800)


def test_parts_may_be_lists(root: Path) -> None:
    (root / "train.txt").write_text("night-00001\nday-00001\n")
    (root / "test.txt").write_text("day-00003\n\n")
    data = Small(str(root), train="train.txt", test="test.txt")
    data.check()
    assert [frame.name for frame in data.frames("train")] == ["night-00001", "day-00001"]
    assert [frame.name for frame in data.frames("test")] == ["day-00003"]
    for text, named in (
        ("day-00003\nday-00099\n", (root / "raws", 1, 2, root / "test.txt", "day-00099.raw")),
        ("day-00003\nday-00003\n", (root / "test.txt", "line 2", "day-00003", "line 1")),
        ("day-00001\nday-00003\n", ("test.txt", "train.txt", 1, "day-00001")),
        ("\n", (root / "test.txt",)),
    ):
        (root / "test.txt").write_text(text)
        with refused(DataError, *named):
            Small(str(root), train="train.txt", test="test.txt").check()


def test_one_name_is_one_frame(root: Path) -> None:
    (root / "raws" / "01Valid" / "day-00001.raw").write_bytes(b"")
    with refused(DataError, root / "raws/01Valid/day-00001.raw", root / "raws/00Train/day-00001.raw"):
        Small(str(root)).check()


def test_bad_annotations_and_names_are_named(root: Path) -> None:
    file = root / "anno" / "00Train" / "day-00001.json"
    annotate(file, shape("Bus", (1, 1), (9, 9)))
    with refused(DataError, file, "shape 1", "'Bus'", "Pedestrian, Cyclist, Car, Truck, Tram", "data.dataset.skip"):
        Small(str(root)).frames("train")
    assert len(Small(str(root), skip=["Bus", "Tricycle"]).frames("train")[0].labels) == 0
    annotate(file, shape("Car", (1, 1), (1, 9)))
    with refused(DataError, root / "anno", file, "box 1", "(1, 1, 1, 9)", "area"):
        Small(str(root), strict=True).frames("train")
    assert len(Small(str(root)).frames("train")[0].labels) == 0
    file.unlink()
    with refused(DataError, "day-00001.json", "'shapes'"):
        Small(str(root)).frames("train")
    (root / "raws" / "00Train" / "day-00001.raw").rename(root / "raws" / "00Train" / "dusk-00001.raw")
    (root / "anno" / "00Train" / "dusk-00001.json").write_text('{"shapes": []}')
    with refused(DataError, "dusk-00001.raw", "day-", "night-"):
        Small(str(root)).frames("train")


def test_missing_data_says_where_to_get_it(root: Path, tmp_path: Path) -> None:
    with refused(
        DataMissingError,
        "RAOD",
        tmp_path / "nowhere" / "raws",
        "https://github.com/huawei-noah/noah-research/tree/master/RAOD",
        "data.dataset.root=…",
        "QSENSE_DATA",
    ):
        RAOD(str(tmp_path / "nowhere")).check()
    with refused(DataMissingError, root / "raws/02Test", "data.dataset.train=…", "data.dataset.test=…"):
        Small(str(root), test="02Test").check()
    with refused(DataMissingError, root / "train.txt", "data.dataset.train=…", "data.dataset.test=…"):
        Small(str(root), train="train.txt").check()
    (root / "raws" / "02Test").mkdir()
    with refused(DataError, root / "raws/02Test", "*.raw"):
        Small(str(root), test="02Test").check()
    with refused(RuntimeError, "prepare()"):
        Small(str(root)).codes(Small(str(root)).frames("train")[0])
    with refused(ValueError, "image='demosaicked'", "planes", "srgb"):
        RAOD("x", image="demosaicked")  # type: ignore[arg-type]


def test_the_fingerprint_follows_annotations_options_and_parts(root: Path) -> None:
    seen = [
        Small(str(root)).fingerprint(),
        Small(str(root), image="srgb").fingerprint(),
        Small(str(root), skip=["Tricycle", "Bus"]).fingerprint(),
    ]
    annotate(root / "anno" / "01Valid" / "day-00003.json")
    seen.append(Small(str(root)).fingerprint())
    assert len(set(seen)) == 4
    assert Small(str(root)).fingerprint() == seen[-1]


def test_all_bad_annotations_are_named_at_once(root: Path) -> None:
    """And before anything is converted."""
    for name in TRAIN[:2]:
        annotate(root / "anno" / "00Train" / f"{name}.json", shape("Bus", (1, 1), (9, 9)))
    (root / "anno" / "01Valid" / "day-00003.json").unlink()
    with refused(DataError, 3, 5, "day-00001.json", "day-00002.json", "'Bus'", "day-00003.json") as caught:
        Small(str(root)).check()
    assert len(str(caught.value).splitlines()) == 4


def test_bad_boxes_of_both_parts_are_counted_in_one_warning(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    empty, line = shape("Car", (1, 1), (1, 9)), shape("Car", (1, 1), (5, 9)) | {"shape_type": "line"}
    annotate(root / "anno" / "00Train" / "day-00001.json", empty, shape("Car", (5, 5), (9, 9)), line)
    annotate(root / "anno" / "01Valid" / "day-00003.json", shape("Tram", (90, 60), (99, 70)) | {"difficult": True})
    data = Small(str(root))
    data.check()
    assert len(caplog.records) == 1
    assert_names(caplog.text, root / "anno", "2 in 1 image", "1 without area", "1 lines or points", "day-00001.json")
    assert_names(caplog.text, "cut at the edge", "1 in 1 image", "data.dataset.strict=true")
    train, test = data.frames("train")[0], data.frames("test")[0]
    assert train.boxes.tolist() == [[5, 5, 9, 9]]
    assert (test.boxes.tolist(), test.crowd.tolist()) == ([[90, 60, 96, 64]], [True])
    with refused(DataError, root / "anno", "3 of 8", "2 images", "day-00001.json", "day-00003.json", "line"):
        Small(str(root), strict=True).check()


def test_its_authors_smallest_box_is_an_option(root: Path) -> None:
    """On a picture of 1280 × 1280 a frame of 96 × 64 samples is 13 1/3 and 20 times as large."""
    wide, narrow, flat = ((10, 10), (12, 11)), ((10, 10), (11, 12)), ((10, 10), (12, 10.5))
    annotate(root / "anno" / "00Train" / "day-00001.json", *(shape("Car", *box) for box in (wide, narrow, flat)))
    every, some = Small(str(root)), Small(str(root), min_box=16)
    assert len(every.frames("train")[0].labels) == 3
    assert some.frames("train")[0].boxes.tolist() == [[10, 10, 12, 11]]
    assert len(Small(str(root), min_box=14).frames("train")[0].labels) == 1  # ends are rounded down before
    assert some.frames("train")[1].boxes.shape == (0, 4)
    assert some.fingerprint() != every.fingerprint() == Small(str(root), min_box=0).fingerprint()
    with refused(ValueError, "min_box=-1", 0, 1280):
        Small(str(root), min_box=-1)
