"""Frames with their boxes on one sheet, to see that boxes lie on their objects before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from qsense.data.frames.discover.shown import Shown
from qsense.plots.boxes import check_labels, class_handles, draw_frame, draw_objects, place_tags, write_tags
from qsense.plots.display import balance, balanced, develop, white_of
from qsense.plots.style import INK, NORMAL, SMALL, close_up, headline, legend_below
from qsense.runs.escapes import figure_text

COLUMNS, WIDTH = 3, 4.2  # frames in a row, and inches of each
HIGHEST = 4.2  # inches of a frame that stands upright
TITLE = 0.3  # inches above a frame
LONGEST = 14  # characters of a class's name on a tag
MOST_TAGS = 12  # of a frame, the largest boxes first
MOST_CLASSES = 14  # in the legend


def plot_contact_sheet(frames: Sequence[Shown], class_names: Sequence[str], title: str = "") -> Figure:
    """Draw frames as a screen shows them, with white balance and the inverse of a screen's gamma, and their boxes.

    White balance is the camera's, or the grey world's where it states none. The largest boxes bear their class;
    crowds are dotted.

    Args:
        frames: to draw, in rows of three.
        class_names: in index order; the colours repeat after seven.
        title: of the figure.

    Raises:
        ValueError: no frame, or a label without a name.
    """
    if not frames:
        raise ValueError("frames is empty, so there is no frame to draw: give at least one")
    rows = [frames[start : start + COLUMNS] for start in range(0, len(frames), COLUMNS)]
    heights = [max(_drawn(frame)[1] for frame in row) + TITLE for row in rows]
    columns = min(COLUMNS, len(frames))
    figure = Figure(figsize=(WIDTH * columns, sum(heights) + 0.6), layout="constrained")
    grid = figure.subplots(len(rows), columns, squeeze=False, height_ratios=heights)
    for ax in grid.flat[len(frames) :]:
        ax.remove()
    close_up(figure)
    seen: set[int] = set()
    for ax, frame in zip(grid.flat, frames, strict=False):
        check_labels(frame.name, frame.labels.tolist(), class_names)
        seen |= set(frame.labels.tolist())
        light = np.maximum(frame.light, 0)
        light = balanced(light, balance(light, frame.gains))
        draw_frame(ax, develop(light, white_of(light)))
        draw_objects(ax, frame.boxes, frame.labels, frame.crowd, "-")
        largest = np.argsort(-np.prod(frame.boxes[:, 2:] - frame.boxes[:, :2], axis=1), kind="stable")[:MOST_TAGS]
        tags = [(frame.boxes[i], figure_text(class_names[frame.labels[i]], LONGEST)) for i in largest]
        write_tags(ax, place_tags(tags, light.shape[1:], _drawn(frame)[0]), frame.labels[largest])
        ax.set_title(figure_text(frame.name, 28), fontsize=NORMAL, color=INK, loc="left")
        ax.set_title(figure_text(frame.note, 40), fontsize=SMALL, color=INK, loc="right")
    names = {label: figure_text(class_names[label], 30) for label in sorted(seen)[:MOST_CLASSES]}
    if handles := class_handles(names):
        legend_below(figure, handles, 7)
    headline(figure, title)
    return figure


def _drawn(frame: Shown) -> tuple[float, float]:
    """Width and height of a frame in inches."""
    shape = frame.light.shape[1] / frame.light.shape[2]
    width = min(WIDTH, HIGHEST / shape)
    return width, width * shape
