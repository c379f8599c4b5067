"""What every raw-image data set delivers before batching: annotated frames of integer codes, read without torch.

Open it to add a data set of raw frames.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from qsense.data.dataset import SensorDataset
from qsense.data.frames.geometry.stored_sizes import ShortSide
from qsense.signal import Signal

Part = Literal["train", "test"]
PLANES = ("red", "green 1", "green 2", "blue")  # order of a Bayer frame's planes, whatever its pattern


@dataclass(frozen=True, eq=False)
class Frame:
    """One annotated frame.

    Args:
        id: unique within the data set, 0 or more.
        name: what messages and pictures call it.
        height: of the frame in its own pixels (of a Bayer mosaic: samples, both colours of a row counted).
        width: likewise.
        boxes: float32 [n, 4], left, top, right, bottom in the frame's own pixels; each of positive area, inside it.
        labels: classes, int64 [n].
        crowd: bool [n], whether a box holds a crowd, which counts neither as hit nor as miss.
        area: float32 [n], true areas of the objects in the frame's own pixels²; boxes' areas where nobody knows better.
        condition: index into the signal's `conditions`.
        gains: the camera's white balance, what red, green and blue are multiplied by; None: not known.
    """

    id: int
    name: str
    height: int
    width: int
    boxes: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    crowd: npt.NDArray[np.bool_]
    area: npt.NDArray[np.float32]
    condition: int = 0
    gains: tuple[float, float, float] | None = None


class FrameDataset(SensorDataset):
    """A set of annotated raw frames: its facts, and how to read its training and its test part.

    `DetectionDataModule` resizes and batches what it delivers.

    Attributes:
        simulated: whether the frames were computed and not taken.
        mean: what the detector's weights expect to be subtracted from red, green, blue, on the scale of [0, 1].
        std: what they expect to be divided by.
        num_folds: always 1: the test part is fixed.
    """

    simulated: bool = False
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    num_folds: int = 1

    @property
    def converts(self) -> bool:
        """Whether `prepare` converts the frames; else `codes` gives each as it is taken, at native size."""
        return type(self).prepare is not FrameDataset.prepare

    @property
    @abstractmethod
    def signal(self) -> Signal:
        """What the sensor delivers: four planes of a Bayer mosaic, or three colours; in [0, 1], with native bits."""

    def prepare(self, cache: Path, short_side: ShortSide) -> None:
        """Convert what `codes()` will deliver, once per machine: several processes, resumable, with progress.

        Args:
            cache: folder for converted frames.
            short_side: what the planes' shorter side is at most, in pixels: larger frames are made smaller. None: all
                stay as they are. `ShortSides`: what is stored holds each of these sizes.
        """

    @abstractmethod
    def frames(self, part: Part) -> Sequence[Frame]:
        """The annotated frames of a part, in a fixed order; one without boxes is a negative and stays.

        Raises:
            DataError: an annotation that cannot be used; the file is named.
        """

    @abstractmethod
    def codes(self, frame: Frame) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16] | npt.NDArray[np.uint32]:
        """The frame's native codes [C, h, w], maybe memory-mapped: planes in the order `PLANES` (h, w are half the
        frame's), or red, green, blue. They may have been made smaller by nearest neighbour while converting, or, where
        `prepare` was given `ShortSides`, be `packed` for them: `DetectionDataModule.codes` unpacks these."""
