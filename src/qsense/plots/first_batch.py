"""Some examples of a batch as the network sees them: windows of a series, a mosaic of images, frames with boxes.

Open it to change `first_batch.png`: the picture that shows a wrong label, scale or order of channels before training.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from qsense.plots.boxes import colour_of, draw_object
from qsense.plots.style import (
    FAINT,
    INK,
    NORMAL,
    SMALL,
    close_up,
    headline,
    legend_below,
    line_styles,
    tidy,
)
from qsense.runs.escapes import figure_text

COLUMNS = 4
MOST_WINDOWS, MOST_IMAGES, MOST_FRAMES = 8, 32, 4
MOST_LINES = 24  # channels that a legend has room for
TILE = 0.8  # inches of an image of the mosaic
LONGEST = 22  # characters of a class's name


def plot_windows(
    x: npt.ArrayLike, labels: Sequence[str], names: Sequence[str], rate_hz: float, note: str = "", title: str = ""
) -> Figure:
    """Draw windows, one panel each with its label, all on the same scale.

    Args:
        x: what the network is given, [B, time, channels]; the first 8 windows are drawn.
        labels: name of each window's class, [B].
        names: of the channels.
        rate_hz: samples per second.
        note: what the values are, for the axis.
        title: of the figure.

    Raises:
        ValueError: no window, or labels or names that do not fit.
    """
    windows = _some(x, 3, labels, MOST_WINDOWS)
    if len(names) != windows.shape[2]:
        raise ValueError(f"{len(names)} names for {windows.shape[2]} channels")
    columns = min(len(windows), COLUMNS)
    rows = -(-len(windows) // columns)
    across, down = 2.25 * columns + 0.6, 1.4 * rows + 1.5
    figure = Figure(figsize=(across, down))  # every run draws it: a constrained layout would double its time
    figure.subplots_adjust(
        left=0.7 / across, right=1 - 0.1 / across, top=1 - 0.7 / down, bottom=0.8 / down, wspace=0.08, hspace=0.35
    )
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for ax in axes[len(windows) :]:
        ax.remove()
    for ax in axes[: len(windows)]:
        tidy(ax)
    time = np.arange(windows.shape[1]) / rate_hz
    low, high = float(windows.min()), float(windows.max())
    margin = 0.06 * (high - low) or 0.1
    looks = line_styles(len(names))
    for index, (ax, window, label) in enumerate(zip(axes, windows, labels, strict=False)):
        for values, (colour, dash) in zip(window.T, looks, strict=True):
            ax.plot(time, values, color=colour, linestyle=dash, linewidth=1, drawstyle="steps-mid")
        ax.set_title(figure_text(label, LONGEST), fontsize=NORMAL, color=INK, loc="left")
        ax.set_ylim(low - margin, high + margin)
        ax.set_xlim(time[0], time[-1])
        ax.grid(axis="y", color=FAINT, linewidth=0.5)
        ax.tick_params(labelleft=index % COLUMNS == 0, labelbottom=index >= len(windows) - COLUMNS)
        if index >= len(windows) - COLUMNS:
            ax.set_xlabel("time (s)", fontsize=SMALL, color=INK)
    figure.supylabel(figure_text(note), fontsize=NORMAL, color=INK)
    if len(names) <= MOST_LINES:
        lines = [
            Line2D([], [], color=colour, linestyle=dash, label=name)  # type: ignore[arg-type]
            for name, (colour, dash) in zip(names, looks, strict=True)
        ]
        legend_below(figure, lines, 6)
    headline(figure, title)
    return figure


def plot_mosaic(x: npt.ArrayLike, labels: Sequence[str], title: str = "") -> Figure:
    """Draw images side by side with their labels; the range that they take becomes black to white.

    Args:
        x: what the network is given, [B, channels, h, w]; the first 32 images are drawn. Three channels are colours,
            of any other number the mean is drawn.
        labels: name of each image's class, [B].
        title: of the figure.

    Raises:
        ValueError: no image, or not a label for each.
    """
    images = _some(x, 4, labels, MOST_IMAGES)
    columns = min(len(images), 2 * COLUMNS)
    rows = -(-len(images) // columns)
    figure = Figure(figsize=(TILE * columns + 0.2, (TILE + 0.17) * rows + 0.6), layout="constrained")
    close_up(figure)
    shown = _stretched(images)
    for ax, image, label in zip(figure.subplots(rows, columns, squeeze=False).flat, shown, labels, strict=False):
        ax.imshow(image, interpolation="nearest")
        ax.set_title(figure_text(label, 11), fontsize=SMALL, color=INK, pad=2)
    for ax in figure.axes:
        ax.set_axis_off()
    figure.supxlabel(_range(images), fontsize=SMALL, color=INK)
    headline(figure, title)
    return figure


def plot_frames(
    x: Sequence[npt.ArrayLike],
    boxes: Sequence[npt.ArrayLike],
    labels: Sequence[npt.ArrayLike],
    class_names: Sequence[str],
    title: str = "",
    balanced: bool = False,
) -> Figure:
    """Draw frames with the boxes that a detector is to find.

    Args:
        x: what the network is given, [channels, h, w] each, without padding; the first 4 frames are drawn, as in
            `plot_mosaic`.
        boxes: of each frame, [n, 4]: left, top, right, bottom in pixels of x.
        labels: of each frame, the classes [n].
        class_names: in index order.
        title: of the figure.
        balanced: whether x is white balanced, so that its colours are shown as they are to each other; else each goes
            from black to white by itself.

    Raises:
        ValueError: no frame, or not boxes and labels for each.
    """
    if not len(x) or not len(x) == len(boxes) == len(labels):
        raise ValueError(f"{len(x)} frames, {len(boxes)} with boxes, {len(labels)} with labels: give some of each")
    frames = [np.asarray(frame, dtype=np.float64) for frame in x[:MOST_FRAMES]]
    columns = min(len(frames), 2)
    rows = -(-len(frames) // columns)
    height, width = max(frame.shape[1] for frame in frames), max(frame.shape[2] for frame in frames)
    figure = Figure(figsize=(3.6 * columns, (3.6 * height / width + 0.25) * rows + 0.7), layout="constrained")
    close_up(figure)
    shown: set[int] = set()
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for ax, frame, here, classes in zip(axes, frames, boxes, labels, strict=False):
        ax.imshow(_stretched(frame[None], together=balanced)[0], interpolation="nearest")
        kinds = np.asarray(classes, dtype=np.int64).tolist()
        for box, kind in zip(np.asarray(here, dtype=np.float64).reshape(-1, 4), kinds, strict=True):
            draw_object(ax, box, colour_of(kind))
        shown |= set(kinds)
        count = len(kinds)
        ax.set_title(f"{count} object{'s' * (count != 1)}", fontsize=SMALL, color=INK, loc="left", pad=3)
    for ax in axes:
        ax.set_axis_off()
    lines = [
        Line2D([], [], color=colour_of(kind), label=figure_text(class_names[kind], LONGEST)) for kind in sorted(shown)
    ]
    if lines:
        legend_below(figure, lines, 4)
    headline(figure, title)
    return figure


def _some(x: npt.ArrayLike, dimensions: int, labels: Sequence[object], most: int) -> npt.NDArray[np.float64]:
    examples = np.asarray(x, dtype=np.float64)
    if examples.ndim != dimensions or not examples.size:
        raise ValueError(f"a batch of shape {list(examples.shape)} has nothing to draw: {dimensions} dimensions needed")
    if len(labels) != len(examples):
        raise ValueError(f"{len(labels)} labels for {len(examples)} examples: give one for each")
    return examples[:most]


def _stretched(images: npt.NDArray[np.float64], together: bool = False) -> npt.NDArray[np.float64]:
    """Images [B, channels, h, w] as colours [B, h, w, 3] in [0, 1]: each channel from its lowest to its highest, or all
    channels together."""
    colours = images if images.shape[1] == 3 else np.repeat(images.mean(axis=1, keepdims=True), 3, axis=1)
    axes = (0, 1, 2, 3) if together else (0, 2, 3)
    low, high = (np.quantile(colours, share, axis=axes, keepdims=True) for share in (0.002, 0.998))
    shown: npt.NDArray[np.float64] = np.clip((colours - low) / np.where(high > low, high - low, 1), 0, 1)
    return shown.transpose(0, 2, 3, 1)


def _range(images: npt.NDArray[np.float64]) -> str:
    return f"values {images.min():.2f} … {images.max():.2f}, mean {images.mean():.2f}, deviation {images.std():.2f}"
