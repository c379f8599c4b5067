"""The picture of a converter: staircases, curves and comparators, read back from the figure."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.patches import StepPatch
from tests.refusal import refused

from qsense.plots.converter import plot_converter

X = np.linspace(-4, 4, 101)
CUTS, LEVELS = np.array([-2.0, 0.5, 9.0]), np.array([-4.0, -1.0, 1.0, 4.0])


def draw(rows: int = 2, **changes: Any) -> Any:
    options: dict[str, Any] = {
        "x": [X] * rows, "curves": [X / 2] * rows, "thresholds": [CUTS] * rows, "levels": [LEVELS] * rows,
        "counts": [[10.0, 150.5, 300.0]] * rows, "names": [f"axis {r}" for r in range(rows)], "unit": "g",
        "largest": 255,
    }  # fmt: skip
    return plot_converter(**{**options, **changes})


def test_staircases_and_comparators() -> None:
    above, below = draw().axes
    values, edges, _ = next(p for p in above.patches if isinstance(p, StepPatch)).get_data()
    assert values.tolist() == [-4.0, -1.0, 1.0]  # the last threshold lies outside the range
    assert edges.tolist() == [-4.0, -2.0, 0.5, 4.0]
    assert len(above.lines) == 2
    ticks = [
        np.asarray(path.vertices)[0, 0]
        for c in below.collections
        if isinstance(c, LineCollection)
        for path in c.get_paths()
    ]
    assert ticks == [10.0, 150.5] * 2  # none beyond the largest count
    assert [label.get_text() for label in below.get_yticklabels()] == ["axis 0", "axis 1"]
    assert above.get_xlabel() == "input (g)"


def test_many_rows_and_many_levels() -> None:
    above, _ = draw(rows=9).axes
    assert len(above.patches) == 9
    assert not above.lines  # nine curves more would hide them
    fine = {
        "thresholds": [np.linspace(-4, 4, 127)],
        "counts": [np.linspace(0, 255, 127)],
        "levels": [np.linspace(-4, 4, 128)],
    }
    above, _ = draw(rows=1, **fine).axes
    assert not above.patches  # so many steps are the curve itself
    assert len(above.lines) == 1


def test_logarithmic() -> None:
    assert draw(x=[X + 4.1] * 2, logarithmic=True).axes[0].get_xscale() == "log"
    with refused(ValueError, "x", 0):
        draw(logarithmic=True)


def test_shapes_that_do_not_fit() -> None:
    with refused(
        ValueError, "2 names", "x (1, 101)", "curves (2, 101)", "thresholds (2, 3)", "levels (2, 4)", "counts (2, 3)"
    ):
        draw(x=[X])
