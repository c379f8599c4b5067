"""What is found in the layouts of phones' apps, loggers and spreadsheets, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.data.series.discover import exports
from tests.refusal import assert_names, refused

from qsense.data.errors import DataError
from qsense.data.findings import GUESS, report
from qsense.data.series.csv_har import CSVActivityDataset
from qsense.data.series.discover.find import find
from qsense.data.series.discover.finding import Finding

ACTIVITIES = ("walking", "sitting", "running")


def phyphox(root: Path, **form: Any) -> None:
    for activity in ACTIVITIES:
        for number in (1, 2):
            exports.phyphox(
                root / f"{activity}_{number}" / "Raw Data.csv", exports.motion(activity, seed=number), **form
            )


def phyphox_german(root: Path) -> None:
    phyphox(root, delimiter=";", decimal=",")


def phyphox_utf16(root: Path) -> None:
    phyphox(root, delimiter="\t", encoding="utf-16")


def sensor_logger(root: Path) -> None:
    for activity in ACTIVITIES:
        for day in (1, 2):
            folder = root / f"{activity}-2026-03-0{day}_10-15-30"
            exports.sensor_logger(folder, exports.motion(activity, rate=100, seed=day), jitter=0.3)


def accelerometer_logger(root: Path) -> None:
    for activity in ACTIVITIES:
        exports.accelerometer_logger(root / f"{activity}.txt", exports.motion(activity, seconds=20))


def androsensor(root: Path) -> None:
    for number, person in enumerate(("anna", "ben")):
        for activity in ACTIVITIES:
            exports.androsensor(root / f"{person}_{activity}.csv", exports.motion(activity, seed=number))


def physics_toolbox(root: Path) -> None:
    for number in (1, 2):
        for activity in ACTIVITIES:
            exports.physics_toolbox(
                root / f"P{number:02d} {activity} upstairs.csv", exports.motion(activity, seed=number)
            )


def spreadsheet(root: Path) -> None:
    exports.spreadsheet(root / "alle.csv", ["A", "B"], ACTIVITIES)


def spreadsheet_utf16(root: Path) -> None:
    exports.spreadsheet(root / "alle.csv", ["A", "B"], ACTIVITIES, encoding="utf-16")


def counts(root: Path) -> None:
    for number in range(2):
        exports.counts(root / f"P{number:02d}.txt", ACTIVITIES, seed=number)


XYZ = ["x", "y", "z"]
ACCELERATION = [f"Acceleration {axis} (m/s^2)" for axis in XYZ]


@pytest.mark.parametrize(
    ("write", "expected", "folds"),
    [
        (phyphox, {"files": "{label}_{subject}/Raw Data.csv", "unit": "m/s²", "rate_hz": 50, "time": "Time (s)",
                   "axes": ACCELERATION, "labels": sorted(ACTIVITIES)}, 2),
        (phyphox_german, {"files": "{label}_{subject}/Raw Data.csv", "unit": "m/s²", "rate_hz": 50}, 2),
        (phyphox_utf16, {"files": "{label}_{subject}/Raw Data.csv", "unit": "m/s²", "rate_hz": 50}, 2),
        (sensor_logger, {"files": "{label}-*/TotalAcceleration.csv", "unit": "m/s²", "rate_hz": 100, "axes": XYZ,
                         "blocks": 5}, 5),
        (accelerometer_logger, {"files": "{label}.txt", "unit": "m/s²", "time_format": "ms", "blocks": 5,
                                "axes": [f"{axis}-axis[m/s^2]" for axis in XYZ]}, 5),
        (androsensor, {"files": "{subject}_{label}.csv", "unit": "m/s²", "time": "Time since start in ms",
                       "axes": [f"ACCELEROMETER {axis} (m/s²)" for axis in "XYZ"]}, 2),
        (physics_toolbox, {"files": "P{subject} {label} upstairs.csv", "unit": "g", "rate_hz": 50,
                           "axes": ["gFx", "gFy", "gFz"]}, 2),
        (spreadsheet, {"files": "alle.csv", "unit": "g", "subject": "Proband", "label": "Aktivität", "time": "Zeit",
                       "rate_hz": 50}, 2),
        (spreadsheet_utf16, {"files": "alle.csv", "subject": "Proband", "label": "Aktivität"}, 2),
        (counts, {"files": "P{subject}.txt", "unit": "counts", "time": 1, "axes": [2, 3, 4], "label": 5,
                  "labels": ["0", "1", "2"], "rate_hz": 50}, 2),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)  # fmt: skip
def test_exports_are_understood(
    tmp_path: Path, write: Callable[[Path], None], expected: dict[str, Any], folds: int
) -> None:
    write(tmp_path)
    found = find([str(tmp_path)], {})
    assert found.problems == []
    arguments = found.arguments | {"axes": list(found.arguments["axes"].values())}
    assert {key: arguments.get(key) for key in expected} == expected
    dataset = CSVActivityDataset(name="it", **{"subjects": None, **found.arguments})
    recordings = dataset.recordings()
    assert dataset.num_folds == folds
    assert {recording.subject for recording in recordings} == set(range(folds))
    x = np.concatenate([recording.x for recording in recordings])
    assert np.median(x[:, 2]) == pytest.approx(
        {"g": 1, "m/s²": 9.81, "counts": 4096}[found.arguments["unit"]], rel=0.05
    )


def test_a_report_fits_80_columns_and_marks_guesses(tmp_path: Path) -> None:
    sensor_logger(tmp_path)
    lines = report(find([str(tmp_path)], {})).splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("subjects   ?") for line in lines)
    assert any(line.startswith("left out") for line in lines)


def table(path: Path, rows: int = 300, head: str = "time,x,y,z,label,subject", **changes: str) -> Path:
    """A common table of two subjects and two classes at 50 Hz; of changes, a column's text in all rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    names = head.split(",")
    lines = [head]
    for row in range(rows):
        cells = {
            "time": f"{row * 0.02:.2f}", "x": f"{row % 7 / 70:.4f}", "y": "0.1", "z": f"{1 + row % 3 / 50:.4f}",
            "label": "walk" if row % 150 < 75 else "sit", "subject": "AB"[row >= rows // 2],
        }  # fmt: skip
        lines.append(",".join((cells | changes)[name] for name in names))
    path.write_text("\n".join(lines) + "\n")
    return path


def problems(found: Finding) -> str:
    assert found.problems
    assert all("\n" not in problem for problem in found.problems)
    return "\n".join(found.problems)


@pytest.mark.parametrize(
    ("head", "tokens"),
    [
        ("time,x,y,z", ["--label", "--files"]),
        ("x,y,z,label,subject", ["--rate"]),
        ("time,label,subject", ["--axes"]),
    ],
)
def test_what_is_not_there_is_a_problem(tmp_path: Path, head: str, tokens: list[str]) -> None:
    assert_names(problems(find([str(table(tmp_path / "a.csv", head=head))], {})), *tokens)


def test_one_class_alone_is_a_problem(tmp_path: Path) -> None:
    assert_names(problems(find([str(table(tmp_path / "a.csv", label="walk"))], {})), "walk", "--label")


def test_a_column_that_never_changes_is_no_label(tmp_path: Path) -> None:
    """Without a head, time, class, a constant and three axes: the class is the column that changes."""
    rows = [
        f"{row / 50:.2f} {row // 100} 7 {row % 7 / 70:.4f} 0.{row % 3}1 {1 + row % 3 / 50:.4f}" for row in range(300)
    ]
    (tmp_path / "a.txt").write_text("\n".join(rows) + "\n")
    assert find([str(tmp_path / "a.txt")], {}).arguments["label"] == 2


def test_what_is_stated_counts(tmp_path: Path) -> None:
    given = {"rate_hz": 25.0, "unit": "m/s²", "range": [-8.0, 8.0], "blocks": 3, "subject": False, "time": False}
    found = find([str(table(tmp_path / "a.csv"))], given)
    assert found.problems == []
    assert {key: found.arguments[key] for key in given} == given


def test_files_of_another_kind_that_the_pattern_matches_are_named(tmp_path: Path) -> None:
    for name in ("walk_1", "sit_1", "walk_2", "sit_2"):
        table(tmp_path / f"{name}.csv", head="time,x,y,z")
    table(tmp_path / "notes_2.csv", head="time,z,label")
    assert_names(problems(find([str(tmp_path)], {})), "{label}_{subject}.csv", "notes_2.csv", "--files")


def test_a_large_file_is_sampled_and_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in (("LARGE", 1 << 14), ("HEAD", 1 << 13), ("END", 1 << 12)):
        monkeypatch.setattr(f"qsense.data.series.discover.glance.{name}", size)
    monkeypatch.setattr("qsense.data.series.discover.trial.MOST_READ", 1000)
    found = find([str(table(tmp_path / "a.csv", rows=3000))], {})
    assert found.problems == []
    assert found.arguments["rate_hz"] == 50
    assert {line.mark for line in found.lines if line.topic in ("sampled", "trial", "labels")} == {GUESS}


@pytest.mark.parametrize(
    ("files", "tokens"),
    [
        ({"a.csv": b""}, ["a.csv", "empty"]),
        ({"a.csv": bytes(range(256)) * 20}, ["a.csv"]),
        ({"a.csv": b"a letter\nto you\n" * 9}, ["a.csv"]),
        ({"a.zip": b"PK\x03\x04"}, ["a.zip"]),
        ({"a.xlsx": b"PK\x03\x04"}, ["a.xlsx", "CSV"]),
        ({"a/1.jpg": b"", "b/2.jpg": b""}, ["data=folder", "data=coco_raw"]),
        ({"1.NEF": b""}, ["data=raw_coco"]),
        ({"a.md": b"#"}, [".csv"]),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused_in_one_line(tmp_path: Path, files: dict[str, bytes], tokens: list[str]) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    with refused(DataError, *tokens) as caught:
        find([str(tmp_path)], {})
    assert "\n" not in str(caught.value)


def test_a_name_that_nothing_has_is_refused(tmp_path: Path) -> None:
    with refused(FileNotFoundError, "/nowhere/*.csv"):
        find(["/nowhere/*.csv"], {})
    (tmp_path / "photos").mkdir()
    with refused(FileNotFoundError, tmp_path / "photo", "photos"):
        find([str(tmp_path / "photo")], {})


def test_the_same_under_other_heads_is_said(tmp_path: Path) -> None:
    phyphox(tmp_path)
    for activity in ACTIVITIES:
        exports.physics_toolbox(tmp_path / f"ben_{activity}.csv", exports.motion(activity))
    found = find([str(tmp_path)], {})
    assert [line.mark for line in found.lines if line.topic == "left out"] == [GUESS]
    assert "3 of them" in report(found)
    (other := tmp_path / "other").mkdir()
    sensor_logger(other)
    beside = find([str(other)], {})
    assert GUESS not in [line.mark for line in beside.lines if line.topic == "left out"], "other sensors"


def test_a_file_that_is_no_such_table_is_a_problem_once(tmp_path: Path) -> None:
    androsensor(tmp_path)
    (tmp_path / "ben_walking.csv").write_text("")
    broken = tmp_path / "anna_walking.csv"
    broken.write_text(f"{broken.read_text().rstrip()}\n1;2\n")
    found = find([str(tmp_path)], {})
    assert len([problem for problem in found.problems if "anna_walking.csv" in problem]) == 1
    assert len([problem for problem in found.problems if "ben_walking.csv" in problem]) == 1


def test_copies_that_a_phone_numbers_are_of_the_same_class(tmp_path: Path) -> None:
    for activity in ACTIVITIES:
        for copy in ("", " (1)"):
            exports.physics_toolbox(tmp_path / f"anna_{activity}{copy}.csv", exports.motion(activity))
    assert find([str(tmp_path)], {}).arguments["labels"] == sorted(ACTIVITIES)
