"""A confusion matrix: which class is taken for which."""

# Not scikit-learn's ConfusionMatrixDisplay or torchmetrics' plot: both need pyplot, draw one number per cell where two
# are wanted (share and count), and colour a class that never occurs like one that is never hit.

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from qsense.plots.style import FAINT, INK, LARGE, NORMAL, SMALL
from qsense.runs.escapes import figure_text

LONGEST = 40  # characters of a class's name


def plot_confusion(counts: npt.ArrayLike, names: Sequence[str], title: str = "") -> Figure:
    """Draw the matrix, coloured by the share of the true class, with that share in percent and the count in each cell.

    The row of a class that never occurs is hatched: there is nothing to take a share of.

    Args:
        counts: confusion matrix [K, K], rows = truth, columns = prediction, non-negative.
        names: the K class names.
        title: of the figure.

    Raises:
        ValueError: not a square matrix, or not one name per class.
    """
    counts = np.asarray(counts, dtype=np.int64)
    classes = len(names)
    if counts.shape != (classes, classes):
        raise ValueError(f"{classes} class names need a {classes} × {classes} matrix, got shape {counts.shape}")
    names = [figure_text(name, LONGEST) for name in names]
    totals, share = counts.sum(axis=1), shares(counts)

    cell, label = (0.5 if classes > 8 else 0.62), 0.062 * max(map(len, names))  # inches
    figure = Figure(
        figsize=(max(cell * classes + label + 1.1, 3.4), cell * classes + 0.75 * label + 0.9), layout="constrained"
    )
    ax = figure.subplots()
    ax.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="equal")
    for truth in range(classes):
        if totals[truth] == 0:
            ax.add_patch(
                Rectangle((-0.5, truth - 0.5), classes, 1, fill=False, hatch="////", edgecolor=FAINT, linewidth=0)
            )
        for said in np.flatnonzero(counts[truth]):
            percent = 100 * share[truth, said]
            number = "<1" if percent < 1 else f"{percent:.0f}"
            colour = "white" if share[truth, said] > 0.55 else INK
            for text, up, size in ((number, 4, NORMAL), (str(counts[truth, said]), -7, 6)):
                ax.annotate(
                    text,
                    xy=(said, truth),
                    xytext=(0, up),
                    textcoords="offset points",
                    ha="center",
                    va="center",
                    fontsize=size,
                    color=colour,
                    in_layout=False,  # it lies within the panel, and a hundred of them would take a second
                )
    ticks = range(classes)
    ax.set_xticks(ticks, names, rotation=45, ha="right", rotation_mode="anchor", fontsize=SMALL, color=INK)
    ax.set_yticks(ticks, [f"{name}  ({n})" for name, n in zip(names, totals, strict=True)], fontsize=SMALL, color=INK)
    ax.set_xticks(np.arange(classes + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(classes + 1) - 0.5, minor=True)
    ax.grid(which="minor", color="white", linewidth=1)
    ax.tick_params(which="both", length=0)
    ax.spines[:].set_visible(False)
    ax.set_xlabel("predicted (% of the true class)", fontsize=NORMAL, color=INK)
    ax.set_ylabel("true (count)", fontsize=NORMAL, color=INK)
    if title:
        ax.set_title(figure_text(title), fontsize=LARGE, color=INK)
    return figure


def shares(counts: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
    """Of each true class, the share that was taken for each class; 0 for a class that never occurs.

    >>> shares(np.array([[3, 1], [0, 0]])).tolist()
    [[0.75, 0.25], [0.0, 0.0]]
    """
    share: npt.NDArray[np.float64] = counts / np.maximum(counts.sum(axis=1), 1)[:, None]
    return share
