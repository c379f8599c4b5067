"""Batches as the network sees them, read back from the figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.patches import Rectangle
from tests.refusal import refused

from qsense.plots.first_batch import MOST_FRAMES, MOST_IMAGES, MOST_WINDOWS, plot_frames, plot_mosaic, plot_windows
from qsense.plots.style import save

NOISE = np.random.default_rng(0)


@pytest.mark.parametrize(("windows", "axes"), [(1, 1), (5, 3), (20, 21)])
def test_windows_have_their_labels_and_one_scale(windows: int, axes: int, tmp_path: Path) -> None:
    x = NOISE.normal(size=(windows, 50, axes))
    labels = [f"class {i}" for i in range(windows)]
    figure = plot_windows(x, labels, [f"axis {i}" for i in range(axes)], 50.0, "standardised", "a batch")
    assert [ax.get_title(loc="left") for ax in figure.axes] == labels[:MOST_WINDOWS]
    assert len({ax.get_ylim() for ax in figure.axes}) == 1
    for ax, window in zip(figure.axes, x, strict=False):
        np.testing.assert_allclose(np.array([line.get_ydata() for line in ax.lines]), window.T)
        assert ax.get_xlim() == pytest.approx((0, 49 / 50))
    save(figure, tmp_path / "first_batch.png")
    assert (tmp_path / "first_batch.png").stat().st_size < 200_000


@pytest.mark.parametrize(("images", "channels"), [(1, 1), (9, 3), (40, 4)])
def test_images_are_shown_with_their_labels(images: int, channels: int, tmp_path: Path) -> None:
    figure = plot_mosaic(NOISE.normal(size=(images, channels, 8, 10)), [str(i) for i in range(images)], "a batch")
    shown = [ax for ax in figure.axes if ax.images]
    assert [ax.get_title() for ax in shown] == [str(i) for i in range(min(images, MOST_IMAGES))]
    for ax in shown:
        pixels = np.asarray(ax.images[0].get_array())
        assert pixels.shape == (8, 10, 3)
        assert pixels.min() >= 0
        assert pixels.max() <= 1
    save(figure, tmp_path / "first_batch.png")


@pytest.mark.parametrize("frames", [1, 3, 6])
def test_frames_are_shown_with_their_boxes(frames: int, tmp_path: Path) -> None:
    boxes = [np.tile([2.0, 3.0, 12.0, 9.0], (count % 3, 1)) for count in range(frames)]
    labels = [np.arange(count % 3) for count in range(frames)]
    figure = plot_frames(list(NOISE.normal(size=(frames, 3, 20, 30))), boxes, labels, ("car", "person"), "a batch")
    shown = [ax for ax in figure.axes if ax.images]
    assert len(shown) == min(frames, MOST_FRAMES)
    for ax, here in zip(shown, boxes, strict=False):
        drawn = [p for p in ax.patches if isinstance(p, Rectangle) and p.get_alpha() == 1]
        assert [p.get_bbox().bounds for p in drawn] == [(1.5, 2.5, 10, 6)] * len(here)
    save(figure, tmp_path / "first_batch.png")


def test_constant_images_can_be_shown(tmp_path: Path) -> None:
    save(plot_mosaic(np.zeros((2, 1, 4, 4)), ["a", "b"]), tmp_path / "first_batch.png")


def test_what_does_not_fit_is_refused() -> None:
    with refused(ValueError, "[0, 5, 1]"):
        plot_windows(np.zeros((0, 5, 1)), [], ["x"], 50.0)
    with refused(ValueError, "2 names", "1 channels"):
        plot_windows(np.zeros((1, 5, 1)), ["a"], ["x", "y"], 50.0)
    with refused(ValueError, "1 labels", "2 examples"):
        plot_mosaic(np.zeros((2, 1, 4, 4)), ["a"])
    with refused(ValueError, 2, 1):
        plot_frames(list(np.zeros((2, 1, 4, 4))), [[], []], [[]], ("car",))
