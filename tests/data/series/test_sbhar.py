"""SBHAR in both layouts; the real data where it is there."""

from __future__ import annotations

import hashlib
import logging
import os
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.refusal import assert_names, refused

from qsense.data.errors import DataError, DataMissingError
from qsense.data.series.sbhar import SBHAR

Write = Callable[[Path, Sequence[Any]], Path]


@pytest.fixture
def unpacked(tmp_path: Path, fake_experiments: list[Any], sbhar_writer: Write) -> Path:
    return sbhar_writer(tmp_path / "sbhar", fake_experiments)


def zipped(folder: Path, target: Path, inside: str = "") -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*.txt")):
            archive.write(path, inside + path.relative_to(folder).as_posix())
    return target


def test_recordings_are_what_was_written(unpacked: Path, fake_experiments: list[Any]) -> None:
    data = SBHAR(str(unpacked))
    data.check()
    recordings = data.recordings()
    assert len(recordings) == 31
    for recording, item in zip(recordings, fake_experiments, strict=True):
        assert recording.subject == item.user - 1
        assert recording.name == f"acc_exp{item.number:02d}_user{item.user:02d}.txt"
        np.testing.assert_array_equal(recording.x, item.x.astype(np.float32))
        np.testing.assert_array_equal(recording.y, item.activity)


@pytest.mark.parametrize("inside", ["", "HAPT Data Set/"])
def test_a_zip_file_reads_as_the_folder_does(unpacked: Path, tmp_path: Path, inside: str) -> None:
    folder = SBHAR(str(unpacked)).recordings()
    archive = zipped(unpacked, tmp_path / "there" / "any name.zip", inside)
    for root in (archive, archive.parent):
        for one, other in zip(folder, SBHAR(str(root)).recordings(), strict=True):
            np.testing.assert_array_equal(one.x, other.x)
            np.testing.assert_array_equal(one.y, other.y)
            assert (one.subject, one.name) == (other.subject, other.name)


def test_both_layouts_hold_the_same(
    unpacked: Path, tmp_path: Path, fake_experiments: list[Any], bundle_writer: Callable[..., Path]
) -> None:
    archive = SBHAR(str(unpacked)).recordings()
    joined = []
    for user in range(1, 31):
        items = [item for item in fake_experiments if item.user == user]
        x, y = (np.concatenate(parts) for parts in ([i.x for i in items], [i.activity for i in items]))
        joined.append((x, y))
    bundle = SBHAR(str(bundle_writer(tmp_path / "bundle", SBHAR.classes, ("a", "b", "c"), joined)))
    bundle.check()
    for recording in bundle.recordings():
        # The common layout has one file per subject: it joins the first user's two recordings.
        same = [other for other in archive if other.subject == recording.subject]
        np.testing.assert_array_equal(recording.x, np.concatenate([other.x for other in same]))
        np.testing.assert_array_equal(recording.y, np.concatenate([other.y for other in same]))
    assert len(bundle.recordings()) == 30


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def first_row(path: Path) -> str:
    return path.read_text().split("\n", 1)[0]


@pytest.mark.parametrize(
    ("file", "new", "named"),
    [
        ("labels.txt", "1 1 13 5 6", ("row 1", 13, "1 … 12")),
        ("labels.txt", "1 31 1 5 6", ("row 1", 31, "1 … 30")),
        ("labels.txt", "1 1 1 0 6", ("row 1", "start 0", "end 6")),
        ("labels.txt", "1 1 1 7 6", ("row 1", "start 7", "end 6")),
        ("labels.txt", "1 1 1 5", ("row 1", "'1 1 1 5'", "experiment, user, activity, start, end")),
        ("labels.txt", "1 1 x 5 6", ("row 1", "'1 1 x 5 6'", "experiment, user, activity, start, end")),
        ("labels.txt", "77 1 1 5 6", ("row 1", "experiment 77", "user 1", "acc_exp77_user01.txt")),
        ("labels.txt", "1 1 1 5 999", ("row 1", 999, "acc_exp01_user01.txt", 121, "50 Hz")),
        ("acc_exp03_user02.txt", "0.1 0.2 abc", ("row 1", "'0.1 0.2 abc'")),
        ("acc_exp03_user02.txt", "0.1 0.2", ("row 1", "'0.1 0.2'")),
        ("acc_exp03_user02.txt", "1 2 3 4", ("row 1", "'1 2 3 4'")),
        ("acc_exp03_user02.txt", "", ("row 1", "''")),
        ("acc_exp03_user02.txt", "0.1 inf 0.2", ("user 2", "row 1", "y", "infinite")),
    ],
)
def test_bad_rows_are_named(unpacked: Path, file: str, new: str, named: tuple[object, ...]) -> None:
    path = unpacked / "RawData" / file
    edit(path, first_row(path), new)
    with refused(DataError, file, *named):
        SBHAR(str(unpacked)).recordings()


def test_short_gaps_are_filled_and_long_ones_refused(unpacked: Path) -> None:
    path = unpacked / "RawData" / "acc_exp03_user02.txt"
    rows = path.read_text().splitlines()
    rows[4] = "nan 0.5 0.5"
    path.write_text("\n".join(rows) + "\n")
    assert [recording.filled for recording in SBHAR(str(unpacked)).recordings()][:4] == [0, 0, 1, 0]
    rows[10:70] = ["nan 0.5 0.5"] * 60
    path.write_text("\n".join(rows) + "\n")
    with refused(DataError, "user 2", "acc_exp03_user02.txt", "rows 11 to 70", "x", "1.20 s", "1 s"):
        SBHAR(str(unpacked)).recordings()


def test_truncated_files_are_named(unpacked: Path, tmp_path: Path) -> None:
    archive = zipped(unpacked, tmp_path / "sbhar.zip")
    archive.write_bytes(archive.read_bytes()[:-1000])
    with refused(DataError, archive):
        SBHAR(str(archive)).recordings()
    path = unpacked / "RawData" / "acc_exp03_user02.txt"
    path.write_bytes(path.read_bytes()[:-5])
    with refused(DataError, "acc_exp03_user02.txt", "row 123"):
        SBHAR(str(unpacked)).recordings()


def test_a_flipped_bit_in_the_archive_is_noticed(unpacked: Path, tmp_path: Path) -> None:
    archive = zipped(unpacked, tmp_path / "sbhar.zip")
    raw = bytearray(archive.read_bytes())
    raw[400] ^= 1
    archive.write_bytes(raw)
    with refused(DataError, archive):
        SBHAR(str(archive)).recordings()


def test_missing_users_and_foreign_archives_are_named(unpacked: Path, tmp_path: Path) -> None:
    labels = unpacked / "RawData" / "labels.txt"
    kept = [row for row in labels.read_text().splitlines() if row.split()[1] != "7"]
    labels.write_text("\n".join(kept) + "\n")
    (unpacked / "RawData" / "acc_exp08_user07.txt").unlink()
    with refused(DataError, "user 7", "SBHAR", "1 … 30"):
        SBHAR(str(unpacked)).recordings()
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("README.txt", "something else")
    with refused(DataError, other, "RawData/labels.txt", "SBHAR"):
        SBHAR(str(other)).recordings()


def test_missing_data_says_where_and_how(tmp_path: Path) -> None:
    for root in (tmp_path / "no", tmp_path):
        with refused(
            DataMissingError,
            *("SBHAR", root, SBHAR.url, "data.dataset.download=true", "data.dataset.root=FOLDER", "QSENSE_DATA=FOLDER"),
        ):
            SBHAR(str(root)).check()


def test_the_archive_is_fetched_on_request(
    unpacked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    archive = zipped(unpacked, tmp_path / "server" / "hapt.zip")
    monkeypatch.setattr(SBHAR, "url", archive.as_uri())
    for root in (tmp_path / "new", tmp_path / "named" / "my.zip"):
        data = SBHAR(str(root), download=True)
        data.check()
        assert len(data.recordings()) == 31
        assert "data.dataset.sha256=" in caplog.text
        assert data.fingerprint() == SBHAR(str(root)).fingerprint()


def test_a_pinned_zip_file_must_match(unpacked: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    archive = zipped(unpacked, tmp_path / "there" / "hapt.zip")
    seen = hashlib.sha256(archive.read_bytes()).hexdigest()
    SBHAR(str(archive), sha256=seen.upper()).check()
    for root in (archive, archive.parent):
        wrong = SBHAR(str(root), sha256="00")
        for ask in (wrong.check, wrong.sources, wrong.recordings):
            with refused(DataError, archive, "SHA-256", seen, "00", "data.dataset.sha256"):
                ask()
    SBHAR(str(unpacked), sha256="00").check()  # a pin says nothing about an unpacked folder
    with caplog.at_level(logging.INFO, logger="qsense"):
        SBHAR(str(archive)).recordings()
    assert_names(caplog.text, archive, "SHA-256", seen)


def test_any_changed_byte_changes_the_fingerprint(unpacked: Path) -> None:
    before = SBHAR(str(unpacked)).fingerprint()
    assert SBHAR(str(unpacked)).fingerprint() == before
    path = unpacked / "RawData" / "acc_exp03_user02.txt"
    path.write_text(path.read_text().replace("1", "2", 1))
    assert SBHAR(str(unpacked)).fingerprint() != before


DATA = os.environ.get("QSENSE_DATA")


@pytest.mark.skipif(not DATA, reason="QSENSE_DATA does not point at the real data")
def test_the_real_data_is_complete() -> None:
    root = Path(str(DATA)) / "sbhar"
    if not root.is_dir():
        pytest.skip(f"there is no {root}")
    data = SBHAR(str(root))
    started = time.process_time()  # whatever else the machine does
    recordings = data.recordings()
    assert time.process_time() - started < 20
    assert len(recordings) == 61
    assert {recording.subject for recording in recordings} == set(range(30))
    x = np.concatenate([recording.x for recording in recordings])
    y = np.concatenate([recording.y for recording in recordings])
    assert x.shape == (1_122_772, 3)
    assert set(np.unique(y)) == set(range(13))
    assert -2.011 < x.min() < -2.009
    assert 2.004 < x.max() < 2.005
    assert sum(recording.filled for recording in recordings) == 0
    # A spot check by hand: labels.txt, row 1, says standing (5) from sample 250 to 1232 of the first experiment.
    assert recordings[0].y[248:250].tolist() == [0, 5]
    assert recordings[0].y[1231:1233].tolist() == [5, 7]
    np.testing.assert_allclose(recordings[0].x[0], [0.9180555898766518, -0.1124999994242935, 0.5097222514293852])
