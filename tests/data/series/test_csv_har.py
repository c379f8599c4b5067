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
        ({"rate_hz": 0.0}, ("rate_hz=0.0",)),
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
