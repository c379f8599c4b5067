"""How many weights the transform moved to another level, layer by layer (FAT, Fig. 7)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from qsense.plots.style import BLUE, FAINT, INK, LARGE, NORMAL, SMALL, tidy
from qsense.runs.escapes import figure_text

MOST_NUMBERS = 32  # bars with their number above; more would not leave it room


def plot_shifted(names: Sequence[str], shares: Sequence[float], title: str = "") -> Figure:
    """Draw one bar per layer: the share of its weights that get another code than they would without the transform.

    Args:
        names: of the layers, in the network's order.
        shares: one per layer, in [0, 1].
        title: of the figure.

    Raises:
        ValueError: no layer, or not one share per layer.
    """
    if not names or len(names) != len(shares):
        raise ValueError(f"{len(names)} names for {len(shares)} shares")
    percent = 100 * np.asarray(shares, dtype=np.float64)
    figure = Figure(figsize=(max(3.6, 0.3 * len(names) + 1.2), 3.4), layout="constrained")
    ax = figure.subplots()
    tidy(ax)
    ax.bar(range(len(names)), percent, width=0.7, color=BLUE)
    ax.set_xlim(-0.6, len(names) - 0.4)
    ax.set_ylim(0, max(1.15 * float(percent.max()), 0.01))
    if len(names) <= MOST_NUMBERS:
        for place, value in enumerate(percent):
            ax.annotate(
                f"{value:.3g}" if value >= 0.01 else "0" if value == 0 else "<.01",
                (place, value),
                xytext=(0, 2),
                textcoords="offset points",
                ha="center",
                fontsize=6,
                color=INK,
            )
    ax.set_xticks(
        range(len(names)),
        [figure_text(name, 40) for name in names],
        rotation=60,
        ha="right",
        rotation_mode="anchor",
        fontsize=SMALL,
    )
    ax.set_ylabel("weights with another code (%)", fontsize=NORMAL, color=INK)
    ax.grid(axis="y", color=FAINT, linewidth=0.5)
    if title:
        ax.set_title(figure_text(title), fontsize=LARGE, color=INK, loc="left")
    return figure
