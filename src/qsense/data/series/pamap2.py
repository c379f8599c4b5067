"""PAMAP2: everyday activities and sports, sensors at wrist, chest and ankle (Reiss and Stricker, ISWC 2012)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Unpack

from qsense.data.series.csv_recordings import CSVRecordings, Source
from qsense.data.series.tables.columns import Wanted
from qsense.data.series.tables.files import matching_files
from qsense.data.series.tables.format import TableFormat
from qsense.data.series.tables.labels import NULL

# Numbers of the activities; those that are not listed are not in the files.
PROTOCOL = {
    "0": NULL,
    "1": "lying",
    "2": "sitting",
    "3": "standing",
    "4": "walking",
    "5": "running",
    "6": "cycling",
    "7": "nordic walking",
    "12": "ascending stairs",
    "13": "descending stairs",
    "16": "vacuum cleaning",
    "17": "ironing",
    "24": "rope jumping",
}
OPTIONAL = {
    "9": "watching TV",
    "10": "computer work",
    "11": "car driving",
    "18": "folding laundry",
    "19": "house cleaning",
    "20": "playing soccer",
}
_G = 9.80665


class PAMAP2(CSVRecordings):
    """9 subjects, 12 activities and NULL, 3 × 3 axes in m/s² at 100 Hz.

    Read as it is unpacked: `Protocol/subject<101…109>.dat`, 54 columns without a header, NaN where a wireless sensor
    lost samples. `root` is the folder that holds Protocol, Protocol itself or the folder above. Of the two
    accelerometers at each place the one of ±16 g is read; the authors advise against the one of ±6 g, which saturates.
    Gaps of up to a second are filled; at longer ones, on any axis or in the timestamps, a recording ends.

    Activity 0 are the times between activities. They are NULL here; the authors say that they should be left out, and
    most of the literature does so. Of subject 109 there is rope jumping alone: many leave this subject out, or test on
    subject 106 alone. That timestamps never go back is assumed; where they do, set `time` to false.

    Args:
        root: see `CSVRecordings`, as for the others.
        range: see `CSVRecordings`; None: ±16 g in m/s².
        download: see `CSVRecordings`.
        sha256: see `CSVRecordings`.
        time: look at the timestamps: where they leap, samples are missing.
        optional: read the recordings in `Optional/`, too, which some of the subjects made, and their six
            activities.

    Raises:
        ValueError: see `CSVRecordings`.
    """

    name = "PAMAP2"
    classes = tuple(PROTOCOL.values())
    codes = PROTOCOL
    axes = (
        "hand_acc_x",
        "hand_acc_y",
        "hand_acc_z",
        "chest_acc_x",
        "chest_acc_y",
        "chest_acc_z",
        "ankle_acc_x",
        "ankle_acc_y",
        "ankle_acc_z",
    )
    rate_hz = 100.0
    unit = "m/s²"
    range = (-16 * _G, 16 * _G)
    num_subjects = 9
    files = "Protocol/subject{subject}.dat"
    form = TableFormat(delimiter="space", decimal="point", header=0)
    wanted = Wanted((5, 6, 7, 22, 23, 24, 39, 40, 41), subject=False, time=1, label=2)
    time_format = "s"
    url = "https://archive.ics.uci.edu/static/public/231/pamap2+physical+activity+monitoring.zip"
    homepage = "https://doi.org/10.24432/C5NW2H"

    def __init__(
        self,
        root: str,
        time: bool = True,
        optional: bool = False,
        **settings: Unpack[Source],
    ) -> None:
        super().__init__(root, **settings)
        if not time:
            self.wanted = replace(self.wanted, time=False)
        self.optional = optional
        if optional:
            self.codes = PROTOCOL | OPTIONAL
            self.classes = tuple(self.codes.values())

    def check(self) -> None:
        """See the base class."""
        super().check()
        if self.optional and (tables := self._found()) and tables[-1][1].parent.name != "Optional":
            self._missing(
                f"there is no Optional beside {tables[0][1].parent}; data.dataset.optional=false does without"
            )

    def _found(self) -> list[tuple[str, Path]]:
        found = super()._found()
        if self.optional and found:
            found += matching_files(found[0][1].parents[1], "Optional/subject{subject}.dat")
        return found
