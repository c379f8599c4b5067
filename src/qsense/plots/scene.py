"""One scene through several quantizers at several bits: what each of them keeps of it (γ-Quant, Fig. 5)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from qsense.plots.display import as_light, balance, balanced, develop, used, white_of
from qsense.plots.style import FAINT, INK, LARGE, NORMAL, SMALL, VERMILION, close_up, headline, legend_below
from qsense.runs.escapes import figure_text
from qsense.runs.words import in_bits

WIDTH = 2.6  # inches of one image
MARGIN = 0.35  # of what stands on the left
STRIP = 0.26  # of the strip of thresholds below it
DARKEST = 2.0**-12  # left end of the strip, as a share of full scale
MOST_TICKS = 64  # thresholds; more than that are a grey area


def plot_scene(
    light: npt.ArrayLike,
    seen: Sequence[Sequence[npt.ArrayLike]],
    bits: Sequence[int],
    quantizers: Sequence[str],
    title: str = "",
    thresholds: Sequence[Sequence[npt.ArrayLike | None]] | None = None,
    gains: Sequence[float] | None = None,
) -> Figure:
    """Draw one row per resolution and one column per quantizer, after a column of the scene as the sensor delivers it.

    Every level is shown as the light it means (`as_light`), so that columns differ in what was lost and not in
    brightness; colours are balanced (`balance`), for the picture alone. Below each image: how many of its levels the
    scene hits, and their entropy; and, with thresholds, a strip that shows where these lie over the scene's histogram,
    from 1/4096 of the full scale to the full scale, each factor of two equally wide.

    Args:
        light: the scene's samples before quantization, [planes, h, w] in [0, 1]; planes as in `develop`.
        seen: after quantization, [rows][columns], each like `light`.
        bits: of each row.
        quantizers: name of each column.
        title: of the figure.
        thresholds: of each image, like `seen`, in [0, 1]; None: without strips.
        gains: the scene's white balance, of red, green and blue; None: not known.

    Raises:
        ValueError: no image, or not one, with its thresholds, for every row and column.
    """
    samples = np.asarray(light, dtype=np.float64)
    if not bits or not quantizers:
        raise ValueError("no image to draw: give at least one resolution and one quantizer")
    for what, table in (("images", seen), ("thresholds", thresholds)):
        if table is not None and (len(table) != len(bits) or any(len(row) != len(quantizers) for row in table)):
            raise ValueError(
                f"{len(bits)} resolutions and {len(quantizers)} quantizers need as many rows and columns of {what}, "
                f"got {[len(row) for row in table]}"
            )
    factors = balance(samples, gains)
    white = white_of(balanced(samples, factors))
    columns = len(quantizers) + 1
    height = WIDTH * samples.shape[1] / samples.shape[2]
    strip = STRIP if thresholds is not None else 0.0
    across = WIDTH * columns + MARGIN
    figure = Figure(figsize=(across, (height + strip + 0.3) * len(bits) + 0.55 + strip), layout="constrained")
    close_up(figure)
    heights = [height] if thresholds is None else [height, strip]
    grid = figure.add_gridspec(
        len(heights) * len(bits), columns + 1, width_ratios=[MARGIN, *[WIDTH] * columns],
        height_ratios=heights * len(bits),
    )  # fmt: skip
    for row, (resolution, images) in enumerate(zip(bits, seen, strict=True)):
        for column, image in enumerate((samples, *images)):
            unquantized = column == 0
            top = len(heights) * row
            ax = last = figure.add_subplot(grid[top, column + 1])
            if thresholds is not None:
                last = figure.add_subplot(grid[top + 1, column + 1])
                _strip(last, samples, None if unquantized else thresholds[row][column - 1])
            shown = samples if unquantized else as_light(image, samples)
            ax.imshow(develop(balanced(shown, factors), white), interpolation="nearest")
            levels, entropy = used(image)
            of = "" if unquantized or levels > 2**resolution else f" of {2**resolution}"  # memory delivers more values
            last.set_xlabel(f"{levels}{of} levels, {entropy:.1f} bits used", fontsize=SMALL, color=INK, labelpad=2)
            for each in {ax, last}:
                each.set_xticks([])
                each.set_xticks([], minor=True)
                each.set_yticks([])
                each.spines[:].set_color(FAINT)
            if row == 0:
                ax.set_title(figure_text(("not quantized", *quantizers)[column], 30), fontsize=NORMAL, color=INK)
    for row, resolution in enumerate(bits):
        left = figure.add_subplot(grid[len(heights) * row, 0])
        left.set_axis_off()
        left.text(0.5, 0.5, in_bits(resolution), rotation=90, ha="center", va="center", fontsize=LARGE, color=INK)
    if thresholds is not None:
        key = [
            Patch(color=FAINT, label="the scene's light, dark to bright"),
            Line2D([], [], color=VERMILION, linewidth=1.2, label="where the converter's thresholds lie"),
        ]
        legend_below(figure, key, 2)
    headline(figure, title)
    return figure


def _strip(ax: Axes, samples: npt.NDArray[np.float64], thresholds: npt.ArrayLike | None) -> None:
    """The histogram of a scene on a logarithmic axis, and a line at each threshold."""
    edges = np.geomspace(DARKEST, 1, 49)
    counts = np.histogram(np.clip(samples, DARKEST, 1), bins=edges)[0]
    ax.stairs(counts, edges, fill=True, color=FAINT)
    ax.set_xscale("log")
    ax.set_xlim(DARKEST, 1)
    ax.set_ylim(0, 1.1 * float(np.sort(counts[1:-1])[-1] or 1))  # the ends collect what is cut off
    if thresholds is not None:
        cuts = np.unique(np.asarray(thresholds, dtype=np.float64))
        cuts = cuts[(cuts >= DARKEST) & (cuts <= 1)]
        few = len(cuts) <= MOST_TICKS
        ax.vlines(
            cuts, 0, 1, transform=ax.get_xaxis_transform(), color=VERMILION, linewidth=1.2 if len(cuts) < 20 else 0.6,
            alpha=1 if few else 0.3,
        )  # fmt: skip
