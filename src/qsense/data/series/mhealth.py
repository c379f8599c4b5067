"""MHEALTH: twelve exercises out of the laboratory, sensors at chest, ankle and wrist (Banos et al., IWAAL 2014)."""

from __future__ import annotations

from types import MappingProxyType

from qsense.data.series.csv_recordings import CSVRecordings
from qsense.data.series.tables.columns import Wanted
from qsense.data.series.tables.format import TableFormat


class MHEALTH(CSVRecordings):
    """10 subjects, 12 activities and NULL, 3 × 3 axes in m/s² at 50 Hz.

    Read as it is unpacked: `MHEALTHDATASET/mHealth_subject<i>.log`, 24 columns without a header and without timestamps.
    `root` is that folder or the one above it. The accelerometers of chest, left ankle and right lower arm are read;
    ECG, gyroscopes and magnetometers are left alone. A file is one recording, which goes on through the pauses between
    the exercises: those are NULL.

    Of the literature, some leaves NULL out, and some tests on a few fixed subjects instead of each in turn.

    Neither the range to which the Shimmer2 sensors were set nor steadiness of the sampling are published with the data:
    `range` must be given where it is needed, and samples are taken to follow each other without gaps.
    """

    name = "MHEALTH"
    classes = (
        "NULL",
        "standing still",
        "sitting and relaxing",
        "lying down",
        "walking",
        "climbing stairs",
        "waist bends forward",
        "frontal elevation of arms",
        "knees bending",
        "cycling",
        "jogging",
        "running",
        "jumping front and back",
    )
    codes = MappingProxyType({str(number): name for number, name in enumerate(classes)})
    axes = (
        "chest_acc_x",
        "chest_acc_y",
        "chest_acc_z",
        "left_ankle_acc_x",
        "left_ankle_acc_y",
        "left_ankle_acc_z",
        "right_arm_acc_x",
        "right_arm_acc_y",
        "right_arm_acc_z",
    )
    rate_hz = 50.0
    unit = "m/s²"
    num_subjects = 10
    files = "MHEALTHDATASET/mHealth_subject{subject}.log"
    form = TableFormat(header=0)
    wanted = Wanted((1, 2, 3, 6, 7, 8, 15, 16, 17), subject=False, time=False, label=24)
    url = "https://archive.ics.uci.edu/static/public/319/mhealth+dataset.zip"
    homepage = "https://doi.org/10.24432/C5TW22"
