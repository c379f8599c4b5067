"""LOD in its own layout: tiny raw files in pairs of exposures, one VOC file per frame, lists of numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.refusal import assert_names, refused

from qsense.data.errors import DataError, DataMissingError
from qsense.data.frames.geometry.bayer import pack
from qsense.data.frames.lod import LOD
from qsense.data.frames.module import DetectionDataModule

WriteDng = Callable[..., Path]
RAW, ANNOTATED = (48, 64), (44, 60)  # height and width
TRAIN, TEST = (1, 3, 11), (5,)  # long exposures of the pairs


def mosaic(number: int) -> Any:
    """Counts above the black level; those of a short exposure are few."""
    top = 16384 if number % 2 else 2300
    return np.random.default_rng(number).integers(2047, top, RAW).astype(np.uint16)


def annotation(*things: tuple[str, int, int, int, int], size: tuple[int, int] = ANNOTATED) -> str:
    """As labelImg writes it."""
    objects = "".join(
        f"<object><name>{name}</name><pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult><bndbox>"
        f"<xmin>{left}</xmin><ymin>{top}</ymin><xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object>"
        for name, left, top, right, bottom in things
    )
    shape = f"<size><width>{size[1]}</width><height>{size[0]}</height><depth>3</depth></size>"
    return f"<annotation><folder>JPEGImages</folder><filename>x.JPG</filename>{shape}{objects}</annotation>"


@pytest.fixture
def root(tmp_path: Path, write_dng: WriteDng) -> Path:
    folder = tmp_path / "lod"
    for name in ("all_raw", "RAW-normal-Annotations", "RAW-dark-Annotations", "trainval"):
        (folder / name).mkdir(parents=True)
    for first in TRAIN + TEST:
        for number, light in ((first, "normal"), (first + 1, "dark")):
            write_dng(folder / "all_raw" / f"{number}.CR2", mosaic(number), white=16383, black=(2047,) * 4)
            things = [("bus", 1, 1, 60, 44), ("tvmonitor", 11, 21, 20, 30)][: 0 if first == 3 else 2]
            (folder / f"RAW-{light}-Annotations" / f"{number}.xml").write_text(annotation(*things))
    (folder / "trainval" / "train.txt").write_text("2\n4\n12\n")  # of the dark frames
    (folder / "trainval" / "val.txt").write_text("5\n")
    return folder


def test_both_exposures_of_a_pair_are_frames_and_conditions(root: Path) -> None:
    data = LOD(str(root))
    data.check()
    train, test = data.frames("train"), data.frames("test")
    assert [frame.name for frame in train] == ["1.CR2", "2.CR2", "3.CR2", "4.CR2", "11.CR2", "12.CR2"]
    assert [frame.name for frame in test] == ["5.CR2", "6.CR2"]
    assert data.signal.conditions == ("long", "short")
    assert [frame.condition for frame in train + test] == [0, 1] * 4
    assert {(frame.height, frame.width) for frame in train + test} == {ANNOTATED}
    assert train[0].boxes.tolist() == [[0, 0, 60, 44], [10, 20, 20, 30]]
    assert [data.classes[label] for label in train[0].labels] == ["bus", "tvmonitor"]
    assert train[2].boxes.shape == (0, 4)  # a negative
    assert (data.name, data.signal.native_bits) == ("LOD", 14)


@pytest.mark.parametrize(("light", "rest"), [("long", 1), ("short", 0)])
def test_one_exposure_needs_its_own_annotations_alone(root: Path, light: Any, rest: int) -> None:
    other = {"long": "dark", "short": "normal"}[light]
    (root / f"RAW-{other}-Annotations").rename(root / "elsewhere")
    data = LOD(str(root), light=light)
    data.check()
    assert {int(frame.name.partition(".")[0]) % 2 for frame in data.frames("train")} == {rest}
    assert (len(data.frames("train")), data.signal.conditions, data.name) == (3, (), f"LOD {light}")


def test_names_of_lists_may_be_paths_of_either_exposure(root: Path) -> None:
    (root / "trainval" / "train.txt").write_text("RAW_dark/0012.png\n1.JPG\n11\n2\n")
    assert [frame.name for frame in LOD(str(root), light="short").frames("train")] == ["12.CR2", "2.CR2"]


def test_the_middle_is_converted_and_black_may_be_taken_off(root: Path, tmp_path: Path) -> None:
    plain, dark = LOD(str(root)), LOD(str(root), subtract_black=True)
    for data in (plain, dark):
        data.prepare(tmp_path / "cache", 800)
    frame, counts = plain.frames("test")[1], mosaic(6)[2:46, 2:62]
    np.testing.assert_array_equal(plain.codes(frame), pack(counts))
    np.testing.assert_array_equal(dark.codes(frame), pack(counts) - 2047)


def test_boxes_of_resized_pictures_are_scaled(root: Path) -> None:
    file = root / "RAW-dark-Annotations" / "2.xml"
    file.write_text(annotation(("car", 1, 1, 16, 12), size=(24, 32)))
    frame = LOD(str(root)).frames("train")[1]
    assert (frame.height, frame.width, frame.boxes.tolist()) == (*RAW, [[0, 0, 32, 24]])
    file.write_text(annotation(("car", 1, 1, 16, 12), size=(20, 60)))
    with refused(DataError, "2.CR2", "64 × 48", "60 × 20"):
        LOD(str(root)).check()


def test_it_trains_from_its_cache_alone(root: Path, tmp_path: Path) -> None:
    data = DetectionDataModule(LOD(str(root)), batch_size=2, cache=str(tmp_path / "cache"))
    data.prepare_data()
    data.setup()
    (root / "all_raw" / "5.CR2").write_bytes(b"gone")
    batch = data.on_after_batch_transfer(next(iter(data.test_dataloader())), 0)
    assert (batch.condition, batch.sizes) == ([0, 1], [(22, 30)] * 2)
    assert data.statistics["train_frames_without_boxes"] == 2


def test_what_is_missing_is_named_with_where_to_get_it(root: Path, tmp_path: Path) -> None:
    with refused(DataMissingError, "LOD", tmp_path / "nowhere", LOD.url, "data.dataset.root=…"):
        LOD(str(tmp_path / "nowhere")).check()
    for key in ("images", "long_annotations", "short_annotations"):
        with refused(DataMissingError, root / "x", LOD.url, f"data.dataset.{key}=…"):
            LOD(str(root), **{key: "x"}).check()  # type: ignore[arg-type]
    with refused(DataMissingError, root / "x.txt", "data.dataset.test=…"):
        LOD(str(root), test="x.txt").check()
    (root / "all_raw" / "4.CR2").unlink()
    (root / "RAW-normal-Annotations" / "11.xml").unlink()
    named = (root / "all_raw" / "4.CR2", root / "RAW-normal-Annotations" / "11.xml")
    with refused(DataError, root / "trainval" / "train.txt", 2, 6, *named):
        LOD(str(root)).check()


def test_damaged_files_are_named(root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    raw, file = root / "all_raw" / "12.CR2", root / "RAW-normal-Annotations" / "1.xml"
    raw.write_bytes(raw.read_bytes()[:-100])
    with refused(DataError, 1, 8, raw):
        LOD(str(root)).prepare(tmp_path / "cache", 800)
    whole = file.read_text()
    for text, named in (
        (whole[:100], ("XML",)),
        (whole.replace("bus", "train"), ("object 1", "'train'", "bicycle", "bus")),
        (whole.replace("<width>60</width>", ""), ("size/width",)),
    ):
        file.write_text(text)
        with refused(DataError, file, *named):
            LOD(str(root)).check()
    file.write_text(annotation(("car", 50, 40, 90, 44)))
    LOD(str(root)).check()
    assert_names(caplog.text, root / "RAW-normal-Annotations", root / "RAW-dark-Annotations", "1 in 1 image")
    with refused(DataError, file, "60 × 44"):
        LOD(str(root), strict=True).check()


def test_lists_are_checked(root: Path) -> None:
    for text, named in (("dark\n", ("'dark'",)), ("0\n", ("'0'",)), ("\n", ()), ("2\n2\n", ("line 2", 2, "line 1"))):
        (root / "trainval" / "val.txt").write_text(text)
        with refused(DataError, root / "trainval" / "val.txt", *named):
            LOD(str(root)).check()
    (root / "trainval" / "val.txt").write_text("1\n")
    with refused(DataError, "LOD", 2, root / "all_raw" / "1.CR2"):
        LOD(str(root)).check()
    with refused(ValueError, "light='dark'", "long", "short", "both"):
        LOD("x", light="dark")  # type: ignore[arg-type]
