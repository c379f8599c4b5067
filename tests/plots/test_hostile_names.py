"""Names of channels, classes, data sets and layers in the pictures: one line, no mathematics, nothing left out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from tests.hostile_names import HOSTILE

from qsense.plots.audit import Bar, plot_audit
from qsense.plots.bands import plot_bands
from qsense.plots.confusion import plot_confusion
from qsense.plots.converter import plot_converter
from qsense.plots.scores import Score, plot_scores
from qsense.plots.shifted import plot_shifted
from qsense.plots.tradeoff import Point, plot_tradeoff
from qsense.plots.trajectory import plot_trajectory
from qsense.plots.transfer import plot_transfer
from qsense.runs.escapes import one_line

NAMES = (*HOSTILE, "$x$", "$\\frac$", "a$b", "_x", "a\x00b", "\\", "^", "{", "\udcff")
FEW = ("acc{x}", "a\nint evil;", "$x$", "_x", "\udcff", "x" * 300)
COUNT = len(NAMES)
GRID = np.linspace(-1, 1, 21)
ROWS = np.tile(GRID, (COUNT, 1))
CUTS = np.tile([-0.5, 0.0, 0.5], (COUNT, 1))
STEPS = np.tile([-0.75, -0.25, 0.25, 0.75], (COUNT, 1))
TABLE = pd.DataFrame({"epoch": [0, 1]} | {f"gamma_{index}": [0.4, 0.3] for index in range(COUNT)})
BARS = [Bar(name, "learned", [1.0]) for name in NAMES]
TITLE = "$x^{2$ {0}\n\x1b"
PICTURES: dict[str, Callable[[], Figure]] = {
    "audit": lambda: plot_audit([(0.1, 0.0, 1.0), (1.0, 0.0, 2.0)], [0.1, 0.1], [], BARS, TITLE, TITLE),
    "bands": lambda: plot_bands([1.0, 2.0], 3.0, TITLE, TITLE),
    "confusion": lambda: plot_confusion(np.eye(COUNT), NAMES, TITLE),
    "converter": lambda: plot_converter(ROWS, ROWS, CUTS, STEPS, CUTS, NAMES, TITLE, 3),
    "shifted": lambda: plot_shifted(NAMES, [0.1] * COUNT, TITLE),
    "trajectory": lambda: plot_trajectory(TABLE, NAMES, TITLE),
    # a panel for each name
    "scores": lambda: plot_scores([Score(name, name, 2, 1.0, None) for name in FEW], TITLE, TITLE),
    "tradeoff": lambda: plot_tradeoff([Point(name, name, name, 1.0, 1.0) for name in FEW], TITLE, "bits", TITLE),
    "transfer": lambda: plot_transfer(GRID, ROWS[:6], ROWS[:6].T, names=FEW, unit=TITLE, title=TITLE),
}
NAMED = {"bands": (), "scores": FEW, "tradeoff": FEW, "transfer": FEW}


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("picture", PICTURES)
def test_every_name_is_shown_as_text(picture: str) -> None:
    figure = PICTURES[picture]()
    shown = set()
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        content, mathematics = text._preprocess_math(text.get_text())  # type: ignore[attr-defined]
        assert not mathematics or "mathdefault" in content  # the numbers of an axis
        assert len(content.splitlines()) <= 1
        shown.add(content)
    for name in NAMED.get(picture, NAMES):
        beginning = one_line(name).strip()[:20]
        assert any(beginning in text for text in shown), name
