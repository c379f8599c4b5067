"""RWHAR (RealWorld): everyday activities, phones and a watch at 7 places (Sztyler and Stuckenschmidt, PerCom 2016)."""

from __future__ import annotations

from qsense.data.series.csv_recordings import FOLDER_IN_SHARE, SHARE, CSVRecordings


class RWHAR(CSVRecordings):
    """15 subjects, 8 activities without NULL, 7 × 3 axes at 50 Hz.

    Neither the columns' order nor the sensors' full scale are published with the data: columns are checked by their
    number, and `range` must be given where it is needed.
    """

    name = "RWHAR"
    classes = ("climbingdown", "climbingup", "jumping", "lying", "running", "sitting", "standing", "walking")
    axes = tuple(f"axis_{index}" for index in range(21))
    named_axes = False
    rate_hz = 50.0
    unit = "m/s²"
    num_subjects = 15
    url = f"{FOLDER_IN_SHARE}rwhar"
    homepage = SHARE
