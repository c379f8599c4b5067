"""UCI HAR from tiny files as its archive unpacks them: windows are joined into recordings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from tests.refusal import refused

from qsense.data.errors import DataError, DataMissingError
from qsense.data.series.dataset import Recording
from qsense.data.series.module import HARDataModule
from qsense.data.series.uci_har import UCIHAR

TEST_SUBJECTS = (2, 4, 9, 10, 12, 13, 18, 20, 24)


class Stretch(NamedTuple):
    """A subject's uninterrupted samples, cut into windows of 128 that overlap by half, one label each."""

    subject: int
    x: npt.NDArray[np.float64]
    labels: list[int]


def stretches(subjects: list[int]) -> list[Stretch]:
    rng = np.random.default_rng(subjects[0])
    made = []
    for subject in subjects:
        for windows in (3, 1):
            x = rng.normal(size=(64 * (windows + 1), 3)).round(7)
            made.append(Stretch(subject, x, rng.integers(1, 7, windows).tolist()))
    return made


def write(folder: Path, part: str, content: list[Stretch]) -> None:
    signals = folder / part / "Inertial Signals"
    signals.mkdir(parents=True, exist_ok=True)
    windows = [
        stretch.x[64 * number : 64 * number + 128] for stretch in content for number in range(len(stretch.labels))
    ]
    for axis, name in enumerate("xyz"):
        lines = [" ".join(f"{value: .7e}" for value in window[:, axis]) for window in windows]
        for kind in ("total_acc", "body_acc"):
            (signals / f"{kind}_{name}_{part}.txt").write_text("".join(f" {line}\n" for line in lines))
    for kind, numbers in (
        ("subject", [stretch.subject for stretch in content for _ in stretch.labels]),
        ("y", [label for stretch in content for label in stretch.labels]),
    ):
        (folder / part / f"{kind}_{part}.txt").write_text("".join(f"{number}\n" for number in numbers))


TRAIN = stretches([subject for subject in range(1, 31) if subject not in TEST_SUBJECTS])
TEST = stretches(list(TEST_SUBJECTS))


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    folder = tmp_path / "UCI HAR Dataset"
    write(folder, "train", TRAIN)
    write(folder, "test", TEST)
    (tmp_path / "__MACOSX").mkdir()
    return folder


def test_windows_are_joined_where_they_continue(unpacked: Path) -> None:
    recordings = UCIHAR(str(unpacked)).recordings()
    assert [recording.subject + 1 for recording in recordings] == [stretch.subject for stretch in [*TRAIN, *TEST]]
    for recording, stretch in zip(recordings, [*TRAIN, *TEST], strict=True):
        np.testing.assert_array_equal(recording.x, stretch.x.astype(np.float32))
        labels = [stretch.labels[0] - 1, *(label - 1 for label in stretch.labels)]
        assert recording.y.tolist() == np.repeat(labels, 64).tolist()


def test_windows_of_128_are_those_that_were_published(unpacked: Path, tmp_path: Path) -> None:
    data = HARDataModule(
        UCIHAR(str(unpacked), split="official"), window=128, stride=64, normalise="none", cache=str(tmp_path / "cache")
    )
    data.prepare_data()
    data.setup()
    assert data.num_folds == 1
    for part, content in (("train", TRAIN), ("test", TEST)):
        windows = data.part(part).__getitems__(np.arange(len(data.part(part))))
        expected = [stretch.x[64 * n : 64 * n + 128] for stretch in content for n in range(len(stretch.labels))]
        np.testing.assert_array_equal(windows.x.numpy(), np.array(expected, dtype=np.float32))
        assert (windows.y + 1).tolist() == [label for stretch in content for label in stretch.labels]


def test_subjects_or_the_official_part_are_held_out(unpacked: Path) -> None:
    each, official = UCIHAR(str(unpacked)), UCIHAR(str(unpacked), split="official")
    assert (each.num_folds, official.num_folds) == (30, 1)
    assert each.fingerprint() != official.fingerprint()
    assert [recording.subject for recording in official.recordings()] == [1] * len(TRAIN) + [0] * len(TEST)
    with refused(ValueError, "split='random'", "subjects", "official"):
        UCIHAR(str(unpacked), split="random")  # type: ignore[arg-type]


@pytest.mark.parametrize("gap", ["subject", "sample"])
def test_no_recording_goes_on_over_a_gap(tmp_path: Path, gap: str) -> None:
    """The second window begins with the same samples but is another subject's, or one sample of it differs."""
    x = np.tile(np.arange(64.0)[:, None], (2, 3))  # both halves alike
    other = x.copy()
    other[5, 2] += 0 if gap == "subject" else 1e-6
    write(tmp_path, "train", [*TRAIN, Stretch(1, x, [1]), Stretch(3 if gap == "subject" else 1, other, [1])])
    write(tmp_path, "test", TEST)
    last = UCIHAR(str(tmp_path)).recordings()[len(TRAIN) : len(TRAIN) + 2]
    assert [len(recording.x) for recording in last] == [128, 128]


@pytest.mark.parametrize("place", ["..", ".", "train", "train/Inertial Signals"])
def test_the_folder_and_those_around_it_are_the_same_data(unpacked: Path, place: str) -> None:
    data = UCIHAR(str((unpacked / place).resolve()))
    data.check()
    assert len(data.sources()) == 10


def drop_row(name: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / name
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))

    return edit


def change_row(name: str, row: int, text: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / name
        lines = path.read_text().splitlines()
        lines[row - 1] = text
        path.write_text("\n".join(lines) + "\n")

    return edit


SIGNAL = "train/Inertial Signals/total_acc_y_train.txt"
LONG = " ".join(["1.0"] * 129)


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        (drop_row("train/y_train.txt"), ("y_train.txt", 83, 84)),
        (drop_row("train/subject_train.txt"), ("subject_train.txt", 83, 84)),
        (drop_row(SIGNAL), (SIGNAL.rsplit("/", 1)[-1], 83, 84)),
        (change_row("train/y_train.txt", 5, "7"), ("y_train.txt", "row 5", 7)),
        (change_row("train/subject_train.txt", 5, "31"), ("subject_train.txt", "row 5", 31)),
        (change_row("train/subject_train.txt", 5, "one"), ("subject_train.txt", "one")),
        (change_row(SIGNAL, 4, "1.0 2.0"), (SIGNAL.rsplit("/", 1)[-1], "row 4", 128)),
        (change_row(SIGNAL, 4, LONG), (SIGNAL.rsplit("/", 1)[-1], 128, 129)),
        (change_row(SIGNAL, 1, LONG), (SIGNAL.rsplit("/", 1)[-1], 128)),
    ],
)
def test_what_does_not_fit_is_named(unpacked: Path, edit: Callable[[Path], None], named: tuple[object, ...]) -> None:
    edit(unpacked)
    with refused(DataError, *named):
        UCIHAR(str(unpacked)).recordings()


def test_features_alone_and_a_missing_subject_are_named(unpacked: Path, tmp_path: Path) -> None:
    write(unpacked, "test", [stretch for stretch in TEST if stretch.subject != 13])
    with refused(DataError, "subject 13"):
        UCIHAR(str(unpacked)).recordings()
    (unpacked / "test" / "Inertial Signals" / "total_acc_z_test.txt").unlink()
    with refused(DataMissingError, "total_acc_z_test.txt", "data.dataset.download=true"):
        UCIHAR(str(unpacked)).check()
    (tmp_path / "kaggle").mkdir()
    (tmp_path / "kaggle" / "train.csv").write_text("tBodyAcc-mean()-X,subject,Activity\n")
    with refused(DataMissingError, "total_acc_x_train.txt", "train.csv", "data.dataset.root"):
        UCIHAR(str(tmp_path / "kaggle")).check()


def test_a_recording_keeps_its_place_in_its_name(unpacked: Path) -> None:
    recording: Recording = UCIHAR(str(unpacked)).recordings()[2]
    assert recording.name == "train, windows 5 to 7"
