"""Score against what a prediction costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from qsense.plots.style import COLOURS, FAINT, INK, LARGE, MARKERS, NORMAL, SMALL, panels


@dataclass(frozen=True)
class Point:
    """One point of the picture.

    Args:
        panel: the data set.
        line: the quantizer, as written in the legend.
        label: written above the point, for example its bits.
        gbops: 10⁹ bit operations per prediction, above 0.
        mean: score over seeds, in the unit of the y-axis.
        std: over seeds; None where there is one seed.
        complete: whether every expected run stands behind it; hollow if not.
    """

    panel: str
    line: str
    label: str
    gbops: float
    mean: float
    std: float | None = None
    complete: bool = True


def plot_tradeoff(points: Sequence[Point], label: str, title: str = "") -> Figure:
    """Draw one panel per data set: score over bit operations (logarithmic), one line per quantizer.

    Args:
        points: panels and lines appear in the order of their first mention.
        label: of the y-axis.
        title: of the figure.

    Raises:
        ValueError: nothing to draw.
    """
    if not points:
        raise ValueError("no point to draw")
    names = list(dict.fromkeys(point.panel for point in points))
    lines = list(dict.fromkeys(point.line for point in points))
    figure, axes = panels(len(names), 3.6, 3.1, columns=3)
    shown = {}
    for ax, name in zip(axes, names, strict=True):
        for order, line in enumerate(lines):
            here = [point for point in points if (point.panel, point.line) == (name, line)]
            if here:
                shown[line] = _line(ax, sorted(here, key=lambda point: point.gbops), order)
        _labels(ax, [point for point in points if point.panel == name])
        _axis(ax, [point.gbops for point in points if point.panel == name])
        ax.set_title(name, fontsize=NORMAL, color=INK, loc="left")
        if any(point.panel == name and not point.complete for point in points):
            ax.set_title("hollow: runs are missing", fontsize=SMALL, color=INK, loc="right")
    axes[0].set_ylabel(label, fontsize=NORMAL, color=INK)
    figure.legend(
        handles=[shown[line] for line in lines],
        labels=lines,
        loc="outside lower center",
        ncols=min(len(lines), 4 if len(names) > 1 else 2),
        fontsize=SMALL,
        frameon=False,
        labelcolor=INK,
    )
    if title:
        figure.suptitle(title, fontsize=LARGE, color=INK)
    return figure


def _line(ax: Axes, points: Sequence[Point], order: int):  # type: ignore[no-untyped-def]
    colour, marker = COLOURS[order % len(COLOURS)], MARKERS[(order + order // len(COLOURS)) % len(MARKERS)]
    x, y = [point.gbops for point in points], [point.mean for point in points]
    ax.errorbar(x, y, [point.std or 0.0 for point in points], color=colour, linewidth=1.1, capsize=2.5, elinewidth=1)
    for point in points:
        face = colour if point.complete else "white"
        ax.plot(point.gbops, point.mean, marker=marker, markersize=5, color=colour, markerfacecolor=face)
    return ax.plot([], [], color=colour, linewidth=1.1, marker=marker, markersize=5)[0]


def _labels(ax: Axes, points: Sequence[Point]) -> None:
    """One above the points that share it and their cost, as quantizers of the same bits do."""
    tops: dict[tuple[str, str], Point] = {}
    for point in points:
        place = point.label, f"{point.gbops:.3g}"
        if place not in tops or point.mean + (point.std or 0) > tops[place].mean + (tops[place].std or 0):
            tops[place] = point
    for point in tops.values():
        ax.annotate(
            point.label,
            (point.gbops, point.mean + (point.std or 0)),
            xytext=(0, 5),
            textcoords="offset points",
            ha="center",
            fontsize=SMALL,
            color=INK,
        )
    ax.margins(y=0.12)


def _axis(ax: Axes, gbops: Sequence[float]) -> None:
    ax.set_xscale("log")
    low, high = min(gbops), max(gbops)
    ax.set_xlim(low / 1.6, high * 1.9)
    few = high / low < 20
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,)))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("10⁹ bit operations per prediction", fontsize=NORMAL, color=INK)
    ax.grid(color=FAINT, linewidth=0.5)
