"""Shapes of equal area, and their bounds."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qsense.data.frames.simulation.shapes import bounds, coverage


@pytest.mark.parametrize("kind", [0, 1, 2])
@pytest.mark.parametrize("turn", [0.0, 0.3])
def test_shapes_have_a_discs_area_and_fill_their_bounds(kind: int, turn: float) -> None:
    place = np.array([40.0, 42.0, 15.0])
    y, x = np.mgrid[0.5:80, 0.5:80].astype(np.float32)
    share = coverage(kind, place, turn, x, y)
    assert share.sum() == pytest.approx(math.pi * 15**2, rel=0.01)
    assert ((share > 0) & (share < 1)).any()  # anti-aliased
    left, top, right, bottom = bounds(kind, place, turn)
    rows, columns = np.nonzero(share > 0.02)
    assert columns.min() == pytest.approx(left, abs=1.5)
    assert columns.max() + 1 == pytest.approx(right, abs=1.5)
    assert rows.min() == pytest.approx(top, abs=1.5)
    assert rows.max() + 1 == pytest.approx(bottom, abs=1.5)
