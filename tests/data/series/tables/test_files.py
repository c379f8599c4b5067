"""The published sets as people have them on disk: folders between, capitals, unpacked into themselves, left-overs."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from tests.refusal import refused

from qsense.data.errors import DataError, DataMissingError
from qsense.data.series.csv_har import CSVActivityDataset
from qsense.data.series.csv_recordings import CSVRecordings
from qsense.data.series.hangtime import HangTime
from qsense.data.series.rwhar import RWHAR
from qsense.data.series.sbhar import SBHAR
from qsense.data.series.tables.columns import Wanted
from qsense.data.series.tables.format import TableFormat
from qsense.data.series.wear import WEAR
from qsense.data.series.wetlab import Wetlab


def put(folder: Path, cls: type[CSVRecordings], name: str = "sbj_{}.csv") -> None:
    folder.mkdir(parents=True)
    for subject in range(cls.num_subjects):
        values = ["0.1"] * len(cls.axes)
        rows = [["sbj_id", *cls.axes, "label"], [str(subject), *values, cls.classes[1]]]
        (folder / name.format(subject)).write_text("".join(",".join(row) + "\n" for row in rows))


@pytest.mark.parametrize(
    ("cls", "folder", "name"),
    [
        (WEAR, "raw/inertial/50hz", "sbj_{}.csv"),  # as on its own server
        (WEAR, "wear/raw/inertial", "sbj_{}.csv"),
        (RWHAR, "rwhar/rwhar/raw/inertial", "sbj_{}.csv"),
        (Wetlab, "Raw/Inertial", "sbj_{}.csv"),
        (HangTime, "raw/inertial", "SBJ_{}.CSV"),
        (SBHAR, "inertial", "Sbj_{}.csv"),
        (WEAR, ".", "sbj_{}.csv"),
    ],
)
def test_files_are_found_where_people_have_them(
    cls: type[CSVRecordings], folder: str, name: str, tmp_path: Path
) -> None:
    put(tmp_path / "data" / folder, cls, name)
    for left_over in ("__MACOSX/raw/inertial", ".Trash"):
        (tmp_path / "data" / left_over).mkdir(parents=True)
        (tmp_path / "data" / left_over / "sbj_0.csv").write_bytes(b"\0")
    found = next(path for path in (tmp_path / "data" / folder).iterdir() if "0" in path.name)
    found.with_name(f"._{found.name}").write_bytes(b"\0\5\26\7")
    data = cls(str(tmp_path / "data"))
    data.check()
    assert [recording.subject for recording in data.recordings()] == list(range(cls.num_subjects))
    put(tmp_path / "plain" / "raw" / "inertial", cls)
    if name == "sbj_{}.csv":
        assert data.fingerprint() == cls(str(tmp_path / "plain")).fingerprint()


def test_of_several_folders_the_one_of_the_rate_is_meant(tmp_path: Path) -> None:
    for folder in ("50hz", "200hz"):
        put(tmp_path / "raw" / "inertial" / folder, WEAR)
    assert {path.parent.name for path in WEAR(str(tmp_path)).sources()} == {"50hz"}
    shutil.move(tmp_path / "raw" / "inertial" / "50hz", tmp_path / "raw" / "inertial" / "other")
    with refused(DataError, tmp_path, "raw/inertial/other", "raw/inertial/200hz", "data.dataset.root"):
        WEAR(str(tmp_path)).check()


def test_the_common_place_counts_first(tmp_path: Path) -> None:
    put(tmp_path / "raw" / "inertial" / "50hz", WEAR)
    shutil.copytree(tmp_path / "raw" / "inertial" / "50hz", tmp_path / "copy")
    for path in (tmp_path / "copy").iterdir():
        shutil.copy(path, tmp_path / "raw" / "inertial")
    assert {path.parent.name for path in WEAR(str(tmp_path)).sources()} == {"inertial"}


@pytest.mark.parametrize(
    ("names", "named"),
    [
        (("raw/inertial/subject0.csv",), ("raw/inertial", "subject0.csv")),
        (("deep/er/walk.csv", "deep/er/run.csv"), ("deep/er", "2 files", "run.csv, walk.csv")),
        (("video.mp4",), ("video.mp4",)),
        ((), ("empty",)),
    ],
)
def test_what_is_there_instead_is_said(names: Sequence[str], named: tuple[str, ...], tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with refused(DataMissingError, "WEAR", tmp_path, *named):
        WEAR(str(tmp_path)).check()


@pytest.mark.parametrize("wrapped", ["HAPT Data Set", "hapt/HAPT Data Set", "download"])
def test_the_original_of_sbhar_is_found_in_folders(
    wrapped: str, tmp_path: Path, fake_experiments: Any, sbhar_writer: Callable[..., Path]
) -> None:
    sbhar_writer(tmp_path / wrapped, fake_experiments)
    (tmp_path / "._hapt.zip").write_bytes(b"\0")
    assert len(SBHAR(str(tmp_path)).recordings()) == len(fake_experiments)


def test_all_subjects_of_the_common_layout_are_found(bundle: Path) -> None:
    data = CSVActivityDataset(str(bundle), "Fake", 2, ["NULL", "walk", "run"], 50.0, None, "g")
    stated = CSVActivityDataset(str(bundle), "Fake", 2, ["NULL", "walk", "run"], 50.0, 3, "g")
    data.check()
    assert data.num_folds == 3
    assert data.fingerprint() == stated.fingerprint()
    (bundle / "raw" / "inertial" / "sbj_1.csv").unlink()
    with refused(DataMissingError, "sbj_1.csv"):
        CSVActivityDataset(str(bundle), "Fake", 2, ["NULL", "walk", "run"], 50.0, None, "g").check()


class Facts(CSVRecordings):
    """A published set of tables of its own kind: no code but its facts."""

    name = "Facts"
    classes = ("NULL", "lying", "walking")
    axes = ("x", "y", "z")
    rate_hz = 100.0
    unit = "m/s²"
    num_subjects = 2
    files = "Protocol/subject{subject}.dat"
    wanted = Wanted(axes=(4, 5, 6), time=1, label=2)
    codes = MappingProxyType({"0": "NULL", "1": "lying", "4": "walking"})
    form = TableFormat(delimiter="space", header=0)


@pytest.mark.parametrize("pattern", ["Protocol/subject{subject}.dat", "subject{subject}.dat", "*/subject{subject}.dat"])
def test_a_published_set_of_tables_is_its_facts_alone(
    pattern: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "server" / "Set" / "Protocol"
    folder.mkdir(parents=True)
    for subject in (101, 102, 103):
        rows = [f"{0.01 * row:.2f} {(0, 1, 4)[row // 20]} NaN {row}.5 NaN 1.5" for row in range(60)]
        rows = [row.replace("NaN 1.5", f"{subject} 1.5") if number != 7 else row for number, row in enumerate(rows)]
        (folder / f"subject{subject}.dat").write_text("\n".join(rows) + "\n")
    inside = tmp_path / "server" / "Set" if pattern.startswith("Protocol") else folder.parent
    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", folder if pattern[0] == "s" else inside.parent)
    monkeypatch.setattr(Facts, "url", Path(archive).as_uri())
    monkeypatch.setattr(Facts, "files", pattern)
    with refused(DataMissingError, "Facts", pattern, "data.dataset.download=true"):
        Facts(str(tmp_path / "got")).check()
    data = Facts(str(tmp_path / "got"), download=True)
    data.check()
    first, second = data.recordings()
    assert (first.subject, second.subject, data.num_folds) == (0, 1, 2)
    assert first.x[:, 0].tolist() == [row + 0.5 for row in range(60)]
    assert set(second.x[:, 1].tolist()) == {102.0}
    assert (first.filled, np.bincount(first.y).tolist()) == (1, [20, 20, 20])
    assert [path.name for path in data.sources()] == [f"subject{subject}.dat" for subject in (101, 102)]


@pytest.mark.parametrize(("there", "error", "named"), [
    (0, DataMissingError, ("sbj_0.csv", "data.dataset.files")),
    (1, DataError, ("data.dataset.subject", "data.dataset.files")),
])  # fmt: skip
def test_fewer_than_two_subjects_are_told_at_once(
    there: int, error: type[Exception], named: tuple[str, ...], bundle: Path
) -> None:
    for subject in range(there, 3):
        (bundle / "raw" / "inertial" / f"sbj_{subject}.csv").unlink()
    with refused(error, "Fake", *named):
        CSVActivityDataset(str(bundle), "Fake", 2, ["NULL", "walk", "run"], 50.0, None, "g").check()


def test_what_is_not_there_yet_cannot_be_counted() -> None:
    with refused(ValueError, "subjects=null", "download=true"):
        CSVActivityDataset("x", "F", 2, ["a", "b"], 50.0, None, "g", url="file:///x.zip", download=True)
