"""A tiny writer of camera raw files, so that tests need no photographs: an uncompressed Bayer DNG."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

SHORT, LONG, ASCII, BYTE, RATIONAL, SRATIONAL = 3, 4, 2, 1, 5, 10
SIZE = {SHORT: "H", LONG: "I", ASCII: "B", BYTE: "B"}
COLOURS = {"R": 0, "G": 1, "B": 2, "C": 3, "M": 4, "Y": 5, "W": 6}


def write_dng(
    file: Path,
    mosaic: npt.NDArray[np.uint16],
    pattern: str = "RGGB",
    black: tuple[int, int, int, int] = (0, 0, 0, 0),
    white: int = 4095,
    active: tuple[int, int, int, int] | None = None,
    neutral: tuple[float, float, float] = (0.5, 1.0, 0.25),
    orientation: int = 1,
    repeat: tuple[int, int] = (2, 2),
    colours: str = "RGB",
) -> Path:
    """Write a mosaic [H, W] as DNG 1.4.

    Args:
        file: where to.
        mosaic: codes.
        pattern: colours of the top left cell of the active area.
        black: level at each place of that cell, row by row.
        white: level at which the sensor saturates.
        active: top, left, bottom, right of the active area; None: all of it.
        neutral: what a grey object looks like in red, green and blue.
        orientation: of the camera, as in TIFF.
        repeat: rows and columns of the pattern.
        colours: of the sensor, each once.
    """
    height, width = mosaic.shape
    data = mosaic.astype("<u2").tobytes()
    # tag: (type, values)
    tags: dict[int, tuple[int, list[int]]] = {
        254: (LONG, [0]),
        256: (LONG, [width]),
        257: (LONG, [height]),
        258: (SHORT, [16]),
        259: (SHORT, [1]),
        262: (SHORT, [32803]),
        271: (ASCII, [*b"qsense\0"]),
        272: (ASCII, [*b"test\0"]),
        273: (LONG, [0]),  # filled in below
        274: (SHORT, [orientation]),
        277: (SHORT, [1]),
        278: (LONG, [height]),
        279: (LONG, [len(data)]),
        33421: (SHORT, list(repeat)),
        33422: (BYTE, [COLOURS[colour] for colour in pattern]),
        50706: (BYTE, [1, 4, 0, 0]),
        50707: (BYTE, [1, 1, 0, 0]),
        50708: (ASCII, [*b"qsense test\0"]),
        50710: (BYTE, [COLOURS[colour] for colour in colours]),
        50713: (SHORT, [2, 2]),
        50714: (SHORT, list(black)),
        50717: (LONG, [white]),
        50721: (SRATIONAL, [number for row in np.eye(3, dtype=int) for one in row for number in (int(one), 1)]),
        50728: (RATIONAL, [number for one in neutral for number in (round(one * 1000), 1000)]),
        50778: (SHORT, [21]),
        50829: (LONG, list(active or (0, 0, height, width))),
    }
    start = 8 + 2 + 12 * len(tags) + 4
    extra = b""
    entries = []
    for tag, (kind, values) in sorted(tags.items()):
        number = len(values) // 2 if kind in (RATIONAL, SRATIONAL) else len(values)
        code = {RATIONAL: "I", SRATIONAL: "i"}.get(kind) or SIZE[kind]
        content = struct.pack(f"<{len(values)}{code}", *values)
        if len(content) > 4:
            content, offset = content + b"\0" * (len(content) % 2), start + len(extra)
            extra, content = extra + content, struct.pack("<I", offset)
        entries.append((tag, kind, number, content.ljust(4, b"\0")))
    strip = struct.pack("<I", start + len(extra))
    table = b"".join(struct.pack("<HHI", *head) + (strip if head[0] == 273 else value) for *head, value in entries)
    file.write_bytes(b"II*\0" + struct.pack("<IH", 8, len(tags)) + table + b"\0" * 4 + extra + data)
    return file
