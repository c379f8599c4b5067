"""The common CSV layout: what is read, and what is said about a file that cannot be."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.refusal import refused

from qsense.data.errors import DataError, DataMissingError
from qsense.data.series.csv_har import CSVActivityDataset

Change = Callable[[Callable[[list[str]], None]], None]
LABELS = ["NULL", "walk", "run"]


def dataset(
    bundle: Path, axes: int | list[str] = 2, labels: list[str] = LABELS, rate_hz: float = 50.0, subjects: int = 3
) -> CSVActivityDataset:
    return CSVActivityDataset(str(bundle), "Fake", axes, labels, rate_hz, subjects, "g")


def field(row: int, column: int, value: str) -> Callable[[list[str]], None]:
    """Replace a field; rows count from 1, the header is row 1."""

    def edit(lines: list[str]) -> None:
        fields = lines[row - 1].split(",")
        fields[column] = value
        lines[row - 1] = ",".join(fields)

    return edit


def rename(old: str, new: str) -> Callable[[list[str]], None]:
    def edit(lines: list[str]) -> None:
        lines[0] = lines[0].replace(old, new)

    return edit


@pytest.mark.parametrize("axes", [2, ["acc_x", "acc_y"]])
def test_recordings_are_what_was_written(bundle: Path, axes: int | list[str]) -> None:
    data = dataset(bundle, axes)
    data.check()
    recordings = data.recordings()
    assert [recording.subject for recording in recordings] == [0, 1, 2]
    rng = np.random.default_rng(1)
    for recording in recordings:
        assert recording.x.dtype == np.float32
        assert recording.x.shape == (120, 2)
        np.testing.assert_array_equal(recording.x, (rng.integers(-1440, 1440, (120, 2)) / 720).astype(np.float32))
        assert recording.y.tolist() == [0] * 40 + [1] * 40 + [2] * 40
        assert recording.filled == 0


def test_null_may_be_written_null_or_left_empty(bundle: Path, csv_file: Change) -> None:
    csv_file(field(2, 3, ""))
    csv_file(field(3, 3, "NULL"))
    assert dataset(bundle).recordings()[1].y[:3].tolist() == [0, 0, 0]


def test_numbers_may_be_labels(bundle: Path, csv_file: Change) -> None:
    for subject in range(3):
        path = bundle / "raw" / "inertial" / f"sbj_{subject}.csv"
        path.write_text(path.read_text().replace("walk", "1").replace("run", "2"))
    (bundle / "annotations" / "loso_sbj_0.json").unlink()
    data = CSVActivityDataset(str(bundle), "Fake", 2, [None, 1, 2], 50.0, 3, "g")  # type: ignore[list-item]
    assert data.classes == ("NULL", "1", "2")
    assert np.bincount(data.recordings()[1].y).tolist() == [40, 40, 40]


def test_windows_line_ends_and_empty_lines_at_the_end_do_not_matter(bundle: Path) -> None:
    before = dataset(bundle).recordings()[1]
    path = bundle / "raw" / "inertial" / "sbj_1.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n\r\n")
    after = dataset(bundle).recordings()[1]
    np.testing.assert_array_equal(before.x, after.x)
    np.testing.assert_array_equal(before.y, after.y)


def test_short_gaps_are_filled_and_counted(bundle: Path, csv_file: Change) -> None:
    csv_file(field(3, 1, ""))
    csv_file(field(4, 1, "NaN"))
    recording = dataset(bundle).recordings()[1]
    assert recording.filled == 2
    np.testing.assert_allclose(np.diff(recording.x[:4, 0], n=2), 0, atol=1e-6)


def test_a_long_gap_ends_a_recording(bundle: Path, csv_file: Change) -> None:
    whole = dataset(bundle).recordings()[1]
    for row in range(10, 61):
        csv_file(field(row, 2, ""))
    before, after = dataset(bundle).recordings()[1:3]
    assert (before.subject, after.subject) == (1, 1)
    assert (len(before.x), before.lost, len(after.x), after.lost, after.filled) == (8, 0, 61, 51, 0)
    np.testing.assert_array_equal(after.x, whole.x[59:])
    np.testing.assert_array_equal(after.y, whole.y[59:])


def test_an_axis_without_values_is_refused(bundle: Path, csv_file: Change) -> None:
    for row in range(2, 122):
        csv_file(field(row, 2, ""))
    with refused(DataError, "subject 1", "sbj_1.csv", "rows 2 to 121", "acc_y", "2.40 s", "1 s"):
        dataset(bundle).recordings()


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        (field(7, 1, "1,5"), ("row 7", 5, 4)),
        (field(7, 2, "abc"), ("row 7", "acc_y", "'abc'")),
        (field(7, 2, "inf"), ("row 7", "acc_y", "infinite")),
        (field(9, 3, "fly"), ("row 9", "'fly'", "Fake", "NULL, walk, run")),
        (field(9, 0, "2"), ("row 9", "sbj_id", 2, "subject 1")),
        (field(9, 0, "x"), ("row 9", "sbj_id", "'x'")),
        (rename("acc_y", "gyr_y"), ("row 1", "acc_y", "'sbj_id,acc_x,gyr_y,label'")),
        (rename("label", "mark"), ("row 1", "label", "'sbj_id,acc_x,acc_y,mark'")),
        (lambda lines: lines.__setitem__(4, lines[4].rsplit(",", 1)[0]), ("row 5", 3, 4)),
        (lambda lines: lines.insert(6, ""), ("row 7", 0, 4)),
        (lambda lines: lines.__delitem__(slice(1, None)), ("samples",)),
        (lambda lines: lines.__delitem__(slice(60, None)), (59, "50 Hz", "1.2 s", "2.4 s", "24.6 Hz")),
    ],
)
def test_bad_files_are_named_with_their_row(
    bundle: Path, csv_file: Change, edit: Callable[[list[str]], None], named: tuple[object, ...]
) -> None:
    csv_file(edit)
    with refused(DataError, "sbj_1.csv", *named):
        dataset(bundle, ["acc_x", "acc_y"]).recordings()


@pytest.mark.parametrize("cut", range(1, 30))
def test_a_file_cut_off_anywhere_in_its_last_row_is_refused(bundle: Path, cut: int) -> None:
    path = bundle / "raw" / "inertial" / "sbj_1.csv"
    raw = path.read_bytes()
    last = len(raw[:-1].rsplit(b"\n", 1)[1]) + 1
    path.write_bytes(raw[:-cut])
    if cut in (1, last):  # only the newline, or the whole row: nothing shows it
        assert len(dataset(bundle).recordings()[1].x) == 120 - (cut == last)
    elif cut < last:
        with refused(DataError, "sbj_1.csv", "row 121"):
            dataset(bundle).recordings()


def test_an_empty_file_is_refused(bundle: Path) -> None:
    (bundle / "raw" / "inertial" / "sbj_1.csv").write_bytes(b"")
    with refused(DataError, "sbj_1.csv", "row 1", "label", "''"):
        dataset(bundle).recordings()


def test_without_names_the_number_of_axes_is_checked(bundle: Path) -> None:
    with refused(DataError, "sbj_0.csv", "row 1", 3, "acc_x, acc_y", "label", "'sbj_id,acc_x,acc_y,label'"):
        dataset(bundle, 3).recordings()


def test_axes_must_be_the_same_in_all_files(bundle: Path, csv_file: Change) -> None:
    csv_file(rename("acc_x,acc_y", "acc_y,acc_x"))
    with refused(DataError, "sbj_1.csv", "acc_y, acc_x", "acc_x, acc_y"):
        dataset(bundle).recordings()


def test_a_data_set_without_null_refuses_unlabelled_samples(bundle: Path) -> None:
    with refused(DataError, "sbj_0.csv", "row 2", "label", "Fake", "walk, run"):
        dataset(bundle, labels=["walk", "run"]).recordings()


def with_time(time: npt.NDArray[np.floating[Any]] | list[str]) -> Callable[[list[str]], None]:
    def edit(lines: list[str]) -> None:
        for row, value in enumerate(["timestamp", *time]):
            first, rest = lines[row].split(",", 1)
            lines[row] = f"{first},{value},{rest}"

    return edit


STEPS = np.arange(120)


@pytest.mark.parametrize("unit", [1, 1e3, 1e6, 1e9])
def test_timestamps_of_any_unit_are_accepted(bundle: Path, csv_file: Change, unit: float) -> None:
    csv_file(with_time(1000 * unit + STEPS * 0.02 * unit))
    assert dataset(bundle).recordings()[1].x.shape == (120, 2)


def test_dates_are_accepted(bundle: Path, csv_file: Change) -> None:
    csv_file(with_time([f"2026-01-01T00:00:{step * 0.02:09.6f}" for step in STEPS]))
    assert dataset(bundle).recordings()[1].x.shape == (120, 2)


@pytest.mark.parametrize(
    ("time", "named"),
    [
        (STEPS * 0.01, ("100 Hz", "data.dataset.rate_hz", 50)),
        (STEPS * 25.0, ("40 Hz", "data.dataset.rate_hz", 50)),
        (np.where(STEPS < 60, STEPS, STEPS - 30) * 0.02, ("row 62", "timestamp")),
        (["yesterday"] * 120, ("row 2", "timestamp", "'yesterday'")),
    ],
)
def test_wrong_timestamps_are_refused(
    bundle: Path, csv_file: Change, time: npt.NDArray[np.float64] | list[str], named: tuple[object, ...]
) -> None:
    csv_file(with_time(time))
    for ask in (dataset(bundle).recordings, dataset(bundle).fingerprint):  # which is asked first
        with refused(DataError, "sbj_1.csv", *named):
            ask()


def test_annotations_must_name_the_same_classes(bundle: Path) -> None:
    with refused(DataError, "loso_sbj_0.json", "label_dict", "Fake", "run", "hop"):
        dataset(bundle, labels=["NULL", "walk", "hop"]).recordings()


def test_incomplete_annotations_are_refused(bundle: Path) -> None:
    path = bundle / "annotations" / "loso_sbj_0.json"
    path.write_text(path.read_text()[:-20])
    with refused(DataError, path):
        dataset(bundle).recordings()
    path.write_text(json.dumps([]))
    with refused(DataError, path):
        dataset(bundle).recordings()


def test_annotations_are_optional(bundle: Path) -> None:
    (bundle / "annotations" / "loso_sbj_0.json").unlink()
    assert len(dataset(bundle).recordings()) == 3


def test_missing_data_says_where_and_how(tmp_path: Path) -> None:
    data = CSVActivityDataset(str(tmp_path / "no"), "Fake", 2, LABELS, 50.0, 3, "g", url="http://localhost/fake.zip")
    for ask in (data.check, data.sources, data.recordings, data.fingerprint):
        with refused(
            DataMissingError,
            *("Fake", tmp_path / "no", "http://localhost/fake.zip"),
            *("data.dataset.download=true", "data.dataset.root=FOLDER", "QSENSE_DATA=FOLDER"),
        ):
            ask()


def fetching(root: Path, url: str, sha256: str | None = None) -> CSVActivityDataset:
    return CSVActivityDataset(str(root), "Fake", 2, LABELS, 50.0, 3, "g", url=url, download=True, sha256=sha256)


def test_a_damaged_archive_does_not_stand_in_the_way_of_a_good_one(bundle: Path, tmp_path: Path) -> None:
    good = Path(shutil.make_archive(str(tmp_path / "good"), "zip", bundle))
    bad = tmp_path / "bad.zip"
    bad.write_bytes(good.read_bytes()[:-40])
    root = tmp_path / "here" / "fake"
    with refused(DataError, root.with_name("fake.zip"), "fake.zip.bad"):
        fetching(root, bad.as_uri()).recordings()
    assert len(fetching(root, good.as_uri()).recordings()) == 3


def test_an_archive_in_place_must_match_its_pin_before_it_is_unpacked(bundle: Path, tmp_path: Path) -> None:
    archive = Path(shutil.make_archive(str(tmp_path / "fake"), "zip", bundle))
    seen = hashlib.sha256(archive.read_bytes()).hexdigest()
    wrong = fetching(tmp_path / "fake", "http://127.0.0.1:1/nowhere", "00")
    for ask in (wrong.check, wrong.recordings):
        with refused(DataError, archive, "SHA-256", seen, "00", "data.dataset.sha256"):
            ask()
    assert len(fetching(tmp_path / "fake", "http://127.0.0.1:1/nowhere", seen).recordings()) == 3
    wrong.check()  # what is unpacked is not compared with it


def test_a_missing_subject_is_named(bundle: Path) -> None:
    (bundle / "raw" / "inertial" / "sbj_2.csv").unlink()
    with refused(DataMissingError, "Fake", "sbj_2.csv", "1 of 3"):
        dataset(bundle).check()
    assert len(dataset(bundle, subjects=2).recordings()) == 2  # the annotations may know more subjects
