"""Short gaps are filled, long ones named."""

from __future__ import annotations

import numpy as np
from tests.refusal import refused

from qsense.data.errors import DataError
from qsense.data.series.gaps import fill_gaps, pieces

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


def test_pieces_have_values_on_every_axis() -> None:
    x = np.zeros((100, 2))
    x[20:40, 0] = NAN
    x[35:50, 1] = NAN  # from 40 to 49 the second axis alone is missing, for 15 samples in all
    x[60:75, 0] = x[78:93, 0] = NAN
    x[75:78, 1] = NAN  # three samples between two gaps have nothing on the second axis
    assert pieces(x, 10.0) == [slice(0, 20), slice(50, 60), slice(93, 100)]


def test_an_axis_without_a_value_in_a_short_recording_is_refused() -> None:
    with refused(DataError, "here", "rows 1 to 5", "a", "0.10 s"):
        fill_gaps(np.full((5, 1), NAN), ("a",), 50.0, "here")
