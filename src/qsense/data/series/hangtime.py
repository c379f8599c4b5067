"""Hang-Time: basketball drills and games, a watch at the wrist (Hoelzemann et al., Sensors 2023)."""

from __future__ import annotations

from collections.abc import Sequence

from qsense.data.series.csv_har import CSVActivityDataset


class HangTime(CSVActivityDataset):
    """24 subjects, 5 activities and NULL, 3 axes at 50 Hz.

    The columns' names are not published with the data, so they are checked by their number; the sensor's full scale
    could not be established, and `range` must be given where it is needed.

    Args:
        root: folder in the common CSV layout, see `CSVActivityDataset`.
        range: full scale of the sensor [low, high] in the data's unit; None takes the published one, if any.
        download: fetch the archive if the data is missing.
        sha256: checksum the archive must have to be unpacked (hex); it says nothing about what is unpacked already.
            None accepts any and logs the one seen.

    Raises:
        ValueError: `range` is not [low, high] with low below high.
    """

    name = "Hang-Time"
    classes = (
        "NULL",
        "dribbling",
        "shot",
        "pass",
        "rebound",
        "layup",
    )
    axes = ("x", "y", "z")
    rate_hz = 50.0
    unit = "g"
    range = None
    num_subjects = 24
    # The share in which the data sets were published together in this layout; it packs the folder when asked.
    url = "https://uni-siegen.sciebo.de/s/BNuj9LWBaMs5tZs/download?path=%2F&files=hangtime"
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
