"""PAMAP2 from tiny files as its archive unpacks them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.data.series.clocks import assert_time_can_be_left_unread
from tests.refusal import refused

from qsense.data.errors import DataError, DataMissingError
from qsense.data.series.pamap2 import OPTIONAL, PAMAP2, PROTOCOL

LENGTH = 260  # 2.6 s
AXES = [4, 5, 6, 21, 22, 23, 38, 39, 40]
NUMBERS = [int(number) for number in PROTOCOL]


def table(subject: int, numbers: list[int], length: int = LENGTH) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """54 columns: time at 100 Hz, activity, heart rate at 9 Hz (NaN between), three units of 17 columns."""
    rng = np.random.default_rng(subject)
    values = rng.normal(size=(length, 54)).round(4)
    values[:, 0] = 8.38 + np.arange(length) / 100
    values[:, 1] = np.resize(np.repeat(numbers, 20), length)
    values[np.arange(length) % 11 != 0, 2] = np.nan
    return values


def write(path: Path, values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for time, activity, *others in values:
        sensors = (f"{value:.6g}" if np.isfinite(value) else "NaN" for value in others)
        lines.append(" ".join((f"{time:.2f}", str(int(activity)), *sensors)))
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pamap2") / "PAMAP2_Dataset"
    for subject in range(101, 110):
        write(folder / "Protocol" / f"subject{subject}.dat", table(subject, [0, 24] if subject == 109 else NUMBERS))
    for subject in (101, 105):
        write(folder / "Optional" / f"subject{subject}.dat", table(subject + 50, [0, *map(int, OPTIONAL)]))
    (folder / "readme.pdf").write_bytes(b"%PDF")
    return folder


@pytest.fixture
def unpacked(original: Path, tmp_path: Path) -> Path:
    """A copy that may be changed."""
    return Path(shutil.copytree(original, tmp_path / "PAMAP2_Dataset"))


def test_protocol_alone_is_read_unless_told(unpacked: Path) -> None:
    data = PAMAP2(str(unpacked))
    recordings = data.recordings()
    assert [recording.subject for recording in recordings] == list(range(9))
    for recording in recordings[:8]:
        values = table(recording.subject + 101, NUMBERS)
        np.testing.assert_allclose(recording.x, values[:, AXES], rtol=1e-4)
        assert [data.classes[label] for label in recording.y] == [PROTOCOL[str(int(code))] for code in values[:, 1]]
    assert {data.classes[label] for label in recordings[8].y} == {"NULL", "rope jumping"}


def test_optional_recordings_join_those_of_their_subjects(unpacked: Path) -> None:
    data = PAMAP2(str(unpacked), optional=True)
    data.check()
    recordings = data.recordings()
    assert [recording.subject for recording in recordings] == [*range(9), 0, 4]
    assert {data.classes[label] for label in recordings[-1].y} == {"NULL", *OPTIONAL.values()}
    assert data.classes[:13] == PAMAP2.classes
    assert data.fingerprint() != PAMAP2(str(unpacked)).fingerprint()
    shutil.rmtree(unpacked / "Optional")
    with refused(DataMissingError, "Optional", "data.dataset.optional=false"):
        data.check()


@pytest.mark.parametrize(
    ("start", "stop", "filled", "ends"), [(50, 90, 40, [260]), (50, 160, 0, [50, 100]), (0, 120, 0, [140])]
)
def test_lost_samples_are_filled_or_end_a_recording(
    unpacked: Path, start: int, stop: int, filled: int, ends: list[int]
) -> None:
    values = table(101, NUMBERS)
    values[start:stop, 22:25] = np.nan  # of the chest alone
    write(unpacked / "Protocol" / "subject101.dat", values)
    found = [recording for recording in PAMAP2(str(unpacked)).recordings() if recording.subject == 0]
    assert [len(recording.x) for recording in found] == ends
    assert sum(recording.filled for recording in found) == filled
    assert all(np.isfinite(recording.x).all() for recording in found)
    np.testing.assert_allclose(found[-1].x[-1], values[-1, AXES], rtol=1e-4)


@pytest.mark.parametrize(("missing", "ends"), [(slice(100, 105), [260]), (slice(80, 200), [80, 60])])
def test_rows_that_are_missing_are_seen_by_the_time(unpacked: Path, missing: slice, ends: list[int]) -> None:
    values = np.delete(table(101, NUMBERS), missing, axis=0)
    write(unpacked / "Protocol" / "subject101.dat", values)
    found = [recording for recording in PAMAP2(str(unpacked)).recordings() if recording.subject == 0]
    assert [len(recording.x) for recording in found] == ends


@pytest.mark.parametrize("place", ["..", ".", "Protocol"])
def test_the_folder_and_those_around_it_are_the_same_data(unpacked: Path, place: str) -> None:
    data = PAMAP2(str((unpacked / place).resolve()), optional=True)
    data.check()
    assert len(data.sources()) == 11


def test_the_folder_of_optional_recordings_is_not_taken_for_the_others(unpacked: Path) -> None:
    with refused(DataMissingError, "PAMAP2", unpacked / "Optional", "Protocol", "subject101.dat"):
        PAMAP2(str(unpacked / "Optional")).check()
    (unpacked / "Protocol" / "subject104.dat").unlink()
    with refused(DataError, "PAMAP2", 8, 9, "101, 102, 103, 105"):
        PAMAP2(str(unpacked)).check()


def test_the_archive_holds_another_one(unpacked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.make_archive(str(tmp_path / "server" / "PAMAP2_Dataset"), "zip", unpacked.parent, "PAMAP2_Dataset")
    archive = shutil.make_archive(str(tmp_path / "served"), "zip", tmp_path / "server")
    monkeypatch.setattr(PAMAP2, "url", Path(archive).as_uri())
    fetched = PAMAP2(str(tmp_path / "data" / "pamap2"), download=True, optional=True)
    fetched.check()
    assert fetched.fingerprint() == PAMAP2(str(unpacked), optional=True).fingerprint()
    assert (tmp_path / "data" / "pamap2" / "Protocol" / "subject101.dat").is_file()


def test_timestamps_that_go_back_are_named_and_can_be_left_unread(unpacked: Path) -> None:
    assert_time_can_be_left_unread(PAMAP2, unpacked, unpacked / "Protocol" / "subject101.dat")
