"""Frames as the receiver of a converter with memory decodes them, each converted once, at native size.

Open it if conversion is slow, or takes too much room.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qsense.data.cache import digest, fingerprint, readable
from qsense.data.errors import DataError
from qsense.data.frames.dataset import Frame, FrameDataset
from qsense.data.frames.geometry.stored_sizes import ShortSide, as_stored
from qsense.data.frames.storing.converting import convert
from qsense.data.frames.storing.plane_cache import PlaneCache, Planes

Codes = npt.NDArray[np.integer]
SMALL = 256 << 20  # bytes: so many are kept in memory, more in the cache's folder


@dataclass(frozen=True, eq=False)
class Decoding:
    """Converts any of these frames; can be sent to other processes.

    Args:
        dataset: knows their native codes.
        frames: all that may be asked for, each once: what is stored of them goes by their places here.
        converter: has `received(codes)` → codes.
        short_side: of what is delivered: larger frames are made smaller afterwards, by nearest neighbour; None: none.
    """

    dataset: FrameDataset
    frames: Sequence[Frame]
    converter: Any
    short_side: ShortSide

    def __call__(self, index: int) -> Planes:
        frame = self.frames[index]
        codes = native(self.dataset, frame)
        return Planes(as_stored(self.converter.received(codes).astype(codes.dtype), self.short_side))


class DecodedFrames:
    """Decoded frames by their ids: of small data sets kept in memory, of large ones in the cache's folder.

    Args:
        decoding: makes them.
        cache: folder for everything prepared.
    """

    def __init__(self, decoding: Decoding, cache: Path) -> None:
        self.decoding = decoding
        self.places = {frame.id: place for place, frame in enumerate(decoding.frames)}
        self.kept: dict[int, Codes] = {}
        self.stored: PlaneCache | None = None
        if not kept_in_memory(decoding.frames):
            self.stored = self._store(cache)

    def __call__(self, frame: Frame) -> Codes:
        """The codes that a receiver decodes of a frame."""
        if self.stored is not None:
            return self.stored[str(frame.id)]
        if frame.id not in self.kept:
            self.kept[frame.id] = self.decoding(self.places[frame.id]).codes
        return self.kept[frame.id]

    def _store(self, cache: Path) -> PlaneCache:
        dataset, converter = self.decoding.dataset, self.decoding.converter
        source = digest(fingerprint(dataset, cache), converter.settings, converter.channels(), self.decoding.short_side)
        return convert(
            cache,
            f"{readable(dataset.name)}-decoded-{source[:24]}",
            {str(frame.id): source for frame in self.decoding.frames},
            self.decoding,
            f"{dataset.name} through {type(converter).__name__}",
        )


def kept_in_memory(frames: Iterable[Frame]) -> bool:
    """Whether what is decoded of all these frames is little enough to be kept in memory."""
    return sum(2 * frame.height * frame.width for frame in frames) <= SMALL


def native(dataset: FrameDataset, frame: Frame) -> Codes:
    """A frame's codes at native size.

    Raises:
        DataError: the data set gives it at another size.
    """
    codes: Codes = dataset.codes(frame)
    half = 2 if dataset.signal.bayer else 1
    size = (frame.height // half, frame.width // half)
    if codes.shape[-2:] != size:
        raise DataError(
            f"{dataset.name}, {frame.name} is stored at {codes.shape[-2]} × {codes.shape[-1]}, a converter with memory "
            f"goes along rows of native size, {size[0]} × {size[1]}: set `whole` before `prepare_data()`"
        )
    return codes
