"""Pictures of raw scenes and of detections, read back from the figures."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle, StepPatch
from tests.refusal import refused

from qsense.plots.boxes import LETTER, LINE, place_tags
from qsense.plots.display import as_light, balance, balanced, develop, used, white_of
from qsense.plots.predictions import MOST, Sight, plot_predictions
from qsense.plots.scene import plot_scene
from qsense.plots.style import COLOURS, save
from qsense.plots.transfer import plot_transfer

LIGHT = np.random.default_rng(0).beta(1, 8, (4, 20, 30))


def quantized(bits: int) -> np.ndarray:
    top = 2**bits - 1
    levels: np.ndarray = np.floor(LIGHT * top + 0.5) / top
    return levels


def shown(light: np.ndarray, known: tuple[float, float, float] | None = None) -> np.ndarray:
    """As pictures show it beside `LIGHT`."""
    gains = balance(LIGHT, known)
    developed: np.ndarray = develop(balanced(light, gains), white_of(balanced(LIGHT, gains)))
    return developed


# --------------------------------------------------------------------------------------------------------- display


def test_white_balance_makes_the_usual_grey_and_leaves_lamps_and_srgb_alone() -> None:
    grey = np.random.default_rng(0).uniform(0.1, 0.2, (20, 20)) * np.array([0.5, 1, 1, 0.7]).reshape(4, 1, 1)
    grey[:, 0, :3] = 1  # lamps
    means = (grey * balance(grey))[:, 1:].mean(axis=(1, 2))
    np.testing.assert_allclose(means, means[1], rtol=0.02)
    assert balance(grey)[1:3].ravel().tolist() == [1, 1]
    assert balance(grey[:3]).ravel().tolist() == [1, 1, 1]
    assert np.isfinite(balance(np.zeros((4, 2, 2)))).all()


def test_known_gains_are_taken_as_they_are() -> None:
    light = np.random.default_rng(0).uniform(0, 1, (4, 6, 6))
    assert balance(light, (2.0, 1.0, 1.5)).ravel().tolist() == [2, 1, 1, 1.5]
    assert balance(light[:3], (2.0, 1.0, 1.5)).ravel().tolist() == [2, 1, 1.5]
    assert balance(light[:1], (2.0, 1.0, 1.5)).ravel().tolist() == [1], "of grey there is none"


def test_what_saturates_is_white_whatever_the_gains() -> None:
    light = np.array([0.5, 0.5, 0.5, 1.0]).reshape(4, 1, 1) * np.array([[1.0, 2.0]])
    found = balanced(np.minimum(light, 1), balance(light, (2.0, 1.0, 1.5)))
    assert found[:, 0].T.tolist() == [[1, 0.5, 0.5, 1], [1, 1, 1, 1]]


def test_a_scene_and_predictions_go_by_the_gains_that_are_known() -> None:
    gains = (2.0, 1.0, 1.5)
    figure = plot_scene(LIGHT, [[quantized(4)]], [4], ["linear"], gains=gains)
    assert figure.axes[0].images
    np.testing.assert_allclose(np.asarray(figure.axes[0].images[0].get_array()), shown(LIGHT, gains))
    nothing = np.zeros((0, 4)), np.zeros(0), np.zeros(0, dtype=int)
    sight = Sight("a", LIGHT, quantized(2), *nothing, nothing[0], nothing[2], np.zeros(0, dtype=bool), gains)
    found = plot_predictions([sight], ["thing"]).axes[1].images[0].get_array()
    np.testing.assert_allclose(np.asarray(found), shown(LIGHT, gains))


def test_greens_are_averaged_scaled_and_shown_at_a_screens_gamma() -> None:
    light = np.array([0.1, 0.2, 0.4, 0.5]).reshape(4, 1, 1)
    assert develop(light, white=0.4)[0, 0] == pytest.approx(np.array([0.25, 0.75, 1]) ** (1 / 2.2))


def test_colours_and_grey_can_be_shown_too() -> None:
    colours = np.random.default_rng(0).random((3, 4, 5))
    assert develop(colours, 1.0) == pytest.approx((colours ** (1 / 2.2)).transpose(1, 2, 0))
    assert develop(colours[:1], 1.0)[..., 0] == pytest.approx(develop(colours[:1], 1.0)[..., 2])
    for shape in ((2, 4, 5), (4, 5)):
        with refused(ValueError, list(shape), 1, 3, 4, "[planes, h, w]"):
            develop(np.zeros(shape), 1.0)


def test_lamps_do_not_decide_what_is_white_and_darkness_can_be_shown() -> None:
    light = np.full(1000, 0.02)
    light[:5] = 1
    assert white_of(light) == pytest.approx(0.02)
    assert np.isfinite(develop(np.zeros((4, 2, 2)), white_of(np.zeros((4, 2, 2))))).all()


def test_light_of_a_level_is_the_mean_of_what_became_it_plane_by_plane() -> None:
    seen = quantized(2)
    light = as_light(seen, LIGHT)
    for plane in range(4):
        for level in np.unique(seen[plane]):
            here = seen[plane] == level
            np.testing.assert_allclose(light[plane][here], LIGHT[plane][here].mean())
    np.testing.assert_allclose(as_light(LIGHT, LIGHT), LIGHT, err_msg="not quantized: as it is")
    np.testing.assert_allclose(as_light(seen**0.3, LIGHT), light, err_msg="a curve changes nothing")
    with refused(ValueError, "[20, 30]", "[4, 20, 30]"):
        as_light(seen[0], LIGHT)


def test_levels_that_are_hit_and_their_entropy() -> None:
    assert used(np.zeros((4, 3, 3))) == (1, 0.0)
    assert used(np.arange(16).reshape(4, 2, 2)) == (16, 4.0)


# ----------------------------------------------------------------------------------------------------------- scene


def test_a_scene_has_a_row_per_resolution_and_a_column_per_quantizer() -> None:
    figure = plot_scene(LIGHT, [[quantized(1), LIGHT], [quantized(4), LIGHT]], (1, 4), ("linear", "odd"), "a scene")
    assert [ax.get_title() for ax in figure.axes] == ["not quantized", "linear", "odd", *[""] * 5]
    assert [text.get_text() for ax in figure.axes[6:] for text in ax.texts] == ["1 bit", "4 bits"]
    assert figure.get_suptitle() == "a scene"
    assert figure.axes[0].get_xlabel().startswith("2400 levels, ")
    hit, entropy = used(quantized(4))
    assert figure.axes[4].get_xlabel() == f"{hit} of 16 levels, {entropy:.1f} bits used"
    images = [np.asarray(ax.images[0].get_array()) for ax in figure.axes[:6]]
    np.testing.assert_allclose(images[0], shown(LIGHT))
    np.testing.assert_allclose(images[4], shown(as_light(quantized(4), LIGHT)))


def test_a_strip_shows_where_thresholds_lie_over_the_scenes_light() -> None:
    cuts = [[np.array([0.25, 0.5, 2.0]), None]]
    figure = plot_scene(LIGHT, [[quantized(1), LIGHT]], (1,), ("linear", "odd"), thresholds=cuts)
    images, strips = figure.axes[0:6:2], figure.axes[1:6:2]
    assert [len(ax.images) for ax in images] == [1, 1, 1]
    lines = [[segment[0][0] for c in ax.collections for segment in c.get_segments()] for ax in strips]  # type: ignore[attr-defined]
    assert lines == [[], [0.25, 0.5], []], "beyond the full scale there is no light"
    for ax in strips:
        assert ax.get_xscale() == "log"
        assert sum(patch.get_data()[0].sum() for patch in ax.patches if isinstance(patch, StepPatch)) == LIGHT.size
    with refused(ValueError, "2 quantizers", "thresholds", "[1]"):
        plot_scene(LIGHT, [[LIGHT, LIGHT]], (1,), ("linear", "odd"), thresholds=[[None]])


def test_a_scene_of_one_level_and_of_one_image(tmp_path: Path) -> None:
    figure = plot_scene(LIGHT[:1], [[np.zeros((1, 20, 30))]], (1,), ("linear",))
    assert figure.axes[1].get_xlabel() == "1 of 2 levels, 0.0 bits used"
    save(figure, tmp_path / "scene.png")


def test_a_scene_refuses_what_does_not_fit() -> None:
    with refused(ValueError, "resolution", "quantizer"):
        plot_scene(LIGHT, [], (), ("linear",))
    with refused(ValueError, "2 resolutions", "1 quantizers", "[1]"):
        plot_scene(LIGHT, [[LIGHT]], (2, 4), ("linear",))


# ----------------------------------------------------------------------------------------------------- predictions


def sight(predictions: int = 2, objects: int = 1, crowd: bool = False) -> Sight:
    boxes = np.tile([2.0, 3.0, 12.0, 9.0], (predictions, 1)) + np.arange(predictions)[:, None] * 1.0
    return Sight(
        name="street",
        light=LIGHT,
        seen=quantized(2),
        boxes=boxes,
        scores=np.linspace(0.9, 0.2, predictions),
        labels=np.arange(predictions) % 3,
        true_boxes=np.tile([2.0, 3.0, 12.0, 9.0], (objects, 1)),
        true_labels=np.full(objects, 2),
        crowd=np.full(objects, crowd),
    )


NAMES = ("car", "bicycle", "person")


def rectangles(ax: Axes, line: str) -> list[Rectangle]:
    return [p for p in ax.patches if isinstance(p, Rectangle) and p.get_linestyle() == line and p.get_alpha() == 1]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_predictions_lie_over_the_quantized_and_the_untouched_frame() -> None:
    figure = plot_predictions([sight(), sight()], NAMES, "linear, 2 bits")
    assert len(figure.axes) == 4
    left, right = figure.axes[:2]
    assert left.get_title(loc="left") == "street, quantized"
    assert right.get_title(loc="left") == "not quantized"
    assert right.get_title(loc="right") == "1 prediction ≥ 0.3, 1 object"
    np.testing.assert_allclose(np.asarray(left.images[0].get_array()), shown(as_light(quantized(2), LIGHT)))
    np.testing.assert_allclose(np.asarray(right.images[0].get_array()), shown(LIGHT))
    for ax in (left, right):
        (found,), (there,) = rectangles(ax, "-"), rectangles(ax, "--")
        assert found.get_bbox().bounds == there.get_bbox().bounds == (1.5, 2.5, 10, 6)
        assert found.get_edgecolor()[:3] != there.get_edgecolor()[:3], "another class"
        assert [text.get_text() for text in ax.texts] == ["car .90"], "the prediction of 0.2 is left out"
    assert legend(figure) == ["car", "person", "prediction, the best with their scores", "object"]


def test_crowds_are_dotted() -> None:
    figure = plot_predictions([sight(crowd=True)], NAMES)
    assert len(rectangles(figure.axes[0], ":")) == 1
    assert legend(figure)[-1] == "crowd"


@pytest.mark.parametrize(
    ("predictions", "objects", "note"),
    [
        (0, 0, "no prediction ≥ 0.3, 0 objects"),
        (0, 2, "no prediction ≥ 0.3, 2 objects"),
        (3, 0, "2 predictions ≥ 0.3, 0 objects"),
    ],
)
def test_nothing_found_or_nothing_there(predictions: int, objects: int, note: str, tmp_path: Path) -> None:
    figure = plot_predictions([sight(predictions, objects)], NAMES)
    assert figure.axes[1].get_title(loc="right") == note
    save(figure, tmp_path / "predictions.png")


def test_weak_predictions_say_how_weak() -> None:
    weak = replace(sight(), scores=np.array([0.12, 0.02]))
    figure = plot_predictions([weak], NAMES)
    assert figure.axes[1].get_title(loc="right") == "no prediction ≥ 0.3 (best: 0.12), 1 object"


def test_only_the_best_are_drawn_and_colours_repeat() -> None:
    many = replace(sight(50), scores=np.full(50, 0.5), labels=np.full(50, len(COLOURS)))
    figure = plot_predictions([many], [f"class {i}" for i in range(20)])
    assert len(rectangles(figure.axes[0], "-")) == MOST
    assert legend(figure)[:2] == ["class 2", "class 7"]


def test_a_box_at_the_top_has_its_score_inside() -> None:
    top = replace(sight(1), boxes=np.array([[5.0, 0.0, 15.0, 8.0]]))
    (text,) = plot_predictions([top], NAMES).axes[0].texts
    assert text.xy[1] == -0.5  # type: ignore[attr-defined]


@given(
    st.lists(st.tuples(*[st.floats(0, 100)] * 4, st.integers(1, 12)), max_size=12), st.integers(60, 400),
    st.integers(60, 400),
)  # fmt: skip
def test_tags_never_cover_each_other_and_lie_within(boxes: list[tuple], height: int, width: int) -> None:  # type: ignore[type-arg]
    wanted = [(np.array([x, y, x + w, y + h]), "a" * letters) for x, y, w, h, letters in boxes]
    placed = place_tags(wanted, (height, width), inches=4.0)
    pixels = width / 4.0
    areas = []
    for number, (left, top, text) in placed:
        assert text == wanted[number][1]
        areas.append((left, top, left + LETTER * pixels * (len(text) + 1), top + LINE * pixels))
        assert left >= 0
        assert top >= 0
        assert areas[-1][3] <= height + 1e-9
    for one, other in itertools.combinations(areas, 2):
        apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
        assert apart
    assert not wanted or height < 100 or placed[0][0] == 0, "the best one finds room"


def test_predictions_refuse_what_cannot_be_drawn() -> None:
    with refused(ValueError, "frame"):
        plot_predictions([], NAMES)
    with refused(ValueError, "street", "label 2", "car, bicycle"):
        plot_predictions([sight()], NAMES[:2])


# --------------------------------------------------------------------------------------- the curve over native counts

GRID = np.geomspace(0.5 / 4095, 1, 300)


def linear(bits: int) -> tuple[np.ndarray, np.ndarray]:
    top = 2**bits - 1
    return (np.arange(top) + 0.5) / top, np.arange(top + 1) / top


def test_a_raw_sensors_axis_is_logarithmic_in_shares_and_counts() -> None:
    data = np.random.default_rng(0).integers(0, 4096, (500, 4)) / 4095
    figure = plot_transfer(GRID, GRID**0.4, data, *linear(2), initial=GRID, unit="full scale", counts=4095)
    ax = figure.axes[0]
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel() == "analog value (full scale)"
    (above,) = ax.child_axes
    assert above.get_xlabel() == "native counts"
    figure.draw_without_rendering()
    assert above.get_xlim() == pytest.approx((0.5, 4095))
    assert "1k" in [label.get_text() for label in above.get_xticklabels()]
    (step,) = [patch for patch in ax.patches if isinstance(patch, StepPatch)]
    assert step.get_data()[1] == pytest.approx([GRID[0], 1 / 6, 0.5, 5 / 6, 1])


def test_every_sample_stands_in_a_bar_and_bars_hold_whole_counts() -> None:
    counts = np.array([0, 0, 1, 2, 2, 50, 4095])
    figure = plot_transfer(GRID, GRID, counts / 4095, counts=4095)
    bars, edges, _ = figure.axes[1].patches[0].get_data()  # type: ignore[attr-defined]
    assert (bars * np.diff(np.log(edges))).sum() == pytest.approx(7), "zeros stand at the left end"
    inner = edges[1:-1] * 4095
    np.testing.assert_allclose(inner % 1, 0.5, atol=1e-9)


def test_curves_per_colour_label_their_counts_once_per_column() -> None:
    curves = np.stack([GRID**gamma for gamma in (0.3, 0.4, 0.4, 0.5)])
    names = ("red", "green 1", "green 2", "blue")
    figure = plot_transfer(GRID, curves, np.random.default_rng(0).random((50, 4)), names=names, counts=4095)
    panels = [ax for ax in figure.axes if ax.lines]
    assert [ax.child_axes[0].get_xlabel() for ax in panels] == ["native counts"] * 3 + [""]


def test_a_logarithmic_axis_begins_above_0() -> None:
    with refused(ValueError, "x", 0):
        plot_transfer(np.linspace(0, 1, 5), np.linspace(0, 1, 5), np.zeros(3), counts=4095)
