"""What the pictures show: panels, lines, labels and numbers, read back from the figures."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle, StepPatch
from PIL import Image
from tests.refusal import refused

from qsense.plots.confusion import plot_confusion
from qsense.plots.scores import Score, plot_scores
from qsense.plots.style import COLOURS, DASHES, headline, line_styles, panels, save, spread
from qsense.plots.trajectory import plot_trajectory
from qsense.plots.transfer import MOST_DRAWN, plot_transfer

GRID = np.linspace(-1, 1, 201)


def linear(bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Thresholds and levels of a linear quantizer on [−1, 1]."""
    top = 2**bits - 1
    return 2 * (np.arange(top) + 0.5) / top - 1, 2 * np.arange(top + 1) / top - 1


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def curve_axes(figure: Figure) -> list:  # type: ignore[type-arg]
    """The panels, without the hidden axes of their histograms."""
    return [ax for ax in figure.axes if ax.lines]


def staircases(figure: Figure) -> list[StepPatch]:
    return [p for ax in curve_axes(figure) for p in ax.patches if isinstance(p, StepPatch)]


def steps(patch: StepPatch) -> tuple[np.ndarray, np.ndarray]:
    """Values and edges."""
    values, edges, _ = patch.get_data()
    return values, edges


# -------------------------------------------------------------------------------------------------------- transfer


def test_shared_curve_is_one_panel_over_all_data() -> None:
    data = np.random.default_rng(0).uniform(-1, 1, (400, 3))
    thresholds, levels = linear(2)
    figure = plot_transfer(GRID, GRID, data, thresholds, levels, names=("x", "y", "z"), unit="g", title="linear")
    (ax,) = curve_axes(figure)
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), np.stack([GRID, GRID], axis=1))
    assert ax.get_xlabel() == "analog value (g)"
    assert figure.get_suptitle() == "linear"
    assert legend(figure) == ["transfer curve", "levels", "thresholds", "data"]
    histogram = figure.axes[1].patches[0]
    assert isinstance(histogram, StepPatch)
    assert steps(histogram)[0].sum() == data.size


def test_levels_step_at_the_thresholds() -> None:
    thresholds, levels = linear(2)
    (step,) = staircases(plot_transfer(GRID, GRID, np.zeros((9, 1)), thresholds, levels))
    values, edges = steps(step)
    assert values == pytest.approx(np.array([-1, -1 / 3, 1 / 3, 1]))
    assert edges == pytest.approx(np.array([-1, -2 / 3, 0, 2 / 3, 1]))


def test_thresholds_out_of_reach_draw_no_step() -> None:
    """The lowest code is never reached, the highest neither (its threshold is not even a number)."""
    (step,) = staircases(plot_transfer(GRID, GRID, np.zeros(9), [-1.5, 0.0, np.nan], [-1, -1 / 3, 1 / 3, 1]))
    values, edges = steps(step)
    assert values == pytest.approx(np.array([-1 / 3, 1 / 3]))
    assert edges == pytest.approx(np.array([-1, 0, 1]))


@pytest.mark.parametrize(("values", "used"), [([0.1] * 8, 0.0), ([-0.9, 0.9], 1.0), ([-0.9, -0.5, 0.5, 0.9], 2.0)])
def test_used_bits_are_the_entropy_of_the_codes(values: list[float], used: float) -> None:
    figure = plot_transfer(GRID, GRID, np.array(values), *linear(2))
    assert curve_axes(figure)[0].get_title(loc="right") == f"{used:.2f} of 2 bits used"


@pytest.mark.parametrize("axes", [2, 3, 12, 21])
def test_one_panel_per_axis(axes: int) -> None:
    names = [f"position {i} {'xyz'[i % 3]}" for i in range(axes)]
    thresholds, levels = linear(2)
    curves = np.stack([np.sign(GRID) * np.abs(GRID) ** (0.2 + 0.04 * i) for i in range(axes)])
    data = np.random.default_rng(0).normal(0, 0.3, (500, axes))
    figure = plot_transfer(GRID, curves, data, np.tile(thresholds, (axes, 1)), levels, initial=GRID, names=names)
    shown = curve_axes(figure)
    assert [ax.get_title(loc="left") for ax in shown] == names
    for ax, curve in zip(shown, curves, strict=True):
        assert [line.get_linestyle() for line in ax.lines] == ["--", "-"]
        np.testing.assert_array_equal(ax.lines[1].get_ydata(), curve)
    assert "before training" in legend(figure)
    assert sum(bool(ax.get_xlabel()) for ax in shown) == min(axes, 3)


def test_many_levels_are_not_drawn_one_by_one() -> None:
    figure = plot_transfer(GRID, GRID, np.linspace(-1, 1, 5000), *linear(12))
    assert staircases(figure) == []
    assert curve_axes(figure)[0].collections[:] == []
    assert curve_axes(figure)[0].get_title(loc="right").endswith("of 12 bits used")
    assert legend(figure) == ["transfer curve", "data"]
    assert len(staircases(plot_transfer(GRID, GRID, np.zeros(3), *linear(6)))) == 1
    assert MOST_DRAWN == 64


def test_no_quantizer_is_a_curve_over_data() -> None:
    figure = plot_transfer(GRID, GRID, np.zeros((5, 3)))
    assert legend(figure) == ["transfer curve", "data"]
    assert curve_axes(figure)[0].get_title(loc="right") == ""


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"curve": GRID[1:]}, ("curve", "(1, 200)", "x", 201)),
        ({"curve": np.tile(GRID, (2, 1))}, ("2 curves", "3 axes")),
        ({"curve": np.tile(GRID, (3, 1)), "names": ["x"]}, ("1 names", "3 curves")),
        ({"thresholds": [0.0]}, ("thresholds", "levels")),
        ({"thresholds": [0.0], "levels": [0, 1, 2]}, ("1 thresholds", "2 levels", 3)),
        ({"thresholds": [[0.0]] * 2, "levels": [0, 1]}, ("2 rows", "thresholds", "levels", "1 curves")),
    ],
)
def test_transfer_refuses_what_does_not_fit(arguments: dict[str, object], named: tuple[object, ...]) -> None:
    with refused(ValueError, *named):
        plot_transfer(**{"x": GRID, "curve": GRID, "data": np.zeros((4, 3)), **arguments})  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------------ trajectory


def learned(axes: int, epochs: int = 4) -> pd.DataFrame:
    columns = {f"{name}_{i}": np.linspace(0.4, 0.4 + 0.01 * i, epochs) for name in ("gamma", "mu") for i in range(axes)}
    return pd.DataFrame({"epoch": np.arange(epochs), **columns})


@pytest.mark.parametrize("axes", [1, 3, 12, 21])
def test_one_panel_per_parameter_one_labelled_line_per_axis(axes: int) -> None:
    names = [f"axis {i}" for i in range(axes)]
    figure = plot_trajectory(learned(axes), names, title="RWHAR")
    assert [ax.get_title() for ax in figure.axes] == ["γ", "μ"]
    for ax in figure.axes:
        assert len(ax.lines) == axes
        assert len({(line.get_color(), line.get_linestyle()) for line in ax.lines}) == axes
        ends = [f"{0.4 + 0.01 * i:.3f}" for i in range(axes)]
        expected = ends if axes == 1 else [f"{name}  {end}" for name, end in zip(names, ends, strict=True)]
        assert [text.get_text() for text in ax.texts] == expected


@pytest.mark.parametrize("axes", [1, 4])
def test_gains_of_a_white_balance_are_named_by_colours(axes: int) -> None:
    table = learned(axes).assign(gain_0=1.2, gain_1=1.0, gain_2=1.5)
    names = [f"plane {i}" for i in range(axes)] if axes > 1 else []
    texts = [[text.get_text() for text in ax.texts] for ax in plot_trajectory(table, names).axes]
    assert texts[-1] == ["red  1.200", "green  1.000", "blue  1.500"]
    assert [len(each) for each in texts] == [axes, axes, 3]


def test_end_labels_do_not_overlap() -> None:
    figure = plot_trajectory(learned(21), [f"upper arm {i}" for i in range(21)])
    figure.canvas.draw()
    for ax in figure.axes:
        boxes = sorted((text.get_window_extent() for text in ax.texts), key=lambda box: box.y0)
        assert all(above.y0 > below.y0 + 0.8 * below.height for below, above in itertools.pairwise(boxes))


def test_a_constant_or_single_epoch_can_be_drawn(tmp_path: Path) -> None:
    figure = plot_trajectory(pd.DataFrame({"epoch": [0], "gamma_0": [0.4]}))
    assert figure.axes[0].lines[0].get_marker() == "o"
    save(figure, tmp_path / "one.png")


def test_trajectory_refuses_what_it_cannot_draw() -> None:
    with refused(ValueError, "epoch", "step, gamma_0"):
        plot_trajectory(pd.DataFrame({"step": [0], "gamma_0": [0.4]}))
    with refused(ValueError, "parameter"):
        plot_trajectory(pd.DataFrame({"epoch": [0]}))
    with refused(ValueError, "2 names", "3 axes"):
        plot_trajectory(learned(3), ["x", "y"])


# ------------------------------------------------------------------------------------------------------- confusion


def test_cells_show_the_share_of_the_true_class_and_the_count() -> None:
    figure = plot_confusion([[3, 1, 0], [0, 0, 0], [1, 0, 999]], ["NULL", "walk", "run"], title="SBHAR")
    (ax,) = figure.axes
    shown: dict[tuple[float, float], list[str]] = {}
    for text in ax.texts:
        shown.setdefault(text.xy, []).append(text.get_text())  # type: ignore[attr-defined]
    assert shown == {(0, 0): ["75", "3"], (1, 0): ["25", "1"], (0, 2): ["<1", "1"], (2, 2): ["100", "999"]}
    assert [label.get_text() for label in ax.get_xticklabels()] == ["NULL", "walk", "run"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["NULL  (4)", "walk  (0)", "run  (1000)"]
    np.testing.assert_allclose(
        np.asarray(ax.images[0].get_array()), np.array([[0.75, 0.25, 0], [0, 0, 0], [0.001, 0, 0.999]])
    )
    hatched = [patch for patch in ax.patches if isinstance(patch, Rectangle) and patch.get_hatch()]
    assert [patch.get_y() for patch in hatched] == [0.5], "the class that never occurs"
    assert ax.get_title() == "SBHAR"


def test_nineteen_classes_stay_inside_their_cells() -> None:
    classes = 19
    figure = plot_confusion(np.full((classes, classes), 88888), [f"stretching (part {i})" for i in range(classes)])
    figure.canvas.draw()
    (ax,) = figure.axes
    cell = ax.get_window_extent().width / classes
    assert len(ax.texts) == 2 * classes**2
    assert max(text.get_window_extent().width for text in ax.texts[:4]) < cell
    assert min(float(tick.get_fontsize()) for tick in ax.get_xticklabels()) >= 7


def test_confusion_refuses_another_shape() -> None:
    with refused(ValueError, "2 class names", "2 × 2", "(3, 3)"):
        plot_confusion(np.eye(3), ["a", "b"])


# ---------------------------------------------------------------------------------------------------------- scores


def test_scores_have_a_panel_per_data_set_and_a_line_per_quantizer() -> None:
    scores = [
        Score("WEAR", "none", None, 71.0, 0.2),
        Score("WEAR", "linear", 4, 63.7, 0.2),
        Score("WEAR", "linear", 2, 50.0, None, complete=False),
        Score("SBHAR", "gamma", 4, 52.6, 0.2),
    ]
    figure = plot_scores(scores, "macro-F1 (%)")
    wear, sbhar = figure.axes
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["WEAR", "SBHAR"]
    assert [label.get_text() for label in wear.get_xticklabels()] == ["2", "4"]
    assert wear.get_ylabel() == "macro-F1 (%)"
    assert legend(figure) == ["none", "linear", "gamma"]
    hollow = [line for line in wear.lines if line.get_markerfacecolor() == "white"]
    assert [np.asarray(line.get_ydata()).tolist() for line in hollow] == [[50.0]]
    assert len(wear.containers) == len(sbhar.containers) == 1, "error bars"
    assert [ax.get_title(loc="right") for ax in figure.axes] == ["hollow, dotted: runs are missing", ""]


def test_no_scores() -> None:
    with refused(ValueError, "score"):
        plot_scores([], "")


# ----------------------------------------------------------------------------------------------------------- style


def test_line_styles_are_distinct_and_grouped_in_threes() -> None:
    for count in (1, 7, 12, 21):
        assert len(set(line_styles(count))) == count
    styles = line_styles(21)
    assert [dash for _, dash in styles[:3]] == list(DASHES)
    assert len({colour for colour, _ in styles[:3]}) == 1


def test_spread_keeps_order_and_gap() -> None:
    rng = np.random.default_rng(0)
    for count in (1, 2, 21):
        positions = rng.normal(0, 0.1, count)
        placed = spread(list(positions), gap=0.05)
        assert list(np.argsort(placed)) == list(np.argsort(positions))
        assert np.all(np.diff(np.sort(placed)) >= 0.05 - 1e-12)
    assert spread([0.0, 1.0], gap=0.5) == [0.0, 1.0], "labels with room stay"


def test_surplus_panels_are_removed() -> None:
    figure, axes = panels(4, 1, 1, columns=3)
    assert len(axes) == len(figure.axes) == 4


def test_save_makes_the_folder_and_leaves_no_half_file(tmp_path: Path) -> None:
    figure = plot_confusion([[1]], ["only"])
    save(figure, tmp_path / "new" / "confusion.png")
    first = (tmp_path / "new" / "confusion.png").read_bytes()
    save(plot_confusion([[1]], ["only"]), tmp_path / "new" / "confusion.png")
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["confusion.png"]
    assert (tmp_path / "new" / "confusion.png").read_bytes() == first, "the same picture is the same file"


# ------------------------------------------------------------------------------------------- the sensor's own unit


def own_axes(figure: Figure) -> list:  # type: ignore[type-arg]
    return [child for ax in curve_axes(figure) for child in ax.child_axes]


def test_a_second_axis_shows_the_sensors_own_unit() -> None:
    data = np.zeros((9, 2))
    figure = plot_transfer(GRID, GRID, data, names=("x", "y"), own=([[-4, 4], [-4, 4]], "g"))
    (above,) = own_axes(figure)
    figure.draw_without_rendering()
    assert above.get_xlabel() == "in g"
    assert above.get_xlim() == pytest.approx((-4, 4))


def test_one_panel_for_axes_of_different_scales_says_whose_it_shows() -> None:
    (above,) = own_axes(plot_transfer(GRID, GRID, np.zeros((9, 2)), names=("x", "y"), own=([[-4, 4], [-3, 4]], "g")))
    label = above.get_xlabel()
    assert label.startswith("in g of x;")
    assert "12 %" in label


def test_each_axis_of_its_own_curve_has_its_own_scale() -> None:
    curves = np.stack([GRID, GRID**3])
    figure = plot_transfer(GRID, curves, np.zeros((9, 2)), own=([[-4, 4], [0, 8]], "m/s²"))
    figure.draw_without_rendering()
    assert [ax.get_xlim() for ax in own_axes(figure)] == [pytest.approx((-4, 4)), pytest.approx((0, 8))]
    with refused(ValueError, "own", "2 axes"):
        plot_transfer(GRID, GRID, np.zeros((9, 2)), own=([[-4, 4]], "g"))


def test_a_long_title_takes_lines_that_fit_the_figure(tmp_path: Path) -> None:
    figure, _ = panels(1, 3.0, 2.0)
    headline(figure, "a title of many words " * 5)
    assert max(map(len, figure.get_suptitle().split("\n"))) <= 36


def test_a_saved_picture_keeps_the_colours_of_the_palette(tmp_path: Path) -> None:
    figure, axes = panels(1, 6.0, 4.0)
    axes[0].imshow(np.random.default_rng(0).random((60, 90, 3)))
    for place, colour in enumerate(COLOURS):
        axes[0].add_patch(Rectangle((10 * place, 10), 8, 8, color=colour))
    save(figure, tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as picture:
        shades = {colour for _, colour in picture.convert("RGB").getcolors(1 << 20)}  # type: ignore[union-attr]
    assert {tuple(round(255 * share) for share in to_rgb(colour)) for colour in (*COLOURS, "white")} <= shades
    assert len(shades) <= 256
