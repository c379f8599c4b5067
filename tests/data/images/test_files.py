"""Folders of images: layouts, decoding, and files that cannot be read."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.refusal import assert_names, refused

from qsense.data.errors import DataError, DataMissingError
from qsense.data.images.files import FilePictures, random_box
from qsense.data.images.folder import ImageFolder
from qsense.data.images.imagenet import ImageNet


def picture(file: Path, size: tuple[int, int] = (40, 30), mode: str = "RGB", value: int | None = None) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(abs(hash(file.name)) % 1000)
    codes = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    if value is not None:
        codes[:] = value
    Image.fromarray(codes).convert(mode).save(file)
    return file


def tree(root: Path, classes: tuple[str, ...] = ("cat", "dog"), count: int = 10) -> Path:
    for name in classes:
        for number in range(count):
            picture(root / name / f"{number:03}.png", (40 + number, 30))
    return root


def imagenet(root: Path) -> Path:
    for part in ("train", "val"):
        for name in ("n01440764", "n01443537"):
            for number in range(3):
                picture(root / part / name / f"{name}_{number}.JPEG")
    return root


def test_a_flat_folder_is_split_by_class_the_same_way_each_time(tmp_path: Path) -> None:
    data = ImageFolder(str(tree(tmp_path)), size=16, resize=20)
    data.check()
    assert data.classes == ("cat", "dog")
    train, test = data.train(), data.test()
    assert np.bincount(train.y).tolist() == [8, 8]
    assert np.bincount(test.y).tolist() == [2, 2]
    assert not set(train.paths) & set(test.paths)
    assert test.paths.tolist() == ImageFolder(str(tmp_path)).test().paths.tolist()


@pytest.mark.parametrize("name", ["test", "val"])
def test_a_stated_test_part_is_used(tmp_path: Path, name: str) -> None:
    tree(tmp_path / "train", count=4)
    tree(tmp_path / name, count=2)
    data = ImageFolder(str(tmp_path))
    assert (len(data.train().y), len(data.test().y)) == (8, 4)
    assert all(f"/{name}/" in path for path in data.test().paths)


def test_images_come_in_one_size_as_codes(tmp_path: Path) -> None:
    data = ImageFolder(str(tree(tmp_path)), size=16, resize=20)
    for stream in (None, (0, 0, 0)):
        x, y = data.train().gather(np.array([3, 9]), stream)
        assert x.dtype == np.uint8
        assert (x.shape, y.tolist()) == ((2, 3, 16, 16), [0, 1])
    grey = ImageFolder(str(tmp_path), channels=1, mean=[0.5], std=[0.25], size=16, resize=20)
    assert grey.train().gather(np.array([0]), None)[0].shape == (1, 1, 16, 16)
    assert grey.signal.names == ("grey",)


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGB"])
def test_other_modes_become_rgb(tmp_path: Path, mode: str) -> None:
    file = picture(tmp_path / "a.jpg", mode=mode, value=200)
    x, _ = FilePictures([file], np.array([0]), 3, 8, 8, 1.0).gather(np.array([0]), None)
    assert np.abs(x.astype(int) - 200).max() <= 3


def test_the_evaluated_view_is_the_centre(tmp_path: Path) -> None:
    codes = np.zeros((20, 40, 3), dtype=np.uint8)
    codes[5:15, 15:25] = 255  # the central 10 × 10
    Image.fromarray(codes).save(tmp_path / "a.png")
    pictures = FilePictures([tmp_path / "a.png"], np.array([0]), 3, 10, 20, 0.08)
    assert (pictures.gather(np.array([0]), None)[0] == 255).all()
    np.testing.assert_array_equal(
        FilePictures([tmp_path / "a.png"], np.array([0]), 3, 10, 20, 1.0).gather(np.array([0]), (1, 2))[0], 255
    )


def test_training_cuts_depend_on_the_stream_and_the_image_alone(tmp_path: Path) -> None:
    train = ImageFolder(str(tree(tmp_path)), size=16, resize=20).train()
    both, _ = train.gather(np.array([2, 5]), (0, 0, 1))
    alone, _ = train.gather(np.array([5]), (0, 0, 1))
    np.testing.assert_array_equal(both[1], alone[0])
    assert (train.gather(np.array([5]), (0, 0, 2))[0] != alone).any()


def test_random_boxes_keep_area_and_ratio() -> None:
    rng = np.random.default_rng(0)
    boxes = np.array([random_box(200, 150, 0.25, rng) for _ in range(500)])
    width, height = (boxes[:, 2] - boxes[:, 0]), (boxes[:, 3] - boxes[:, 1])
    assert (boxes >= 0).all()
    assert (boxes[:, 2] <= 200).all()
    assert (boxes[:, 3] <= 150).all()
    share = width * height / 30_000
    assert share.min() == pytest.approx(0.25, abs=0.02)
    assert 0.75 - 0.03 < (width / height).min() < (width / height).max() < 4 / 3 + 0.03
    assert random_box(1000, 10, 1.0, rng) == (493, 0, 506, 10)  # no whole image has such a ratio: the centre


def test_unreadable_files_are_named_once_and_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = ImageFolder(str(tree(tmp_path)), size=16, resize=20)
    train = data.train()
    missing, broken, empty = (Path(train.paths[i]) for i in (0, 4, 9))
    missing.unlink()
    broken.write_bytes(broken.read_bytes()[:200])
    empty.write_bytes(b"")
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            x, y = train.gather(np.arange(len(train.y)), None)
    assert (len(x), y.tolist()) == (13, [0] * 6 + [1] * 7)
    assert len(caplog.records) == 3
    for file in (missing, broken, empty):
        assert_names(caplog.text, file)
    with refused(DataError, 2, missing):
        train.gather(np.array([0, 4]), None)


def test_imagenet_in_its_layout(tmp_path: Path) -> None:
    (tmp_path / "test").mkdir()  # its images have no labels
    data = ImageNet(str(imagenet(tmp_path)), size=16, resize=20)
    data.check()
    assert data.name == "ImageNet (2 of 1000 classes)"
    assert data.classes == ("n01440764", "n01443537")
    assert (len(data.train().y), len(data.test().y)) == (6, 6)
    assert all("/val/" in path for path in data.test().paths)


def test_missing_imagenet_says_what_to_do(tmp_path: Path) -> None:
    with refused(
        DataMissingError,
        "ImageNet",
        tmp_path / "train",
        "https://image-net.org",
        "train/<wnid>/*.JPEG",
        "data.dataset.root=…",
        "QSENSE_DATA",
    ):
        ImageNet(str(tmp_path)).check()
    (imagenet(tmp_path) / "val").rename(tmp_path / "validation")
    with refused(DataMissingError, "ImageNet", tmp_path / "val", "val/<wnid>/*.JPEG"):
        ImageNet(str(tmp_path)).check()


def test_misplaced_images_and_classes_are_named(tmp_path: Path) -> None:
    imagenet(tmp_path)
    picture(tmp_path / "val" / "ILSVRC2012_val_1.JPEG")
    with refused(DataError, tmp_path / "val" / "ILSVRC2012_val_1.JPEG", tmp_path / "val"):
        ImageNet(str(tmp_path)).test()
    (tmp_path / "val" / "ILSVRC2012_val_1.JPEG").unlink()
    (tmp_path / "val" / "n00000001").mkdir()
    with refused(DataError, tmp_path / "val" / "n00000001"):
        ImageNet(str(tmp_path)).test()
    (tmp_path / "val" / "n00000001").rename(tmp_path / "train" / "n00000001")
    with refused(DataError, tmp_path / "train" / "n00000001", ".jpg"):
        ImageNet(str(tmp_path)).train()
    picture(tmp_path / "train" / "n00000001" / "a.png")
    with refused(DataError, tmp_path / "val" / "n00000001"):
        ImageNet(str(tmp_path)).test()
    (tmp_path / "train" / "n00000001").rename(tmp_path / "train" / "mine")
    with refused(DataError, tmp_path / "train" / "mine", "ImageNet", "n01440764"):
        ImageNet(str(tmp_path)).check()


def test_a_missing_or_empty_folder_is_told(tmp_path: Path) -> None:
    with refused(DataMissingError, tmp_path / "nowhere", "data.dataset.root=…"):
        ImageFolder(str(tmp_path / "nowhere")).check()
    with refused(DataError, tmp_path, "two", 0):
        ImageFolder(str(tmp_path)).check()
    tree(tmp_path / "train")
    with refused(DataError, tmp_path, "train", "test", "val"):
        ImageFolder(str(tmp_path)).check()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"channels": 2}, ("channels=2", "3 (RGB)", "1 (grey)")),
        ({"size": 300}, ("size=300", 1, "resize=256")),
        ({"smallest_crop": 0.0}, ("smallest_crop=0.0", "(0, 1]")),
        ({"test": 1.0}, ("test=1.0", "(0, 1)")),
        ({"channels": 1}, ("mean=[0.485, 0.456, 0.406]", "std=[0.229, 0.224, 0.225]", 1)),
        ({"std": [0.1, 0.0, 0.1]}, ("std=[0.1, 0.0, 0.1]", 3, 0)),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, object], named: tuple[object, ...]) -> None:
    with refused(ValueError, *named):
        ImageFolder("x", **arguments)  # type: ignore[arg-type]
