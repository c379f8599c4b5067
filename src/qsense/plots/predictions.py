"""What a detector finds in a few frames, over what a quantizer left of them and over the frames themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from qsense.plots.boxes import (
    check_labels,
    class_handles,
    colour_of,
    draw_box,
    draw_frame,
    draw_objects,
    place_tags,
    write_tags,
)
from qsense.plots.display import as_light, balance, balanced, develop, white_of
from qsense.plots.style import INK, NORMAL, SMALL, close_up, headline, legend_below
from qsense.runs.escapes import figure_text

WIDTH, HEIGHT = 4.6, 3.4  # most inches of one image
NARROW = 3.9  # inches of one image below which its title and note have no room in one line
LEAST = 0.3  # score of the predictions that are drawn
MOST = 20  # predictions that are drawn, best first
MOST_TAGS = 8  # of them that bear their class and score, as far as there is room
LONGEST = 12  # characters of a class's name on a tag


@dataclass(frozen=True, eq=False)
class Sight:
    """A frame, what is in it and what was found; boxes are left, top, right, bottom in pixels of the planes.

    Args:
        name: of the frame.
        light: its samples before quantization, [planes, h, w]; planes as in `develop`.
        seen: after quantization, alike.
        boxes: of predictions, [n, 4].
        scores: of them, [n], in [0, 1].
        labels: their classes, [n].
        true_boxes: of objects, [m, 4].
        true_labels: their classes, [m].
        crowd: which of them are crowds, bool [m].
        gains: the frame's white balance, of red, green and blue; None: not known.
    """

    name: str
    light: npt.ArrayLike
    seen: npt.ArrayLike
    boxes: npt.NDArray[np.floating]
    scores: npt.NDArray[np.floating]
    labels: npt.NDArray[np.integer]
    true_boxes: npt.NDArray[np.floating]
    true_labels: npt.NDArray[np.integer]
    crowd: npt.NDArray[np.bool_]
    gains: Sequence[float] | None = None


def plot_predictions(sights: Sequence[Sight], class_names: Sequence[str], title: str = "") -> Figure:
    """Draw one row per frame: quantized on the left (every level as the light it means), as it is on the right.

    Over both lie the same predictions of at least `LEAST` and the objects, dashed; crowds dotted. The best predictions
    bear their class and score, where such a tag covers no other. Colours are balanced (`display.balance`), for the
    picture alone.

    Args:
        sights: the frames.
        class_names: in index order; the colours repeat after seven.
        title: of the figure.

    Raises:
        ValueError: no frame, or a label without a name.
    """
    if not sights:
        raise ValueError("frames is empty, so there is no frame to draw: give at least one")
    shapes = [np.asarray(sight.light).shape for sight in sights]
    width = min(WIDTH, *(HEIGHT * shape[2] / shape[1] for shape in shapes))
    heights = [width * shape[1] / shape[2] for shape in shapes]
    figure = Figure(figsize=(2 * width, sum(heights) + 0.3 * len(sights) + 0.6), layout="constrained")
    close_up(figure)
    grid = figure.subplots(len(sights), 2, squeeze=False, height_ratios=heights)
    shown: set[int] = set()
    crowds = False
    for (left, right), sight in zip(grid, sights, strict=True):
        check_labels(sight.name, (*sight.labels.tolist(), *sight.true_labels.tolist()), class_names)
        gains = balance(sight.light, sight.gains)
        white = white_of(balanced(sight.light, gains))
        best = np.argsort(-sight.scores, kind="stable")[:MOST]
        drawn = best[sight.scores[best] >= LEAST]
        tags = place_tags(
            [(sight.boxes[i], _tag(class_names[sight.labels[i]], float(sight.scores[i]))) for i in drawn[:MOST_TAGS]],
            np.asarray(sight.light).shape[1:],
            width,
        )
        for ax, light in ((left, as_light(sight.seen, sight.light)), (right, sight.light)):
            draw_frame(ax, develop(balanced(light, gains), white))
            draw_objects(ax, sight.true_boxes, sight.true_labels, sight.crowd, "--")
            for index in drawn[::-1]:  # the best lies on top
                draw_box(ax, sight.boxes[index], colour_of(int(sight.labels[index])))
            write_tags(ax, tags, sight.labels[drawn])
        left.set_title(f"{figure_text(sight.name, 40)}, quantized", fontsize=NORMAL, color=INK, loc="left")
        right.set_title("not quantized", fontsize=NORMAL, color=INK, loc="left")
        note = _note(sight, len(drawn))
        note = note if width >= NARROW else note.replace(", ", "\n")  # beside the title only its last line
        right.set_title(note, fontsize=SMALL, color=INK, loc="right")
        shown |= {int(label) for label in (*sight.labels[drawn], *sight.true_labels)}
        crowds = crowds or bool(sight.crowd.any())
    _legend(figure, {label: class_names[label] for label in sorted(shown)}, crowds)
    headline(figure, title)
    return figure


def _note(sight: Sight, drawn: int) -> str:
    """ "3 predictions, 4 objects"; how far off the best one is where none is drawn."""
    objects = f"{len(sight.true_labels)} object{'s' * (len(sight.true_labels) != 1)}"
    if drawn:
        return f"{drawn} prediction{'s' * (drawn != 1)} ≥ {LEAST:g}, {objects}"
    best = f" (best: {sight.scores.max():.2f})" if len(sight.scores) else ""
    return f"no prediction ≥ {LEAST:g}{best}, {objects}"


def _tag(name: str, score: float) -> str:
    return f"{figure_text(name, LONGEST)} {f'{score:.2f}'.removeprefix('0')}"


def _legend(figure: Figure, classes: Mapping[int, str], crowds: bool) -> None:
    handles = class_handles(classes)
    handles.append(Line2D([], [], color=INK, linewidth=1.4, label="prediction, the best with their scores"))
    handles.append(Line2D([], [], color=INK, linewidth=1.2, linestyle="--", label="object"))
    if crowds:
        handles.append(Line2D([], [], color=INK, linewidth=1.2, linestyle=":", label="crowd"))
    legend_below(figure, handles, 7)
