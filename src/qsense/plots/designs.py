"""Designs of a node side by side: what converter, radio, processor and sleep take, as stacked bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from qsense.plots.style import BLUE, FAINT, GREEN, INK, NORMAL, SMALL, VERMILION, headline, legend_below, on, tidy
from qsense.runs.escapes import figure_text
from qsense.runs.words import power, watts

COLOURS = {"sensing": GREEN, "radio": BLUE, "compute": VERMILION, "sleep": FAINT}
NAMES = {"sensing": "sensor: converter and reading", "radio": "radio", "compute": "network", "sleep": "sleep"}
PACKED = "total, if packets were filled first"
ENLARGED = 6.0  # bars so many times shorter than the longest are shown once more, enlarged
ROOM = 1.3  # of an axis, for figures behind the bars, in lengths of the longest
LEGIBLE = 0.09  # share of an axis that a part needs for its own figure
HIGH = 0.62  # of a bar, in places


@dataclass(frozen=True)
class Bar:
    """One design.

    Args:
        name: what it does.
        parts: power by part, in µW, of `NAMES`.
        packed: its total in µW with full packets.
        note: behind its total; empty for none.
    """

    name: str
    parts: Mapping[str, float]
    packed: float
    note: str = ""

    @property
    def total(self) -> float:
        """Of its parts, in µW."""
        return sum(self.parts.values())


def plot_designs(bars: Sequence[Bar], title: str = "") -> Figure:
    """Draw the designs from above, in one linear scale; where some are lost in it, these once more below it, enlarged.

    A stack of parts has no meaning on a logarithmic axis.

    Args:
        bars: in order.
        title: of the figure.

    Raises:
        ValueError: nothing to draw.
    """
    if not bars:
        raise ValueError("bars is empty, so there is no design to draw: give at least one")
    longest = max(bar.total for bar in bars)
    small = [bar.total for bar in bars if ENLARGED * bar.total < longest]
    scales = [longest, *([max(small)] if small else [])]
    figure = Figure(figsize=(7.4, 0.6 + len(scales) * (0.6 + 0.33 * len(bars))), layout="constrained")
    axes = figure.subplots(len(scales), 1, squeeze=False)[:, 0]
    for ax, scale in zip(axes, scales, strict=True):
        _panel(ax, bars, scale, longest)
    if small:
        axes[1].set_title("the same, enlarged", fontsize=SMALL, color=INK, loc="left")
    axes[-1].set_xlabel("power of the node, by model", fontsize=NORMAL, color=INK)
    patches = [Patch(facecolor=colour, label=NAMES[part]) for part, colour in COLOURS.items()]
    marker = Line2D([], [], linestyle="", marker="^", markersize=4, color=INK, label=PACKED)
    legend_below(figure, [*patches, marker], 5)
    headline(figure, title)
    return figure


def _panel(ax: Axes, bars: Sequence[Bar], scale: float, longest: float) -> None:
    """All bars up to `scale`; longer ones run out of the panel."""
    tidy(ax)
    name, unit = watts(scale)
    end = scale * ROOM / unit
    for place, bar in enumerate(bars):
        left = 0.0
        for part, colour in COLOURS.items():
            width = bar.parts.get(part, 0.0) / unit
            ax.barh(place, width, HIGH, left, color=colour, edgecolor="white", linewidth=0.4)
            shown = min(left + width, end) - left
            if shown > LEGIBLE * end:
                ax.text(
                    left + shown / 2, place, power(bar.parts[part]), ha="center", va="center", fontsize=SMALL,
                    color=on(colour),
                )  # fmt: skip
            left += width
        if left > end:
            ax.annotate("→", (end, place), xytext=(2, 0), textcoords="offset points", va="center", color=INK,
                        annotation_clip=False)  # fmt: skip
            continue
        ax.plot(bar.packed / unit, place + HIGH / 2 + 0.07, "^", markersize=4, color=INK)
        note = f", {bar.note}" if bar.note and scale == longest else ""
        ax.annotate(
            f"{power(bar.total)}{figure_text(note)}", (left, place), xytext=(5, 0), textcoords="offset points",
            va="center", fontsize=SMALL, color=INK, fontweight="bold",
        )  # fmt: skip
    ax.set_xlim(0, end)
    ax.set_yticks(range(len(bars)), [figure_text(bar.name) for bar in bars])
    ax.set_ylim(len(bars) - 0.45, -0.55)
    ax.tick_params(axis="y", length=0, labelsize=NORMAL)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g} {name}" if value else "0")
    ax.grid(axis="x", color=FAINT, linewidth=0.5)
