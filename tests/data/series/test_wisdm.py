"""WISDM from tiny files as its archives unpack them: broken lines, lines without a time, repeated ones."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from tests.refusal import refused

from qsense.data.errors import DataError, DataMissingError
from qsense.data.series.dataset import Recording
from qsense.data.series.wisdm import WISDM, WISDM2019

NAMES = ("Walking", "Jogging", "Upstairs", "Downstairs", "Sitting", "Standing")
STEP = 50_000_000  # ns


def line(subject: int, label: str, time: int, x: float, y: float = -0.5, z: float = 9.81) -> str:
    return f"{subject},{label},{time},{x},{y},{z};"


def lines(subject: int, length: int = 60, start: int = 49_105_962_326_000) -> list[str]:
    return [
        line(subject, NAMES[row // 10 % 6], start + row * STEP + row % 3 * 1000, subject + row / 100)
        for row in range(length)
    ]


def write(folder: Path, content: list[str]) -> WISDM:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "WISDM_ar_v1.1_raw.txt").write_text("\n".join(content) + "\n")
    (folder / "WISDM_ar_v1.1_transformed.arff").write_text("@relation x\n")
    return WISDM(str(folder))


def others(*without: int) -> list[str]:
    """All subjects but these, in an order of their own, as in the file."""
    return [row for subject in range(36, 0, -1) if subject not in without for row in lines(subject)]


def of(recordings: list[Recording], subject: int) -> list[Recording]:
    return [recording for recording in recordings if recording.subject == subject - 1]


def test_one_file_holds_all_subjects(tmp_path: Path) -> None:
    recordings = write(tmp_path / "WISDM_ar_v1.1", others()).recordings()
    assert [recording.subject for recording in recordings] == list(range(35, -1, -1))
    for recording in recordings:
        np.testing.assert_allclose(recording.x[:, 0], recording.subject + 1 + np.arange(60) / 100, rtol=1e-6)
        assert recording.x[0, 1:].tolist() == pytest.approx([-0.5, 9.81])
        assert recording.y.tolist() == (np.arange(60) // 10 % 6).tolist()


BROKEN = {
    "fields_missing": ["33,Jogging,49105962326000,1.5,2.5;"],
    "z_missing": ["33,Jogging,49105962326000,1.5,2.5,;"],
    "too_many_fields": ["33,Jogging,49105962326000,1.5,2.5,3.5,4.5;"],
    "no_number": ["33,Jogging,49105962326000,1.5,2.5,0.0.1;"],
    "no_time": [line(33, "Jogging", 0, 0.0, 0.0, 0.0)],
    "empty": ["", ";", "  ", ","],
    "cut": ["33,Jog"],
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_sample_is_left_out(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    rows = lines(33)
    rows[30:30] = BROKEN[name]
    with caplog.at_level(logging.WARNING):
        found = of(write(tmp_path, [*others(33), *rows]).recordings(), 33)
    assert [len(recording.x) for recording in found] == [60]  # a gap of one sample ends nothing
    assert ("WISDM_ar_v1.1_raw.txt" in caplog.text) == (name != "empty")


def test_a_comma_too_many_and_two_samples_in_a_line_are_read(tmp_path: Path) -> None:
    rows = lines(33)
    rows[5] = rows[5].replace(";", ",;")
    rows[7:9] = [rows[7] + rows[8]]
    rows[20] = rows[20].replace(";", "")
    found = of(write(tmp_path, [*others(33), *rows]).recordings(), 33)
    np.testing.assert_allclose(found[0].x[:, 0], 33 + np.arange(60) / 100, rtol=1e-6)


def test_lines_that_repeat_a_time_count_once(tmp_path: Path) -> None:
    rows = lines(33)
    rows[10:10] = [rows[9], rows[9].replace("9.81", "1.0")]
    assert [len(recording.x) for recording in of(write(tmp_path, [*others(33), *rows]).recordings(), 33)] == [60]


@pytest.mark.parametrize("start", [10, 49_105_962_326_000 + 90 * STEP])
def test_a_recording_ends_where_the_time_goes_back_or_leaps(tmp_path: Path, start: int) -> None:
    found = of(write(tmp_path, [*others(33), *lines(33), *lines(33, 40, start)]).recordings(), 33)
    assert [len(recording.x) for recording in found] == [60, 40]
    assert found[1].name.endswith("from line 2161")


def test_irregular_lines_are_interpolated_when_asked(tmp_path: Path) -> None:
    rows = [line(33, "Walking", 1000 + time * STEP, float(time)) for time in (0, 2, 3, 5, 7, 9)]
    data = write(tmp_path, [*others(33), *rows])
    assert of(data.recordings(), 33)[0].x[:, 0].tolist() == [0, 2, 3, 5, 7, 9]
    even = WISDM(str(tmp_path), resample=True)
    np.testing.assert_allclose(of(even.recordings(), 33)[0].x[:, 0], np.arange(10), atol=1e-5)
    assert even.fingerprint() != data.fingerprint()


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        (lines(17)[:0], ("subject 17", 36)),
        ([line(37, "Walking", 10, 0.0)], ("line 2101", 37, 36)),
        ([*lines(17), line(17, "Hopping", 10, 0.0)], ("line 2161", "Hopping", "Walking")),
        (["17 Walking 10 0.0"] * 100, (100, "user,activity,time,x,y,z")),
    ],
)
def test_what_is_another_file_is_refused(tmp_path: Path, rows: list[str], named: tuple[object, ...]) -> None:
    data = write(tmp_path, [*others(17), *rows])
    with refused(DataError, tmp_path, *named):
        data.recordings()


def test_a_damaged_byte_in_a_label_is_named(tmp_path: Path) -> None:
    data = write(tmp_path, others(17))
    path = tmp_path / "WISDM_ar_v1.1_raw.txt"
    path.write_bytes(path.read_bytes() + line(17, "Wal", 10, 0.0).encode().replace(b"Wal", b"Wal\xffing"))
    with refused(DataError, path, "line 2101", "Walking"):
        data.recordings()


def test_a_folder_without_the_file_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a" / "b", [])
    with refused(DataMissingError, "WISDM_ar_v1.1_raw.txt", "a/b", WISDM.homepage):
        WISDM(str(tmp_path)).check()
    WISDM(str(tmp_path / "a")).check()


@pytest.fixture
def later(tmp_path: Path) -> Path:
    folder = tmp_path / "wisdm-dataset"
    for device in ("phone", "watch"):
        (folder / "raw" / device / "accel").mkdir(parents=True)
        for subject in range(1600, 1651):
            rows = [line(subject, "AS"[row // 5], 252_207_666_810_782 + row * STEP, row, subject) for row in range(10)]
            (folder / "raw" / device / "accel" / f"data_{subject}_accel_{device}.txt").write_text("\n".join(rows))
    (folder / "raw" / "phone" / "gyro").mkdir()
    (folder / "raw" / "phone" / "gyro" / "data_1600_gyro_phone.txt").touch()
    (folder / "activity_key.txt").write_text("walking = A\n")
    return folder


@pytest.mark.parametrize(("device", "place"), [("phone", "."), ("watch", ".."), ("phone", "raw")])
def test_the_later_set_has_a_file_per_subject_and_device(later: Path, device: str, place: str) -> None:
    data = WISDM2019(str((later / place).resolve()), device=device)  # type: ignore[arg-type]
    data.check()
    recordings = data.recordings()
    assert [recording.subject for recording in recordings] == list(range(51))
    assert [data.classes[label] for label in recordings[50].y] == ["walking"] * 5 + ["folding clothes"] * 5
    assert recordings[50].x[0].tolist() == pytest.approx([0, 1650, 9.81])
    assert {path.parent.parent.name for path in data.sources()} == {device}


def test_files_of_the_later_set_that_are_missing_or_mixed_up_are_named(later: Path) -> None:
    path = later / "raw" / "phone" / "accel" / "data_1614_accel_phone.txt"
    path.write_text(path.read_text().replace("1614,", "1615,"))
    with refused(DataError, path, "line 1", 1615, 1614):
        WISDM2019(str(later)).recordings()
    path.unlink()
    with refused(DataError, later, 50, 51):
        WISDM2019(str(later)).check()
    with refused(ValueError, "device='ring'", "phone", "watch"):
        WISDM2019(str(later), device="ring")  # type: ignore[arg-type]
