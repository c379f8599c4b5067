"""What a detector finds in a few frames, over what a quantizer left of them and over the frames themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from qsense.plots.display import as_light, balance, balanced, develop, white_of
from qsense.plots.style import COLOURS, FAINT, INK, NORMAL, SMALL, close_up, headline, legend_below, on
from qsense.runs.escapes import figure_text

WIDTH, HEIGHT = 4.6, 3.4  # most inches of one image
NARROW = 3.9  # inches of one image below which its title and note have no room in one line
LEAST = 0.3  # score of the predictions that are drawn
MOST = 20  # predictions that are drawn, best first
MOST_TAGS = 8  # of them that bear their class and score, as far as there is room
LETTER, LINE = 0.062, 0.15  # inches of a tag: of each letter, and of its height
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
        for label in (*sight.labels.tolist(), *sight.true_labels.tolist()):
            if not 0 <= label < len(class_names):
                raise ValueError(f"{sight.name}: label {label} is none of the classes {', '.join(class_names)}")
        gains = balance(sight.light, sight.gains)
        white = white_of(balanced(sight.light, gains))
        best = np.argsort(-sight.scores, kind="stable")[:MOST]
        drawn = best[sight.scores[best] >= LEAST]
        tags = place_tags(
            [(sight.boxes[i], _tag(class_names[sight.labels[i]], float(sight.scores[i]))) for i in drawn[:MOST_TAGS]],
            np.asarray(sight.light).shape[1:],
            width,
        )
        for ax, light in ((left, as_light(sight.seen, sight.light)), (right, np.asarray(sight.light))):
            ax.imshow(develop(balanced(light, gains), white), interpolation="nearest")
            _objects(ax, sight)
            for index in drawn[::-1]:  # the best lies on top
                _box(ax, sight.boxes[index], _colour(int(sight.labels[index])), "-", 1.4, 1.0)
            for place, (x, y, text) in tags:
                _write(ax, x, y, text, _colour(int(sight.labels[drawn[place]])))
            ax.set_xlim(-0.5, np.asarray(light).shape[2] - 0.5)
            ax.set_ylim(np.asarray(light).shape[1] - 0.5, -0.5)
            ax.set_xticks([])
            ax.set_yticks([])
            ax.spines[:].set_color(FAINT)
        left.set_title(f"{figure_text(sight.name, 40)}, quantized", fontsize=NORMAL, color=INK, loc="left")
        right.set_title("not quantized", fontsize=NORMAL, color=INK, loc="left")
        note = _note(sight, len(drawn))
        note = note if width >= NARROW else note.replace(", ", "\n")  # beside the title only its last line
        right.set_title(note, fontsize=SMALL, color=INK, loc="right")
        shown |= {int(label) for label in (*sight.labels[drawn], *sight.true_labels)}
        crowds = crowds or bool(sight.crowd.any())
    _legend(figure, [(class_names[label], _colour(label)) for label in sorted(shown)], crowds)
    headline(figure, title)
    return figure


def _colour(label: int) -> str:
    return COLOURS[label % len(COLOURS)]


def _note(sight: Sight, drawn: int) -> str:
    """ "3 predictions, 4 objects"; how far off the best one is where none is drawn."""
    objects = f"{len(sight.true_labels)} object{'s' * (len(sight.true_labels) != 1)}"
    if drawn:
        return f"{drawn} prediction{'s' * (drawn != 1)} ≥ {LEAST:g}, {objects}"
    best = f" (best: {sight.scores.max():.2f})" if len(sight.scores) else ""
    return f"no prediction ≥ {LEAST:g}{best}, {objects}"


def _objects(ax: Axes, sight: Sight) -> None:
    for box, label, crowd in zip(sight.true_boxes, sight.true_labels.tolist(), sight.crowd.tolist(), strict=True):
        _box(ax, box, "white", "-", 2.2, 0.5)  # a light rim, so that dashes are seen on a dark ground
        _box(ax, box, _colour(label), ":" if crowd else "--", 1.2, 1.0)


def _tag(name: str, score: float) -> str:
    return f"{figure_text(name, LONGEST)} {f'{score:.2f}'.removeprefix('0')}"


def place_tags(
    wanted: Sequence[tuple[npt.NDArray[np.floating], str]], size: tuple[int, ...], inches: float
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


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _write(ax: Axes, left: float, top: float, text: str, colour: str) -> None:
    ax.annotate(
        text,
        (left - 0.5, top - 0.5),
        xytext=(1, -1),
        textcoords="offset points",
        va="top",
        fontsize=SMALL,
        color=on(colour),
        annotation_clip=True,
        bbox={"facecolor": colour, "edgecolor": "none", "pad": 0.8, "alpha": 0.9},
    )


def _box(ax: Axes, box: npt.NDArray[np.floating], colour: str, line: str, width: float, alpha: float) -> None:
    left, top, right, bottom = (float(side) - 0.5 for side in box)  # the first pixel reaches from -0.5 to 0.5
    ax.add_patch(
        Rectangle(
            (left, top),
            right - left,
            bottom - top,
            fill=False,
            edgecolor=colour,
            linestyle=line,
            linewidth=width,
            alpha=alpha,
        )
    )


def _legend(figure: Figure, classes: Sequence[tuple[str, str]], crowds: bool) -> None:
    handles = [Line2D([], [], color=colour, linewidth=1.4, label=name) for name, colour in classes]
    handles.append(Line2D([], [], color=INK, linewidth=1.4, label="prediction, the best with their scores"))
    handles.append(Line2D([], [], color=INK, linewidth=1.2, linestyle="--", label="object"))
    if crowds:
        handles.append(Line2D([], [], color=INK, linewidth=1.2, linestyle=":", label="crowd"))
    legend_below(figure, handles, 7)
