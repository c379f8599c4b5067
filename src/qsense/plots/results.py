"""A run at a glance: loss, score and learned values over its epochs, and what its test confuses or finds.

Open it to change `results.png`; the pictures beside it show each of its panels larger.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from qsense.plots.confusion import shares
from qsense.plots.style import BLUE, FAINT, INK, NORMAL, PARAMETERS, SMALL, VERMILION, headline, line_styles, tidy
from qsense.plots.trajectory import parameters_of
from qsense.runs.escapes import figure_text

WIDTH, HEIGHT = 9.0, 6.2  # inches of the figure
LEAST_SPAN = 0.02  # of a learned value's axis, as a share of the value: what hardly moves looks so
MOST_PARAMETERS = 2  # learned ones that are drawn, one below the other
MOST_NUMBERED = 12  # classes, in whose matrix there is room for numbers
MOST_NAMED = 30  # classes whose names can be read beside a matrix or a bar
FEWEST_ROWS = 8  # of bars that lie: fewer are as thin
LONGEST = 14  # characters of a class's name

Row = Mapping[str, float]


def plot_results(
    history: Sequence[Row],
    learned: Sequence[Row],
    score: str,
    tested: float,
    class_names: Sequence[str],
    confusion: npt.ArrayLike | None = None,
    per_class: Sequence[float | None] = (),
    percent: bool = True,
    title: str = "",
) -> Figure:
    """Draw four panels: loss; score, with the test's as a line; learned values; confusion.

    Where nothing is learned, scores by class take that panel's place; where there is no confusion matrix, its place.

    Args:
        history: per epoch `epoch`, counted from 1, and what is known of `loss`, `val_loss` and `val_score`.
        learned: per epoch the learned values, as rows of `learned.csv`; empty where nothing is learned.
        score: name of the score.
        tested: its value in the test.
        class_names: of the K classes.
        confusion: matrix [K, K] of the test, rows = truth; None where there is none.
        per_class: a score of each class, None for one without; empty where there are none.
        percent: whether scores are shares, to be shown times 100.
        title: of the figure.

    Raises:
        ValueError: a score for some of the classes alone.
    """
    if per_class and len(per_class) != len(class_names):
        raise ValueError(f"{len(per_class)} scores for {len(class_names)} classes: give one for each, or none")
    factor = 100 if percent else 1
    figure = Figure(figsize=(WIDTH, HEIGHT))  # every run draws it: a constrained layout would double its time
    grid = figure.add_gridspec(1, 2, width_ratios=[1, 1.12], left=0.06, right=0.99, top=0.9, bottom=0.08, wspace=0.3)
    left, right = grid[0, 0], grid[0, 1]
    stack = left.subgridspec(3, 1, height_ratios=[1, 1, 1.2], hspace=0.4)
    upper, middle, lower = (stack[row, 0] for row in range(3))
    above = _panel(figure, upper, "loss")
    _losses(above, history)
    scored = _panel(figure, middle, f"{score}{' (%)' * percent}")
    _scores(scored, history, factor, factor * tested)
    if above.lines:
        scored.set_xlim(above.get_xlim())  # there may be no validation
    names = [figure_text(name, LONGEST) for name in class_names]
    values = [None if value is None else factor * value for value in per_class]
    parameters = parameters_of(list(learned[0])) if learned else {}
    if parameters:
        some = list(parameters)[:MOST_PARAMETERS]
        places = lower.subgridspec(len(some), 1, hspace=0.8)
        for row, parameter in enumerate(some):
            ax = _panel(figure, places[row, 0], f"learned {PARAMETERS.get(parameter, parameter)}")
            _learned(ax, learned, parameters[parameter])
    elif values and confusion is not None:
        _upright(_panel(figure, lower, f"{score} by class{' (%)' * percent}"), names, values)
    else:
        figure.add_subplot(lower).set_axis_off()
    (figure.axes[-1] if parameters else scored).set_xlabel("epoch", fontsize=NORMAL, color=INK)
    if confusion is not None:
        _confusion(figure.add_subplot(right), np.asarray(confusion, dtype=np.int64), names)
    elif values:
        _lying(_panel(figure, right, f"{score} by class{' (%)' * percent}"), names, values)
    headline(figure, title)
    return figure


def _panel(figure: Figure, place: object, title: str) -> Axes:
    ax: Axes = figure.add_subplot(place)  # type: ignore[call-overload]
    tidy(ax)
    ax.set_title(figure_text(title), fontsize=NORMAL, color=INK, loc="left")
    ax.grid(axis="y", color=FAINT, linewidth=0.5)
    return ax


def _over_epochs(ax: Axes, rows: Sequence[Row], key: str, factor: float = 1, **look: object) -> None:
    known = [(row["epoch"], factor * row[key]) for row in rows if row.get(key) is not None]
    if known:
        marker = "o" if len(known) < 2 else None  # a single epoch is a point, not a line
        ax.plot(*zip(*known, strict=True), marker=marker, markersize=4, linewidth=1.4, **look)  # type: ignore[arg-type]
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))


def _losses(ax: Axes, history: Sequence[Row]) -> None:
    _over_epochs(ax, history, "loss", color=BLUE, label="training")
    _over_epochs(ax, history, "val_loss", color=VERMILION, label="validation")
    if ax.lines:
        ax.legend(fontsize=SMALL, frameon=False, labelcolor=INK, loc="upper right", ncols=2, borderaxespad=0)


def _scores(ax: Axes, history: Sequence[Row], factor: float, tested: float) -> None:
    _over_epochs(ax, history, "val_score", factor, color=VERMILION, label="validation")
    ax.axhline(tested, color=INK, linewidth=1, linestyle="--", zorder=1)
    ax.set_title(f"dashed: test, {tested:.1f}" if factor > 1 else f"dashed: test, {tested:.3g}", fontsize=SMALL,
                 color=INK, loc="right")  # fmt: skip
    ax.margins(y=0.12)
    ax.set_ylim(bottom=max(ax.get_ylim()[0], 0))  # no score is negative


def _learned(ax: Axes, rows: Sequence[Row], columns: Sequence[str]) -> None:
    for column, (colour, dash) in zip(columns, line_styles(len(columns)), strict=True):
        _over_epochs(ax, rows, column, color=colour, linestyle=dash)
    last = [rows[-1][column] for column in columns]
    ends = f"{min(last):.3g}" if len(last) == 1 else f"{min(last):.3g} … {max(last):.3g}"
    ax.set_title(f"at the end: {ends}", fontsize=SMALL, color=INK, loc="right")
    ax.margins(y=0.15)
    low, high = ax.get_ylim()
    missing = max(LEAST_SPAN * max(abs(low), abs(high)) - (high - low), 0)
    ax.set_ylim(low - missing / 2, high + missing / 2)


def _confusion(ax: Axes, counts: npt.NDArray[np.int64], names: Sequence[str]) -> None:
    share = shares(counts)
    ax.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="equal")
    if len(names) <= MOST_NUMBERED:
        for truth, predicted in np.argwhere(share >= 0.005):
            ax.text(
                predicted, truth, f"{100 * share[truth, predicted]:.0f}", ha="center", va="center", fontsize=SMALL,
                color="white" if share[truth, predicted] > 0.55 else INK, in_layout=False,
            )  # fmt: skip
    if len(names) <= MOST_NAMED:
        ticks = range(len(names))
        ax.set_xticks(ticks, names, **_turned(names))
        ax.set_yticks(ticks, names)
    ax.tick_params(length=0, labelsize=SMALL, labelcolor=INK)
    ax.spines[:].set_visible(False)
    ax.set_anchor("N")
    ax.set_title("test: % of the true class", fontsize=NORMAL, color=INK, loc="left")
    ax.set_xlabel("predicted", fontsize=NORMAL, color=INK)
    ax.set_ylabel("true", fontsize=NORMAL, color=INK)


def _turned(names: Sequence[str]) -> dict[str, Any]:
    """How names stand below an axis: those of more than three characters are turned."""
    long = max(map(len, names)) > 3
    return {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if long else {}


def _upright(ax: Axes, names: Sequence[str], values: Sequence[float | None]) -> None:
    ax.bar(range(len(names)), [value or 0 for value in values], color=BLUE, width=0.7)
    few = len(names) <= MOST_NUMBERED
    ax.set_xticks(range(len(names)) if few else [], names if few else [], **_turned(names))


def _lying(ax: Axes, names: Sequence[str], values: Sequence[float | None]) -> None:
    ax.grid(visible=False)
    bars = ax.barh(range(len(names)), [value or 0 for value in values], color=BLUE, height=0.7)
    if len(names) <= MOST_NAMED:
        ax.set_yticks(range(len(names)), names)
        ax.bar_label(
            bars, ["–" if value is None else f"{value:.1f}" for value in values], padding=3, fontsize=SMALL, color=INK
        )
    ax.set_ylim(max(len(names), FEWEST_ROWS) - 0.5, -0.5)
    ax.margins(x=0.12)
    ax.set_xlim(left=0)
