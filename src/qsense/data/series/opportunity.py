"""OPPORTUNITY: mornings in a sensor-rich kitchen, five inertial units on the upper body (Chavarriaga et al., 2013)."""

from __future__ import annotations

from typing import Literal, Unpack

from qsense.data.series.csv_recordings import CSVRecordings, Source
from qsense.data.series.tables.columns import Wanted
from qsense.data.series.tables.format import TableFormat
from qsense.data.series.tables.labels import NULL

LOCOMOTION = {"0": NULL, "1": "stand", "2": "walk", "4": "sit", "5": "lie"}
GESTURES = {
    "0": NULL,
    "406516": "open door 1",
    "406517": "open door 2",
    "404516": "close door 1",
    "404517": "close door 2",
    "406520": "open fridge",
    "404520": "close fridge",
    "406505": "open dishwasher",
    "404505": "close dishwasher",
    "406519": "open drawer 1",
    "404519": "close drawer 1",
    "406511": "open drawer 2",
    "404511": "close drawer 2",
    "406508": "open drawer 3",
    "404508": "close drawer 3",
    "408512": "clean table",
    "407521": "drink from cup",
    "405506": "toggle switch",
}
TRACKS = {"gestures": (250, GESTURES), "locomotion": (244, LOCOMOTION)}
# First column of each inertial unit; its accelerometer comes first.
UNITS = {"back": 38, "right_upper_arm": 51, "right_lower_arm": 64, "left_upper_arm": 77, "left_lower_arm": 90}


class Opportunity(CSVRecordings):
    """4 subjects with 6 recordings each, 17 gestures or 4 modes of locomotion and NULL, 5 × 3 axes at 30 Hz.

    Read as it is unpacked: `dataset/S<1…4>-<ADL1…ADL5, Drill>.dat`, 250 columns without a header. `root` is the folder
    that holds dataset, dataset itself or the folder above. The accelerometers of the five inertial units are read, in
    thousandths of g as the files have them; the loose accelerometers, which lost many samples, and all other sensors
    are left alone. Gaps (NaN) of up to a second are filled; at longer ones, on any axis, a recording ends.

    The literature mostly trains on ADL1–3 and Drill of S1 to S3 and on the rest of S1, and tests on ADL4 and ADL5 of S2
    and S3; here each subject is held out in turn, which is harder.

    The full scale of the units is not published with the data: `range` must be given where it is needed. That the
    timestamps (ms) never go back is assumed; where they do, set `time` to false.

    Args:
        root: see `CSVRecordings`, as for the others.
        range: see `CSVRecordings`.
        download: see `CSVRecordings`.
        sha256: see `CSVRecordings`.
        time: look at the timestamps: where they leap, samples are missing.
        track: which labels: gestures (column 250) or locomotion (column 244).

    Raises:
        ValueError: an unknown track; see also `CSVRecordings`.
    """

    name = "Opportunity"
    classes = tuple(GESTURES.values())
    axes = tuple(f"{unit}_acc_{axis}" for unit in UNITS for axis in "xyz")
    rate_hz = 30.0
    unit = "mg"
    num_subjects = 4
    files = "dataset/S{subject}-*.dat"
    form = TableFormat(delimiter="space", decimal="point", header=0)
    time_format = "ms"
    url = "https://archive.ics.uci.edu/static/public/226/opportunity+activity+recognition.zip"
    homepage = "https://doi.org/10.24432/C5M027"

    def __init__(
        self,
        root: str,
        time: bool = True,
        track: Literal["gestures", "locomotion"] = "gestures",
        **settings: Unpack[Source],
    ) -> None:
        super().__init__(root, **settings)
        if track not in TRACKS:
            raise ValueError(f"track={track!r} is not one of {', '.join(TRACKS)}")
        column, self.codes = TRACKS[track]
        self.classes = tuple(self.codes.values())
        axes = tuple(first + axis for first in UNITS.values() for axis in (0, 1, 2))
        self.wanted = Wanted(axes, subject=False, time=1 if time else False, label=column)
