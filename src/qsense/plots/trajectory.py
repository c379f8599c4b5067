"""How the learned quantizer parameters (γ, μ, …) moved over the epochs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from qsense.plots.style import FAINT, INK, LARGE, NORMAL, PARAMETERS, SMALL, headline, line_styles, panels, spread
from qsense.runs.escapes import figure_text

TEXT_HEIGHT = 0.125  # inches per label at the line ends
OWN_NAMES = {"gain": ("red", "green", "blue")}  # of parameters that have no value per axis


def plot_trajectory(table: pd.DataFrame, names: Sequence[str] = (), title: str = "") -> Figure:
    """Draw one panel per parameter and in it one line per axis, labelled at its end.

    Args:
        table: one row per epoch, like `learned.csv`: `epoch` and columns `<parameter>_<axis index>`, for example
            `gamma_0, gamma_1, mu_0, mu_1`; one column per parameter where all axes share it.
        names: one per axis, for the labels; gains of a white balance have the colours' names.
        title: of the whole figure.

    Raises:
        ValueError: no `epoch`, no parameter, or a number of names that is not the number of axes.
    """
    if "epoch" not in table:
        raise ValueError(f"the table of learned parameters has no column epoch: {', '.join(map(str, table.columns))}")
    parameters = parameters_of(list(map(str, table.columns)))
    by_axis = [columns for parameter, columns in parameters.items() if parameter not in OWN_NAMES]
    if not parameters:
        raise ValueError("the table holds no learned parameter: this quantizer has nothing to draw")
    most = max(map(len, parameters.values()))
    if names and any(len(columns) not in (1, len(names)) for columns in by_axis):
        raise ValueError(f"{len(names)} names for {max(map(len, by_axis))} axes")

    height = max(3.2, TEXT_HEIGHT * most + 0.9)
    figure, axes = panels(len(parameters), 4.6, height, columns=len(parameters))
    epochs = table["epoch"].to_numpy(dtype=float)
    for ax, (parameter, columns) in zip(axes, parameters.items(), strict=True):
        known = OWN_NAMES.get(parameter, names)
        labels = [figure_text(name, 30) for name in known] or [f"axis {index}" for index in range(len(columns))]
        _lines(ax, epochs, table[columns].to_numpy(dtype=float), labels if len(columns) > 1 else [""], height)
        ax.set_xlabel("epoch", fontsize=NORMAL, color=INK)
        ax.set_title(PARAMETERS.get(parameter, parameter), fontsize=LARGE, color=INK)
    headline(figure, title)
    return figure


def parameters_of(columns: Sequence[str]) -> dict[str, list[str]]:
    """The columns of each learned parameter.

    >>> parameters_of(["epoch", "gamma_0", "gamma_1", "mu_law_0"])
    {'gamma': ['gamma_0', 'gamma_1'], 'mu_law': ['mu_law_0']}
    """
    parameters: dict[str, list[str]] = {}
    for column in columns:
        parameter, _, index = column.rpartition("_")
        if parameter and index.isdigit():
            parameters.setdefault(parameter, []).append(column)
    return parameters


def _lines(ax: Axes, epochs: np.ndarray, values: np.ndarray, labels: Sequence[str], height: float) -> None:
    lone = len(epochs) == 1  # a single epoch is a point, not a line
    for column, (colour, dash) in enumerate(line_styles(len(labels))):
        ax.plot(epochs, values[:, column], color=colour, linestyle=dash, linewidth=1.4, marker="o" if lone else None)
    ax.grid(axis="y", color=FAINT, linewidth=0.5)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    low, high = np.nanmin(values), np.nanmax(values)
    margin = max(0.06 * (high - low), 0.01)
    ax.set_ylim(low - margin, high + margin)

    last = [float(value) for value in values[-1]]
    gap = TEXT_HEIGHT * (high - low + 2 * margin) / (height - 0.9)
    for label, value, place, (colour, dash) in zip(
        labels, last, spread(last, gap), line_styles(len(labels)), strict=True
    ):
        ax.annotate(
            f"{label}  {value:.3f}".strip(),
            xy=(1, value),
            xytext=(1.1, place),
            xycoords=("axes fraction", "data"),
            textcoords=("axes fraction", "data"),
            fontsize=SMALL,
            color=INK,
            verticalalignment="center",
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linestyle": dash,
                "linewidth": 1,
                "relpos": (0, 0.5),  # from the left end of the text
                "shrinkA": 0,
                "shrinkB": 0,
            },
            annotation_clip=False,
        )
