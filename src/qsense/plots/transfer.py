"""A sensor quantizer's transfer curve and levels over the histogram of the data (γ-Quant, Figs. 2 and 3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import EngFormatter, MaxNLocator

from qsense.plots.style import BLUE, FAINT, INK, NORMAL, SMALL, VERMILION, headline, legend_below, panels
from qsense.runs.escapes import figure_text

Floats = npt.NDArray[np.floating]

MOST_DRAWN = 64  # levels; more than that are the curve itself, and their lines a grey area


def plot_transfer(
    x: npt.ArrayLike,
    curve: npt.ArrayLike,
    data: npt.ArrayLike,
    thresholds: npt.ArrayLike | None = None,
    levels: npt.ArrayLike | None = None,
    initial: npt.ArrayLike | None = None,
    names: Sequence[str] = (),
    unit: str = "",
    title: str = "",
    counts: int | None = None,
    own: tuple[npt.ArrayLike, str] | None = None,
) -> Figure:
    """Draw the curve, its staircase of levels, the decision thresholds and what the data looks like beneath them.

    One panel where the curve is shared by all axes (over the histogram of all data), else one panel per axis. Each says
    how much of its bits the data uses: the entropy of the codes. Above 64 levels only the curve is drawn.

    Args:
        x: analog values at which the curve was evaluated, ascending, [G].
        curve: the transfer curve there, [G] or [1, G] shared or [C, G] per axis.
        data: samples of the sensor [n, C] or [n], in the same range as `x`.
        thresholds: decision thresholds, ascending, [L] or [1, L] or [C, L], L = 2^bits − 1; None without a quantizer.
        levels: what the network sees for codes 0 … L, [L + 1], [1, L + 1] or [C, L + 1]; None without a quantizer.
        initial: the curve before training, like `curve`; drawn dashed.
        names: one per axis, for the panels' titles.
        unit: unit of `x`, for its label.
        title: of the whole figure.
        counts: a raw sensor's native counts between 0 and 1: draws a logarithmic axis, and the counts above it; samples
            of 0 stand at its left end. None: a linear axis.
        own: what the ends of `x` stand for in the sensor's own unit, [C, 2], and that unit, for an axis above each
            panel; where one panel shows all axes and their scales differ, that of the first one, which is said.

    Raises:
        ValueError: shapes that do not fit each other, counts as well as an own unit, or a logarithmic axis for values
            of 0 and below.
    """
    x = np.asarray(x, dtype=np.float64)
    curves = np.atleast_2d(np.asarray(curve, dtype=np.float64))
    samples = np.asarray(data, dtype=np.float64)
    samples = samples[:, None] if samples.ndim == 1 else samples
    count = len(curves)
    if curves.shape[1:] != x.shape:
        raise ValueError(f"the curve has shape {curves.shape}, but x has {x.shape[0]} values")
    if count > 1 and samples.shape[1] != count:
        raise ValueError(f"{count} curves for data with {samples.shape[1]} axes")
    if count > 1 and names and len(names) != count:
        raise ValueError(f"{len(names)} names for {count} curves")
    if counts is not None and x[0] <= 0:
        raise ValueError(f"a logarithmic axis has no place for x from {x[0]:g} on: begin above 0")
    scales = None if own is None else np.asarray(own[0], dtype=np.float64)
    if scales is not None and (counts is not None or scales.shape != (samples.shape[1], 2)):
        raise ValueError(f"own has shape {scales.shape}: two ends for each of {samples.shape[1]} axes, and no counts")
    if (thresholds is None) != (levels is None):
        raise ValueError("give both thresholds and levels, or neither")
    cuts = None if thresholds is None else _rows(thresholds, count)
    steps = None if levels is None else _rows(levels, count)
    if cuts is not None and steps is not None and steps.shape[1] != cuts.shape[1] + 1:
        raise ValueError(f"{cuts.shape[1]} thresholds need {cuts.shape[1] + 1} levels, got {steps.shape[1]}")
    before = None if initial is None else _rows(initial, count)

    columns = 1 if count == 1 else 3
    figure, axes = panels(
        count, *((5.6, 3.8) if count == 1 else (3.3, 2.4 if counts is None and own is None else 2.8)), columns=columns
    )
    for index, ax in enumerate(axes):
        _histogram(ax, samples.ravel() if count == 1 else samples[:, index], x, counts)
        if before is not None:
            ax.plot(x, before[index], color=INK, linewidth=1, linestyle="--", zorder=2)
        ax.plot(x, curves[index], color=BLUE, linewidth=1.6, zorder=3)
        note = ""
        if cuts is not None and steps is not None:
            values = samples if count == 1 else samples[:, index]
            note = f"{_used_bits(values, cuts[index]):.2f} of {np.log2(steps.shape[1]):.0f} bits used"
            if steps.shape[1] <= MOST_DRAWN:
                _staircase(ax, x, cuts[index], steps[index])
        if count > 1:
            name = names[index] if names else f"axis {index}"
            ax.set_title(figure_text(name, 30), fontsize=NORMAL, color=INK, loc="left")
        ax.set_title(note, fontsize=SMALL, color=INK, loc="right")
        ax.set_xlim(x[0], x[-1])
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(MaxNLocator(8 if count == 1 else 5, steps=[1, 2, 2.5, 5, 10]))
        if counts is not None:
            _count_axis(ax, counts, labelled=index < columns)
        if own is not None and scales is not None:
            _own_axis(ax, x, scales[index], _own_label(scales, own[1], names, count) if index < columns else "")
        if index >= count - columns:
            ax.set_xlabel(f"analog value ({figure_text(unit)})" if unit else "analog value", fontsize=NORMAL, color=INK)
        if index % columns == 0:
            ax.set_ylabel("what the network sees", fontsize=NORMAL if count == 1 else SMALL, color=INK)
    headline(figure, title)
    drawn = steps is not None and steps.shape[1] <= MOST_DRAWN
    _legend(figure, drawn=drawn, initial=before is not None)
    return figure


def _rows(values: npt.ArrayLike, count: int) -> Floats:
    """Repeat what all axes share."""
    rows = np.atleast_2d(np.asarray(values, dtype=np.float64))
    if len(rows) not in (1, count):
        raise ValueError(f"{len(rows)} rows of thresholds, levels or initial curves for {count} curves")
    return np.broadcast_to(rows, (count, rows.shape[1]))


def _histogram(ax: Axes, values: Floats, x: Floats, counts: int | None) -> None:
    """Grey bars behind the curve, with their own (hidden) scale; on a logarithmic axis, per factor and not per unit."""
    behind = ax.twinx()
    values = values[np.isfinite(values)]
    if counts is None:
        bars, edges = np.histogram(values, bins=100, range=(x[0], x[-1]))
    else:  # edges lie halfway between counts: a bar without a count of its own would look like a gap in the data
        within = np.unique(np.round(np.geomspace(x[0] * counts, x[-1] * counts, 100))) + 0.5
        edges = np.concatenate([x[:1], within[(within > x[0] * counts) & (within < x[-1] * counts)] / counts, x[-1:]])
        bars = np.histogram(np.clip(values, x[0], x[-1]), bins=edges)[0] / np.diff(np.log(edges))
    behind.stairs(bars, edges, fill=True, color=FAINT, alpha=0.8)
    behind.set_ylim(0, (bars.max() or 1) * 1.08)
    behind.set_axis_off()
    behind.set_zorder(ax.get_zorder() - 1)
    ax.patch.set_visible(False)


def _count_axis(ax: Axes, counts: int, labelled: bool) -> None:
    """A logarithmic axis of the full scale below, and of native counts above."""
    ax.set_xscale("log")
    above = ax.secondary_xaxis("top", functions=(lambda u: np.multiply(u, counts), lambda n: np.divide(n, counts)))
    above.tick_params(labelsize=SMALL, color=INK, labelcolor=INK, length=3)
    above.spines[:].set_visible(False)
    above.xaxis.set_major_formatter(EngFormatter(sep=""))
    if labelled:
        above.set_xlabel("native counts", fontsize=SMALL, color=INK)


def _own_axis(ax: Axes, x: Floats, ends: Floats, label: str) -> None:
    """The same values in the sensor's own unit, above."""
    factor, (low, _) = (ends[1] - ends[0]) / (x[-1] - x[0]), ends
    above = ax.secondary_xaxis(
        "top", functions=(lambda v: low + (v - x[0]) * factor, lambda v: x[0] + (v - low) / factor)
    )
    above.tick_params(labelsize=SMALL, color=INK, labelcolor=INK, length=3)
    above.spines[:].set_visible(False)
    above.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    if label:
        above.set_xlabel(label, fontsize=SMALL, color=INK)


def _own_label(scales: Floats, unit: str, names: Sequence[str], count: int) -> str:
    """The unit; where one panel shows axes of different scales, whose scale it is, and by how much others differ."""
    unit = f"in {figure_text(unit, 20)}"
    off = np.abs(scales - scales[0]).max() / (scales[0, 1] - scales[0, 0])
    if count > 1 or off < 0.005:
        return unit
    first = figure_text(names[0], 20) if names else "axis 0"
    return f"{unit} of {first}; other axes reach up to {100 * off:.0f} % of this range elsewhere"


def _staircase(ax: Axes, x: Floats, cuts: Floats, steps: Floats) -> None:
    """The quantized curve, with a hairline at every threshold inside the range."""
    inside = cuts[(cuts > x[0]) & (cuts < x[-1])]  # a level may be out of reach: its threshold lies outside, or is NaN
    edges = np.concatenate([x[:1], inside, x[-1:]])
    codes = np.searchsorted(np.nan_to_num(cuts, nan=np.inf), edges[:-1], side="right")
    ax.stairs(steps[codes], edges, baseline=None, color=VERMILION, linewidth=1.4, zorder=4)
    ax.vlines(inside, 0, 1, transform=ax.get_xaxis_transform(), color=VERMILION, linewidth=0.6, alpha=0.45, zorder=1)


def _used_bits(values: Floats, cuts: Floats) -> float:
    """Entropy of the codes, in bits."""
    codes = np.searchsorted(np.nan_to_num(cuts, nan=np.inf), values[np.isfinite(values)].ravel(), side="right")
    share = np.bincount(codes, minlength=len(cuts) + 1) / max(codes.size, 1)
    share = share[share > 0]
    return float(-(share * np.log2(share)).sum()) + 0.0  # + 0.0: no "-0.00"


def _legend(figure: Figure, drawn: bool, initial: bool) -> None:
    handles: list[Line2D | Patch] = [Line2D([], [], color=BLUE, linewidth=1.6, label="transfer curve")]
    if initial:
        handles.append(Line2D([], [], color=INK, linewidth=1, linestyle="--", label="before training"))
    if drawn:
        handles.append(Line2D([], [], color=VERMILION, linewidth=1.4, label="levels"))
        handles.append(Line2D([], [], color=VERMILION, linewidth=0.6, alpha=0.6, label="thresholds"))
    handles.append(Patch(color=FAINT, label="data"))
    legend_below(figure, handles, len(handles))
