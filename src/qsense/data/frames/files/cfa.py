"""The colours of a sensor's mosaic: which repeating cells are Bayer patterns, and what the others are called.

Open it when a camera's mosaic is taken for a Bayer pattern, or refused though it is one.
"""

from __future__ import annotations

from collections.abc import Sequence

from qsense.signal import BAYER


def is_bayer(rows: Sequence[str]) -> bool:
    """Whether a cell is a Bayer pattern, or several of the same.

    >>> is_bayer(["RG", "GB"]), is_bayer(["RGRG", "GBGB"]), is_bayer(["RG", "GB", "GB", "RG"]), is_bayer(["RGG"])
    (True, True, False, False)
    """
    if len(rows) % 2 or len(rows[0]) % 2 or rows[0][:2] + rows[1][:2] not in BAYER:
        return False
    return all(row == rows[place % 2][:2] * (len(row) // 2) for place, row in enumerate(rows))


def mosaic_name(rows: Sequence[str]) -> str:
    """What a mosaic is called in a message.

    >>> mosaic_name(["RRGG", "RRGG", "GGBB", "GGBB"]), mosaic_name(["RG", "GW"])
    ('RRGG RRGG GGBB GGBB (4 × 4, quad Bayer)', 'RG GW (2 × 2, with clear pixels, RGBW)')
    """
    size = f"{len(rows)} × {len(rows[0])}"
    if len(rows) == len(rows[0]) == 6 and set("".join(rows)) == set("RGB"):
        size += ", X-Trans"
    elif "W" in "".join(rows):
        size += ", with clear pixels, RGBW"
    elif len(rows) == len(rows[0]) == 4 and rows[0::2] == rows[1::2] and is_bayer([row[::2] for row in rows[::2]]):
        size += ", quad Bayer"
    return f"{' '.join(rows[:8])}{' …' if len(rows) > 8 else ''} ({size})"
