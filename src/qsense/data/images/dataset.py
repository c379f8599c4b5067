"""What every image data set delivers before batching: labelled pictures of integer codes, read without torch.

Open it to add an image data set.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from qsense.data.dataset import SensorDataset
from qsense.signal import Signal

Codes = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
CIFAR10_MEAN = (0.4914, 0.4822, 0.4465)
CIFAR10_STD = (0.2023, 0.1994, 0.2010)  # the mean of the images' own, which is less than that over all their pixels


class Pictures(ABC):
    """Labelled images that are gathered by index, a batch at a time.

    Attributes:
        y: class of every image, int64 [images].
    """

    y: Labels

    @abstractmethod
    def gather(self, indices: npt.NDArray[np.int64], stream: Sequence[int] | None) -> tuple[Codes, Labels]:
        """The images [B, C, H, W] at `indices` and their classes [B]; unreadable ones are left out.

        Args:
            indices: which images.
            stream: seeds of whatever is drawn while reading (where to crop), so that each (stream, index) gives one
                picture; None for the one view that is evaluated.
        """


class StoredPictures(Pictures):
    """Images of one size, held in memory.

    Args:
        x: codes, uint8 [images, C, H, W].
        y: classes, int64 [images].

    >>> pictures = StoredPictures(np.zeros((5, 1, 8, 8), dtype=np.uint8), np.arange(5))
    >>> pictures.gather(np.array([3, 1]), None)[1].tolist()
    [3, 1]
    """

    def __init__(self, x: Codes, y: Labels) -> None:
        self.x, self.y = x, y

    def gather(self, indices: npt.NDArray[np.int64], stream: Sequence[int] | None) -> tuple[Codes, Labels]:
        """See the base class; nothing is drawn."""
        return self.x[indices], self.y[indices]


class ImageDataset(SensorDataset):
    """A set of labelled images: its facts, and how to read its training and its test part.

    `ImageDataModule` splits, batches and augments what it delivers.

    Attributes:
        colours: one name per channel.
        white: the code that means full scale; a sensor's value is code / white, in [0, 1].
        mean: what the networks' weights expect to be subtracted, per channel, on the scale of [0, 1].
        std: what they expect to be divided by, per channel.
        num_folds: always 1: the test part is fixed.
    """

    colours: tuple[str, ...]
    white: int = 255
    mean: tuple[float, ...]
    std: tuple[float, ...]
    num_folds: int = 1

    @property
    def signal(self) -> Signal:
        """What the image sensor delivers: full scale is 1, darkness is 0."""
        return Signal(len(self.colours), 0.0, 1.0, "full scale", None, self.colours)

    def prepare(self) -> None:
        """Fetch what is missing, if that was asked for; called once per machine."""

    @abstractmethod
    def train(self) -> Pictures:
        """The training part.

        Raises:
            DataError: something in it cannot be used; the file is named.
        """

    @abstractmethod
    def test(self) -> Pictures:
        """The test part, never seen in training and never used to choose anything.

        Raises:
            DataError: something in it cannot be used; the file is named.
        """
