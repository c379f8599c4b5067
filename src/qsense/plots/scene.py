"""One scene through several quantizers at several bits: what each of them keeps of it (γ-Quant, Fig. 5)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from qsense.plots.display import as_light, develop, used, white_of
from qsense.plots.style import FAINT, INK, LARGE, NORMAL, SMALL, close_up, headline
from qsense.runs.escapes import figure_text

WIDTH = 2.6  # inches of one image


def plot_scene(
    light: npt.ArrayLike,
    seen: Sequence[Sequence[npt.ArrayLike]],
    bits: Sequence[int],
    quantizers: Sequence[str],
    title: str = "",
) -> Figure:
    """Draw one row per resolution and one column per quantizer, after a column of the scene as the sensor delivers it.

    Every level is shown as the light it means (`as_light`), so that columns differ in what was lost and not in
    brightness. Below each image: how many of its levels the scene hits, and their entropy.

    Args:
        light: the scene's samples before quantization, [planes, h, w] in [0, 1]; planes as in `develop`.
        seen: after quantization, [rows][columns], each like `light`.
        bits: of each row.
        quantizers: name of each column.
        title: of the figure.

    Raises:
        ValueError: no image, or not one for every row and column.
    """
    samples = np.asarray(light, dtype=np.float64)
    if not bits or not quantizers:
        raise ValueError("no image to draw: give at least one resolution and one quantizer")
    if len(seen) != len(bits) or any(len(row) != len(quantizers) for row in seen):
        raise ValueError(
            f"{len(bits)} resolutions and {len(quantizers)} quantizers need as many rows and columns of images, "
            f"got {[len(row) for row in seen]}"
        )
    white = white_of(samples)
    height = WIDTH * samples.shape[1] / samples.shape[2]
    figure = Figure(
        figsize=(WIDTH * (len(quantizers) + 1) + 0.4, (height + 0.28) * len(bits) + 0.5), layout="constrained"
    )
    close_up(figure)
    grid = figure.subplots(len(bits), len(quantizers) + 1, squeeze=False)
    for row, (resolution, images) in enumerate(zip(bits, seen, strict=True)):
        for ax, image in zip(grid[row], (samples, *images), strict=True):
            levels, entropy = used(image)
            unquantized = image is samples
            ax.imshow(develop(samples if unquantized else as_light(image, samples), white), interpolation="nearest")
            of = "" if unquantized else f" of {2**resolution}"
            ax.set_xlabel(f"{levels}{of} levels hit, {entropy:.1f} bits", fontsize=SMALL, color=INK, labelpad=2)
            ax.set_xticks([])
            ax.set_yticks([])
            ax.spines[:].set_color(FAINT)
        grid[row][0].set_ylabel(f"{resolution} bits →" if resolution > 1 else "1 bit →", fontsize=LARGE, color=INK)
    for ax, name in zip(grid[0], ("not quantized", *quantizers), strict=True):
        ax.set_title(figure_text(name, 30), fontsize=NORMAL, color=INK)
    headline(figure, title)
    return figure
