"""Scores of the parts of a test side by side: by condition, by exposure, by size of the objects."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from qsense.plots.style import BLUE, FAINT, INK, NORMAL, SKY, SMALL, headline, legend_below, panels
from qsense.runs.escapes import figure_text

HEIGHT, WIDTH, BAR = 2.9, 3.4, 0.38  # inches of a panel; share of a step that a bar takes
METRICS = {"map": ("mAP", BLUE), "ap50": ("AP50", SKY)}
MOST = 16  # groups that are drawn
LONGEST = 14  # characters of a group's name

Groups = Mapping[str, Mapping[str, float | int | None]]


def plot_groups(divisions: Mapping[str, Groups], title: str = "") -> Figure:
    """Draw a panel for each division: mAP and AP50 of every group, in percent, with its frames and boxes below.

    Args:
        divisions: {"condition": {"map", "ap50", "frames" and "boxes": {group: value}}, …}; None: no score.
        title: of the figure.

    Raises:
        ValueError: no division.
    """
    if not divisions:
        raise ValueError("divisions is empty: give at least one")
    scores = [value for groups in divisions.values() for metric in METRICS for value in groups[metric].values()]
    top = 112 * max([value for value in scores if value], default=0.1)
    figure, axes = panels(len(divisions), WIDTH, HEIGHT, columns=3)
    for ax, (division, groups) in zip(axes, divisions.items(), strict=True):
        count = len(groups["frames"])
        names = list(groups["frames"])[:MOST]
        for shift, (metric, (_, colour)) in zip((-BAR / 2, BAR / 2), METRICS.items(), strict=True):
            for place, name in enumerate(names):
                value = groups[metric].get(name)
                if value is None:
                    continue
                ax.bar(place + shift, 100 * value, BAR, color=colour)
                ax.annotate(f"{100 * value:.0f}", (place + shift, 100 * value), ha="center", va="bottom",
                            fontsize=SMALL, color=INK)  # fmt: skip
        labels = [
            f"{figure_text(name.removesuffix(' stops'), LONGEST)}\n{groups['frames'][name]}\n{groups['boxes'][name]}"
            for name in names
        ]
        ax.set_xticks(range(len(names)), labels)
        ax.set_xlim(-0.6, max(len(names), 1) - 0.4)
        ax.set_ylim(0, top)  # the same in all panels
        ax.grid(axis="y", color=FAINT, linewidth=0.5)
        unit = " (stops below white)" if division == "exposure" else ""
        cut = f", {MOST} of {count}" if count > MOST else ""
        ax.set_title(f"by {figure_text(division)}{unit}{cut}", fontsize=NORMAL, color=INK, loc="left")
        ax.set_xlabel("frames, and boxes below", fontsize=SMALL, color=INK)
    axes[0].set_ylabel("AP (%)", fontsize=NORMAL, color=INK)
    legend_below(figure, [Patch(color=colour, label=label) for label, colour in METRICS.values()], 2)
    headline(figure, title)
    return figure
