"""Frames to look at, with their boxes, before anything is trained: which, and what they look like.

Open it when a contact sheet shows the wrong frames, or shows them too dark.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qsense.data.frames.dataset import Frame
from qsense.data.frames.geometry.bayer import pack
from qsense.data.frames.raw_frames import RawFrames

SHORT_SIDE = 400  # pixels of a frame on the sheet, at least where it has as many


@dataclass(frozen=True, eq=False)
class Shown:
    """A frame to look at.

    Args:
        name: of the frame.
        note: what else is worth knowing: size, bits, condition, part.
        light: planes R, G1, G2, B above black, 1 at the white level, float32 [4, h, w].
        gains: of its white balance, of red, green and blue; None where the camera states none.
        boxes: left, top, right, bottom in pixels of `light`, [n, 4].
        labels: of the boxes, [n].
        crowd: which of them are crowds, bool [n].
    """

    name: str
    note: str
    light: npt.NDArray[np.float32]
    gains: tuple[float, float, float] | None
    boxes: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    crowd: npt.NDArray[np.bool_]


def choose(dataset: RawFrames, count: int) -> list[Frame]:
    """Frames of all kinds and conditions, with boxes where there are, spread over each; by name.

    Args:
        dataset: checked.
        count: at most.
    """
    frames = {frame.id: frame for frame in (*dataset.frames("train"), *dataset.frames("test"))}
    groups: dict[object, list[Frame]] = {}
    for number, frame in sorted(frames.items()):
        source = dataset.raw_sources[number]
        groups.setdefault((frame.condition, source.place, source.orientation, source.bits), []).append(frame)
    rounds = itertools.zip_longest(*(_spread(group, count) for group in groups.values()))
    chosen = [frame for each in rounds for frame in each if frame is not None]
    return sorted(chosen[:count], key=lambda frame: frame.name)


def show(dataset: RawFrames, frame: Frame) -> Shown:
    """A frame as light, at the size of a contact sheet.

    Raises:
        DataError: its file cannot be read.
    """
    source = dataset.raw_sources[frame.id]
    mosaic = source.mosaic()
    planes = pack(mosaic.codes, mosaic.pattern)
    step = max(1, min(planes.shape[1:]) // SHORT_SIDE)
    height, width = (side // step for side in planes.shape[1:])
    blocks = planes[:, : height * step, : width * step].reshape(4, height, step, width, step)
    black = np.reshape(mosaic.black, (4, 1, 1))
    light = (blocks.mean(axis=(2, 4), dtype=np.float64) - black) / max(mosaic.white - min(mosaic.black), 1)
    note = f"{frame.width} × {frame.height}, {source.bits} bits"
    if dataset.conditions:
        note += f", {dataset.conditions[frame.condition]}"
    gains = None if mosaic.gains is None else (mosaic.gains[0], mosaic.gains[1], mosaic.gains[3])
    return Shown(frame.name, note, light.astype(np.float32), gains, frame.boxes / (2 * step), frame.labels, frame.crowd)


def _spread(frames: list[Frame], count: int) -> list[Frame]:
    """Some of the frames, evenly spread, of those with boxes if there are any."""
    boxed = [frame for frame in frames if len(frame.boxes)] or frames
    places = np.unique(np.linspace(0, len(boxed) - 1, min(count, len(boxed))).round().astype(int))
    return [boxed[place] for place in places.tolist()]
