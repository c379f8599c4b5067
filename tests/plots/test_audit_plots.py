"""What the pictures of an audit show."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes
from tests.refusal import refused

from qsense.plots.audit import Bar, LossCurve, Slope, Track, plot_audit, plot_tangents

BARS = [
    Bar("gamma · lr=0.01", "learned", [50.0, 51.0]),
    Bar("γ 0.4", "fixed", [52.0, 50.0]),
    Bar("log", "baseline", [9]),
]
TRACK = Track(0, [0.4, 0.35, 0.3], [0.0, 0.02, 0.05], 50.0)


def marked(ax: Axes, size: float) -> list[tuple[float, float]]:
    """Places of single points of a size: rings of 7 are starts, dots of 4.5 ends."""
    lines = [(np.asarray(line.get_xydata()), line.get_markersize()) for line in ax.lines]
    return [(float(xy[0, 0]), float(xy[0, 1])) for xy, found in lines if len(xy) == 1 and found == size]


def test_a_grid_with_one_centre_is_a_curve_and_runs_stand_at_their_score() -> None:
    figure = plot_audit([(0.4, 0.0, 52.0), (0.2, 0.0, 40.0)], [1.0, 2.0], [TRACK], BARS, "F1 (%)", "title")
    left, right = figure.axes
    curve = left.lines[0]
    np.testing.assert_array_equal(curve.get_xydata(), [[0.2, 40.0], [0.4, 52.0]])
    assert marked(left, 7) == [(0.4, 50.0)]
    assert marked(left, 4.5) == [(0.3, 50.0)]
    assert left.get_xscale() == "log"
    assert [text.get_text() for text in right.get_yticklabels()] == ["gamma · lr=0.01", "best fixed: γ 0.4", "log"]
    assert figure.get_suptitle() == "title"
    figure.canvas.draw_idle()


def test_a_grid_of_two_axes_is_a_map_and_runs_move_on_it() -> None:
    points = [(0.2, 0.0, 40.0), (0.4, 0.0, 52.0), (0.2, 0.1, 30.0), (0.4, 0.1, 35.0)]
    figure = plot_audit(points, [1.0] * 4, [TRACK], BARS, "F1 (%)")
    left = figure.axes[0]
    (mesh,) = left.collections
    np.testing.assert_array_equal(mesh.get_array(), [[40.0, 52.0], [30.0, 35.0]])
    assert marked(left, 7) == [(0.4, 0.0)]
    assert marked(left, 4.5) == [(0.3, 0.05)]
    (best,) = [text for text in left.texts if text.get_fontweight() == "bold"]
    assert best.get_text() == "52.0"


def test_other_curves_have_no_place_on_the_grid() -> None:
    figure = plot_audit([(0.4, 0.0, 52.0)], [0.0], [], BARS, "F1 (%)")
    assert figure.axes[0].get_legend() is None
    assert len(figure.axes[1].get_yticklabels()) == 3


def test_tangents_touch_the_loss_curve_with_their_slopes() -> None:
    x = np.linspace(-1, 1, 11)
    slopes = [Slope("finite difference, h = 0.1", [0.8]), Slope("ste", [0.4])]
    figure = plot_tangents([LossCurve("μ", x.tolist(), (x**2).tolist(), [0.4], [0.16], slopes)], "title")
    lines = figure.axes[0].lines
    for line, slope in zip(lines[1:3], (0.8, 0.4), strict=True):
        (start, end) = np.asarray(line.get_xydata())
        across, up = end - start
        assert up / across == pytest.approx(slope)
        assert (start[1] + end[1]) / 2 == pytest.approx(0.16)
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["true loss", "finite difference, h = 0.1", "ste"]


def test_nothing_to_draw_is_refused() -> None:
    with refused(ValueError, "grid", "quantizers"):
        plot_audit([], [], [], BARS, "F1")
    with refused(ValueError, "loss curve"):
        plot_tangents([])
