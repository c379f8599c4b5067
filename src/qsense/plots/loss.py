"""Score against the share of packets that get lost between sensor and receiver."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from qsense.plots.style import BLUE, FAINT, INK, NORMAL, SMALL, headline, panels
from qsense.runs.escapes import figure_text


def plot_loss(
    percents: Sequence[float],
    means: Sequence[float],
    stds: Sequence[float | None],
    label: str,
    title: str = "",
    note: str = "",
) -> Figure:
    """Draw the mean score at each loss, with its spread over repeats, and the score without loss as a line.

    Args:
        percents: of the packets, the first one 0.
        means: score at each.
        stds: its standard deviation, None where there is none.
        label: of the score.
        title: of the figure.
        note: written above the panel, such as what a packet holds.

    Raises:
        ValueError: not one mean and one std for each loss, or no loss of 0 to compare with.
    """
    if not percents or percents[0] != 0 or not len(percents) == len(means) == len(stds):
        raise ValueError(f"{len(percents)} losses, {len(means)} means and {len(stds)} stds: one each, the first at 0 %")
    figure, (ax,) = panels(1, 4.8, 3.2)
    ax.axhline(means[0], color=FAINT, linewidth=1.2, zorder=1)
    ax.annotate(
        "nothing lost", (1, means[0]), xycoords=("axes fraction", "data"), xytext=(0, 3), textcoords="offset points",
        ha="right", fontsize=SMALL, color=INK,
    )  # fmt: skip
    ax.errorbar(
        percents, means, [std or 0 for std in stds], color=BLUE, marker="o", markersize=4.5, linewidth=1.4,
        elinewidth=1, capsize=2.5, zorder=3,
    )  # fmt: skip
    ax.set_xlabel("packets lost (%)", fontsize=NORMAL, color=INK)
    ax.set_ylabel(figure_text(label), fontsize=NORMAL, color=INK)
    ax.set_title(figure_text(note), fontsize=SMALL, color=INK, loc="right")
    ax.set_xlim(left=0 - 0.02 * max(percents))
    ax.set_ylim(0, 1.15 * max(means) or 1)
    ax.grid(axis="y", color=FAINT, linewidth=0.5)
    headline(figure, title)
    return figure
