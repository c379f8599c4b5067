"""Short gaps are filled, long ones named."""

from __future__ import annotations

import numpy as np
from tests.refusal import refused

from qsense.data.errors import DataError
from qsense.data.series.gaps import fill_gaps

NAN = float("nan")


def test_gaps_at_the_ends_repeat_the_neighbour() -> None:
    x = np.array([[NAN, 1.0], [2.0, NAN], [4.0, 3.0], [NAN, NAN]])
    assert fill_gaps(x, ("a", "b"), 50.0, "here") == 3
    np.testing.assert_array_equal(x, [[2, 1], [2, 2], [4, 3], [4, 3]])


def test_one_second_is_filled_and_a_sample_more_is_not() -> None:
    x = np.zeros((60, 1))
    x[5:15] = NAN
    assert fill_gaps(x.copy(), ("a",), 10.0, "here") == 10
    x[15] = NAN
    with refused(DataError, "subject 3", "f.csv", "rows 7 to 17", "a", "1.10 s", "1 s"):
        fill_gaps(x, ("a",), 10.0, "subject 3, f.csv", first_row=2)


def test_an_axis_without_any_value_is_refused() -> None:
    with refused(DataError, "here", "rows 1 to 60", "a", "1.20 s", "1 s"):
        fill_gaps(np.full((60, 1), NAN), ("a",), 50.0, "here")


def test_infinite_values_are_refused() -> None:
    with refused(DataError, "here", "row 2", "b", "infinite"):
        fill_gaps(np.array([[0.0, 0.0], [0.0, np.inf]]), ("a", "b"), 50.0, "here")
