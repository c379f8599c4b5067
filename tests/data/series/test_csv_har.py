"""Facts of an activity data set given as arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.refusal import refused

from qsense.data.errors import DataError
from qsense.data.series.csv_har import CSVActivityDataset
from qsense.runs.settings import decisive

LABELS = ["NULL", "walk", "run"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"axes": 0}, ("axes=0", 1)),
        ({"axes": []}, ("axes=[]", 1)),
        ({"axes": "acc_x"}, ("axes", "labels", "labels=[NULL,walking]", "'acc_x'")),
        ({"labels": ["a", "a"]}, ("labels=['a', 'a']",)),
        ({"labels": ["a"]}, ("labels=['a']",)),
        ({"labels": ["a", "NULL"]}, ("labels=['a', 'NULL']", "NULL")),
        ({"labels": ["a", None]}, ("labels=['a', 'NULL']", "NULL")),
        ({"labels": [None, True]}, ("labels=[None, True]", "YAML", "true", "false")),
        ({"labels": None}, ("labels=[NULL,walking]", None)),
        ({"labels": 5}, ("labels=[NULL,walking]", 5)),
        ({"axes": 1.5}, ("axes", 1.5)),
        ({"rate_hz": 0.0}, ("rate_hz=0.0",)),
        ({"rate_hz": float("inf")}, ("rate_hz=inf",)),
        ({"subjects": 1}, ("subjects=1", 2)),
        ({"range": [1.0, 1.0]}, ("range=[1.0, 1.0]", "[low,high]")),
        ({"range": [1.0]}, ("range=[1.0]", "[low,high]")),
    ],
)
def test_arguments_are_checked(arguments: dict[str, object], named: tuple[object, ...]) -> None:
    usual: dict[str, object] = {
        "root": "x", "name": "Fake", "axes": 2, "labels": LABELS, "rate_hz": 50.0, "subjects": 3, "unit": "g",
    }  # fmt: skip
    with refused(ValueError, *named):
        CSVActivityDataset(**{**usual, **arguments})  # type: ignore[arg-type]


def test_the_order_of_a_mapping_does_not_count() -> None:
    def made(axes: dict[str, int], labels: dict[str, str | None]) -> CSVActivityDataset:
        return CSVActivityDataset("x", "Fake", axes, labels, 50.0, 3, "g")

    one = made({"x": 9, "y": 10, "a": 11}, {"0": None, "4": "walk", "12": "run"})
    other = made({"a": 11, "y": 10, "x": 9}, {"12": "run", "4": "walk", "0": None})
    assert one.axes == other.axes == ("x", "y", "a")
    assert one.classes == other.classes == ("NULL", "walk", "run")
    assert one.settings == other.settings


@pytest.mark.parametrize("files", ["", "/data/*.csv", "~/x.csv", "../x/*.csv"])
def test_files_lie_below_the_root(files: str) -> None:
    with refused(ValueError, f"files={files!r}", "data.dataset.root"):
        CSVActivityDataset("x", "Fake", 2, LABELS, 50.0, 3, "g", files=files)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"subjects": ["a", "b"]}, ("subjects=['a', 'b']", "files")),
        ({"subjects": ["a"], "files": "*.csv"}, ("subjects=['a']", 2)),
        ({"subject": True}, ("subject=true",)),
        ({"time": True}, ("time=true",)),
        ({"label": True}, ("label=true",)),
        ({"session": True}, ("session=true",)),
        ({"delimiter": ""}, ("delimiter=''",)),
        ({"labels": {"1": "a"}}, ("labels=['a']",)),
        ({"axes": {}}, ("axes={}", 1)),
    ],
)
def test_what_names_files_and_columns_is_checked(arguments: dict[str, object], named: tuple[object, ...]) -> None:
    usual: dict[str, object] = {"root": "x", "name": "F", "axes": 2, "labels": LABELS, "rate_hz": 50.0, "subjects": 3}
    with refused(ValueError, *named):
        CSVActivityDataset(unit="g", **{**usual, **arguments})  # type: ignore[arg-type]


def tables_by_activity(folder: Path) -> None:
    for number in (1, 2):
        for activity in ("walk", "run"):
            rows = [f"{row / 50},{row % 7},{row % 5}" for row in range(100)]
            (folder / f"{activity}_{number}.csv").write_text("\n".join(["time,x,y", *rows]) + "\n")


def of_activities(folder: Path, **changes: Any) -> CSVActivityDataset:
    settings = {"files": "{label}_{subject}.csv", "subjects": None, "labels": LABELS, **changes}
    return CSVActivityDataset(str(folder), "Fake", ["x", "y"], rate_hz=50.0, unit="g", **settings)


def test_the_label_may_stand_in_a_files_name(tmp_path: Path) -> None:
    tables_by_activity(tmp_path)
    recordings = of_activities(tmp_path).recordings()
    assert [(each.subject, *np.unique(each.y)) for each in recordings] == [(0, 2), (0, 1), (1, 2), (1, 1)]
    with refused(DataError, "run_1.csv", "'run'", "walk"):
        of_activities(tmp_path, labels=["NULL", "walk"]).recordings()


def test_a_folder_that_names_the_label_counts(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name / "walk").mkdir(parents=True)
        (tmp_path / name / "run").mkdir()
        for number, folder in enumerate(("walk", "run") if name == "a" else ("run", "walk")):
            rows = [f"{row / 50},{row % 7},{number}" for row in range(50)]
            (tmp_path / name / folder / "log.csv").write_text("\n".join(["time,x,y", *rows]) + "\n")
    one, other = (of_activities(tmp_path / name, files="{label}/log.csv", blocks=2) for name in ("a", "b"))
    assert one.fingerprint() != other.fingerprint()


def test_blocks_are_folds_of_time(tmp_path: Path) -> None:
    tables_by_activity(tmp_path)
    dataset = of_activities(tmp_path, files="{label}_*.csv", blocks=4)
    recordings = dataset.recordings()
    assert dataset.num_folds == 4
    assert [each.subject for each in recordings] == [0, 1, 2, 3] * 4
    np.testing.assert_array_equal(np.concatenate([each.x[:, 0] for each in recordings[:4]]), np.arange(100) % 7)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"blocks": 1, "files": "*.csv"}, ("blocks=1", 2)),
        ({"blocks": 3}, ("blocks=3", "{subject}", "files=PATTERN")),
        ({"blocks": 3, "files": None}, ("blocks=3", "files=PATTERN")),
        ({"blocks": 3, "files": "*.csv", "subjects": 2}, ("blocks=3", "subjects=null")),
        ({"label": "x"}, ("label='x'", "{label}")),
    ],
)
def test_blocks_and_labels_in_names_exclude_others(tmp_path: Path, changes: Any, named: tuple[object, ...]) -> None:
    with refused(ValueError, *named):
        of_activities(tmp_path, **changes)


def test_runs_that_were_recorded_before_blocks_keep_their_names() -> None:
    old = {"data": {"dataset": {"_target_": "qsense.data.series.csv_har.CSVActivityDataset", "name": "mine"}}}
    new = {"data": {"dataset": old["data"]["dataset"] | {"blocks": None}}}
    assert decisive(new) == decisive(old)
    assert decisive({"data": {"dataset": old["data"]["dataset"] | {"blocks": 5}}}) != decisive(old)
