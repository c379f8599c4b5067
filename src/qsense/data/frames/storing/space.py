"""At which size frames are stored, and how many bytes they take: known from the annotations, before any is converted.

Open it when converted frames take too much room.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np

from qsense.data.errors import DataError
from qsense.data.frames.dataset import Frame, FrameDataset
from qsense.data.frames.geometry.stored_sizes import ShortSide, ShortSides, stored_samples
from qsense.signal import Signal

Stored = int | Literal["native", "sizes"] | None

STORED = 800  # short side at which frames are stored where no size is asked for
SMALLEST = 32  # short side of what a detector is given


def asked_for(train_sizes: Sequence[int] | None, test_size: int | None, longest: int) -> ShortSides:
    """The short sides that are asked for, ascending; maybe none.

    >>> asked_for([800, 480], 640, 1333).sides, asked_for(None, 640, 1333).sides, asked_for(None, None, 1333).sides
    ((480, 640, 800), (640,), ())
    """
    sides = {*(train_sizes or ()), *(() if test_size is None else (test_size,))}
    return ShortSides(tuple(sorted(sides)), longest)


def every_frame(dataset: FrameDataset) -> list[Frame]:
    """The frames of both parts, each once: with `data.dataset.test=same` all are in both, and stored once."""
    parts = (*dataset.frames("train"), *dataset.frames("test"))
    return list({frame.id: frame for frame in parts}.values())


def stored_side(dataset: FrameDataset, asked: ShortSides, stored: Stored, cache_gb: float | None) -> ShortSide:
    """The short side at which a data set's frames are stored, or all of them; None: as they are. See
    `DetectionDataModule`.

    Args:
        dataset: knows its frames.
        asked: what `asked_for` says.
        stored: as the data module is told; `cache_gb` likewise.

    Raises:
        DataError: they take more than `cache_gb`.
    """
    frames = [] if cache_gb is None else every_frame(dataset)
    if stored == "sizes":
        if cache_gb is not None and (needed := stored_bytes(frames, dataset.signal, asked)) > cache_gb * 1e9:
            raise DataError(
                f"data.cache_gb={cache_gb:g}: {len(frames)} frames take {needed / 1e9:.3g} GB at all "
                f"{len(asked.sides)} sizes of data.train_sizes and data.test_size: allow more, or set fewer or smaller "
                "ones"
            )
        return asked
    least = max(asked.sides, default=STORED if stored is None else SMALLEST)
    wanted = least if stored is None else None if stored == "native" else stored
    if cache_gb is None:
        return wanted
    return affordable_side(frames, dataset.signal, wanted, least if stored == "native" else wanted, cache_gb)


def check_native(dataset: FrameDataset, side: ShortSide, cache_gb: float | None) -> None:
    """Refuse a converter with memory, which goes along rows of native frames, where these and what it makes of them
    take too much room.

    Args:
        dataset: knows its frames.
        side: what `stored_side` says: the size of the decoded frames, which are stored beside the native ones.
        cache_gb: see `stored_side`.

    Raises:
        DataError: they take more than `cache_gb`.
    """
    if cache_gb is None:
        return
    frames = every_frame(dataset)
    native, decoded = (stored_bytes(frames, dataset.signal, each) / 1e9 for each in (None, side))
    if native + decoded > cache_gb:
        raise DataError(
            f"data.cache_gb={cache_gb:g}: a converter with memory goes along rows of native frames, and {len(frames)} "
            f"of them take {native:.3g} GB, what it decodes of them {decoded:.3g} GB more: allow "
            f"{native + decoded:.3g}, or take a quantizer without memory"
        )


def side_in_words(side: ShortSide) -> str:
    """At which size frames are stored, to follow "frames" in a sentence.

    >>> side_in_words(800), side_in_words(None), side_in_words(ShortSides((480, 800), 1333))
    ('at short sides of 800 pixels at most', 'at native size', 'at short sides of 480 and 800 pixels')
    """
    if side is None:
        return "at native size"
    if isinstance(side, ShortSides):
        *most, last = map(str, side.sides)
        return f"at short sides of {' and '.join(filter(None, [', '.join(most), last]))} pixels"
    return f"at short sides of {side} pixels at most"


def stored_bytes(frames: Iterable[Frame], signal: Signal, short_side: ShortSide) -> int:
    """Bytes of converted frames: channels · height · width · bytes of a code, added up.

    Args:
        frames: all of them.
        signal: channels, bits, and whether planes are half as large as their frames.
        short_side: see `as_stored`.
    """
    return _bytes(_sizes(frames, signal), signal, short_side)


def affordable_side(
    frames: Iterable[Frame], signal: Signal, wanted: int | None, least: int | None, cache_gb: float
) -> int | None:
    """The largest short side from `least` to `wanted` at which frames fit into `cache_gb`; see `shrunk_size`.

    Args:
        frames: all of them.
        signal: as in `stored_bytes`.
        wanted: the side that they would have if there were room; None: their own.
        least: the side that they must have.
        cache_gb: what they may take, in 10⁹ bytes.

    Raises:
        DataError: they do not even fit at `least`.
    """
    sizes, most = _sizes(frames, signal), cache_gb * 1e9
    if _bytes(sizes, signal, wanted) <= most:
        return wanted
    if (needed := _bytes(sizes, signal, least)) > most:
        raise DataError(
            f"data.cache_gb={cache_gb:g}: {sizes.total()} frames take {needed / 1e9:.3g} GB at a short side of {least} "
            f"pixels: allow more, or set smaller data.train_sizes, data.test_size or data.stored"
        )
    assert least is not None  # else it were wanted, and too much
    low, high = least, wanted or max(min(size) for size in sizes)
    while high - low > 1:  # they fit at `low` and not at `high`
        middle = (low + high) // 2
        low, high = (middle, high) if _bytes(sizes, signal, middle) <= most else (low, middle)
    return low


def _sizes(frames: Iterable[Frame], signal: Signal) -> Counter[tuple[int, int]]:
    """How many frames have planes of each height and width."""
    share = 2 if signal.bayer else 1
    return Counter((frame.height // share, frame.width // share) for frame in frames)


def _bytes(sizes: Counter[tuple[int, int]], signal: Signal, short_side: ShortSide) -> int:
    assert signal.native_bits is not None
    pixel = signal.channels * np.min_scalar_type((1 << signal.native_bits) - 1).itemsize
    return sum(count * stored_samples(*size, short_side) * pixel for size, count in sizes.items())
