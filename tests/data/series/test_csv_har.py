"""Facts of an activity data set given as arguments."""

from __future__ import annotations

import re

import pytest

from qsense.data.series.csv_har import CSVActivityDataset

LABELS = ["NULL", "walk", "run"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"axes": 0}, "axes=0 must be a number from 1 on"),
        ({"axes": []}, "axes=[] must be a number from 1 on"),
        ({"axes": "acc_x"}, "axes and labels are lists"),
        ({"labels": ["a", "a"]}, "each once"),
        ({"labels": ["a"]}, "at least two names"),
        ({"labels": ["a", "NULL"]}, "NULL must come first"),
        ({"labels": ["a", None]}, "NULL must come first"),
        ({"labels": [None, True]}, "put names that YAML takes for true or false between quotes"),
        ({"rate_hz": 0.0}, "rate_hz=0.0 must be positive"),
        ({"subjects": 1}, "subjects=1 must be at least 2"),
        ({"range": [1.0, 1.0]}, "range=[1.0, 1.0] must be [low,high]"),
        ({"range": [1.0]}, "range=[1.0] must be [low,high]"),
    ],
)
def test_arguments_are_checked(arguments: dict[str, object], message: str) -> None:
    usual: dict[str, object] = {
        "root": "x", "name": "Fake", "axes": 2, "labels": LABELS, "rate_hz": 50.0, "subjects": 3, "unit": "g",
    }  # fmt: skip
    with pytest.raises(ValueError, match=re.escape(message)):
        CSVActivityDataset(**{**usual, **arguments})  # type: ignore[arg-type]
