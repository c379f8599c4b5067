"""A signal as text: braille characters of 2 × 4 dots, and codes as one character each.

Open it to change how signals look on a terminal.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

BLANK = 0x2800
DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])  # bit of each place, from the top
LEVELS = "▁▂▃▄▅▆▇█"
Floats = npt.NDArray[np.float64]


def columns(values: Floats, count: int) -> list[Floats]:
    """Values in so many equal pieces, in order; some are empty where there are few.

    >>> [piece.tolist() for piece in columns(np.arange(4.0), 2)]
    [[0.0, 1.0], [2.0, 3.0]]
    """
    return np.split(values, np.arange(1, count) * len(values) // count)


def curve(values: Floats, width: int, rows: int, low: float, high: float) -> list[str]:
    """Lines of a curve, from the top; NaN leaves a place empty.

    >>> curve(np.array([0.0, 1.0, 2.0, 3.0]), 2, 1, 0.0, 3.0)
    ['⡠⠊']
    """
    span = high - low if high > low else 1.0
    dots = np.zeros((rows * 4, width * 2), dtype=bool)
    for place, piece in enumerate(columns(values, width * 2)):
        known = piece[~np.isnan(piece)]
        if known.size:
            ends = np.clip((np.array([known.min(), known.max()]) - low) / span, 0, 1) * (rows * 4 - 1)
            bottom, top = np.floor(ends + 0.5).astype(int)
            dots[rows * 4 - 1 - top : rows * 4 - bottom, place] = True
    cells = dots.reshape(rows, 4, width, 2).transpose(0, 2, 1, 3)
    return ["".join(chr(BLANK + int(DOTS[cell].sum())) for cell in row) for row in cells]


def code_strip(codes: npt.NDArray[np.int64], bits: int, width: int) -> str:
    """The last codes, one character each: digits to four bits, beyond them eight heights.

    >>> code_strip(np.array([0, 1, 3, 2]), 2, 3), code_strip(np.array([0, 255]), 8, 3)
    ('132', '▁█')
    """
    last = codes[-width:]
    if bits <= 4:
        return "".join(f"{code:X}" if 0 <= code < 16 else "·" for code in last.tolist())
    return "".join(LEVELS[min(7, max(0, code) >> (bits - 3))] for code in last.tolist())
