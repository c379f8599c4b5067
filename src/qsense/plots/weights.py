"""Histograms of weights and the few levels they are rounded to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from qsense.plots.style import FAINT, INK, NORMAL, SMALL, VERMILION, headline, legend_below, panels
from qsense.runs.escapes import figure_text

MOST_LINES = 64  # levels that are drawn; more would be an area


def plot_weights(
    names: Sequence[str], weights: Sequence[npt.ArrayLike], levels: Sequence[npt.ArrayLike], title: str = ""
) -> Figure:
    """Draw one panel per layer: the histogram of its weights before rounding, the levels, and how well they are used.

    "Bits used" is the entropy of the codes; "clipped" the share of weights beyond the outermost levels.

    Args:
        names: of the layers.
        weights: what is rounded, any shape, in standard deviations of the layer's weights.
        levels: the values they may become, rising, in the same unit; each weight becomes the nearest.
        title: of the figure.

    Raises:
        ValueError: no layer, or not one array of weights and one of levels per layer.
    """
    if not names or not len(names) == len(weights) == len(levels):
        raise ValueError(
            f"{len(names)} names, {len(weights)} weights, {len(levels)} sets of levels: one of each a layer"
        )
    figure, axes = panels(len(names), 3.3, 2.3, columns=3)
    for place, (ax, name, weight, level) in enumerate(zip(axes, names, weights, levels, strict=True)):
        values = np.asarray(weight, dtype=np.float64).ravel()
        steps = np.asarray(level, dtype=np.float64)
        reach = 1.05 * max(float(np.abs(values).max()), float(np.abs(steps).max()))
        counts, edges = np.histogram(values, bins=120, range=(-reach, reach))
        ax.stairs(100 * counts / len(values), edges, fill=True, color=FAINT)
        if len(steps) <= MOST_LINES:
            ax.vlines(steps, 0, 1, transform=ax.get_xaxis_transform(), color=VERMILION, linewidth=0.8, alpha=0.8)
        codes = np.searchsorted((steps[1:] + steps[:-1]) / 2, values)
        share = np.bincount(codes, minlength=len(steps)) / len(values)
        used = float(-(share[share > 0] * np.log2(share[share > 0])).sum()) + 0.0
        clipped = float((np.abs(values) > np.abs(steps).max()).mean())
        ax.set_title(figure_text(name, 40), fontsize=NORMAL, color=INK, loc="left")
        ax.set_title(f"{used:.2f} bits used, {100 * clipped:.1f} % clipped", fontsize=SMALL, color=INK, loc="right")
        ax.set_xlim(-reach, reach)
        ax.set_ylim(bottom=0)
        if place >= len(names) - 3:
            ax.set_xlabel("weight (standard deviations)", fontsize=NORMAL, color=INK)
        if place % 3 == 0:
            ax.set_ylabel("weights (%)", fontsize=NORMAL, color=INK)
    handles = [Patch(color=FAINT, label="weights before rounding"), Line2D([], [], color=VERMILION, label="levels")]
    legend_below(figure, handles, 2)
    headline(figure, title)
    return figure
