"""Frequency maps and learned masks of chosen layers (FAT, Fig. 6)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from qsense.plots.style import INK, NORMAL, SMALL, headline, tidy
from qsense.runs.escapes import figure_text

Floats = npt.NDArray[np.floating]
MOST = 0.9999  # masks beyond 1 - MOST … MOST have no colour of their own: they are 0 or 1 to the eye
TICKS = (0.001, 0.01, 0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, MOST)  # one is left out where it crowds


def plot_frequency(
    names: Sequence[str], magnitudes: Sequence[npt.ArrayLike], masks: Sequence[npt.ArrayLike], title: str = ""
) -> Figure:
    """Draw one column per layer: how strong its filters' frequencies are, and below what the mask lets through.

    Masks often lie so close to one that a linear scale would show nothing: they are coloured by their scores,
    ln(M/(1 − M)), over the range that they take, the same for all layers. Above each stands its own range.

    Args:
        names: of the layers.
        magnitudes: |F| of each layer [filters, frequencies], from the mean on the left to the fastest change.
        masks: M of each layer, in (0, 1), shaped alike.
        title: of the figure.

    Raises:
        ValueError: no layer, or shapes that do not fit each other.
    """
    spectra = [np.asarray(magnitude, dtype=np.float64) for magnitude in magnitudes]
    shares = [np.asarray(mask, dtype=np.float64) for mask in masks]
    if not names or not len(names) == len(spectra) == len(shares):
        raise ValueError(f"{len(names)} names, {len(spectra)} spectra and {len(shares)} masks: one of each per layer")
    for name, spectrum, share in zip(names, spectra, shares, strict=True):
        if spectrum.ndim != 2 or spectrum.shape != share.shape:
            raise ValueError(f"{name}: a spectrum of shape {spectrum.shape} and a mask of shape {share.shape}")

    figure = Figure(figsize=(2.5 * len(names) + 0.9, 4.6), layout="constrained")
    axes = figure.subplots(2, len(names), squeeze=False)
    top = max(float(spectrum.max()) for spectrum in spectra) or 1.0
    scores = [_score(share) for share in shares]
    low, high = min(float(score.min()) for score in scores), max(float(score.max()) for score in scores)
    low, high = low - 0.05, high + 0.05  # a mask that is the same everywhere has a colour too
    for column, (name, spectrum, share, score) in enumerate(zip(names, spectra, shares, scores, strict=True)):
        above, below = axes[:, column]
        strong = _map(above, spectrum, cmap="viridis", norm=PowerNorm(0.5, 0, top))
        weak = _map(below, score, cmap="magma", vmin=low, vmax=high)
        above.set_title(figure_text(name, 40), fontsize=NORMAL, color=INK, loc="left")
        below.set_title(f"{share.min():.4f} … {share.max():.4f}", fontsize=SMALL, color=INK, loc="right")
        above.tick_params(labelbottom=False)
        below.set_xlabel("frequency (share of the highest)", fontsize=SMALL, color=INK)
    for ax in axes[:, 0]:
        ax.set_ylabel("filter", fontsize=NORMAL, color=INK)
    magnitude = figure.colorbar(strong, ax=list(axes[0]), aspect=15, pad=0.02)
    magnitude.set_label("magnitude |F|", fontsize=NORMAL, color=INK)
    mask = figure.colorbar(weak, ax=list(axes[1]), aspect=15, pad=0.02)
    mask.set_label("mask M", fontsize=NORMAL, color=INK)
    ticks: list[float] = []
    for tick in TICKS:
        place = float(_score(np.array(tick)))
        if low <= place <= high and (not ticks or place - float(_score(np.array(ticks[-1]))) > 0.07 * (high - low)):
            ticks.append(tick)
    mask.set_ticks(_score(np.array(ticks)).tolist(), labels=[f"{tick:g}" for tick in ticks])
    mask.ax.minorticks_off()
    for bar in (magnitude, mask):
        bar.ax.tick_params(labelsize=SMALL, color=INK, labelcolor=INK)
        bar.outline.set_visible(False)
    headline(figure, title)
    return figure


def _score(mask: Floats) -> Floats:
    clipped = np.clip(mask, 1 - MOST, MOST)
    score: Floats = np.log(clipped / (1 - clipped))
    return score


def _map(ax: Axes, values: Floats, **colours: object):  # type: ignore[no-untyped-def]
    tidy(ax)
    extent = (0, 1, len(values) - 0.5, -0.5)
    return ax.imshow(values, aspect="auto", interpolation="nearest", extent=extent, **colours)  # type: ignore[arg-type]
