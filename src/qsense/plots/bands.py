"""Which frequencies of its weights a network needs: accuracy with each band halved (FAT, supplementary Fig. 4)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from qsense.plots.style import BLUE, FAINT, INK, LARGE, NORMAL, SMALL, tidy
from qsense.runs.escapes import figure_text


def plot_bands(scores: Sequence[float], untouched: float, label: str = "accuracy (%)", title: str = "") -> Figure:
    """Draw the score with one band of frequencies halved at a time, beside the score of the network as it is.

    Args:
        scores: one per band, from the slowest frequencies to the fastest, in the unit of `label`.
        untouched: of the network as it is.
        label: of the y-axis.
        title: of the figure.

    Raises:
        ValueError: no band.
    """
    if not len(scores):
        raise ValueError("scores is empty, so there is no band to draw: give one score for each, with bands=1 or more")
    values = np.asarray(scores, dtype=np.float64)
    bands = np.arange(1, len(values) + 1)
    figure = Figure(figsize=(max(4.2, 0.17 * len(values) + 1.2), 3.2), layout="constrained")
    ax = figure.subplots()
    tidy(ax)
    ax.axhline(untouched, color=INK, linestyle="--", linewidth=1)
    ax.set_title(f"dashed: as it is, {untouched:.2f}", fontsize=SMALL, color=INK, loc="right")
    ax.vlines(bands, values, untouched, color=FAINT, linewidth=3)
    ax.plot(bands, values, linestyle="", marker="o", markersize=4, color=BLUE)
    low, high = min(float(values.min()), untouched), max(float(values.max()), untouched)
    margin = max(0.12 * (high - low), 0.05)
    ax.set_ylim(low - margin, high + margin)
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    ax.set_xlim(0.3, len(values) + 0.7)
    ax.set_xlabel("band halved (1: the weights' mean, and slowest changes)", fontsize=NORMAL, color=INK)
    ax.set_ylabel(figure_text(label), fontsize=NORMAL, color=INK)
    ax.grid(axis="y", color=FAINT, linewidth=0.5)
    if title:
        ax.set_title(figure_text(title), fontsize=LARGE, color=INK, loc="left")
    return figure
