"""Facts of an activity data set given as arguments."""

from __future__ import annotations

import pytest
from tests.refusal import refused

from qsense.data.series.csv_har import CSVActivityDataset

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
