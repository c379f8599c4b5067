"""The cache: atomic, memory-mapped, rebuilt when damaged, shared by processes that start at once."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.refusal import assert_names, refused

from qsense.data import cache
from qsense.data.cache import cached, file_digest, fingerprint
from qsense.data.errors import DataError
from qsense.data.series.csv_har import CSVActivityDataset


class Builder:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> Mapping[str, npt.NDArray[Any]]:
        self.calls += 1
        return {"x": np.arange(1000.0).reshape(100, 10), "y": np.arange(3), "none": np.zeros((0, 2))}


def test_built_once_and_memory_mapped_afterwards(tmp_path: Path) -> None:
    build = Builder()
    for _ in range(2):
        arrays = cached(tmp_path / "cache", "key", build)
        np.testing.assert_array_equal(arrays["x"], build()["x"])
        build.calls -= 1
        assert isinstance(arrays["x"], np.memmap)
        assert not arrays["x"].flags.writeable
    assert build.calls == 1
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["key"]


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-8])


def flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("x.npy", truncate),
        ("x.npy", flip),
        ("x.npy", Path.unlink),
        ("y.npy", lambda path: path.write_bytes(b"")),
        ("index.json", truncate),
        ("index.json", Path.unlink),
    ],
)
def test_a_damaged_entry_is_built_again(
    tmp_path: Path, name: str, damage: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    build = Builder()
    cached(tmp_path, "key", build)
    damage(tmp_path / "key" / name)
    arrays = cached(tmp_path, "key", build)
    assert build.calls == 2
    assert arrays["x"][99, 9] == 999
    assert_names(caplog.text, tmp_path / "key")
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> Mapping[str, npt.NDArray[Any]]:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        cached(tmp_path / "cache", "key", fail)
    assert not any((tmp_path / "cache").iterdir())


def read_only(*arguments: object, **named: object) -> str:
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = Builder()
    monkeypatch.setattr(tempfile, "mkdtemp", read_only)
    with refused(DataError, tmp_path, "Read-only", "data.cache=FOLDER", "QSENSE_CACHE=FOLDER"):
        cached(tmp_path, "key", build)
    assert build.calls == 0


def test_an_entry_in_a_folder_that_cannot_be_written_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = Builder()
    cached(tmp_path, "key", build)
    monkeypatch.setattr(tempfile, "mkdtemp", read_only)
    assert cached(tmp_path, "key", build)["x"][99, 9] == 999
    assert build.calls == 1
    flip(tmp_path / "key" / "x.npy")
    with refused(DataError, tmp_path, "data.cache=FOLDER", "QSENSE_CACHE=FOLDER"):
        cached(tmp_path, "key", build)


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(np, "save", read_only)
    with refused(DataError, tmp_path, "data.cache=FOLDER", "QSENSE_CACHE=FOLDER"):
        cached(tmp_path, "key", Builder())
    assert not any(tmp_path.iterdir())


def test_errors_of_the_data_are_not_taken_for_the_cache_s(tmp_path: Path) -> None:
    def build() -> Mapping[str, npt.NDArray[Any]]:
        raise FileNotFoundError("sbj_0.csv")

    with refused(FileNotFoundError, "sbj_0.csv"):
        cached(tmp_path, "key", build)


RACE = """
import sys, time
from pathlib import Path
import numpy as np
from qsense.data.cache import cached
folder, me, other = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
def build():
    (folder / me).touch()
    while not (folder / other).exists():
        time.sleep(0.005)
    return {"x": np.arange(200000.0)}
print(cached(folder / "cache", "key", build)["x"].sum())
"""


def test_two_processes_build_the_same_entry_at_once(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, str(tmp_path), *names],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        for names in (("a", "b"), ("b", "a"))
    ]
    printed = {process.communicate(timeout=60)[0] for process in processes}
    assert [process.returncode for process in processes] == [0, 0]
    assert printed == {f"{np.arange(200000.0).sum()}\n"}
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["key"]


def test_fingerprints_are_remembered_until_a_source_changes(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dataset(*labels: str) -> CSVActivityDataset:
        return CSVActivityDataset(str(bundle), "Fake", 2, ["NULL", *labels], 50.0, 3, "g")

    first = fingerprint(dataset("walk", "run"), tmp_path / "cache")
    assert first == dataset("walk", "run").fingerprint()
    assert first != fingerprint(dataset("run", "walk"), tmp_path / "cache")
    with monkeypatch.context() as patch:
        patch.setattr(CSVActivityDataset, "fingerprint", lambda self: pytest.fail("hashed again"))
        assert fingerprint(dataset("walk", "run"), tmp_path / "cache") == first
    path = bundle / "raw" / "inertial" / "sbj_0.csv"
    path.write_text(path.read_text().replace("walk", "run"))
    assert fingerprint(dataset("walk", "run"), tmp_path / "cache") != first


def test_a_fingerprint_that_cannot_be_remembered_is_computed(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = CSVActivityDataset(str(bundle), "Fake", 2, ["NULL", "walk", "run"], 50.0, 3, "g")
    monkeypatch.setattr(tempfile, "NamedTemporaryFile", read_only)
    with caplog.at_level(logging.DEBUG, logger="qsense"):
        assert fingerprint(dataset, tmp_path / "cache") == dataset.fingerprint()
    assert_names(caplog.text, "Read-only")
    (tmp_path / "file").touch()
    assert fingerprint(dataset, tmp_path / "file" / "cache") == dataset.fingerprint()


def test_a_file_is_hashed_again_only_when_it_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"a")
    first = file_digest(file)
    assert first == hashlib.sha256(b"a").hexdigest()
    with monkeypatch.context() as patch:
        patch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("hashed again"))
        assert file_digest(file) == first
    file.write_bytes(b"ab")
    assert file_digest(file) == hashlib.sha256(b"ab").hexdigest()


def test_the_schema_version_is_part_of_every_key() -> None:
    assert cache.digest(cache.SCHEMA, "a") != cache.digest(cache.SCHEMA + 1, "a")
