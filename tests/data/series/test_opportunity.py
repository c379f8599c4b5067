"""Opportunity from tiny files as its archive unpacks them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from tests.data.series.clocks import assert_time_can_be_left_unread
from tests.refusal import refused

from qsense.data.errors import DataError, DataMissingError
from qsense.data.series.opportunity import GESTURES, LOCOMOTION, Opportunity

RUNS = ("ADL1", "Drill")
LENGTH = 80
AXES = [37, 38, 39, 50, 51, 52, 63, 64, 65, 76, 77, 78, 89, 90, 91]


def table(subject: int, run: str) -> npt.NDArray[np.float64]:
    """250 columns: ms at 30 Hz, whole numbers, loose accelerometers that lost everything, and seven labels."""
    rng = np.random.default_rng([subject, RUNS.index(run)])
    values = rng.integers(-1500, 1500, (LENGTH, 250)).astype(np.float64)
    values[:, 0] = np.arange(LENGTH) * 100 // 3
    values[:, 1:4] = np.nan
    values[:, 243:] = 0
    values[:, 243] = np.resize(np.repeat([int(code) for code in LOCOMOTION], 4), LENGTH)
    values[:, 249] = np.resize(np.repeat([int(code) for code in GESTURES], 4), LENGTH)
    return values


def write(path: Path, values: npt.NDArray[np.float64]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (" ".join("NaN" if np.isnan(value) else str(int(value)) for value in row) for row in values)
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("opportunity") / "OpportunityUCIDataset"
    for subject in range(1, 5):
        for run in RUNS:
            write(folder / "dataset" / f"S{subject}-{run}.dat", table(subject, run))
    (folder / "dataset" / "column_names.txt").write_text("Data columns:\nColumn: 1 MILLISEC\n")
    (folder / "scripts").mkdir()
    return folder


@pytest.fixture
def unpacked(original: Path, tmp_path: Path) -> Path:
    """As the original, whose files may be replaced."""
    (tmp_path / "dataset").mkdir()
    for path in (original / "dataset").iterdir():
        (tmp_path / "dataset" / path.name).symlink_to(path)
    return tmp_path


@pytest.mark.parametrize(("track", "column", "codes"), [("gestures", 249, GESTURES), ("locomotion", 243, LOCOMOTION)])
def test_every_file_is_a_recording_with_the_labels_asked_for(
    original: Path, track: str, column: int, codes: dict[str, str]
) -> None:
    data = Opportunity(str(original), track=track)  # type: ignore[arg-type]
    recordings = data.recordings()
    assert [recording.subject for recording in recordings] == [subject for subject in range(4) for _ in RUNS]
    for number, recording in enumerate(recordings):
        values = table(recording.subject + 1, RUNS[number % 2])
        np.testing.assert_array_equal(recording.x, values[:, AXES])
        assert [data.classes[label] for label in recording.y] == [codes[str(int(code))] for code in values[:, column]]


def test_tracks_are_different_data(original: Path) -> None:
    both = {Opportunity(str(original), track=track).fingerprint() for track in ("gestures", "locomotion")}
    assert len(both) == 2
    with refused(ValueError, "track='hands'", "gestures", "locomotion"):
        Opportunity(str(original), track="hands")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("start", "stop", "ends", "filled"), [(20, 40, [80], 20), (20, 60, [20, 20], 0), (30, 80, [30], 0)]
)
def test_lost_samples_are_filled_or_end_a_recording(
    unpacked: Path, start: int, stop: int, ends: list[int], filled: int
) -> None:
    values = table(2, "ADL1")
    values[start:stop, 37:50] = np.nan
    (unpacked / "dataset" / "S2-ADL1.dat").unlink()
    write(unpacked / "dataset" / "S2-ADL1.dat", values)
    found = [recording for recording in Opportunity(str(unpacked)).recordings() if "S2-ADL1" in recording.name]
    assert [len(recording.x) for recording in found] == ends
    assert sum(recording.filled for recording in found) == filled


@pytest.mark.parametrize("place", ["..", ".", "dataset"])
def test_the_folder_and_those_around_it_are_the_same_data(original: Path, place: str) -> None:
    data = Opportunity(str((original / place).resolve()))
    data.check()
    assert len(data.sources()) == 8


def test_a_wrong_folder_and_an_unknown_label_are_named(original: Path, unpacked: Path) -> None:
    with refused(DataMissingError, "Opportunity", "dataset", "data.dataset.root"):
        Opportunity(str(original / "scripts")).check()
    values = table(2, "Drill")
    values[7, 249] = 406599
    (unpacked / "dataset" / "S2-Drill.dat").unlink()
    write(unpacked / "dataset" / "S2-Drill.dat", values)
    with refused(DataError, "S2-Drill.dat", "row 8", 406599, "open door 1"):
        Opportunity(str(unpacked)).recordings()


def test_timestamps_that_go_back_are_named_and_can_be_left_unread(unpacked: Path) -> None:
    assert_time_can_be_left_unread(Opportunity, unpacked, unpacked / "dataset" / "S2-ADL1.dat")


@pytest.mark.parametrize(
    ("old", "new"), [("\n", "\r\n"), ("\n", " \n"), (" ", "  ")], ids=["crlf", "blank_at_the_end", "blanks"]
)
def test_line_ends_and_blanks_make_no_difference(unpacked: Path, old: str, new: str) -> None:
    path = unpacked / "dataset" / "S3-Drill.dat"
    text = path.read_text()
    path.unlink()
    path.write_bytes(text.replace(old, new).encode())
    recording = next(recording for recording in Opportunity(str(unpacked)).recordings() if recording.name == path.name)
    np.testing.assert_array_equal(recording.x, table(3, "Drill")[:, AXES])
