"""Frames with boxes on one sheet."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.patches import Rectangle
from tests.refusal import refused

from qsense.data.frames.discover.shown import Shown
from qsense.plots.contact_sheet import plot_contact_sheet


def shown(name: str = "a", size: tuple[int, int] = (20, 30), **fields: Any) -> Shown:
    light = np.random.default_rng(0).random((4, *size)).astype(np.float32)
    boxes = np.array([[2, 3, 12, 9], [1, 1, 4, 4]], dtype=np.float32)
    given = {"gains": (2.0, 1.0, 1.5), "boxes": boxes, "labels": np.array([0, 1])}
    return Shown(name, "note", light, crowd=np.array([False, True]), **{**given, **fields})


def test_every_frame_has_its_boxes_and_their_classes() -> None:
    frames = [shown(), shown("b", (30, 20), gains=None), shown("$c_1$"), shown("d")]
    figure = plot_contact_sheet(frames, ["car", "person"], "mine")
    assert len(figure.axes) == 4
    for ax, frame in zip(figure.axes, frames, strict=True):
        boxes = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
        assert len(boxes) == 2 * len(frame.boxes)
        assert (boxes[0].get_x(), boxes[0].get_y(), boxes[0].get_width(), boxes[0].get_height()) == (1.5, 2.5, 10, 6)
        assert {text.get_text() for text in ax.texts} <= {"car", "person"}
        assert ax.texts
    figure.draw_without_rendering()


def test_what_cannot_be_drawn_is_refused() -> None:
    with refused(ValueError, "frames"):
        plot_contact_sheet([], ["car"])
    with refused(ValueError, "a", 1, "car"):
        plot_contact_sheet([shown()], ["car"])


def test_frames_without_boxes_are_drawn() -> None:
    none = np.zeros((0, 4), dtype=np.float32)
    frame = Shown("a", "", np.ones((4, 4, 6), np.float32), None, none, np.zeros(0, np.int64), np.zeros(0, np.bool_))
    figure = plot_contact_sheet([frame], ["car"])
    assert len(figure.axes[0].patches) == 0
