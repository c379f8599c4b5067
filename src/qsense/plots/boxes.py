"""Boxes over a frame, and tags that cover none of each other.

Open it to change how frames, boxes and tags look in all pictures of detection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from qsense.plots.style import COLOURS, FAINT, SMALL, on

LETTER, LINE = 0.062, 0.15  # inches of a tag: of each letter, and of its height

Array = npt.NDArray[np.floating]
Labels = npt.NDArray[np.integer]


def colour_of(label: int) -> str:
    """The colour of a class; they repeat after seven."""
    return COLOURS[label % len(COLOURS)]


def check_labels(frame: str, labels: Iterable[int], class_names: Sequence[str]) -> None:
    """Refuse a label without a name.

    Raises:
        ValueError: such a label; the frame is named.
    """
    for label in labels:
        if not 0 <= label < len(class_names):
            raise ValueError(f"{frame}: label {label} is none of the classes {', '.join(class_names)}")


def draw_frame(ax: Axes, image: Array) -> None:
    """Show an image [h, w, 3] in [0, 1]; what is drawn over it does not move its edges."""
    height, width = image.shape[:2]
    ax.imshow(image, interpolation="nearest")
    ax.set_xlim(-0.5, width - 0.5)
    ax.set_ylim(height - 0.5, -0.5)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_color(FAINT)


def draw_box(ax: Axes, box: Array, colour: str, line: str = "-", width: float = 1.4, alpha: float = 1.0) -> None:
    """Draw the lines of a box: left, top, right, bottom in pixels."""
    (left, top), (across, down) = box[:2] - 0.5, box[2:] - box[:2]  # the first pixel reaches from -0.5 to 0.5
    ax.add_patch(
        Rectangle((left, top), across, down, fill=False, edgecolor=colour, linestyle=line, linewidth=width, alpha=alpha)
    )


def draw_object(ax: Axes, box: Array, colour: str, line: str = "-") -> None:
    """Draw a box with a light rim, so that it is seen on a dark ground, dashes too."""
    draw_box(ax, box, "white", width=2.4, alpha=0.6)
    draw_box(ax, box, colour, line, width=1.3)


def draw_objects(ax: Axes, boxes: Array, labels: Labels, crowd: npt.NDArray[np.bool_], line: str) -> None:
    """Draw the boxes of objects in their classes' colours; crowds are dotted.

    Args:
        ax: of the frame.
        boxes: left, top, right, bottom in pixels, [n, 4].
        labels: of each, [n].
        crowd: which are crowds, [n].
        line: of the others.
    """
    for box, label, several in zip(boxes, labels, crowd, strict=True):
        draw_object(ax, box, colour_of(int(label)), ":" if several else line)


def place_tags(
    wanted: Sequence[tuple[Array, str]], size: tuple[int, ...], inches: float
) -> list[tuple[int, tuple[float, float, str]]]:
    """Where tags stand so that none covers another: above its box, else inside it at the top, else below it.

    Args:
        wanted: box and text of each, the most important first.
        size: height and width of the image, in its pixels.
        inches: width of the image as drawn.

    Returns:
        Of those that find room, their number and left, top and text, in pixels.
    """
    height, width = size
    pixels = width / inches
    line = LINE * pixels
    taken: list[tuple[float, float, float, float]] = []
    placed = []
    for number, (box, text) in enumerate(wanted):
        across = LETTER * pixels * (len(text) + 1)
        left = float(np.clip(box[0], 0, max(0.0, width - across)))
        for top in (box[1] - line, box[1], box[3] - line, box[3]):
            here = (left, float(top), left + across, float(top) + line)
            inside = here[1] >= 0 and here[3] <= height
            if inside and not any(_overlap(here, other) for other in taken):
                taken.append(here)
                placed.append((number, (left, float(top), text)))
                break
    return placed


def write_tag(ax: Axes, left: float, top: float, text: str, colour: str) -> None:
    """Write a tag that `place_tags` has placed."""
    ax.annotate(
        text,
        (left - 0.5, top - 0.5),
        xytext=(1, -1),
        textcoords="offset points",
        va="top",
        fontsize=SMALL,
        color=on(colour),
        bbox={"facecolor": colour, "edgecolor": "none", "pad": 0.8, "alpha": 0.9},
    )


def write_tags(ax: Axes, tags: Sequence[tuple[int, tuple[float, float, str]]], labels: Labels) -> None:
    """Write what `place_tags` has placed, in the colours of classes.

    Args:
        ax: of the frame.
        tags: as placed.
        labels: of what they were wanted for, in that order.
    """
    for number, (left, top, text) in tags:
        write_tag(ax, left, top, text, colour_of(int(labels[number])))


def class_handles(names: Mapping[int, str]) -> list[Line2D]:
    """A legend's entries: the line of each class, by its label."""
    return [Line2D([], [], color=colour_of(label), linewidth=1.4, label=name) for label, name in names.items()]


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
