"""What every activity data set delivers before windowing: recordings of labelled samples, read without torch.

Open it to add an activity data set in a layout of its own.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qsense.data.dataset import SensorDataset
from qsense.data.errors import DataError
from qsense.signal import Signal

NORMALISATIONS = ("dataset", "train", "range", "none")


@dataclass(frozen=True)
class Recording:
    """One uninterrupted recording of one subject.

    Args:
        subject: index 0 … num_subjects − 1 into the data set's subjects; the LOSO fold that holds it out.
        name: where it came from, for messages (a file's name).
        x: samples, float32 [time, axes] in the sensor's own unit; finite.
        y: class index of every sample, int64 [time].
        filled: samples in which a short gap (NaN) was filled.
        lost: samples that are missing beside it, in gaps too long to fill.
    """

    subject: int
    name: str
    x: npt.NDArray[np.float32]
    y: npt.NDArray[np.int64]
    filled: int = 0
    lost: int = 0


class ActivityDataset(SensorDataset):
    """A wearable-accelerometer data set: its facts, and how to read its recordings.

    `HARDataModule` windows, normalises and batches what it delivers.

    Attributes:
        classes: class names in index order, NULL first where the data set has it.
        axes: one name per sensor axis.
        rate_hz: samples per second.
        unit: physical unit of the samples.
        range: the sensor's full scale (low, high) in `unit`, or None where nobody has stated it.
        num_subjects: subjects; one LOSO fold each.
    """

    axes: tuple[str, ...]
    rate_hz: float
    unit: str
    range: tuple[float, float] | None
    num_subjects: int

    @property
    def num_folds(self) -> int:
        """Leave-one-subject-out: one fold per subject."""
        return self.num_subjects

    @abstractmethod
    def recordings(self) -> list[Recording]:
        """Read and validate everything, in a fixed order.

        Raises:
            DataError: something in it cannot be used; file and row are named.
        """


def signal_of(dataset: ActivityDataset, normalise: str) -> Signal:
    """What a network or a quantizer sees of a data set after normalisation; known without reading or importing much.

    The range is -1 … 1 after any normalisation and the sensor's own full scale, if stated, without one.

    Raises:
        ValueError: `normalise` is none of dataset, train, range, none.
        DataError: normalise="range" on a data set whose full scale nobody has stated.
    """
    if normalise not in NORMALISATIONS:
        raise ValueError(f"normalise={normalise!r} is not one of {', '.join(NORMALISATIONS)}")
    if normalise == "range" and dataset.range is None:
        raise DataError(
            f"normalise=range needs the sensor's full scale, and {dataset.name}'s is unknown: "
            f"set data.dataset.range=[low,high] in {dataset.unit}, or data.normalise=dataset, train or none"
        )
    if normalise == "none":
        low, high = (None, None) if dataset.range is None else dataset.range
    else:
        low, high = -1.0, 1.0
    return Signal(len(dataset.axes), low, high, dataset.unit, dataset.rate_hz, tuple(dataset.axes))
