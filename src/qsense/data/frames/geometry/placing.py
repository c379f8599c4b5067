"""Where the picture that was annotated lies in the raw frame: margins and scale.

Open it when boxes lie beside their objects, or the sizes of raw files and annotations are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

from qsense.runs.words import did_you_mean

Crop = Literal["none", "centre"] | Sequence[int]
CLEARLY = 1.25  # a picture so much smaller or larger than the raw frame was resized: no margins are that wide
AGREE = 0.01  # relative difference of the two axes' scales that rounding explains

T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True)
class Place:
    """The annotated part of a raw frame that has been turned upright.

    Args:
        left: samples before it.
        top: rows above it.
        width: of it, in samples.
        height: likewise.
        across: samples per pixel of the annotated picture; 1 where it was not resized.
        down: likewise.
    """

    left: int
    top: int
    width: int
    height: int
    across: float = 1.0
    down: float = 1.0

    @property
    def resized(self) -> bool:
        """Whether the annotated picture has another scale than the raw frame."""
        return (self.across, self.down) != (1.0, 1.0)


def check_crop(crop: Crop) -> Crop:
    """The argument `crop`, its numbers as a tuple.

    Raises:
        ValueError: anything else; what is allowed is named.
    """
    if crop in ("none", "centre"):
        return crop
    numbers = () if isinstance(crop, str) else tuple(crop)
    if len(numbers) not in (2, 4) or not all(type(number) is int and number >= 0 for number in numbers):
        typed = f"{crop}{did_you_mean(crop, ['none', 'centre'])}" if isinstance(crop, str) else list(numbers)
        raise ValueError(
            f"crop={typed} must be none, centre, [left, top] or [left, top, "
            "width, height]: whole samples of the raw frame, 0 or more"
        )
    return numbers


def find_place(raw: tuple[int, int], annotated: tuple[int, int], crop: Crop) -> Place:
    """Where a picture of the annotated size lies in a raw frame; all sizes are (width, height).

    With [left, top, width, height] that part was annotated, at whatever scale. Else a picture that is clearly smaller
    or larger and of the same shape was resized from the whole frame, unless [left, top] says that it was cut out.

    Raises:
        ValueError: the two sizes do not belong together; the arithmetic is in the message.

    >>> find_place((3968, 2640), (3936, 2624), "centre")
    Place(left=16, top=8, width=3936, height=2624, across=1.0, down=1.0)
    >>> find_place((6034, 4012), (600, 400), "none").across
    10.056666666666667
    """
    sizes = f"the raw frame has {raw[0]} × {raw[1]} samples, the annotated picture {annotated[0]} × {annotated[1]}"
    scales = raw[0] / annotated[0], raw[1] / annotated[1]
    same_shape = abs(scales[0] / scales[1] - 1) <= AGREE
    if isinstance(crop, str):
        if raw == annotated:
            return Place(0, 0, *raw)
        if same_shape and not 1 / CLEARLY < scales[0] < CLEARLY:
            return Place(0, 0, *raw, *scales)
        margins = raw[0] - annotated[0], raw[1] - annotated[1]
        arithmetic = (
            f"{raw[0]} − {annotated[0]} = {margins[0]}, {raw[1]} − {annotated[1]} = {margins[1]}; {raw[0]} / "
            f"{annotated[0]} = {scales[0]:.4g}, {raw[1]} / {annotated[1]} = {scales[1]:.4g}"
        )
        if min(margins) < 0 or max(scales) >= CLEARLY:
            raise ValueError(f"{sizes}: neither a part of it nor resized ({arithmetic})")
        if crop == "none":
            raise ValueError(
                f"{sizes} ({arithmetic}): set data.dataset.crop=centre if it is its middle, or crop=[left,top]; "
                "qsense data check draws the boxes"
            )
        return Place(margins[0] // 2, margins[1] // 2, *annotated)
    left, top = crop[:2]
    width, height = crop[2:] if len(crop) == 4 else annotated
    if left + width > raw[0] or top + height > raw[1]:
        raise ValueError(
            f"{sizes}: crop={list(crop)} ends outside of it ({left} + {width} = {left + width} of {raw[0]}, {top} + "
            f"{height} = {top + height} of {raw[1]})"
        )
    across, down = width / annotated[0], height / annotated[1]
    if abs(across / down - 1) > AGREE:
        raise ValueError(
            f"{sizes}: crop={list(crop)} has another shape ({width} / {annotated[0]} = {across:.4g}, {height} / "
            f"{annotated[1]} = {down:.4g})"
        )
    return Place(left, top, width, height, across, down)
