"""A converter as built: its staircase in the sensor's unit, and where its comparators sit on the native scale."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from qsense.plots.style import FAINT, INK, NORMAL, SMALL, legend_below, line_styles, tidy
from qsense.runs.escapes import figure_text

MOST_STEPS = 64  # levels; more than that are the curve itself
CROWD = 8  # rows; more than that are drawn closer together
LONGEST = 24  # characters of a row's name
NARROW = 4  # rows up to which each has its staircase drawn apart from its curve


def plot_converter(
    x: npt.ArrayLike,
    curves: npt.ArrayLike,
    thresholds: npt.ArrayLike,
    levels: npt.ArrayLike,
    counts: npt.ArrayLike,
    names: Sequence[str],
    unit: str,
    largest: int,
    logarithmic: bool = False,
    lowest: int = 0,
) -> Figure:
    """Draw each row's staircase over its curve, and below it a strip with a tick per comparator.

    Args:
        x: values in the sensor's unit, ascending, [R, G].
        curves: the transfer curve there, in the same unit, [R, G].
        thresholds: where codes begin, [R, L]; those outside a row's x are not drawn.
        levels: what codes stand for, [R, L + 1].
        counts: thresholds as native counts, [R, L]; those outside lowest … largest are not drawn.
        names: the rows' names.
        unit: the sensor's.
        largest: native count.
        logarithmic: both axes of values, for ranges from 0 on; needs x above 0.
        lowest: native count.

    Raises:
        ValueError: shapes that do not fit each other, or a logarithmic axis for values of 0 and below.
    """
    xs, ys, cuts, steps, places = (np.asarray(a, dtype=np.float64) for a in (x, curves, thresholds, levels, counts))
    rows = len(names)
    if (
        xs.shape != ys.shape
        or len(xs) != rows
        or cuts.shape != places.shape
        or steps.shape != (rows, cuts.shape[1] + 1)
    ):
        raise ValueError(
            f"{rows} names for x {xs.shape}, curves {ys.shape}, thresholds {cuts.shape}, levels {steps.shape} and "
            f"counts {places.shape}"
        )
    if logarithmic and (xs <= 0).any():
        raise ValueError("a logarithmic axis has no place for x of 0 and below")
    curve, strip = (2.4, 0.45 + 0.17 * rows) if rows <= CROWD else (1.6, 0.45 + 0.065 * rows)
    figure = Figure(figsize=(7.2, curve + strip), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=[curve, strip])
    for r, (colour, dash) in enumerate(line_styles(rows)):
        if rows <= NARROW or steps.shape[1] > MOST_STEPS:
            above.plot(xs[r], ys[r], color=colour, linewidth=0.8, alpha=0.55, linestyle=dash)
        if steps.shape[1] <= MOST_STEPS:
            inside = cuts[r][(cuts[r] > xs[r, 0]) & (cuts[r] < xs[r, -1])]
            edges = np.concatenate([xs[r, :1], inside, xs[r, -1:]])
            codes = np.searchsorted(cuts[r], edges[:-1], side="right")
            above.stairs(steps[r][codes], edges, baseline=None, color=colour, linewidth=1.5, linestyle=dash)
        drawn = places[r][(places[r] >= lowest) & (places[r] <= largest)]
        below.axhline(-r, color=FAINT, linewidth=0.6, zorder=0)
        below.vlines(drawn, -r - 0.36, -r + 0.36, color=colour, linewidth=1.2)
    tidy(above)
    above.grid(color=FAINT, linewidth=0.4, alpha=0.6)
    if logarithmic:
        above.set_xscale("log")
    else:
        above.xaxis.set_major_locator(MaxNLocator(9, steps=[1, 2, 2.5, 5, 10]))
    above.set_xlim(xs.min(), xs.max())
    unit = figure_text(unit)
    above.set_xlabel(f"input ({unit})" if unit else "input", fontsize=SMALL, color=INK, labelpad=1)
    above.set_ylabel(f"level ({unit})" if unit else "level", fontsize=NORMAL, color=INK)
    tidy(below)
    below.spines["left"].set_visible(False)
    below.set_yticks([-r for r in range(rows)], [figure_text(name, LONGEST) for name in names])
    for name, (colour, _) in zip(below.get_yticklabels(), line_styles(rows), strict=True):
        name.set_color(colour)  # which row is which, above, too
    below.tick_params(axis="y", length=0, labelsize=SMALL if rows <= CROWD else 5)
    below.set_ylim(-rows + 0.4, 0.6)
    margin = (largest - lowest) * 0.005
    below.set_xlim(lowest - margin, largest + margin)
    below.xaxis.set_major_locator(MaxNLocator(9, steps=[1, 2, 2.5, 5, 10], integer=True))
    below.set_xlabel("comparators on the native scale (counts)", fontsize=SMALL, color=INK, labelpad=1)
    drawn_curves = rows <= NARROW or steps.shape[1] > MOST_STEPS
    handles = [Line2D([], [], color=INK, linewidth=0.8, alpha=0.55, label="transfer curve")] * drawn_curves
    handles += [Line2D([], [], color=INK, linewidth=1.5, label="levels")] * (steps.shape[1] <= MOST_STEPS)
    handles.append(Line2D([], [], color=INK, linewidth=0, marker="|", markersize=7, label="where a code begins"))
    legend_below(figure, handles, len(handles))
    return figure
