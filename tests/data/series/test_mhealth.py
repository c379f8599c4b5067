"""MHEALTH from tiny files as its archive unpacks them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.refusal import refused

from qsense.data.errors import DataError, DataMissingError
from qsense.data.series.mhealth import MHEALTH


def rows(subject: int, length: int = 60) -> list[list[str]]:
    """24 columns whose values tell subject, row and column; every activity in turn."""
    return [
        [*(f"{subject + row / 100 + column:.5g}" for column in range(23)), str(row // 4 % 13)] for row in range(length)
    ]


def write(folder: Path, subjects: int = 10) -> Path:
    folder.mkdir(parents=True)
    for subject in range(1, subjects + 1):
        text = "\n".join("\t".join(row) for row in rows(subject)) + "\n"
        (folder / f"mHealth_subject{subject}.log").write_text(text)
    (folder / "README.txt").write_text("L1: Standing still (1 min)\n")
    return folder


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    return write(tmp_path / "MHEALTHDATASET")


def test_every_file_is_a_recording_of_its_subject(unpacked: Path) -> None:
    recordings = MHEALTH(str(unpacked.parent)).recordings()
    assert [recording.subject for recording in recordings] == list(range(10))  # 10 after 9, not after 1
    for recording in recordings:
        table = np.array(rows(recording.subject + 1), dtype=np.float64)
        np.testing.assert_allclose(recording.x, table[:, [0, 1, 2, 5, 6, 7, 14, 15, 16]], rtol=1e-6)
        assert recording.y.tolist() == table[:, 23].tolist()
        assert recording.filled == recording.lost == 0


@pytest.mark.parametrize("place", [".", "MHEALTHDATASET", ".."])
def test_the_folder_and_those_around_it_are_the_same_data(unpacked: Path, place: str) -> None:
    root = unpacked.parent / "again" if place == ".." else unpacked.parent / place
    if place == "..":  # unpacked into a folder of its own
        root.mkdir()
        unpacked.rename(root / "MHEALTHDATASET")
        root = root.parent
    found = MHEALTH(str(root))
    found.check()
    assert len(found.sources()) == 10


def test_a_subject_that_is_missing_is_told_before_reading(tmp_path: Path) -> None:
    write(tmp_path / "MHEALTHDATASET", subjects=9)
    with refused(DataError, tmp_path, "MHEALTH", 9, 10):
        MHEALTH(str(tmp_path)).check()


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("\t".join(rows(3)[9][:-1]) + "\t13", ("row 10", "13")),
        ("\t".join(rows(3)[9][:-2]), ("row 10", 22, 24)),
        ("\t".join(["inf", *rows(3)[9][1:]]), ("row 10", "chest_acc_x")),
        ("\t".join(["1.2.3", *rows(3)[9][1:]]), ("row 10", "chest_acc_x", "1.2.3")),
    ],
)
def test_what_is_no_sample_is_named(unpacked: Path, line: str, named: tuple[object, ...]) -> None:
    path = unpacked / "mHealth_subject3.log"
    lines = path.read_text().splitlines()
    lines[9] = line
    path.write_text("\n".join(lines) + "\n")
    with refused(DataError, path, *named):
        MHEALTH(str(unpacked)).recordings()


@pytest.mark.parametrize(
    ("old", "new"),
    [("\n", "\r\n"), ("\t", " "), ("\n", "\t\n"), ("\t", "\t "), ("\t", "  ")],
    ids=["crlf", "blanks", "tab_at_the_end", "tab_and_blank", "two_blanks"],
)
def test_line_ends_and_blanks_make_no_difference(unpacked: Path, old: str, new: str) -> None:
    expected = MHEALTH(str(unpacked)).recordings()[2]
    path = unpacked / "mHealth_subject3.log"
    path.write_bytes(path.read_text().replace(old, new).encode())
    found = MHEALTH(str(unpacked)).recordings()[2]
    np.testing.assert_array_equal(found.x, expected.x)
    np.testing.assert_array_equal(found.y, expected.y)


def test_a_file_that_breaks_off_is_named(unpacked: Path) -> None:
    path = unpacked / "mHealth_subject3.log"
    path.write_text(path.read_text()[:-40])
    with refused(DataError, path, "row 60", 24):
        MHEALTH(str(unpacked)).recordings()


def test_nothing_there_is_told_with_where_to_get_it(tmp_path: Path) -> None:
    (tmp_path / "mhealth+dataset.zip").touch()
    with refused(DataMissingError, tmp_path, "mHealth_subject", "mhealth+dataset.zip", MHEALTH.url, MHEALTH.homepage):
        MHEALTH(str(tmp_path)).check()
