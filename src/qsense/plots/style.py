"""One look for all pictures. Without pyplot: no global state, no figure that stays in memory, no display needed."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from PIL import Image

from qsense.runs.escapes import figure_text
from qsense.runs.folder import write_bytes_atomically

INK = "#333333"  # text and frames
FAINT = "#c8ccd0"  # data in the background, grids
BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"
# Okabe and Ito 2008. Any two differ by a ΔE2000 above 10 for colour-blind readers, too (`tests/plots/test_palette.py`).
COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, "#000000")
DASHES = ("-", "--", ":")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")  # as many as colours: what has one colour has one shape, too
DODGE, WIDEST = 0.06, 0.15  # between two lines of one picture, and between all of them; shares of a step of the x-axis
PAD = 0.1  # inches around a picture
DPI = 120  # of pictures that are saved
SMALL, NORMAL, LARGE = 7.5, 9, 11  # points
FEW_ROWS, ROW = 4, 0.19  # rows of a legend below that a figure has room for, and inches of each further one
LONGEST = 120  # characters of a figure's title
PER_INCH = 12  # of them in a line of it

PARAMETERS = {  # how learned parameters are written in pictures
    "gamma": "γ",
    "mu": "μ",
    "mu_law": "μ of the law",
    "epsilon": "ε",
    "low": "lower end",
    "high": "upper end",
    "gain": "gain of colours",
    **{f"u{share}": f"{share} % of the codes reached at" for share in (25, 50, 75)},
    **{f"z{share}": f"curve at {share} % of the range" for share in (25, 50, 75)},
}


def panels(count: int, width: float, height: float, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure of `count` equal panels of width × height inches each, filled row by row."""
    columns = max(1, min(columns, count))
    rows = -(-count // columns)
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    axes: list[Axes] = list(grid.flat)
    for ax in axes[count:]:
        ax.remove()
    for ax in axes[:count]:
        tidy(ax)
    return figure, axes[:count]


def tidy(ax: Axes) -> None:
    """Frames and ticks of one panel: left and bottom only, small and dark grey."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(INK)
    ax.tick_params(labelsize=SMALL, color=INK, labelcolor=INK, length=3)
    ax.set_axisbelow(True)


def headline(figure: Figure, title: str) -> None:
    """The title of a whole figure, in lines that fit its width; nothing where it is empty."""
    if title:
        lines = textwrap.wrap(figure_text(title, LONGEST), max(20, int(PER_INCH * figure.get_figwidth())))
        figure.suptitle("\n".join(lines), fontsize=LARGE, color=INK)


def legend_below(figure: Figure, handles: Sequence[Artist], columns: int) -> None:
    """One legend of labelled artists under all panels, in at most `columns` columns; many make the figure higher."""
    for handle in handles:
        handle.set_label(figure_text(str(handle.get_label()), LONGEST))
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=min(len(handles), columns),
        fontsize=SMALL,
        frameon=False,
        labelcolor=INK,
    )
    rows = -(-len(handles) // columns)
    figure.set_figheight(figure.get_figheight() + ROW * max(0, rows - FEW_ROWS))


def in_order(names: Iterable[str]) -> list[str]:
    """Each name once, in the order of first mention.

    >>> in_order(["WEAR", "SBHAR", "WEAR"])
    ['WEAR', 'SBHAR']
    """
    return list(dict.fromkeys(names))


def close_up(figure: Figure) -> None:
    """Move the panels of a figure with constrained layout close together, as a sheet of images wants it."""
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    engine.set(w_pad=0.03, h_pad=0.03, wspace=0.0, hspace=0.0)


def line_styles(count: int) -> list[tuple[str, str]]:
    """(colour, dash) for each of `count` lines: colours alone for up to 7, and then the axes x, y, z as three dashes.

    Sensor axes come in threes (x, y, z of one position), so 21 of them are 7 colours × 3 dashes.
    """
    if count <= len(COLOURS):
        return [(COLOURS[i], "-") for i in range(count)]
    return [(COLOURS[i // 3 % len(COLOURS)], DASHES[i % 3]) for i in range(count)]


def mark(order: int) -> tuple[str, str]:
    """Colour and marker of the line of this order: seven pairs, and the colours with other shapes after them.

    >>> mark(0)[1], mark(6)[1], mark(7)[1]
    ('o', 'X', 's')
    """
    return COLOURS[order % len(COLOURS)], MARKERS[(order + order // len(COLOURS)) % len(MARKERS)]


def on(colour: str) -> str:
    """What text on a ground of this colour is written in: white, or black where the ground is light.

    >>> on(BLUE), on(SKY)
    ('white', 'black')
    """
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in to_rgb(colour)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "black" if luminance > 0.2 else "white"  # near where both have the same contrast


def dodge(order: int, count: int) -> float:
    """How far the points of a line stand beside their place on an axis of steps, so that error bars do not hide each
    other: all `count` lines together take at most `WIDEST` of a step.

    >>> [round(dodge(order, 3), 3) for order in range(3)], round(dodge(15, 16), 3)
    ([-0.06, 0.0, 0.06], 0.075)
    """
    return min(DODGE, WIDEST / max(count - 1, 1)) * (order - (count - 1) / 2)


def spread(positions: Sequence[float], gap: float) -> list[float]:
    """Move labels apart along one direction until neighbours are `gap` from each other, each as little as possible.

    >>> spread([0.0, 0.0, 5.0], gap=1.0)
    [-0.5, 0.5, 5.0]
    """
    order = np.argsort(positions, kind="stable")
    groups: list[tuple[float, int]] = []  # (centre, labels) of runs of labels that touch
    for index in order:
        centre, size = float(positions[index]), 1
        while groups and centre - groups[-1][0] < gap * (size + groups[-1][1]) / 2:
            other, others = groups.pop()
            centre, size = (centre * size + other * others) / (size + others), size + others
        groups.append((centre, size))
    placed = [centre + gap * (i - (size - 1) / 2) for centre, size in groups for i in range(size)]
    result = [0.0] * len(placed)
    for index, place in zip(order, placed, strict=True):
        result[index] = place
    return result


def save(figure: Figure, path: Path, dpi: int = DPI) -> None:
    """Write a figure as PNG of at most 256 colours (or what the suffix says), atomically; parent folders are made.

    Its layout is computed once, and kept from then on. So few colours make a file a third as large.
    """
    if (engine := figure.get_layout_engine()) is not None:
        engine.execute(figure)
        figure.set_layout_engine(None)
    content = io.BytesIO()
    form = path.suffix.removeprefix(".")
    box: Any = "tight"
    fast: dict[str, Any] = {}
    if form == "png":  # "tight" would draw the picture twice
        figure.set_dpi(dpi)
        renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
        box = figure.get_tightbbox(renderer).padded(PAD)
        fast = {"pil_kwargs": {"compress_level": 0}}
    figure.savefig(content, format=form, dpi=dpi, facecolor="white", bbox_inches=box, pad_inches=PAD, **fast)
    if form == "png":
        with Image.open(content) as picture:
            content = io.BytesIO()
            in_few_colours(picture.convert("RGB")).save(content, "png", dpi=(dpi, dpi))
    write_bytes_atomically(path, content.getbuffer())


def in_few_colours(picture: Image.Image) -> Image.Image:
    """A picture of mode RGB in 256 colours: those that suit it best, and the palette's own, which keep their shades."""
    own = [tuple(round(255 * share) for share in to_rgb(colour)) for colour in (*COLOURS, INK, FAINT, "white")]
    free = 256 - len(own)
    best = picture.quantize(free, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    red, green, blue = np.moveaxis(np.asarray(picture, dtype=np.uint32), -1, 0)
    shades, places = red << 16 | green << 8 | blue, np.array(best)
    for place, (r, g, b) in enumerate(own, free):
        places[shades == (r << 16 | g << 8 | b)] = place
    few = Image.fromarray(places, "P")
    found = best.getpalette() or []
    few.putpalette([*found, *[0] * (3 * free - len(found)), *(share for shade in own for share in shade)])
    return few
