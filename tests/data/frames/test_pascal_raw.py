"""PASCAL RAW in its own layout: tiny raw files, VOC annotations, lists; then the real annotations."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.refusal import refused

from qsense.data.errors import DataError, DataMissingError
from qsense.data.frames.geometry.bayer import pack
from qsense.data.frames.module import DetectionDataModule
from qsense.data.frames.pascal_raw import SPLITS, PascalRaw
from qsense.signal import Signal

WriteDng = Callable[..., Path]
NAMES = [f"2014_{number:06d}" for number in range(1, 6)]
SIZE = (40, 60)


class Small(PascalRaw):
    """A tenth of a percent of the camera's sensor."""

    size = SIZE


def mosaic(number: int) -> Any:
    return np.random.default_rng(number).integers(0, 4096, SIZE).astype(np.uint16)


def annotation(*things: tuple[str, int, int, int, int]) -> str:
    objects = "".join(
        f"<object><name>{name}</name><bndbox><xmax>{right}</xmax><xmin>{left}</xmin><ymax>{bottom}</ymax>"
        f"<ymin>{top}</ymin></bndbox><difficult>0</difficult></object>"
        for name, left, top, right, bottom in things
    )
    size = "<size><depth>1</depth><height>400</height><width>600</width></size>"
    return f"<annotation><filename>another.png</filename>{objects}{size}</annotation>"


@pytest.fixture
def root(tmp_path: Path, write_dng: WriteDng) -> Path:
    """Three frames to train, two to test; frame 2 shows nothing."""
    folder = tmp_path / "PASCALRAW"
    (folder / "original" / "raw").mkdir(parents=True)
    (folder / "annotations").mkdir()
    for number, name in enumerate(NAMES, start=1):
        write_dng(
            folder / "original" / "raw" / f"{name}.{'DNG' if number == 1 else 'dng'}", mosaic(number), black=(9,) * 4
        )
        things = [] if number == 2 else [("car", 1, 1, 600, 400), ("person", 101, 51, 200, 100)][: 1 + number % 2]
        (folder / "annotations" / f"{name}.xml").write_text(annotation(*things))
    (folder / "trainval").mkdir()
    (folder / "trainval" / "train.txt").write_text("\n".join(NAMES[:3]) + "\n")
    (folder / "trainval" / "val.txt").write_text("\n".join(NAMES[3:]) + "\n")
    return folder


def small(root: Path, **arguments: Any) -> Small:
    return Small(str(root), extension="dng", **arguments)


def test_frames_are_annotated_in_the_sensors_pixels(root: Path) -> None:
    data = small(root)
    data.check()
    train, test = data.frames("train"), data.frames("test")
    assert [frame.name for frame in train + test] == NAMES
    assert [frame.id for frame in train + test] == list(range(5))
    assert {(frame.height, frame.width) for frame in train + test} == {SIZE}
    assert train[0].boxes.tolist() == [[0, 0, 60, 40], [10, 5, 20, 10]]
    assert train[0].labels.tolist() == [0, 2]
    assert train[0].area.tolist() == [2400, 50]
    assert not train[0].crowd.any()
    assert train[1].boxes.shape == (0, 4)  # a negative
    assert data.signal == Signal(
        4, 0.0, 1.0, "full scale", names=("red", "green 1", "green 2", "blue"), native_bits=12, bayer="RGGB"
    )


def test_the_published_size_scales_boxes_as_the_paper_does(root: Path) -> None:
    frame = PascalRaw(str(root)).frames("train")[0]
    assert (frame.height, frame.width) == (4012, 6034)
    np.testing.assert_allclose(frame.boxes[1], np.array([100, 50, 200, 100]) * np.tile([6034 / 600, 4012 / 400], 2))


@pytest.mark.parametrize("image", ["planes", "demosaicked", "srgb"])
def test_each_image_is_converted_once(root: Path, tmp_path: Path, image: Any) -> None:
    data = small(root, image=image)
    data.prepare(tmp_path / "cache", 800)
    codes = data.codes(data.frames("test")[0])
    assert isinstance(codes, np.memmap)
    assert codes.dtype == {"planes": np.uint16, "demosaicked": np.uint16, "srgb": np.uint8}[image]
    assert data.signal.native_bits == {"planes": 12, "demosaicked": 16, "srgb": 8}[image]
    assert codes.shape == ((4, 20, 30) if image == "planes" else (3, 40, 60))
    if image == "planes":
        np.testing.assert_array_equal(codes, pack(mosaic(4)))


def test_options_make_conversions_of_their_own(root: Path, tmp_path: Path) -> None:
    plain, dark = small(root), small(root, subtract_black=True)
    for data in (plain, dark):
        data.prepare(tmp_path / "cache", 800)
    frame = plain.frames("train")[0]
    np.testing.assert_array_equal(dark.codes(frame), np.maximum(plain.codes(frame).astype(int) - 9, 0))
    balanced = small(root, white_balance=True)
    balanced.prepare(tmp_path / "cache", 10)
    first = plain.codes(frame).astype(int)[:, ::2, ::2] * np.array([2, 1, 1, 4])[:, None, None]
    np.testing.assert_array_equal(balanced.codes(frame), np.minimum(first, 4095))
    assert len(list((tmp_path / "cache").glob("pascal_raw-*.lock"))) == 3


def test_frames_may_be_stored_as_they_are(root: Path, tmp_path: Path) -> None:
    data = small(root)
    data.prepare(tmp_path / "cache", None)
    np.testing.assert_array_equal(data.codes(data.frames("test")[0]), pack(mosaic(4)))
    small(root).prepare(tmp_path / "cache", 800)
    # The second name is that of earlier versions, whose converted frames are not converted again.
    names = sorted(path.name for path in (tmp_path / "cache").iterdir() if path.is_dir())
    assert names[0] == "pascal_raw-planes-800-d4351596af422ed8"
    assert names[1].startswith("pascal_raw-planes-native-")


def test_frames_state_their_white_balance_once_they_are_converted(root: Path, tmp_path: Path) -> None:
    data = small(root)
    assert {frame.gains for frame in data.frames("train")} == {None}
    for options in ({}, {"image": "demosaicked"}, {"white_balance": True}, {"image": "srgb"}):
        data = small(root, **options)
        data.prepare(tmp_path / "cache", 10)
        applied = "white_balance" in options or options.get("image") == "srgb"
        for part in SPLITS:
            assert {frame.gains for frame in data.frames(part)} == {None if applied else (2.0, 1.0, 4.0)}


def test_it_trains_from_its_cache_alone(root: Path, tmp_path: Path) -> None:
    data = DetectionDataModule(small(root), batch_size=2, cache=str(tmp_path / "cache"), test_size=32)
    data.prepare_data()
    data.setup()
    (root / "original" / "raw" / f"{NAMES[3]}.dng").write_bytes(b"gone")  # an epoch decodes nothing
    batch = data.on_after_batch_transfer(next(iter(data.test_dataloader())), 0)
    assert batch.x.shape == (2, 4, 32, 64)
    assert batch.sizes == [(32, 48)] * 2
    assert batch.targets()[0]["boxes"].tolist() == [[0, 0, 48, 32]]
    assert data.statistics["train_frames_without_boxes"] == 1


def test_a_changed_raw_file_is_converted_again(root: Path, tmp_path: Path, write_dng: WriteDng) -> None:
    small(root).prepare(tmp_path / "cache", 800)
    before = small(root).fingerprint()
    file = root / "original" / "raw" / f"{NAMES[1]}.dng"
    write_dng(file, mosaic(77))
    os.utime(file, ns=(1, 1))
    data = small(root)
    data.prepare(tmp_path / "cache", 800)
    np.testing.assert_array_equal(data.codes(data.frames("train")[1]), pack(mosaic(77)))
    (root / "annotations" / f"{NAMES[1]}.xml").write_text(annotation(("car", 1, 1, 9, 9)))
    assert small(root).fingerprint() != before
    assert small(root, image="srgb").fingerprint() != small(root).fingerprint()


def test_unreadable_raw_files_are_all_named_and_the_others_kept(
    root: Path, tmp_path: Path, write_dng: WriteDng
) -> None:
    folder = root / "original" / "raw"
    (folder / f"{NAMES[1]}.dng").write_bytes((folder / f"{NAMES[1]}.dng").read_bytes()[:-100])
    (folder / f"{NAMES[3]}.dng").write_bytes(b"nothing" * 99)
    with refused(DataError, 2, 5, f"{NAMES[1]}.dng", f"{NAMES[3]}.dng"):
        small(root).prepare(tmp_path / "cache", 800)
    assert len(list((tmp_path / "cache").rglob("*.npy"))) == 3


def test_a_raw_file_of_another_camera_is_named(root: Path, tmp_path: Path, write_dng: WriteDng) -> None:
    write_dng(root / "original" / "raw" / f"{NAMES[2]}.dng", np.zeros((32, 48), dtype=np.uint16))
    with refused(DataError, f"{NAMES[2]}.dng", "32 × 48", "40 × 60"):
        small(root).prepare(tmp_path / "cache", 800)


def test_missing_data_says_where_to_get_it(tmp_path: Path, root: Path) -> None:
    with refused(
        DataMissingError,
        "PASCAL RAW",
        tmp_path / "nowhere" / "original" / "raw",
        "https://purl.stanford.edu/hq050zr7488",
        "data.dataset.root=…",
        "QSENSE_DATA",
    ):
        PascalRaw(str(tmp_path / "nowhere")).check()
    with refused(RuntimeError, "prepare()"):
        small(root).codes(small(root).frames("train")[0])
    (root / "trainval" / "val.txt").unlink()
    with refused(DataMissingError, root, "val.txt", "data.dataset.annotations=FOLDER", "ARCHIVE.tar.gz"):
        small(root).check()


def test_lists_are_checked_before_anything_is_converted(root: Path) -> None:
    train, val = (root / "trainval" / name for name in ("train.txt", "val.txt"))
    original = val.read_text()
    for text, named in (
        (
            f"{original}2014_000009\n",
            (root / "original" / "raw", 1, 6, "train.txt", "val.txt", "2014_000009.dng"),
        ),
        (f"{original}\n{NAMES[3]}\n", ("val.txt", "line 4", NAMES[3], "line 1")),
        (f"{original}{NAMES[0]}\n", ("val.txt", "train.txt", 1, NAMES[0])),
        ("\n", ("val.txt",)),
    ):
        val.write_text(text)
        with refused(DataError, *named):
            small(root).check()
    val.write_text(original)
    train.write_text(train.read_text().replace("\n", "\r\n"))
    small(root).check()


def test_annotations_are_checked_by_file(root: Path) -> None:
    file = root / "annotations" / f"{NAMES[4]}.xml"
    for things, named in (
        ([("tram", 1, 1, 9, 9)], ("object 1", "'tram'", "car, bicycle, person")),
        ([("car", 9, 1, 1, 9)], ("box 1", "(9, 1, 1, 9)", "reversed")),
        ([("car", 1, 1, 700, 9)], ("box 1", "(1, 1, 700, 9)", "600 × 400", 2)),
    ):
        file.write_text(annotation(*things))
        with refused(DataError, f"{NAMES[4]}.xml", *named):
            small(root, strict=True).check()
    file.unlink()
    with refused(DataMissingError, root, f"{NAMES[4]}.xml", "data.dataset.annotations=FOLDER"):
        small(root).frames("test")


def test_annotations_may_come_from_an_archive(root: Path, tmp_path: Path) -> None:
    archive = tmp_path / "annotations.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(root / "annotations", "annotations")
        for name in ("train.txt", "val.txt"):
            tar.add(root / "trainval" / name, name)
    elsewhere, here = small(root, annotations=str(archive)), small(root)
    for one, other in zip(elsewhere.frames("train"), here.frames("train"), strict=True):
        np.testing.assert_array_equal(one.boxes, other.boxes)
    assert elsewhere.fingerprint() == here.fingerprint()
    archive.write_bytes(archive.read_bytes()[:200])
    with refused(DataError, archive):
        small(root, annotations=str(archive)).frames("train")


def test_huge_entries_of_an_archive_are_refused(tmp_path: Path) -> None:
    (tmp_path / "big.xml").write_bytes(b" " * (2 << 20))
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "big.xml", "annotations/big.xml")
    with refused(DataError, tmp_path / "a.tar.gz", "annotations/big.xml", 2097152):
        PascalRaw(str(tmp_path), annotations=str(tmp_path / "a.tar.gz")).frames("train")


def test_wrong_arguments_are_refused() -> None:
    with refused(ValueError, "image='rgb'", "planes", "demosaicked", "srgb"):
        PascalRaw("x", image="rgb")  # type: ignore[arg-type]
    with refused(ValueError, "image=srgb", "black level", "white balance"):
        PascalRaw("x", image="srgb", white_balance=True)


def test_all_4259_real_annotations_have_the_published_counts() -> None:
    root = os.environ.get("QSENSE_DATA")
    archive = Path(root or "") / "pascal_raw" / "pascal_raw_annotations.tar.gz"
    if not root or not archive.is_file():
        pytest.skip("needs QSENSE_DATA with pascal_raw/pascal_raw_annotations.tar.gz")
    data = PascalRaw(str(archive.parent), annotations=str(archive))
    train, test = data.frames("train"), data.frames("test")
    assert (len(train), len(test)) == (2129, 2130)
    counts = np.bincount(np.concatenate([frame.labels for frame in train + test]))
    assert dict(zip(data.classes, counts.tolist(), strict=True)) == {"car": 1765, "bicycle": 708, "person": 4077}
    boxes = np.concatenate([frame.boxes for frame in train + test])
    assert (boxes[:, :2].min(), boxes[:, 2].max(), boxes[:, 3].max()) == (0, 6034, 4012)
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert len({frame.id for frame in train + test}) == 4259
