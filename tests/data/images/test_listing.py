"""Layouts of image folders as people have them: every image is used, or named."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.hostile_names import HOSTILE
from tests.refusal import assert_names, refused

from qsense.data.cache import fingerprint
from qsense.data.errors import DataError
from qsense.data.images.duplicates import same_bytes
from qsense.data.images.folder import ImageFolder
from qsense.data.images.imagenet import ImageNet
from qsense.data.images.layout import PICTURES
from qsense.data.photos import suffixes

Make = Callable[[Path], object]


def image(file: Path, seed: int = 0, kind: str | None = None) -> Path:
    """A tiny picture that no other seed gives."""
    file.parent.mkdir(parents=True, exist_ok=True)
    codes = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(codes).save(file, kind)
    return file


def tree(root: Path, classes: tuple[str, ...] = ("bolt", "nut"), count: int = 5, first: int = 0) -> Path:
    for place, name in enumerate(classes):
        for number in range(count):
            image(root / name / f"{number}.png", seed=first + 100 * place + number)
    return root


def folder(root: Path, **arguments: object) -> ImageFolder:
    return ImageFolder(str(root), size=4, resize=4, **arguments)  # type: ignore[arg-type]


def images_of(data: ImageFolder) -> int:
    data.check()
    return len(data.train().y) + len(data.test().y)


def make(root: Path, *files: str, content: bytes = b"x") -> Path:
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


@pytest.mark.parametrize(
    "junk",
    [
        "bolt/._0.png", "bolt/.DS_Store", "bolt/Thumbs.db", "bolt/desktop.ini", "bolt/Icon\r", "__MACOSX/bolt/._0.png",
        "bolt/__MACOSX/._1.png", ".ipynb_checkpoints/0.png", "bolt/.ipynb_checkpoints/0-checkpoint.png",
        "@eaDir/x.png", "bolt/@eaDir/0.png/SYNOPHOTO_THUMB.jpg", ".git/x.png", "README.md", "data.yaml", "._x.png",
        "bolt/.picasa.ini", "$RECYCLE.BIN/x.png",
    ],
)  # fmt: skip
def test_what_systems_leave_behind_counts_for_nothing(
    tmp_path: Path, junk: str, caplog: pytest.LogCaptureFixture
) -> None:
    tree(tmp_path)
    before = folder(tmp_path).fingerprint()
    make(tmp_path, junk)
    data = folder(tmp_path)
    assert images_of(data) == 10
    assert data.classes == ("bolt", "nut")
    assert data.fingerprint() == before
    assert not caplog.records


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        ("jfif", "JPEG"), ("JPG", "JPEG"), ("jpe", "JPEG"), ("gif", "GIF"), ("avif", "AVIF"), ("webp", "WEBP"),
        ("bmp", "BMP"), ("TIF", "TIFF"), ("dib", "DIB"), ("jp2", "JPEG2000"), ("tga", "TGA"), ("ppm", "PPM"),
        ("qoi", "QOI"), ("apng", "PNG"), ("MPO", "MPO"), ("pcx", "PCX"),
    ],
)  # fmt: skip
def test_every_extension_that_can_be_read_is(tmp_path: Path, end: str, kind: str) -> None:
    if kind not in Image.registered_extensions().values() or kind not in Image.SAVE:
        pytest.skip(f"this Pillow writes no {kind}")
    tree(tmp_path)
    for number in range(3):
        image(tmp_path / "nut" / f"more{number}.{end}", seed=50 + number, kind=kind)
    data = folder(tmp_path)
    assert images_of(data) == 13
    x, y = data.train().gather(np.arange(len(data.train().y)), None)
    assert len(x) == len(y) == len(data.train().y)


@pytest.mark.parametrize("end", ["heic", "HEIF", "dng", "NEF", "jxl", "exr", "fits", "dcm"])
def test_pictures_that_cannot_be_read_are_an_error(tmp_path: Path, end: str) -> None:
    make(tree(tmp_path), f"nut/IMG_0.{end}", f"nut/more/IMG_1.{end}")
    with refused(DataError, tmp_path, 2, f".{end.lower()}", tmp_path / "nut" / f"IMG_0.{end}", "PNG") as caught:
        folder(tmp_path).check()
    assert ("qsense[heic]" in str(caught.value)) == (end.lower() in ("heic", "heif"))


def test_pictures_known_by_name_are_read_or_refused() -> None:
    assert {".jpg", ".png", ".gif", ".tif"} <= suffixes() & PICTURES
    assert not {".h5", ".eps", ".pdf", ".fits", ".txt", ""} & suffixes()


def test_other_files_are_counted_in_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make(tree(tmp_path), "bolt/0.txt", "bolt/1.txt", "nut/labels.csv", "nut/without", "nut/a.zip", "nut/.thumbs/0.png")
    data = folder(tmp_path)
    assert images_of(data) == 10
    assert len(caplog.records) == 1
    assert_names(caplog.text, 2, ".txt", tmp_path / "bolt" / "0.txt", ".csv", tmp_path / "nut" / ".thumbs", ".zip")


def test_folders_within_a_class_are_searched(tmp_path: Path) -> None:
    tree(tmp_path)
    for number in range(3):
        image(tmp_path / "bolt" / "m3" / "steel" / f"{number}.png", seed=50 + number)
        image(tmp_path / "bolt" / "m4" / f"{number}.png", seed=60 + number)
    (tmp_path / "bolt" / "m4" / "again").symlink_to(tmp_path / "bolt")  # leads back up
    data = folder(tmp_path)
    assert images_of(data) == 16
    assert data.classes == ("bolt", "nut")
    before = data.fingerprint()
    (tmp_path / "bolt" / "m3").rename(tmp_path / "nut" / "m3")
    assert folder(tmp_path).fingerprint() != before


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train", "test"), ("train", "val"), ("Train", "Test"), ("TRAIN", "TEST"), ("train", "valid"), ("Train", "Val"),
        ("training", "validation"), ("Training", "Testing"), ("train", "testing"),
    ],
)  # fmt: skip
def test_parts_are_found_whatever_their_capitals(tmp_path: Path, train: str, test: str) -> None:
    tree(tmp_path / train, count=4)
    tree(tmp_path / test, count=2, first=50)
    data = folder(tmp_path)
    data.check()
    assert (len(data.train().y), len(data.test().y)) == (8, 4)
    assert all(f"/{test}/" in path for path in data.test().paths)


WRAPPED: list[Make] = [
    lambda root: tree(root / "set-main"),
    lambda root: tree(root / "set" / "set" / "images"),
    lambda root: (tree(root / "set"), make(root, "__MACOSX/._set", ".DS_Store", "README.txt")),
    lambda root: (tree(root / "set" / "train", count=4), tree(root / "set" / "test", count=1, first=50)),
    lambda root: (tree(root / "train" / "train", count=4), tree(root / "test" / "test", count=1, first=50)),
    lambda root: (tree(root / "train" / "images", count=4), tree(root / "val" / "images", count=1, first=50)),
]


@pytest.mark.parametrize("layout", WRAPPED)
def test_a_folder_that_holds_one_folder_alone_stands_for_it(tmp_path: Path, layout: Make) -> None:
    layout(tmp_path)
    data = folder(tmp_path)
    assert images_of(data) == 10
    assert data.classes == ("bolt", "nut")


def test_a_test_part_without_classes_gives_way(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As competitions publish it: labels of the test images are kept back."""
    tree(tmp_path / "train", count=4)
    tree(tmp_path / "val", count=1, first=50)
    make(tmp_path, "test/1.jpg", "test/2.jpg")
    data = folder(tmp_path)
    assert images_of(data) == 10
    assert_names(caplog.text, "test")


def test_what_is_beside_the_parts_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for part in ("train", "valid", "test", "unlabelled", ".old"):
        tree(tmp_path / part, count=3, first=len(part) * 7)
    tree(tmp_path / "train", (".hidden",), count=1)
    data = folder(tmp_path)
    data.check()
    assert all("/test/" in path for path in data.test().paths)
    data.train()
    assert_names(caplog.text, "valid", "unlabelled", ".hidden", tmp_path)


REFUSED: dict[str, tuple[Make, tuple[str, ...]]] = {
    "Intel's": (lambda root: [tree(root / f"seg_{part}") for part in ("train", "test")], ("seg_train", "seg_test")),
    "words": (lambda root: [tree(root / f"{part} images") for part in ("Training", "Val")], ("Training images",)),
    "Kaggle's": (lambda root: (tree(root), make(root, "test/1.jpg", "test/2.jpg")), ("test", "data.dataset.root=…")),
    "one part": (lambda root: tree(root / "train"), ("train", "test", "val", "valid")),
    "another part": (lambda root: [tree(root / part) for part in ("train", "holdout")], ("train", "holdout")),
    "two spellings": (lambda root: [tree(root / part) for part in ("Train", "TRAIN", "test")], ("Train", "TRAIN")),
    "one class": (lambda root: tree(root, ("bolt",)), ("two", "1", "bolt")),
    "no class": (lambda root: make(root, "0.jpg", "1.jpg"), ("0.jpg",)),
    "loose": (lambda root: (tree(root), image(root / "1.gif")), ("1.gif",)),
    "loose, unread": (lambda root: (tree(root), make(root, "1.heic")), ("1.heic",)),
    "empty": (lambda root: make(tree(root), "washer/.DS_Store"), ("washer", ".jpg")),
    "texts": (lambda root: (tree(root), make(root, "washer/1.txt")), ("washer", "1", ".txt")),
    "more": (
        lambda root: (tree(root / "train"), tree(root / "test", ("bolt", "nut", "washer", "Nut"))),
        ("test", "washer", "Nut"),
    ),
    "fewer": (lambda root: (tree(root / "train"), tree(root / "val", ("nut", "Bolt"))), ("val", "Bolt", "bolt")),
    "missing": (lambda root: (tree(root / "train", ("a", "b", "c")), tree(root / "val", ("a", "b"))), ("val", "c")),
}


@pytest.mark.parametrize("layout", REFUSED)
def test_other_layouts_are_refused_before_anything_is_read(tmp_path: Path, layout: str) -> None:
    write, named = REFUSED[layout]
    write(tmp_path)
    with refused(DataError, *named):
        folder(tmp_path).check()


@pytest.mark.parametrize(
    "classes",
    [("invalid", "valid"), ("train_station", "test_tube"), ("bus", "Train"), ("val", "vol"), ("training", "yoga")],
)
def test_classes_may_sound_like_parts(tmp_path: Path, classes: tuple[str, ...]) -> None:
    tree(tmp_path, classes)
    if "val" in classes:  # but not be one
        with refused(DataError, tmp_path, "val"):
            folder(tmp_path).check()
        return
    data = folder(tmp_path)
    assert images_of(data) == 10
    assert set(data.classes) == set(classes)


@pytest.mark.parametrize("name", [name for name in HOSTILE if "/" not in name and len(name) < 200])
def test_any_name_is_a_class(tmp_path: Path, name: str) -> None:
    tree(tmp_path, (name, "zzz"), count=2)
    data = folder(tmp_path)
    data.check()
    assert name in data.classes


@pytest.mark.parametrize(
    "name", [b"M\xfcller.png", "Mu\u0308ller é 図.png".encode(), b"a b\t'\".png", b"-rf.png", b"100%.png"]
)
def test_any_file_name_is_read(tmp_path: Path, name: bytes) -> None:
    """In any encoding, as archives from other systems have them."""
    tree(tmp_path)
    file = image(tmp_path / "nut" / "x.png", seed=77)
    file.rename(file.parent / os.fsdecode(name))
    data = folder(tmp_path)
    assert images_of(data) == 11
    assert len(data.fingerprint()) == 64
    for part in (data.train(), data.test()):
        assert len(part.gather(np.arange(len(part.y)), None)[0]) == len(part.y)


def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path)

    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(os, "scandir", refuse)
    with refused(DataError, tmp_path, "Permission denied"):
        folder(tmp_path).check()


def test_equal_files_in_both_parts_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tree(tmp_path / "train", count=4)
    tree(tmp_path / "test", count=2, first=50)
    data = folder(tmp_path)
    data.test()
    assert not caplog.records
    for source, target in (("train/bolt/1.png", "test/bolt/copy.png"), ("train/nut/3.png", "test/nut/0.png")):
        shutil.copy(tmp_path / source, tmp_path / target)
    folder(tmp_path).test()
    assert_names(caplog.text, 2, 5, tmp_path / "test/bolt/copy.png", tmp_path / "train/bolt/1.png")


def test_only_equal_bytes_make_duplicates(tmp_path: Path) -> None:
    make(tmp_path, "a", "b", content=b"1" * 9000)
    make(tmp_path, "c", content=b"1" * 8999 + b"2")
    make(tmp_path, "d", content=b"2" + b"1" * 8999)
    make(tmp_path, "e", "f", content=b"")
    a, b, c, d, e, f, gone = (str(tmp_path / name) for name in ("a", "b", "c", "d", "e", "f", "gone"))
    assert same_bytes([a, e, gone], [b, c, d, f, gone]) == [(b, a)]


def test_fingerprints_of_plain_images_are_those_of_ever(tmp_path: Path) -> None:
    """Changing these would make every finished run a run on other data."""
    for part in ("train", "val", "flat"):
        for name in ("a", "b"):
            for number in range(2):
                make(tmp_path, f"{part}/{name}/{number}.ppm", content=b"P6 2 2 255\n" + bytes(range(12)))
    (tmp_path / "parts").mkdir()
    for part in ("train", "val"):
        (tmp_path / part).rename(tmp_path / "parts" / part)
    assert folder(tmp_path / "parts").fingerprint()[:16] == "a805d9a241ad6877"
    assert folder(tmp_path / "flat").fingerprint()[:16] == "7f488d05e0d79504"


def test_fingerprints_tell_how_images_are_read(tmp_path: Path) -> None:
    tree(tmp_path)
    plain = folder(tmp_path).fingerprint()
    assert folder(tmp_path, orientation="stored", full_scale=4095.0).fingerprint() == plain  # nothing to turn or scale
    turned = Image.Exif()
    turned[0x112] = 6
    Image.new("RGB", (8, 6)).save(tmp_path / "nut" / "0.png", exif=turned)
    Image.fromarray(np.full((6, 8), 4000, np.uint16)).save(tmp_path / "nut" / "1.png")
    seen = {
        folder(tmp_path, **arguments).fingerprint()
        for arguments in ({}, {"orientation": "stored"}, {"full_scale": 4095.0}, {"full_scale": 4000.0})
    }
    assert len(seen) == 4
    cache = tmp_path / ".cache"  # remembered apart, too
    remembered = {fingerprint(folder(tmp_path, orientation=way), cache) for way in ("exif", "stored", "exif")}
    assert len(remembered) == 2 == len(list((cache / "fingerprints").iterdir()))


def test_images_are_turned_and_scaled(tmp_path: Path) -> None:
    tree(tmp_path)
    seen = np.zeros((8, 8, 3), dtype=np.uint8)
    seen[:4] = 255
    turned = Image.Exif()
    turned[0x112] = 3
    for number in range(5):
        Image.fromarray(seen[::-1]).save(tmp_path / "bolt" / f"{number}.png", exif=turned)
        Image.fromarray(np.full((6, 8), 2048, np.uint16)).save(tmp_path / "nut" / f"{number}.png")
    x, y = folder(tmp_path, full_scale=4095).test().gather(np.arange(2), None)
    assert (x[y == 0][0, :, 0] == 255).all()
    assert (x[y == 1] == 128).all()
    assert (folder(tmp_path, orientation="stored").test().gather(np.array([0]), None)[0][0, :, 0] == 0).all()
    with refused(DataError, tmp_path / "nut" / "0.png", 2048, 1000, "data.dataset.full_scale=…"):
        folder(tmp_path, full_scale=1000).check()  # before anything is trained
    Image.fromarray(np.full((6, 8), 5000, np.uint16)).save(tmp_path / "nut" / "4.png")
    data = folder(tmp_path, full_scale=4095)
    data.check()
    with refused(DataError, tmp_path / "nut" / "4.png", 5000, 4095):
        for part in (data.train(), data.test()):
            part.gather(np.arange(len(part.y)), None)


def test_imagenet_names_the_layouts_of_its_archives(tmp_path: Path) -> None:
    root = tmp_path / "ILSVRC" / "Data" / "CLS-LOC"
    tree(root / "train", ("n01440764", "n01443537"))
    make(root, "val/ILSVRC2012_val_00000001.JPEG")
    with refused(FileNotFoundError, f"data.dataset.root={root}"):
        ImageNet(str(tmp_path)).check()
    with refused(DataError, root / "val" / "ILSVRC2012_val_00000001.JPEG", "train"):
        ImageNet(str(root)).check()


def test_imagenet_is_read_as_stored(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for part in ("train", "val"):
        tree(tmp_path / part, ("n01440764", "n01443537"), count=2)
    data = ImageNet(str(tmp_path), size=4, resize=4)
    data.check()
    assert not data.test().turned
    assert not data.sources()
    with caplog.at_level(logging.WARNING):
        data.train()
    assert not caplog.records  # a million files are not compared
