"""What a converter with memory does over time: signal, what its receiver decodes, the codes in between, the error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from qsense.plots.style import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    NORMAL,
    SMALL,
    VERMILION,
    headline,
    legend_below,
    tidy,
)
from qsense.runs.escapes import figure_text
from qsense.runs.words import in_bits

Floats = npt.NDArray[np.floating]
HEIGHTS = (2.4, 0.9, 0.9)  # of the three panels of an axis
INCHES = 0.55  # of a panel of height 1


class Stretch(NamedTuple):
    """Some consecutive samples of a recording.

    Args:
        label: written above it.
        start: time of the first one since the recording's start, s.
        signal: what the sensor delivers, [time, axes], in its unit.
        decoded: what the receiver makes of the codes, alike.
        codes: alike, numbered by the residuals that they stand for, 0 of the lowest; NaN where a sample was sent with
            all its native bits (a refresh).
    """

    label: str
    start: float
    signal: Floats
    decoded: Floats
    codes: Floats


def plot_stream(
    stretches: Sequence[Stretch],
    rate_hz: float,
    bits: int,
    names: Sequence[str] = (),
    notes: Sequence[str] = (),
    unit: str = "",
    title: str = "",
) -> Figure:
    """Draw stretches side by side and, for each axis, three panels below each other on the same time.

    Each stretch has a scale of its own, so that a calm one shows something.

    Args:
        stretches: at least one, all of the same axes.
        rate_hz: samples per second.
        bits: of a code, below 16.
        names: of the axes.
        notes: one for each axis, written at its first panel.
        unit: of the signal.
        title: of the figure.

    Raises:
        ValueError: no stretch, or shapes, names or notes that do not fit each other.
    """
    if not stretches:
        raise ValueError("stretches is empty: give at least one")
    shapes = {array.shape[1:] for stretch in stretches for array in stretch[2:]}
    if len(shapes) > 1 or any(
        not stretch.signal.shape == stretch.decoded.shape == stretch.codes.shape for stretch in stretches
    ):
        raise ValueError(
            f"signal, decoded and codes of a stretch need one shape, and all stretches the same axes: {shapes}"
        )
    count = stretches[0].signal.shape[1]
    for labels in (names, notes):
        if labels and len(labels) != count:
            raise ValueError(f"{len(labels)} names or notes for {count} axes")
    names = names or [f"axis {axis}" for axis in range(count)]
    columns = len(stretches)
    height = INCHES * sum(HEIGHTS) * count + 1.1
    figure = Figure(figsize=(4.4 * columns, height), layout="constrained")
    grid = figure.subplots(3 * count, columns, squeeze=False, sharex="col", height_ratios=HEIGHTS * count)
    unit = figure_text(unit)
    for ax in grid.flat:
        tidy(ax)
        ax.tick_params(labelbottom=ax.get_subplotspec().is_last_row())
        ax.grid(axis="x", color=FAINT, linewidth=0.4)
    for axis, name in enumerate(names):
        signals, codes, errors = grid[3 * axis : 3 * axis + 3]
        for column, stretch in enumerate(stretches):
            time = stretch.start + np.arange(len(stretch.signal)) / rate_hz
            signal, decoded, code = (array[:, axis] for array in stretch[2:])
            signals[column].step(time, decoded, where="mid", color=BLUE, linewidth=1.0, zorder=2)
            signals[column].plot(time, signal, color=INK, linewidth=0.9, zorder=3)
            _codes(codes[column], time, code, bits)
            error = decoded - signal
            errors[column].axhline(0, color=FAINT, linewidth=0.8, zorder=1)
            errors[column].plot(time, error, color=VERMILION, linewidth=0.9, zorder=3)
            largest = float(np.abs(error).max()) or 1.0
            errors[column].set_ylim(-1.25 * largest, 1.25 * largest)
            errors[column].yaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10], symmetric=True))
            signals[column].yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
            signals[column].set_xlim(time[0], time[-1])
        signals[0].set_ylabel(figure_text(name, 16) + (f" ({unit})" if unit else ""), fontsize=NORMAL, color=INK)
        codes[0].set_ylabel(f"code\n({in_bits(bits)})", fontsize=SMALL, color=INK)
        errors[0].set_ylabel("error" + (f"\n({unit})" if unit else ""), fontsize=SMALL, color=INK)
        if notes:
            signals[-1].set_title(figure_text(notes[axis]), fontsize=SMALL, color=INK, loc="right")
    figure.align_ylabels(list(grid[:, 0]))
    for column, stretch in enumerate(stretches):
        grid[0, column].set_title(figure_text(stretch.label, 40), fontsize=NORMAL, color=INK, loc="left")
        grid[-1, column].set_xlabel("time (s)", fontsize=NORMAL, color=INK)
    headline(figure, title)
    handles = [
        Line2D([], [], color=INK, linewidth=0.9, label="signal"),
        Line2D([], [], color=BLUE, linewidth=1.0, label="what the receiver decodes"),
        Line2D([], [], color=GREEN, linewidth=1.0, label="code, from the largest step down (−) to up (+)"),
        Line2D([], [], color=VERMILION, linewidth=0.9, label="error, decoded − signal"),
    ]
    if any(np.isnan(stretch.codes).any() for stretch in stretches):
        handles.append(Line2D([], [], color=INK, linewidth=0, marker="|", label="sample sent whole (refresh)"))
    legend_below(figure, handles, 1 if columns == 1 else 3 if len(handles) > 4 else len(handles))
    return figure


def _codes(ax: Axes, time: Floats, code: Floats, bits: int) -> None:
    """Codes as steps from the lowest residual (−) to the highest (+); a tick where a sample was sent as it is."""
    top = (1 << bits) - 1
    ax.step(time, code, where="mid", color=GREEN, linewidth=0.9, zorder=3)
    refreshed = time[np.isnan(code)]
    ax.plot(refreshed, np.full(len(refreshed), top / 2), color=INK, linewidth=0, marker="|", markersize=8, zorder=2)
    ax.set_ylim(-0.15 * top, 1.15 * top)
    ax.set_yticks([0, top], ["−", "+"])
