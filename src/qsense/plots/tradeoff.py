"""Score against a cost, with the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from qsense.plots.pareto import front
from qsense.plots.style import FAINT, INK, NORMAL, SMALL, headline, in_order, legend_below, mark, panels
from qsense.runs.escapes import figure_text

FRONT, HOLLOW = "Pareto front", "hollow: runs are missing"
PALE = 0.35  # opacity of dominated points
NEAR = 0.09  # points share a label within this part of a panel's width, which is about what one takes


@dataclass(frozen=True)
class Point:
    """One point of the picture.

    Args:
        panel: the data set.
        line: the quantizer, as written in the legend.
        label: written above the point, for example its bits.
        cost: in the unit of the x-axis, above 0.
        mean: score over seeds, in the unit of the y-axis.
        std: over seeds; None where there is one seed.
        complete: whether every expected run stands behind it; hollow if not.
        comparable: whether it averages the same folds as the others; hollow, and not on the front, if not.
        design: where a quantizer has points of several designs: which; no line joins two of them.
    """

    panel: str
    line: str
    label: str
    cost: float
    mean: float
    std: float | None = None
    complete: bool = True
    comparable: bool = True
    design: str = ""


def plot_tradeoff(points: Sequence[Point], label: str, cost_label: str, title: str = "", less: bool = False) -> Figure:
    """Draw one panel per data set: score over cost (logarithmic), one line per quantizer and design.

    The Pareto front is a line of steps: the best score that is to be had up to a cost. Points that another one
    dominates are paler. It goes by means alone: within their spread, points may change sides.

    Args:
        points: panels and lines appear in the order of their first mention.
        label: of the y-axis.
        cost_label: of the x-axis.
        title: of the figure.
        less: whether a lower score is better.

    Raises:
        ValueError: nothing to draw.
    """
    if not points:
        raise ValueError(
            "points is empty, so there is no point to draw: give at least one, of a run that counted its cost"
        )
    names, lines = in_order(point.panel for point in points), in_order(point.line for point in points)
    figure, axes = panels(len(names), 3.6, 3.1, columns=3)
    handles = {}
    for ax, name in zip(axes, names, strict=True):
        all_here = [point for point in points if point.panel == name]
        ahead = _front(all_here, less)
        for order, line in enumerate(lines):
            here = [point for point in all_here if point.line == line]
            if here:
                handles[line] = _line(ax, sorted(here, key=lambda point: point.cost), order, ahead)
        _axis(ax, [point.cost for point in all_here], cost_label)
        _labels(ax, all_here)
        handles[FRONT] = _steps(ax, ahead)
        ax.set_title(figure_text(name, 40), fontsize=NORMAL, color=INK, loc="left")
        if not all(point.complete and point.comparable for point in all_here):
            handles[HOLLOW] = Line2D([], [], color=INK, linewidth=0, marker="o", markerfacecolor="white", label=HOLLOW)
    axes[0].set_ylabel(figure_text(label), fontsize=NORMAL, color=INK)
    legend_below(
        figure, [handles[line] for line in (*lines, FRONT, HOLLOW) if line in handles], 5 if len(names) > 1 else 2
    )
    headline(figure, title)
    return figure


def _front(points: Sequence[Point], less: bool) -> list[Point]:
    able = [point for point in points if point.comparable]
    return [able[i] for i in front([point.cost for point in able], [point.mean for point in able], less)]


def _line(ax: Axes, points: Sequence[Point], order: int, ahead: Sequence[Point]) -> Line2D:
    colour, marker = mark(order)
    for design in in_order(point.design for point in points):
        along = [(point.cost, point.mean) for point in points if point.design == design]
        ax.plot(*zip(*along, strict=True), color=colour, linewidth=1.1, alpha=PALE)
    for point in points:
        strength = 1.0 if point in ahead else PALE
        face = colour if point.complete and point.comparable else "white"
        ax.errorbar(
            point.cost, point.mean, point.std, color=colour, capsize=2.5, elinewidth=1, marker=marker,
            markersize=5, markerfacecolor=face, alpha=strength,
        )  # fmt: skip
    return Line2D([], [], color=colour, linewidth=1.1, marker=marker, markersize=5, label=points[0].line)


def _steps(ax: Axes, ahead: Sequence[Point]) -> Line2D:
    """The front, on to the right end of the panel: what costs more there scores no better."""
    if ahead:
        x, y = [point.cost for point in ahead], [point.mean for point in ahead]
        x, y = [*x, ax.get_xlim()[1]], [*y, y[-1]]
        ax.plot(x, y, color=INK, linewidth=0.9, drawstyle="steps-post", label=FRONT, zorder=1)
    return Line2D([], [], color=INK, linewidth=0.9, label=FRONT)


def _labels(ax: Axes, points: Sequence[Point]) -> None:
    """One above the points of nearly the same cost, as quantizers of the same bits have, with all their labels."""
    left, right = ax.get_xlim()
    factor = (right / left) ** NEAR
    places: list[list[Point]] = []
    for point in sorted((point for point in points if point.label), key=lambda point: point.cost):
        if not places or point.cost > factor * places[-1][0].cost:
            places.append([])
        places[-1].append(point)
    for here in places:
        here.sort(key=_top, reverse=True)
        ax.annotate(
            ", ".join(dict.fromkeys(figure_text(point.label) for point in here)),
            (here[0].cost, _top(here[0])),
            xytext=(0, 5),
            textcoords="offset points",
            ha="center",
            fontsize=SMALL,
            color=INK,
        )
    ax.margins(y=0.12)


def _top(point: Point) -> float:
    return point.mean + (point.std or 0)


def _axis(ax: Axes, costs: Sequence[float], label: str) -> None:
    ax.set_xscale("log")
    low, high = min(costs), max(costs)
    ax.set_xlim(low / 1.6, high * 1.9)
    few = high / low < 20
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,)))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel(label, fontsize=NORMAL, color=INK)
    ax.grid(color=FAINT, linewidth=0.5)
