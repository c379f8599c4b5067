"""Pictures of networks: what they show, read back from the figures."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tests.refusal import refused

from qsense.plots.bands import plot_bands
from qsense.plots.frequency import plot_frequency
from qsense.plots.shifted import plot_shifted
from qsense.plots.tradeoff import FRONT, PALE, Point, plot_tradeoff
from qsense.plots.weights import plot_weights


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


# ------------------------------------------------------------------------------------------------------- frequency


@pytest.mark.parametrize("mask", [1.0, 0.5, 0.0])
def test_a_mask_that_is_the_same_everywhere_can_be_drawn(mask: float) -> None:
    figure = plot_frequency(["a"], [np.ones((4, 9))], [np.full((4, 9), mask)])
    figure.canvas.draw()
    assert figure.axes[1].get_title(loc="right") == f"{mask:.4f} … {mask:.4f}"


def test_spectra_and_masks_share_their_scales_over_layers() -> None:
    rng = np.random.default_rng(0)
    magnitudes = [rng.uniform(0, top, (rows, 13)) for rows, top in ((4, 1), (16, 50))]
    masks = [rng.uniform(low, 0.999, (rows, 13)) for rows, low in ((4, 0.99), (16, 0.5))]
    figure = plot_frequency(["first", "second"], magnitudes, masks, title="FAT")
    images = [ax.images[0] for ax in figure.axes if ax.images]
    above, below = images[:2], images[2:]
    assert [image.get_clim() for image in above] == [(0, magnitudes[1].max())] * 2
    assert below[0].get_clim() == below[1].get_clim()
    np.testing.assert_allclose(np.asarray(below[1].get_array()), np.log(masks[1] / (1 - masks[1])))
    assert [ax.get_title(loc="left") for ax in figure.axes[:2]] == ["first", "second"]
    bar = next(ax for ax in figure.axes if ax.get_ylabel() == "mask M")
    labels = [text.get_text() for text in bar.get_yticklabels()]
    assert labels[0] in ("0.5", "0.6")
    assert labels[-1] in ("0.99", "0.999")
    places = bar.get_yticks()
    np.testing.assert_allclose(1 / (1 + np.exp(-places)), [float(label) for label in labels])


def test_frequency_refuses_what_does_not_fit() -> None:
    with refused(ValueError, "0 names", "0 spectra", "0 masks"):
        plot_frequency([], [], [])
    with refused(ValueError, "a", "(2, 3)", "(2, 4)"):
        plot_frequency(["a"], [np.ones((2, 3))], [np.ones((2, 4))])


# --------------------------------------------------------------------------------------------------------- shifted


def test_bars_are_percent_of_each_layer() -> None:
    (ax,) = plot_shifted(["conv1", "conv2", "conv3"], [0.0, 0.00434, 0.00001]).axes
    assert [patch.get_height() for patch in ax.patches] == pytest.approx([0, 0.434, 0.001])  # type: ignore[attr-defined]
    assert [text.get_text() for text in ax.texts] == ["0", "0.434", "<.01"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["conv1", "conv2", "conv3"]


def test_many_layers_have_no_numbers() -> None:
    (ax,) = plot_shifted([f"layer{i}" for i in range(53)], [0.0] * 53).axes
    assert len(ax.patches) == 53
    assert not ax.texts
    with refused(ValueError, "2 names", "1 shares"):
        plot_shifted(["a", "b"], [0.5])


# --------------------------------------------------------------------------------------------------------- weights


def test_histogram_levels_and_use() -> None:
    values = np.array([[-1.0, -1.0, 0.1, 1.2]] * 25)
    figure = plot_weights(["conv"], [values], [[-1, 0, 1]], title="FAT")
    (ax,) = figure.axes
    (bars,) = ax.patches
    assert bars.get_data().values.sum() == pytest.approx(100)  # type: ignore[attr-defined]
    (lines,) = ax.collections
    assert [segment[0][0] for segment in lines.get_segments()] == [-1, 0, 1]  # type: ignore[attr-defined]
    assert ax.get_title(loc="right") == "1.50 bits used, 25.0 % clipped"
    assert legend(figure) == ["weights before rounding", "levels"]


def test_a_layer_per_panel_and_many_levels_are_not_drawn() -> None:
    figure = plot_weights(list("abcd"), [np.zeros(3)] * 4, [np.linspace(-1, 1, 255)] * 4)
    assert [ax.get_title(loc="left") for ax in figure.axes] == list("abcd")
    assert not figure.axes[0].collections
    assert [bool(ax.get_xlabel()) for ax in figure.axes] == [False, True, True, True]
    with refused(ValueError, "1 names", "0 weights", "1 sets of levels"):
        plot_weights(["a"], [], [[0, 1]])


# ----------------------------------------------------------------------------------------------------------- bands


def test_bands_beside_the_network_as_it_is() -> None:
    (ax,) = plot_bands([74.8, 84.9, 91.7], 91.64, "top-1 (%)").axes
    line, points = ax.lines
    assert set(np.asarray(line.get_ydata()).tolist()) == {91.64}
    np.testing.assert_array_equal(points.get_xydata(), [[1, 74.8], [2, 84.9], [3, 91.7]])
    assert ax.get_title(loc="right") == "dashed: as it is, 91.64"
    assert ax.get_ylabel() == "top-1 (%)"
    with refused(ValueError, "band"):
        plot_bands([], 1.0)


# -------------------------------------------------------------------------------------------------------- tradeoff


BOPS = "10⁹ bit operations"


def front_of(ax: Axes) -> list[tuple[float, float]]:
    """Corners of the Pareto front, without its end at the frame."""
    (line,) = [line for line in ax.lines if line.get_label() == FRONT]
    assert line.get_drawstyle() == "steps-post"
    return [(x, y) for x, y in np.asarray(line.get_xydata()).tolist()][:-1]


def strengths(ax: Axes) -> dict[tuple[float, float], float]:
    """The opacity of each point that is drawn."""
    drawn = [
        line for line in ax.lines if line.get_marker() not in ("None", "_") and len(np.ravel(line.get_xdata())) == 1
    ]
    return {tuple(np.asarray(line.get_xydata())[0].tolist()): line.get_alpha() or 1.0 for line in drawn}


def test_tradeoff_has_a_panel_per_data_set_and_a_line_per_quantizer() -> None:
    points = [
        Point("CIFAR-10", "none", "", 41.5, 91.6),
        Point("CIFAR-10", "fat", "4 bit", 0.67, 92.3, 0.1),
        Point("CIFAR-10", "log", "4 bit", 0.67, 91.0, 0.1),
        Point("CIFAR-10", "fat", "3 bit", 0.39, 91.8, 0.1, complete=False),
        Point("digits", "fat", "4 bit", 0.04, 99.0),
    ]
    figure = plot_tradeoff(points, "top-1 (%)", BOPS, "FAT")
    cifar, digits = figure.axes
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["CIFAR-10", "digits"]
    assert legend(figure) == ["none", "fat", "log", "Pareto front", "hollow: runs are missing"]
    assert cifar.get_xlabel() == BOPS
    assert [text.get_text() for text in cifar.texts] == ["3 bit", "4 bit"]
    assert cifar.texts[1].xy == pytest.approx((0.67, 92.4)), "once, above the highest"  # type: ignore[attr-defined]
    assert cifar.get_xscale() == "log"
    hollow = [line for line in cifar.lines if line.get_markerfacecolor() == "white"]
    assert [np.asarray(line.get_xdata()).tolist() for line in hollow] == [[0.39]]
    assert len(digits.texts) == 1
    with refused(ValueError, "point"):
        plot_tradeoff([], "", "")


def test_tradeoff_draws_the_front_and_what_it_dominates_paler() -> None:
    points = [
        Point("A", "none", "", 12.0, 80.0),
        Point("A", "gamma", "4 bit", 4.0, 78.0),
        Point("A", "linear", "4 bit", 4.0, 70.0),
        Point("A", "gamma", "2 bit", 2.0, 75.0),
        Point("A", "gamma", "1 bit", 1.0, 99.0, comparable=False),
    ]
    figure = plot_tradeoff(points, "F1", "kbit/s")
    (ax,) = figure.axes
    assert front_of(ax) == [(2.0, 75.0), (4.0, 78.0), (12.0, 80.0)]
    assert {place for place, strength in strengths(ax).items() if strength == 1} == set(front_of(ax))
    assert {place for place, strength in strengths(ax).items() if strength == PALE} == {(4.0, 70.0), (1.0, 99.0)}
    assert legend(figure)[-1] == "hollow: runs are missing"
    (ax,) = plot_tradeoff(points, "loss", "kbit/s", less=True).axes
    assert front_of(ax) == [(2.0, 75.0), (4.0, 70.0)]
    (ax,) = plot_tradeoff(points[-1:], "F1", "kbit/s").axes
    assert all(line.get_label() != FRONT for line in ax.lines), "nothing is known to be ahead"


def test_no_line_joins_two_designs() -> None:
    """A node that sends codes beside one that computes, at 1 and 2 bits: two lines, and no zigzag between them."""
    points = [
        Point("A", "gamma", label, cost * factor, score, design=label)
        for cost, score in ((1.0, 70.0), (1.1, 80.0))
        for label, factor in (("", 1.0), ("computes", 20.0))
    ]
    figure = plot_tradeoff(points, "F1", "node")
    drawn = [np.ravel(line.get_xdata()).tolist() for line in figure.axes[0].lines if line.get_alpha() == PALE]
    assert [x for x in drawn if len(x) > 1] == [pytest.approx([1, 1.1]), pytest.approx([20, 22])]
    assert legend(figure) == ["gamma", "Pareto front"]


def test_points_of_one_cost_share_their_label() -> None:
    """Sensors of different bits before the same network: as many bit operations, and labels that would overlap."""
    points = [Point("A", "none", "", 1.0, 90.0)]
    points += [Point("A", "gamma", f"{bits} bit", 1.0, 60.0 + bits) for bits in (2, 8, 4)]
    (ax,) = plot_tradeoff(points, "F1", BOPS).axes
    (text,) = ax.texts
    assert text.get_text() == "8 bit, 4 bit, 2 bit"
    assert text.xy == (1.0, 68.0)  # type: ignore[attr-defined]


def test_labels_that_would_overlap_are_one() -> None:
    """How near that is, the panel's width decides: two costs 6 % apart, beside one of twenty times."""
    points = [Point("A", "gamma", label, cost, 60.0 + cost) for label, cost in (("1 bit", 33.8), ("2 bit", 35.9))]
    points += [Point("A", "linear", "12 bit", 676.0, 70.0)]
    (ax,) = plot_tradeoff(points, "F1", BOPS).axes
    assert [text.get_text() for text in ax.texts] == ["2 bit, 1 bit", "12 bit"]
    (ax,) = plot_tradeoff([*points[:1], Point("A", "gamma", "2 bit", 67.6, 64.0)], "F1", BOPS).axes
    assert [text.get_text() for text in ax.texts] == ["1 bit", "2 bit"]
