"""Where learning went on the map of fixed curves, what it is worth, and where gradient estimators point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FormatStrFormatter, NullLocator

from qsense.plots.style import COLOURS, FAINT, INK, NORMAL, SMALL, headline, legend_below, panels, tidy
from qsense.runs.escapes import figure_text

if TYPE_CHECKING:
    from matplotlib.collections import QuadMesh

GREY = "#888888"


@dataclass(frozen=True)
class Track:
    """What one run learned.

    Args:
        order: which of the learned quantizers it is, 0, 1, …
        gamma: γ, from the start to the last epoch.
        mu: μ likewise; zeros where there is none.
        score: what the run scored, in the unit of the map, with the difference between subjects taken out.
    """

    order: int
    gamma: Sequence[float]
    mu: Sequence[float]
    score: float


@dataclass(frozen=True)
class Bar:
    """One quantizer's scores.

    Args:
        name: as written beside it.
        kind: "learned", "fixed" (the grid's best) or "baseline".
        seeds: the mean of each seed.
    """

    name: str
    kind: str
    seeds: Sequence[float]


@dataclass(frozen=True)
class Slope:
    """One estimator's tangents of a loss curve: slopes at each of the curve's `at`."""

    name: str
    values: Sequence[float]


@dataclass(frozen=True)
class LossCurve:
    """The loss along one learned parameter, with tangents.

    Args:
        name: of the parameter.
        x: its values, ascending, [G].
        loss: the true loss there, [G].
        at: values at which there are tangents, [P].
        levels: the loss there, [P].
        slopes: finite differences first, then estimators.
    """

    name: str
    x: Sequence[float]
    loss: Sequence[float]
    at: Sequence[float]
    levels: Sequence[float]
    slopes: Sequence[Slope]


def plot_audit(
    points: Sequence[tuple[float, float, float]],
    spreads: Sequence[float],
    tracks: Sequence[Track],
    bars: Sequence[Bar],
    label: str,
    title: str = "",
) -> Figure:
    """Draw the grid as a map of γ and μ, or as a curve over γ where it has one μ, and every quantizer's seeds beside.

    A learned run is a line from its start (a ring) to its end (a dot): on the map where γ and μ went, on the curve at
    the height of what it scored. Other curves stand on the right alone.

    Args:
        points: (γ, μ, mean score) of each fixed curve.
        spreads: std over seeds of each.
        tracks: of every learned run that has a γ.
        bars: learned quantizers first, in the order that tracks count.
        label: of scores.
        title: of the figure.

    Raises:
        ValueError: an empty grid, or no quantizer to show beside it.
    """
    if not points or not bars:
        raise ValueError(
            f"{len(points)} points, {len(bars)} bars: an audit's picture needs a grid of fixed curves, and quantizers "
            "to show beside it"
        )
    figure = Figure(figsize=(10.5, max(3.6, 0.24 * len(bars) + 1.6)), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.15, 1])
    tidy(left)
    tidy(right)
    gammas, mus = (sorted({point[axis] for point in points}) for axis in (0, 1))
    if len(mus) > 1:
        _map(figure, left, points, gammas, mus, label)
    else:
        _curve(left, points, spreads, label)
    ends = [value for track in tracks for value in track.gamma]
    _gamma_axis(left, gammas, ends)
    for track in tracks:
        y = track.mu if len(mus) > 1 else [track.score] * len(track.gamma)
        colour = COLOURS[track.order % len(COLOURS)]
        left.plot(track.gamma, y, color=colour, linewidth=1.1)
        left.plot(
            track.gamma[-1:], y[-1:], "o", color=colour, markersize=4.5, markeredgecolor="white", markeredgewidth=0.5
        )
        left.plot(track.gamma[:1], y[:1], "o", color=INK, markerfacecolor="none", markersize=7, markeredgewidth=0.8)
    _bars(right, bars, label)
    if tracks:
        marks = [
            Line2D([], [], color=INK, marker="o", markerfacecolor="none", markersize=7, linestyle=""),
            Line2D([], [], color=GREY, marker="o", markersize=4.5, linewidth=1.1),
        ]
        left.legend(
            marks, ["start of a run", "its end"], loc="lower right", bbox_to_anchor=(1, 1), ncols=2, fontsize=SMALL,
            frameon=False, labelcolor=INK, borderaxespad=0.2,
        )  # fmt: skip
    headline(figure, title)
    return figure


def _map(
    figure: Figure,
    ax: Axes,
    points: Sequence[tuple[float, float, float]],
    gammas: Sequence[float],
    mus: Sequence[float],
    label: str,
) -> None:
    scores = np.full((len(mus), len(gammas)), np.nan)
    for gamma, mu, score in points:
        scores[mus.index(mu), gammas.index(gamma)] = score
    mesh: QuadMesh = ax.pcolormesh(np.exp(_edges(np.log(gammas))), _edges(mus), scores, cmap="Greys", alpha=0.55)
    bar = figure.colorbar(mesh, ax=ax, pad=0.02)
    bar.set_label(figure_text(label), fontsize=SMALL, color=INK)
    bar.ax.tick_params(labelsize=SMALL, labelcolor=INK)
    for gamma, mu, score in points:
        best = score == np.nanmax(scores)
        ax.annotate(
            f"{score:.1f}", (gamma, mu), ha="center", va="center", fontsize=SMALL, color=INK,
            fontweight="bold" if best else "normal",
        )  # fmt: skip
    ax.set_yticks(list(mus))
    ax.set_ylabel("μ, share of the half range", fontsize=NORMAL, color=INK)
    ax.set_title("fixed curves", fontsize=NORMAL, color=INK, loc="left")


def _edges(centres: Sequence[float] | np.ndarray) -> np.ndarray:
    """Borders between neighbours, and as far beyond the ends."""
    at = np.asarray(centres, dtype=float)
    if len(at) == 1:
        return np.array([at[0] - 0.5, at[0] + 0.5])
    middle = (at[1:] + at[:-1]) / 2
    return np.concatenate([[2 * at[0] - middle[0]], middle, [2 * at[-1] - middle[-1]]])


def _curve(ax: Axes, points: Sequence[tuple[float, float, float]], spreads: Sequence[float], label: str) -> None:
    order = np.argsort([point[0] for point in points])
    x, y, error = (np.array(values)[order] for values in ([p[0] for p in points], [p[2] for p in points], spreads))
    ax.errorbar(x, y, error, color=INK, linewidth=1.2, capsize=2.5, elinewidth=0.8, marker="s", markersize=3.5)
    ax.set_ylabel(figure_text(label), fontsize=NORMAL, color=INK)
    ax.grid(axis="y", color=FAINT, linewidth=0.5)
    ax.set_title("fixed curves (squares)", fontsize=NORMAL, color=INK, loc="left")


def _gamma_axis(ax: Axes, gammas: Sequence[float], ends: Sequence[float]) -> None:
    ax.set_xscale("log")
    low, high = min([*gammas, *ends]), max([*gammas, *ends])
    margin = (high / low) ** 0.08 if high > low else 1.2
    edges = ax.get_xlim()
    ax.set_xlim(min(low / margin, edges[0]), max(high * margin, edges[1]))
    ax.xaxis.set_major_locator(FixedLocator(list(gammas)))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    ax.set_xlabel("γ", fontsize=NORMAL, color=INK)


def _bars(ax: Axes, bars: Sequence[Bar], label: str) -> None:
    places = np.arange(len(bars))[::-1]
    learned = 0
    for place, bar in zip(places, bars, strict=True):
        colour = GREY
        if bar.kind == "learned":
            colour, learned = COLOURS[learned % len(COLOURS)], learned + 1
        elif bar.kind == "fixed":
            colour = INK
            ax.axvline(float(np.mean(bar.seeds)), color=INK, linewidth=0.8, linestyle="--")
        ax.plot(bar.seeds, [place] * len(bar.seeds), "o", color=colour, alpha=0.45, markersize=4, markeredgewidth=0)
        ax.plot(np.mean(bar.seeds), place, "|", color=colour, markersize=13, markeredgewidth=2)
    names = [f"best fixed: {bar.name}" if bar.kind == "fixed" else bar.name for bar in bars]
    ax.set_yticks(places, [figure_text(name) for name in names])
    ax.set_ylim(-0.6, len(bars) - 0.4)
    ax.set_xlabel(figure_text(label), fontsize=NORMAL, color=INK)
    ax.set_title("dots: seeds, bars: their mean", fontsize=SMALL, color=INK, loc="right")
    ax.grid(axis="x", color=FAINT, linewidth=0.5)


def plot_tangents(curves: Sequence[LossCurve], title: str = "") -> Figure:
    """Draw the true loss along each parameter with the tangents that finite differences and estimators give it.

    Args:
        curves: one panel each, with the same estimators.
        title: of the figure.

    Raises:
        ValueError: nothing to draw.
    """
    if not curves:
        raise ValueError(
            "curves is empty, so there is no loss curve to draw: give that of at least one learned parameter"
        )
    figure, axes = panels(len(curves), 4.4, 3.2, columns=3)
    for ax, curve in zip(axes, curves, strict=True):
        ax.plot(curve.x, curve.loss, color=GREY, linewidth=2.2, zorder=1)
        reach = 0.07 * (curve.x[-1] - curve.x[0])
        for order, slope in enumerate(curve.slopes):
            colour, dash = (INK, "--") if order == 0 else (COLOURS[(order - 1) % len(COLOURS)], "-")
            for at, level, value in zip(curve.at, curve.levels, slope.values, strict=True):
                ends = np.array([at - reach, at + reach])
                ax.plot(ends, level + value * (ends - at), color=colour, linestyle=dash, linewidth=1.3)
        ax.plot(curve.at, curve.levels, "o", color=INK, markersize=3.5)
        low, high = min(curve.loss), max(curve.loss)
        margin = 0.35 * max(high - low, 1e-6)
        ax.set_ylim(low - margin, high + margin)  # a steep tangent must not flatten the curve
        ax.set_xlabel(figure_text(curve.name), fontsize=NORMAL, color=INK)
        ax.grid(axis="y", color=FAINT, linewidth=0.5)
    axes[0].set_ylabel("loss of the trained network", fontsize=NORMAL, color=INK)
    handles = [Line2D([], [], color=GREY, linewidth=2.2, label="true loss")]
    handles += [
        Line2D(
            [],
            [],
            color=INK if order == 0 else COLOURS[(order - 1) % len(COLOURS)],
            linestyle="--" if order == 0 else "-",
            label=slope.name,
        )
        for order, slope in enumerate(curves[0].slopes)
    ]
    legend_below(figure, handles, 6)
    headline(figure, title)
    return figure
