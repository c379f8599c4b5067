"""Designs of a node as stacked bars: every total is written, in a linear scale, and short bars are shown enlarged."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from tests.refusal import refused

from qsense.plots.designs import COLOURS, NAMES, Bar, plot_designs

NEAR = [Bar("send codes", {"sensing": 5.0, "radio": 19.0, "sleep": 9.5}, 20.0),
        Bar("compute", {"sensing": 5.0, "radio": 16.0, "compute": 31.0, "sleep": 9.5}, 47.0)]  # fmt: skip
FAR = [NEAR[0], Bar("compute", {"sensing": 5.0, "radio": 16.0, "compute": 17_000.0}, 17_006.0, "too slow")]


def words(figure: Figure) -> list[str]:
    return [text.get_text() for ax in figure.axes for text in ax.texts]


def lengths(figure: Figure, panel: int, colour: str) -> list[float]:
    bars: Iterable[Rectangle] = (patch for patch in figure.axes[panel].patches if isinstance(patch, Rectangle))
    return [bar.get_width() for bar in bars if to_hex(bar.get_facecolor()) == colour]


def test_bars_are_as_long_as_their_parts() -> None:
    figure = plot_designs(NEAR)
    (ax,) = figure.axes
    assert ax.get_xscale() == "linear"
    assert lengths(figure, 0, COLOURS["radio"]) == [19.0, 16.0]
    assert {"33.5 µW", "61.5 µW", "31 µW"} <= {*words(figure)}
    assert [label.get_text() for label in ax.get_yticklabels()] == ["send codes", "compute"]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert {*NAMES.values()} <= {*legend}


def test_short_bars_are_shown_enlarged_in_their_own_unit() -> None:
    figure = plot_designs(FAR)
    assert len(figure.axes) == 2
    assert lengths(figure, 0, COLOURS["compute"])[1] == pytest.approx(17.0)
    assert figure.axes[1].get_xlim()[1] < 60
    assert {"17 mW, too slow", "→"} <= {*words(figure)}
    assert words(figure).count("33.5 µW") == 2


def test_nothing_to_draw_is_refused() -> None:
    with refused(ValueError, "bars", "empty"):
        plot_designs([])
