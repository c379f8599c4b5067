"""Folders of raw files with boxes: tiny files of every kind, mixed sensors, and each input that is refused."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from PIL import Image
from tests.refusal import refused

from qsense.data.errors import DataError, DataMissingError
from qsense.data.frames import raw_coco
from qsense.data.frames.geometry.bayer import pack
from qsense.data.frames.module import DetectionDataModule
from qsense.data.frames.raw_coco import RawCoco
from qsense.quant.sensor.gamma_per_condition import GammaPerCondition
from qsense.signal import Signal

WriteDng = Callable[..., Path]
SIZE = (40, 60)  # rows and columns


def counts(seed: int, bits: int = 12, size: tuple[int, int] = SIZE) -> Any:
    return np.random.default_rng(seed).integers(0, 1 << bits, size).astype(np.uint16)


def image(number: int, name: str, size: tuple[int, int] = SIZE, **fields: Any) -> dict[str, Any]:
    return {"id": f"{number:03}x", "file_name": name, "height": size[0], "width": size[1], **fields}


def box(number: int, sides: list[float], category: int = 0, **fields: Any) -> dict[str, Any]:
    return {"image_id": f"{number:03}x", "category_id": category, "bbox": sides, **fields}


def write_coco(file: Path, images: list[dict[str, Any]], boxes: list[dict[str, Any]]) -> Path:
    categories = [{"id": 0, "name": "car"}, {"id": 1, "name": "person"}]
    for number, each in enumerate(boxes):
        each.setdefault("id", number)
    file.write_text(json.dumps({"images": images, "annotations": boxes, "categories": categories}))
    return file


@pytest.fixture
def root(tmp_path: Path, write_dng: WriteDng) -> Path:
    """Four DNGs of 12 bits; annotations name their JPEGs, and the last shows nothing."""
    folder = tmp_path / "photos"
    (folder / "raw").mkdir(parents=True)
    for number in range(4):
        write_dng(folder / "raw" / f"a{number}.DNG", counts(number), black=(9,) * 4, neutral=(0.5, 1.0, 0.25))
    images = [image(number, f"a{number}.jpg", tag=["day", "rain"] if number % 2 else "night") for number in range(4)]
    boxes = [box(number, [10, 4, 20, 8], number % 2, score=0.5 + number / 4) for number in range(3)]
    write_coco(folder / "instances.json", images, boxes)
    return folder


def raw(root: Path, **arguments: Any) -> RawCoco:
    return RawCoco(str(root), **arguments)


def everything(data: RawCoco) -> list[Any]:
    return sorted([*data.frames("train"), *data.frames("test")], key=lambda frame: frame.name)


def test_frames_have_their_boxes_counts_and_gains(root: Path, tmp_path: Path) -> None:
    data = raw(root)
    data.check()
    assert data.classes == ("car", "person")
    assert data.signal == Signal(
        4, 0.0, 1.0, "full scale", names=("red", "green 1", "green 2", "blue"), native_bits=12, bayer="RGGB"
    )
    assert [len(data.frames(part)) for part in ("train", "test")] == [3, 1]
    before = everything(data)
    assert [frame.gains for frame in before] == [None] * 4  # not read yet
    decoded = [data.codes(frame) for frame in before]
    data.prepare(tmp_path / "cache", 800)
    for number, frame in enumerate(everything(data)):
        assert (frame.name, frame.height, frame.width) == (f"a{number}.DNG", *SIZE)
        assert frame.gains == (2.0, 1.0, 4.0)
        assert frame.boxes.tolist() == ([[10, 4, 30, 12]] if number < 3 else [])
        codes = data.codes(frame)
        assert isinstance(codes, np.memmap)
        np.testing.assert_array_equal(codes, pack(counts(number)))
        np.testing.assert_array_equal(codes, decoded[number])


def test_a_file_without_white_balance_has_no_gains(root: Path, tmp_path: Path, write_dng: WriteDng) -> None:
    write_dng(root / "raw" / "a1.DNG", counts(1), neutral=(0, 0, 0))
    data = raw(root)
    data.prepare(tmp_path / "cache", 800)
    assert everything(data)[1].gains is None


def test_it_trains_from_its_cache_alone(root: Path, tmp_path: Path) -> None:
    data = DetectionDataModule(raw(root, test="same"), batch_size=2, cache=str(tmp_path / "cache"), test_size=32)
    data.prepare_data()
    data.setup()
    batch = data.on_after_batch_transfer(next(iter(data.test_dataloader())), 0)
    assert batch.x.shape == (2, 4, 32, 64)
    assert batch.targets()[0]["boxes"].tolist() == [[8, pytest.approx(3.2), 24, pytest.approx(9.6)]]
    assert data.statistics["train_frames"] == data.statistics["test_frames"] == 4


def test_batches_of_frames_at_every_size_are_those_of_native_ones(root: Path, tmp_path: Path) -> None:
    def batches(stored: Literal["native", "sizes"]) -> list[tuple[Any, ...]]:
        data = DetectionDataModule(
            raw(root, subtract_black=True), batch_size=3, cache=str(tmp_path / "cache"), train_sizes=[32, 40, 48],
            test_size=40, stored=stored,
        )  # fmt: skip
        data.prepare_data()
        data.setup()
        every = [*data.train_dataloader(), *data.test_dataloader()]
        assert data.codes(data.dataset.frames("test")[0]).shape == ((4, 48, 72) if stored == "sizes" else (4, 20, 30))
        return [(batch.sizes, batch.gains, batch.exposure, batch.x) for batch in every]

    for sizes, native in zip(batches("sizes"), batches("native"), strict=True):
        assert sizes[:2] == native[:2]
        assert sizes[3].equal(native[3])
    folders = [path.name for path in (tmp_path / "cache").iterdir() if path.is_dir()]
    assert sum("3sizes" in name for name in folders) == sum("native" in name for name in folders) == 1


def test_sensors_of_several_depths_are_left_aligned(root: Path, tmp_path: Path, write_dng: WriteDng) -> None:
    write_dng(root / "raw" / "a1.DNG", counts(1, 14), "BGGR", white=16383, black=(512,) * 4)
    write_dng(root / "raw" / "a2.DNG", counts(2, 10), "GRBG", white=1023, black=(64,) * 4)
    data, dark = raw(root), raw(root, subtract_black=True)
    assert data.signal.native_bits == 14
    for each in (data, dark):
        each.prepare(tmp_path / "cache", 800)
    for number, (bits, pattern, black) in enumerate([(12, "RGGB", 9), (14, "BGGR", 512), (10, "GRBG", 64)]):
        frame = everything(data)[number]
        expected = pack(counts(number, bits), pattern)
        np.testing.assert_array_equal(data.codes(frame) >> (14 - bits), expected)
        assert (data.codes(frame) % (1 << 14 - bits) == 0).all()
        below = np.maximum(expected.astype(int) - black, 0)
        np.testing.assert_array_equal(dark.codes(frame) >> (14 - bits), below)


def test_one_gamma_per_sensor(root: Path, write_dng: WriteDng) -> None:
    for number in (1, 3):
        file = root / "raw" / f"a{number}.DNG"
        write_dng(file, counts(number))
        file.write_bytes(file.read_bytes().replace(b"test\0", b"sony\0"))
    data = raw(root, condition="camera")
    assert data.signal.conditions == ("qsense sony", "qsense test")
    assert [frame.condition for frame in everything(data)] == [1, 0, 1, 0]
    assert GammaPerCondition(data.signal, 4).rows == 2


def test_conditions_come_from_a_field_or_a_name(root: Path) -> None:
    tagged = raw(root, condition="tag")
    assert tagged.conditions == ("day + rain", "night")
    assert [frame.condition for frame in everything(tagged)] == [1, 0, 1, 0]
    named = raw(root, condition_pattern=r"a([01])\.")
    with refused(DataError, 2, 4, "data.dataset.condition_pattern", "a2.DNG"):
        named.check()
    whole = raw(root, condition_pattern="[02]|a")
    assert whole.conditions == ("a",)
    with refused(DataError, 4, "'weather'", "tag", "file_name"):
        raw(root, condition="weather").check()
    with refused(DataError, "'camra'", "camera", "condition=camera", "tag"):
        raw(root, condition="camra").check()
    with refused(ValueError, "condition=tag", "condition_pattern=a"):
        raw(root, condition="tag", condition_pattern="a")
    with refused(ValueError, "condition_pattern=("):
        raw(root, condition_pattern="(")


def test_a_pattern_that_tries_for_ever_is_stopped(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_coco, "MATCHING_S", 0.2)
    pattern = 9 * "(" + r"\w|." + 9 * ")*" + "!"
    with refused(DataError, f"data.dataset.condition_pattern={pattern}", "0.2"):
        raw(root, condition_pattern=pattern).check()


def test_boxes_of_a_low_score_and_other_classes_are_left_out(root: Path) -> None:
    assert [len(frame.boxes) for frame in everything(raw(root, min_score=0.75))] == [0, 1, 1, 0]
    assert [len(frame.boxes) for frame in everything(raw(root, classes=["person"]))] == [0, 1, 0, 0]
    with refused(DataError, "'tram'", "car, person"):
        raw(root, classes=["tram"]).check()
    with refused(DataError, "'Car'", "did you mean car?"):
        raw(root, classes=["Car"]).check()
    with refused(DataError, "data.dataset.min_score=2", 3, "1"):
        raw(root, min_score=2).check()


def test_margins_are_cut_and_the_pattern_follows(root: Path, tmp_path: Path, write_dng: WriteDng) -> None:
    wide = [counts(number, 12, (46, 66)) for number in range(4)]
    for number in range(4):
        write_dng(root / "raw" / f"a{number}.DNG", wide[number])
    with refused(DataError, 4, "66 × 46", "60 × 40", "data.dataset.crop=centre", "a0.DNG"):
        raw(root).check()
    for crop, (left, top) in (("centre", (3, 3)), ([1, 2], (1, 2))):
        data = raw(root, crop=crop)
        data.prepare(tmp_path / "cache", 800)
        frame = everything(data)[2]
        pattern = {(3, 3): "BGGR", (1, 2): "GRBG"}[left, top]
        np.testing.assert_array_equal(data.codes(frame), pack(wide[2][top : top + 40, left : left + 60], pattern))
        assert frame.boxes.tolist() == [[10, 4, 30, 12]]
    with refused(DataError, "crop=[7, 2]", "7 + 60 = 67", "66"):
        raw(root, crop=[7, 2]).check()


def test_boxes_on_smaller_pictures_are_scaled(
    root: Path, tmp_path: Path, write_dng: WriteDng, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(4):
        write_dng(root / "raw" / f"a{number}.DNG", counts(number, 12, (402, 600)))
    data = raw(root)
    with caplog.at_level("INFO"):
        data.prepare(tmp_path / "cache", 800)
    assert sum("60 × 40" in text and "600 × 402" in text for text in caplog.messages) == 1
    frame = everything(data)[0]
    np.testing.assert_allclose(frame.boxes, [[100, 4 * 10.05, 300, 12 * 10.05]], rtol=1e-6)
    assert frame.area.tolist() == pytest.approx([160 * 100.5])


def test_frames_are_turned_as_their_boxes_were(root: Path, tmp_path: Path, write_dng: WriteDng) -> None:
    content = json.loads((root / "instances.json").read_text())
    content["images"][1] |= {"height": 60, "width": 40}
    (root / "instances.json").write_text(json.dumps(content))
    for number in (0, 1):  # the first was annotated as it is stored
        write_dng(root / "raw" / f"a{number}.DNG", counts(number), orientation=6)
    data = raw(root)
    data.prepare(tmp_path / "cache", 800)
    stored, upright = everything(data)[:2]
    assert [(frame.height, frame.width) for frame in (stored, upright)] == [(40, 60), (60, 40)]
    np.testing.assert_array_equal(data.codes(stored), pack(counts(0)))
    np.testing.assert_array_equal(data.codes(upright), pack(np.rot90(counts(1), -1), "GRBG"))
    with refused(DataError, 1, "60 × 40", "40 × 60", "a1.DNG"):
        raw(root, orientation="stored").check()


def test_headless_files_and_deep_pictures(root: Path, tmp_path: Path) -> None:
    for number in range(4):
        (root / "raw" / f"a{number}.DNG").unlink()
    for number in (0, 1):
        counts(number).astype("<u2").tofile(root / "raw" / f"a{number}.raw")
    Image.fromarray(counts(2)).save(root / "raw" / "a2.png")
    Image.fromarray(counts(3)).save(root / "raw" / "a3.tif")
    stated: dict[str, Any] = {"headless": {"height": 40, "width": 60}, "pattern": "GBRG", "native_bits": 12}
    data = raw(root, **stated)
    data.prepare(tmp_path / "cache", 800)
    for number, frame in enumerate(everything(data)):
        np.testing.assert_array_equal(data.codes(frame), pack(counts(number), "GBRG"))
        assert frame.gains is None
    by_levels = raw(root, **{**stated, "native_bits": None, "levels": {"black": 100, "white": 4095}})
    assert by_levels.signal.native_bits == 12
    with refused(DataError, "a0.raw", "data.dataset.pattern", "RGGB", "GBRG"):
        raw(root, **{**stated, "pattern": None}).prepare(tmp_path / "cache", 800)
    with refused(DataError, "a0.raw", "white level", "data.dataset.native_bits", "data.dataset.levels"):
        _ = raw(root, **{**stated, "native_bits": None}).signal
    with refused(DataError, 2, 4, "a0.raw", "a1.raw", "data.dataset.headless"):  # LibRaw would guess
        raw(root).check()
    with refused(DataError, 2, 4, "a0.raw", 4800, 7200):
        raw(root, **{**stated, "headless": {"height": 40, "width": 60, "sample": 3}}).check()
    with refused(ValueError, "bytes", "sample", "packing"):
        raw(root, headless={"height": 40, "width": 60, "bytes": 2})
    with refused(ValueError, "headless", "height"):
        raw(root, headless={"width": 60})


def test_a_picture_of_colours_is_no_mosaic(root: Path) -> None:
    Image.new("RGB", (60, 40)).save(root / "raw" / "a0.png")
    with refused(DataError, "a0.DNG", "a0.png", "a0.jpg", "data.dataset.extension"):
        raw(root).check()
    (root / "raw" / "a0.DNG").unlink()
    with refused(DataError, 1, 4, "a0.png", "RGB", "data.dataset.extension"):
        raw(root).check()


def test_a_stated_extension_decides(root: Path) -> None:
    Image.fromarray(counts(0)).save(root / "raw" / "a0.png")
    assert everything(raw(root, extension="dng"))[0].name == "a0.DNG"
    with refused(DataError, 4, 4, "a0.jpg", "instances.json"):
        raw(root, extension="nef").check()


def test_missing_files_are_counted(root: Path) -> None:
    (root / "raw" / "a1.DNG").unlink()
    with refused(DataError, 1, 4, "a1.jpg", "001x", "data.dataset.images"):
        raw(root).check()
    with refused(DataMissingError, root / "other", "data.dataset.images=…"):
        raw(root, images="other").check()
    with refused(DataMissingError, root / "no", "data.dataset.root=…") as caught:
        raw(root / "no").check()
    assert str(caught.value).count("data.dataset.") == 1
    with refused(DataMissingError, root / "train.json", "data.dataset.annotations=…", "instances.json"):
        raw(root, annotations="train.json").check()


def test_a_name_of_several_files_is_refused(root: Path, write_dng: WriteDng) -> None:
    (root / "more").mkdir()
    write_dng(root / "more" / "a2.dng", counts(2))
    with refused(DataError, "a2.jpg", "more/a2.dng", "raw/a2.DNG", "data.dataset.images=…"):
        raw(root).check()
    raw(root, images="raw").check()


def test_one_file_for_two_images_is_refused(root: Path) -> None:
    content = json.loads((root / "instances.json").read_text())
    content["images"].append(image(9, "a0.png"))
    (root / "instances.json").write_text(json.dumps(content))
    with refused(DataError, "000x", "009x", "a0.DNG"):
        raw(root).check()


def test_parts_by_files_lists_and_shares(root: Path) -> None:
    images = [image(number, f"a{number}.jpg") for number in (2, 3)]  # ids are the same as in the other file
    write_coco(root / "test.json", images, [box(2, [1, 1, 5, 5])])
    with refused(DataError, 2, "a2.DNG"):  # in both
        raw(root, test_annotations="test.json").check()
    write_coco(root / "train.json", [image(number, f"a{number}.jpg") for number in (0, 1)], [])
    data = raw(root, annotations="train.json", test_annotations="test.json")
    assert [[frame.name for frame in data.frames(part)] for part in ("train", "test")] == [
        ["a0.DNG", "a1.DNG"],
        ["a2.DNG", "a3.DNG"],
    ]
    (root / "val.txt").write_text("a3\na0.jpg\n")
    (root / "fit.txt").write_text("a1\n")
    listed = raw(root, test="val.txt", train="fit.txt")
    assert [frame.name for frame in listed.frames("test")] == ["a0.DNG", "a3.DNG"]
    assert [frame.name for frame in listed.frames("train")] == ["a1.DNG"]
    assert [frame.name for frame in raw(root, test="val.txt").frames("train")] == ["a1.DNG", "a2.DNG"]
    (root / "fit.txt").write_text("a0\na7\n")
    with refused(DataError, "fit.txt", 1, 2, "a7"):
        raw(root, test="val.txt", train="fit.txt").check()
    with refused(DataMissingError, "none.txt", "data.dataset.test", "same"):
        raw(root, test="none.txt").check()
    (root / "fit.txt").write_text("a0\n")
    with refused(DataError, 1, "a0.DNG"):
        raw(root, test="val.txt", train="fit.txt").check()


def test_files_that_cannot_be_read_are_all_named(root: Path, tmp_path: Path, write_dng: WriteDng) -> None:
    (root / "raw" / "a0.DNG").write_bytes(b"nothing" * 99)
    with refused(DataError, 1, 4, "a0.DNG"):
        raw(root).check()
    write_dng(root / "raw" / "a0.DNG", counts(0), "RGGW", colours="RGBW")
    whole = (root / "raw" / "a1.DNG").read_bytes()
    (root / "raw" / "a1.DNG").write_bytes(whole[:-1000])
    with refused(DataError, 2, 4, "a0.DNG", "a1.DNG", "RG GW"):
        raw(root, native_bits=12).prepare(tmp_path / "cache", 800)


def test_bits_that_do_not_fit_a_file_are_refused(root: Path, tmp_path: Path, write_dng: WriteDng) -> None:
    with refused(DataError, 4, "a0.DNG", "10 bits", "data.dataset.native_bits=12"):
        raw(root, native_bits=10).prepare(tmp_path / "cache", 800)
    assert raw(root, native_bits=16).signal.native_bits == 16
    for wrong in (1, 33):
        with refused(ValueError, f"native_bits={wrong}", 2, 32):
            raw(root, native_bits=wrong)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"pattern": "RGB"}, ("pattern='RGB'", "RGGB", "BGGR", "GRBG", "GBRG")),
        ({"area": "half"}, ("area='half'", "visible", "all")),
        ({"levels": "file"}, ("levels=file", "camera", "black", "white")),
        ({"levels": {"black": 9, "white": 9}}, ("black=9", "white=9")),
        ({"levels": {"black": [1, 2, 3]}}, ("black=(1, 2, 3)",)),
        ({"test": 1.5}, ("test=1.5", "same")),
        ({"bbox": "x"}, ("bbox='x'", "xywh", "xyxy")),
        ({"levels": {"white": 4095.0}}, ("4095.0", "black", "white")),
        ({"levels": {"black": "low"}}, ("low", "black", "white")),
        ({"headless": 5}, ("headless=5", "height", "width")),
        ({"headless": {"heigth": 5, "width": 5}}, ("heigth", "height", "width", "stride")),
        ({"headless": {"height": "a", "width": 5}}, ("height=a", "width=5")),
        ({"headless": {"height": 1.5, "width": 5}}, ("height=1.5", "width=5")),
        ({"headless": {"height": 5, "width": 5, "stride": "x"}}, ("stride=x",)),
        ({"min_score": float("nan")}, ("min_score=nan",)),
        ({"classes": ["car", "car"]}, ("classes=", "car", "null")),
        ({"orientation": "up"}, ("orientation='up'", "exif", "stored")),
        ({"crop": "middle"}, ("crop=middle", "centre")),
    ],
)
def test_arguments_out_of_their_range(tmp_path: Path, arguments: dict[str, Any], named: tuple[Any, ...]) -> None:
    with refused(ValueError, *named):
        raw(tmp_path, **arguments)


def test_fingerprints_follow_boxes_files_and_reading(root: Path, write_dng: WriteDng) -> None:
    before = raw(root).fingerprint()
    assert raw(root).fingerprint() == before
    others = [
        raw(root, condition="tag").fingerprint(),
        raw(root, subtract_black=True).fingerprint(),
        raw(root, min_score=0.75).fingerprint(),
        raw(root, test="same").fingerprint(),
    ]
    assert len({before, *others}) == 5
    with (root / "raw" / "a0.DNG").open("ab") as file:
        file.write(b"\0")
    assert raw(root).fingerprint() != before


def test_a_changed_file_is_converted_again(root: Path, tmp_path: Path, write_dng: WriteDng) -> None:
    raw(root).prepare(tmp_path / "cache", 800)
    write_dng(root / "raw" / "a1.DNG", counts(77))
    os.utime(root / "raw" / "a1.DNG", ns=(1, 1))
    data = raw(root)
    data.prepare(tmp_path / "cache", 800)
    np.testing.assert_array_equal(data.codes(everything(data)[1]), pack(counts(77)))


def test_the_borders_of_a_sensor_can_be_read(root: Path, tmp_path: Path, write_dng: WriteDng) -> None:
    for number in range(4):
        write_dng(root / "raw" / f"a{number}.DNG", counts(number), "BGGR", active=(1, 1, 39, 59))
    data = raw(root, area="all")
    data.prepare(tmp_path / "cache", 800)
    np.testing.assert_array_equal(data.codes(everything(data)[0]), pack(counts(0), "RGGB"))


def real(name: str) -> Path:
    file = Path(os.environ.get("QSENSE_DATA", "")) / "raw" / name
    if not file.is_file():
        pytest.skip(f"needs QSENSE_DATA with raw/{name}")
    return file


def test_real_files_of_three_kinds_in_one_set(tmp_path: Path) -> None:
    folder = real("colorchart.dng").parent
    names = {"colorchart.dng": (1156, 1734), "kodak_dc50.kdc": (512, 768), "DSC_1339_768x512_rggb.raw": (512, 768)}
    images = [image(number, name, size) for number, (name, size) in enumerate(names.items())]
    boxes = [box(number, [100, 100, 200, 200]) for number in range(3)]
    file = write_coco(tmp_path / "instances.json", images, boxes)
    for camera_files, arguments in (
        ((0, 1), {}),
        ((2,), {"headless": {"height": 512, "width": 768}, "pattern": "RGGB", "native_bits": 14}),
    ):
        chosen = [images[number] for number in camera_files]
        write_coco(file, chosen, [boxes[number] for number in camera_files])
        data = raw(folder, annotations=str(file), test="same", **arguments)
        assert data.signal.native_bits == 14
        data.prepare(tmp_path / "cache", 100)
        assert [frame.gains is not None for frame in data.frames("test")] == [number != 2 for number in camera_files]
        assert all(min(data.codes(frame).shape[1:]) == 100 for frame in data.frames("test"))
