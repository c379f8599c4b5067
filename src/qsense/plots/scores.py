"""Score over bits for every quantizer: the papers' tables as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from qsense.plots.style import FAINT, INK, NORMAL, SMALL, dodge, headline, in_order, legend_below, mark, panels
from qsense.runs.escapes import figure_text


@dataclass(frozen=True)
class Score:
    """One point of the picture.

    Args:
        panel: the data set.
        line: the quantizer, as written in the legend.
        bits: of the sensor's ADC; None without a quantizer, drawn as a level across the panel.
        mean: over seeds, in the unit of the y-axis.
        std: over seeds; None where there is one seed.
        complete: whether every expected run stands behind it; hollow or dotted if not.
    """

    panel: str
    line: str
    bits: int | None
    mean: float
    std: float | None
    complete: bool = True


def plot_scores(scores: Sequence[Score], label: str, title: str = "") -> Figure:
    """Draw one panel per data set: score over bits, one line per quantizer, error bars of ± one std over seeds.

    Args:
        scores: the points; panels and lines appear in the order of their first mention.
        label: of the y-axis.
        title: of the figure.

    Raises:
        ValueError: nothing to draw.
    """
    if not scores:
        raise ValueError("scores is empty, so there is no score to draw: give at least one, of a finished run")
    names, lines = in_order(score.panel for score in scores), in_order(score.line for score in scores)
    bits = sorted({score.bits for score in scores if score.bits is not None})
    place = {value: position for position, value in enumerate(bits)}
    figure, axes = panels(len(names), 3.4, 3.0, columns=3)
    handles: dict[str, Line2D] = {}
    for ax, name in zip(axes, names, strict=True):
        for order, line in enumerate(lines):
            colour, marker = mark(order)
            here = [score for score in scores if score.panel == name and score.line == line]
            for score in (score for score in here if score.bits is None):
                ax.axhline(score.mean, color=colour, linestyle="--" if score.complete else ":", linewidth=1.2)
                handles[line] = Line2D([], [], color=colour, linestyle="--", linewidth=1.2, label=line)
                if score.std:
                    ax.axhspan(score.mean - score.std, score.mean + score.std, color=colour, alpha=0.12, linewidth=0)
            points = sorted((score for score in here if score.bits is not None), key=lambda score: score.bits or 0)
            if not points:
                continue
            x = np.array([place[score.bits] for score in points if score.bits is not None]) + dodge(order, len(lines))
            y = np.array([score.mean for score in points])
            error = np.array([score.std or 0.0 for score in points])
            ax.errorbar(x, y, error, color=colour, linewidth=1.2, capsize=2.5, elinewidth=1)
            handles[line] = Line2D([], [], color=colour, linewidth=1.2, marker=marker, markersize=5, label=line)
            for at, score in zip(x, points, strict=True):
                face = colour if score.complete else "white"
                ax.plot(at, score.mean, marker=marker, markersize=5, color=colour, markerfacecolor=face)
        ax.set_title(figure_text(name, 40), fontsize=NORMAL, color=INK, loc="left")
        if any(score.panel == name and not score.complete for score in scores):
            ax.set_title("hollow, dotted: runs are missing", fontsize=SMALL, color=INK, loc="right")
        ax.set_xticks(range(len(bits)), [str(value) for value in bits])
        ax.set_xlim(-0.5, max(len(bits), 1) - 0.5)
        ax.set_xlabel("bits", fontsize=NORMAL, color=INK)
        ax.grid(axis="y", color=FAINT, linewidth=0.5)
    axes[0].set_ylabel(figure_text(label), fontsize=NORMAL, color=INK)
    legend_below(figure, [handles[line] for line in lines if line in handles], 4 if len(names) > 1 else 2)
    headline(figure, title)
    return figure
