"""Which way photographs were turned when they were annotated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.refusal import assert_names, refused

from qsense.data.errors import DataError
from qsense.data.frames.coco_raw import CocoRaw
from qsense.data.frames.geometry.turning import find_turns
from qsense.data.photos import ORIENTATION, TURNS

BOX = [6, 4, 12, 8]  # left, top, width, height of what is bright, as it is seen


def seen(width: int, height: int) -> Image.Image:
    codes = np.zeros((height, width, 3), np.uint8)
    codes[4:12, 6:18] = 255
    return Image.fromarray(codes)


def photo(file: Path, orientation: int, width: int = 60, height: int = 40) -> Path:
    """A photograph that is seen `width` × `height` when it is turned as it says."""
    undo = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    image = seen(width, height)
    if orientation != 1:
        image = image.transpose(undo.get(orientation) or TURNS[orientation])
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    image.save(file, quality=95, exif=exif.tobytes())
    return file


def coco(root: Path, photos: dict[str, tuple[int, int]], **arguments: Any) -> CocoRaw:
    """Annotations of these files with the sizes that they state, each with `BOX`."""
    images = [{"id": i, "file_name": name, "width": w, "height": h} for i, (name, (w, h)) in enumerate(photos.items())]
    objects = [{"id": i, "image_id": i, "category_id": 1, "bbox": BOX} for i in range(len(images))]
    categories = [{"id": 1, "name": "lamp"}]
    content = {"images": images, "annotations": objects, "categories": categories}
    (root / "instances.json").write_text(json.dumps(content))
    return CocoRaw(str(root), images=".", image="srgb", test="same", **arguments)


def brightness(data: CocoRaw) -> list[float]:
    """Inside the box of each photograph."""
    means = []
    for frame in data.frames("train"):
        left, top, right, bottom = frame.boxes[0].astype(int)
        means.append(float(data.codes(frame)[0, top:bottom, left:right].mean()))
    return means


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(60, 40), (50, 50)])
def test_boxes_drawn_on_what_is_seen_fit(tmp_path: Path, orientation: int, size: tuple[int, int]) -> None:
    photo(tmp_path / "a.jpg", orientation, *size)
    data = coco(tmp_path, {"a.jpg": size})
    assert brightness(data)[0] > 240
    data.prepare(tmp_path / "cache", 800)
    assert brightness(data)[0] > 240


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_boxes_drawn_on_what_is_stored_fit(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    seen(60, 40).save(tmp_path / "a.jpg", quality=95, exif=exif.tobytes())
    assert brightness(coco(tmp_path, {"a.jpg": (60, 40)}, orientation="stored"))[0] > 240
    if orientation != 3:  # the sizes prove it
        assert brightness(coco(tmp_path, {"a.jpg": (60, 40)}))[0] > 240


def turns(folder: Path, *photos: tuple[int, tuple[int, int]], orientation: str = "exif") -> tuple[list[int], int]:
    """Turns of files of these orientations, all seen 60 × 40, and stated sizes; and how many are unproven."""
    files = [photo(folder / f"{number}.jpg", turn) for number, (turn, _) in enumerate(photos)]
    found = find_turns(files, [size for _, size in photos], orientation)
    return list(found.turns), len(found.unproven)


AS_SEEN, AS_STORED = (60, 40), (40, 60)


@pytest.mark.parametrize(
    ("photos", "expected", "unproven"),
    [
        ([(1, AS_SEEN), (3, AS_SEEN)], [1, 3], 1),  # nothing proves it: what annotation tools do
        ([(6, AS_SEEN), (3, AS_SEEN)], [6, 3], 0),  # the other proves it
        ([(6, AS_STORED), (3, AS_SEEN)], [1, 1], 0),  # the other proves that nothing was turned
        ([(8, AS_STORED), (6, AS_SEEN), (2, AS_SEEN)], [1, 6, 2], 1),  # they contradict each other
        ([(6, (50, 30)), (3, AS_SEEN)], [1, 3], 1),  # one of another size proves nothing
    ],
)
def test_the_set_tells_where_a_photo_does_not(
    tmp_path: Path, photos: list[tuple[int, tuple[int, int]]], expected: list[int], unproven: int
) -> None:
    assert turns(tmp_path, *photos) == (expected, unproven)
    assert turns(tmp_path, *photos, orientation="stored") == ([1] * len(photos), 0)


def test_unproven_turns_are_told_with_what_decides_them(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    photo(tmp_path / "a.jpg", 3)
    coco(tmp_path, {"a.jpg": (60, 40)}).prepare(tmp_path / "cache", 800)
    assert_names(caplog.text, 1, tmp_path / "a.jpg", "data.dataset.orientation=stored")


def test_a_wrong_size_names_the_orientation(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg", 6)
    for size, arguments, named in (
        ((60, 40), {"orientation": "stored"}, "data.dataset.orientation=exif"),
        ((61, 40), {}, "orientation 6"),
    ):
        data = coco(tmp_path, {"a.jpg": size}, **arguments)
        with refused(DataError, tmp_path / "a.jpg", "40 × 60", f"{size[0]} × {size[1]}", named):
            data.codes(data.frames("train")[0])


def test_frames_that_are_read_otherwise_are_converted_anew(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg", 3)
    Image.fromarray(np.full((40, 60), 2048, np.uint16)).save(tmp_path / "b.png")
    sizes = {"a.jpg": (60, 40), "b.png": (60, 40)}
    seen = []
    for arguments in ({}, {"orientation": "stored"}, {"full_scale": 4095.0}, {}):
        data = coco(tmp_path, sizes, **arguments)
        data.prepare(tmp_path / "cache", 800)
        a, b = (data.codes(frame) for frame in data.frames("train"))
        seen.append((data.fingerprint(), int(a[0, 8, 12]) > 128, int(b.max())))
    assert [each[1:] for each in seen] == [(True, 8), (False, 8), (True, 128), (True, 8)]
    assert len({each[0] for each in seen}) == 3


def test_fingerprints_of_plain_photographs_are_those_of_ever(tmp_path: Path) -> None:
    """Changing it would make every finished run a run on other data."""
    (tmp_path / "a.ppm").write_bytes(b"P6 2 2 255\n" + bytes(range(12)))
    (tmp_path / "instances.json").write_text(
        '{"images": [{"id": 1, "file_name": "a.ppm", "width": 2, "height": 2}], "annotations": [],'
        ' "categories": [{"id": 1, "name": "x"}]}'
    )
    for arguments in ({}, {"orientation": "stored"}, {"full_scale": 1023.0}):
        data = CocoRaw(str(tmp_path), images=".", test="same", **arguments)
        assert data.fingerprint()[:16] == "05cde9e3a14b8856"
