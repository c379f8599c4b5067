"""RWHAR (RealWorld): everyday activities, phones and a watch at 7 places (Sztyler and Stuckenschmidt, PerCom 2016)."""

from __future__ import annotations

from collections.abc import Sequence

from qsense.data.series.csv_har import CSVActivityDataset


class RWHAR(CSVActivityDataset):
    """15 subjects, 8 activities without NULL, 7 × 3 axes at 50 Hz.

    Neither the columns' order nor the sensors' full scale are published with the data: columns are checked by their
    number, and `range` must be given where it is needed.

    Args:
        root: folder in the common CSV layout, see `CSVActivityDataset`.
        range: full scale of the sensor [low, high] in the data's unit; None takes the published one, if any.
        download: fetch the archive if the data is missing.
        sha256: checksum the archive must have to be unpacked (hex); it says nothing about what is unpacked already.
            None accepts any and logs the one seen.

    Raises:
        ValueError: `range` is not [low, high] with low below high.
    """

    name = "RWHAR"
    classes = (
        "climbingdown",
        "climbingup",
        "jumping",
        "lying",
        "running",
        "sitting",
        "standing",
        "walking",
    )
    axes = tuple(f"axis_{index}" for index in range(21))
    rate_hz = 50.0
    unit = "m/s²"
    range = None
    num_subjects = 15
    # The share in which the data sets were published together in this layout; it packs the folder when asked.
    url = "https://uni-siegen.sciebo.de/s/BNuj9LWBaMs5tZs/download?path=%2F&files=rwhar"
    homepage = "https://uni-siegen.sciebo.de/s/BNuj9LWBaMs5tZs"

    def __init__(
        self,
        root: str,
        range: Sequence[float] | None = None,
        download: bool = False,
        sha256: str | None = None,
    ) -> None:
        super().__init__(
            root=root,
            name=self.name,
            axes=len(self.axes),
            labels=self.classes,
            rate_hz=self.rate_hz,
            subjects=self.num_subjects,
            unit=self.unit,
            range=self.range if range is None else range,
            url=self.url,
            download=download,
            sha256=sha256,
        )
