"""Frames with their boxes on one sheet, to see that boxes lie on their objects before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from qsense.data.frames.discover.shown import Shown
from qsense.plots.display import balance, balanced, develop, white_of
from qsense.plots.predictions import place_tags
from qsense.plots.style import COLOURS, FAINT, INK, NORMAL, SMALL, close_up, headline, legend_below, on
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
        height, width = frame.light.shape[1:]
        gains = balance(frame.light) if frame.gains is None else frame.gains.reshape(4, 1, 1)
        light = balanced(np.maximum(frame.light, 0), gains)
        ax.imshow(develop(light, white_of(light)), interpolation="nearest")
        for box, label, crowd in zip(frame.boxes, frame.labels.tolist(), frame.crowd.tolist(), strict=True):
            if not 0 <= label < len(class_names):
                raise ValueError(f"{frame.name}: label {label} is none of the classes {', '.join(class_names)}")
            left, top, right, bottom = (float(side) - 0.5 for side in box)  # the first pixel reaches from -0.5 to 0.5
            for colour, line in (("white", 2.4), (COLOURS[label % len(COLOURS)], 1.3)):
                ax.add_patch(
                    Rectangle(
                        (left, top),
                        right - left,
                        bottom - top,
                        fill=False,
                        edgecolor=colour,
                        linewidth=line,
                        linestyle=":" if crowd else "-",
                    )
                )
        seen |= set(frame.labels.tolist())
        largest = np.argsort(-np.prod(frame.boxes[:, 2:] - frame.boxes[:, :2], axis=1), kind="stable")[:MOST_TAGS]
        tags = [(frame.boxes[i], figure_text(class_names[frame.labels[i]], LONGEST)) for i in largest]
        for place, (x, y, text) in place_tags(tags, (height, width), _drawn(frame)[0]):
            colour = COLOURS[int(frame.labels[largest[place]]) % len(COLOURS)]
            ax.annotate(
                text,
                (x - 0.5, y - 0.5),
                xytext=(1, -1),
                textcoords="offset points",
                va="top",
                fontsize=SMALL,
                color=on(colour),
                bbox={"facecolor": colour, "edgecolor": "none", "pad": 0.8, "alpha": 0.9},
            )
        ax.set_xlim(-0.5, width - 0.5)
        ax.set_ylim(height - 0.5, -0.5)
        ax.set_xticks([])
        ax.set_yticks([])
        ax.spines[:].set_visible(True)
        ax.spines[:].set_color(FAINT)
        ax.set_title(figure_text(frame.name, 28), fontsize=NORMAL, color=INK, loc="left")
        ax.set_title(figure_text(frame.note, 40), fontsize=SMALL, color=INK, loc="right")
    names = [(label, figure_text(class_names[label], 30)) for label in sorted(seen)[:MOST_CLASSES]]
    handles = [Line2D([], [], color=COLOURS[label % len(COLOURS)], linewidth=1.6, label=name) for label, name in names]
    if handles:
        legend_below(figure, handles, 7)
    headline(figure, title)
    return figure


def _drawn(frame: Shown) -> tuple[float, float]:
    """Width and height of a frame in inches."""
    shape = frame.light.shape[1] / frame.light.shape[2]
    width = min(WIDTH, HIGHEST / shape)
    return width, width * shape
