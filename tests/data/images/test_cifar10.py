"""CIFAR-10's pickled batches: complete, in part, damaged, hostile, fetched."""

from __future__ import annotations

import hashlib
import os
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.refusal import refused

from qsense.data.errors import DataError, DataMissingError
from qsense.data.images import cifar10 as module
from qsense.data.images.cifar10 import CIFAR10, FOLDER, TEST, TRAIN, read_batch


def batch(count: int, seed: int = 0) -> dict[bytes, Any]:
    rng = np.random.default_rng(seed)
    return {
        b"batch_label": b"a batch",
        b"labels": (np.arange(count) % 10).tolist(),
        b"data": rng.integers(0, 256, (count, 3072), dtype=np.uint8),
        b"filenames": [b""] * count,
    }


def write(folder: Path, count: int = 20, **counts: int) -> Path:
    """The layout of the archive."""
    (folder / FOLDER).mkdir(parents=True)
    for seed, name in enumerate((*TRAIN, *TEST)):
        (folder / FOLDER / name).write_bytes(pickle.dumps(batch(counts.get(name, count), seed), protocol=2))
    return folder


def test_batches_are_joined_in_order_and_the_name_tells_how_many(tmp_path: Path) -> None:
    data = CIFAR10(str(write(tmp_path)))
    data.check()
    train, test = data.train(), data.test()
    assert train.x.shape == (100, 3, 32, 32)
    assert test.x.shape == (20, 3, 32, 32)
    expected = batch(20, seed=1)
    np.testing.assert_array_equal(train.x[20:40].reshape(20, -1), expected[b"data"])
    assert train.y[20:40].tolist() == expected[b"labels"]
    assert data.name == "CIFAR-10 (first 20 of 10000 per batch)"
    assert data.signal.channels == 3
    assert not data.signal.bipolar


def test_the_network_says_whose_mean_it_expects(tmp_path: Path) -> None:
    assert CIFAR10(str(tmp_path)).mean == (0.485, 0.456, 0.406)
    own = CIFAR10(str(tmp_path), mean_std="cifar10")
    assert (own.mean, own.std) == ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))
    with refused(ValueError, "mean_std='mine'", "imagenet", "cifar10"):
        CIFAR10(str(tmp_path), mean_std="mine")  # type: ignore[arg-type]


def test_uneven_batches_are_counted(tmp_path: Path) -> None:
    data = CIFAR10(str(write(tmp_path, data_batch_3=7)))
    data.train()
    data.test()
    assert data.name == "CIFAR-10 (107 of 60000 images)"


def test_the_folder_itself_may_be_named(tmp_path: Path) -> None:
    data = CIFAR10(str(write(tmp_path) / FOLDER))
    data.check()
    assert len(data.test().y) == 20


@pytest.mark.parametrize("place", ["renamed", "cifar-10-python/" + FOLDER, f"{FOLDER}/{FOLDER}", "archive/" + FOLDER])
def test_batches_are_found_where_others_unpack_them(tmp_path: Path, place: str) -> None:
    expected = CIFAR10(str(write(tmp_path / "published"))).fingerprint()
    target = tmp_path / "other" / place
    target.parent.mkdir(parents=True)
    (tmp_path / "published" / FOLDER).rename(target)
    data = CIFAR10(str(target if place == "renamed" else tmp_path / "other"))
    data.check()
    assert len(data.test().y) == 20
    assert data.fingerprint() == expected


@pytest.mark.parametrize(
    ("file", "named"),
    [
        ("cifar-10-batches-bin/data_batch_1.bin", ("cifar-10-batches-bin", "python")),
        ("data_batch_1.bin", ("binary", "python")),
        ("cifar-10-python.tar.gz", ("cifar-10-python.tar.gz", "tar -xf", "data.dataset.download=true")),
        ("train/airplane/0001.png", ("data=folder",)),
        ("airplane/0001.png", ("data=folder",)),
    ],
)
def test_what_lies_there_instead_is_named(tmp_path: Path, file: str, named: tuple[str, ...]) -> None:
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_bytes(b"x")
    with refused(DataMissingError, tmp_path / FOLDER / "data_batch_1", *named):
        CIFAR10(str(tmp_path)).check()


def test_what_python_2_wrote_is_read(tmp_path: Path) -> None:
    """The published batches: byte strings, and arrays of the numpy.core of their time."""
    pixels = np.arange(2 * 3072).astype(np.uint8)
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    dtype = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    text = b"T" + (2 * 3072).to_bytes(4, "little") + pixels.tobytes()
    state = b"(K\x01K\x02M\x00\x0c\x86" + dtype + b"\x89" + text + b"tb"
    file = tmp_path / "test_batch"
    file.write_bytes(b"\x80\x02}(U\x04data" + array + state + b"U\x06labels](K\x03K\x08eu.")
    x, y = read_batch(file, 10)
    np.testing.assert_array_equal(x.ravel(), pixels)
    assert y.tolist() == [3, 8]


def test_missing_data_says_how_to_get_it(tmp_path: Path) -> None:
    with refused(
        DataMissingError,
        "CIFAR-10",
        tmp_path / FOLDER / "data_batch_1",
        CIFAR10.url,
        "data.dataset.download=true",
        "data.dataset.root=…",
        "QSENSE_DATA",
    ):
        CIFAR10(str(tmp_path)).check()
    (write(tmp_path) / FOLDER / "data_batch_4").unlink()
    with refused(DataMissingError, tmp_path / FOLDER / "data_batch_4", "data.dataset.download=true"):
        CIFAR10(str(tmp_path)).check()
    CIFAR10(str(tmp_path), download=True).check()


class Hostile:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (Hostile(os.system, "touch owned"), (f"{os.system.__module__}.system",)),
        (Hostile(eval, "1"), ("__builtin__.eval",)),
        (Hostile(np.load, "x"), ("numpy.load",)),
        (Hostile(bytes, 10**9), ("arguments",)),
        ([1, 2], ("'data'", "'labels'")),
        ({b"data": "x", b"labels": [1]}, ("'data'", "'labels'")),
        ({b"data": np.zeros((2, 3072)), b"labels": [1, 1]}, ("'data'", "float64 [2, 3072]", "uint8 [images, 3072]")),
        (
            {b"data": np.zeros((2, 3071), np.uint8), b"labels": [1, 1]},
            ("'data'", "uint8 [2, 3071]", "uint8 [images, 3072]"),
        ),
        (
            {b"data": np.zeros((0, 3072), np.uint8), b"labels": []},
            ("'data'", "uint8 [0, 3072]", "uint8 [images, 3072]"),
        ),
        ({b"data": np.zeros((2, 3072), np.uint8), b"labels": [1]}, ("2 images", "1 labels")),
        ({b"data": np.zeros((2, 3072), np.uint8), b"labels": [1, 10]}, ("image 1", 10, "0 … 9")),
        ({b"data": np.zeros((2, 3072), np.uint8), b"labels": ["a", 1]}, ("image 0", "'a'", "0 … 9")),
    ],
)
def test_bad_batches_are_named_and_run_no_code(
    tmp_path: Path, content: Any, named: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "data_batch_1"
    file.write_bytes(pickle.dumps(content, protocol=2))
    with refused(DataError, file, *named):
        read_batch(file, 10)
    assert not (tmp_path / "owned").exists()


def test_truncated_and_huge_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path) / FOLDER / "test_batch"
    file.write_bytes(file.read_bytes()[:-500])
    with refused(DataError, file, "CIFAR-10"):
        read_batch(file, 10)
    monkeypatch.setattr(module, "LIMIT", 1000)
    with refused(DataError, file, "bytes", "31 million"):
        read_batch(file, 10)


def test_a_complete_batch_must_have_the_published_checksum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FULL", 20)
    data = CIFAR10(str(write(tmp_path)))
    with refused(DataError, "data_batch_1", 20, "MD5", "c99cafc152244af753f735de768cd75f"):
        data.train()
    seen = {
        name: hashlib.md5((tmp_path / FOLDER / name).read_bytes(), usedforsecurity=False).hexdigest()
        for name in (*TRAIN, *TEST)
    }
    monkeypatch.setattr(module, "MD5", seen)
    data.train()
    assert data.name == "CIFAR-10"


def test_the_archive_is_fetched_checked_and_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write(tmp_path / "source")
    (source / FOLDER / "batches.meta").write_bytes(b"not needed")
    archive = tmp_path / "server.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(source / FOLDER, FOLDER)
    monkeypatch.setattr(CIFAR10, "url", archive.as_uri())
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    with refused(DataError, archive.as_uri(), "SHA-256", digest, "data.dataset.sha256"):
        CIFAR10(str(tmp_path / "new"), download=True).prepare()
    data = CIFAR10(str(tmp_path / "new"), download=True, sha256=digest)
    data.prepare()
    assert sorted(path.name for path in (tmp_path / "new" / FOLDER).iterdir()) == sorted((*TRAIN, *TEST))
    np.testing.assert_array_equal(data.test().x, CIFAR10(str(source)).test().x)
    data.prepare()  # nothing left to do


def test_a_foreign_archive_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "server.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(__file__, "x")
    monkeypatch.setattr(CIFAR10, "url", archive.as_uri())
    with refused(DataError, "cifar-10-python.tar.gz", f"'{FOLDER}/data_batch_1'"):
        CIFAR10(str(tmp_path / "new"), download=True, sha256=None).prepare()
    assert not (tmp_path / "new" / FOLDER).exists()


def test_the_real_batches(real: Path) -> None:
    data = CIFAR10(str(real))
    data.check()
    train, test = data.train(), data.test()
    assert len(train.y) == 5 * len(test.y)
    assert test.y[:5].tolist() == [3, 8, 8, 0, 6]  # cat, ship, ship, airplane, frog
    assert train.y[:5].tolist() == [6, 9, 9, 4, 1]


@pytest.fixture
def real() -> Path:
    root = os.environ.get("QSENSE_DATA")
    if not root or not (Path(root) / "cifar10" / FOLDER).is_dir():
        pytest.skip("needs QSENSE_DATA with cifar10/cifar-10-batches-py")
    return Path(root) / "cifar10"
