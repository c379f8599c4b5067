"""Wetlab: steps of a DNA extraction, a sensor at the wrist (Scholl, Wille and van Laerhoven, UbiComp 2015)."""

from __future__ import annotations

from qsense.data.series.csv_recordings import FOLDER_IN_SHARE, SHARE, CSVRecordings


class Wetlab(CSVRecordings):
    """22 subjects, 8 activities and NULL, 3 axes at 50 Hz.

    Neither the columns' names nor the sensor's full scale and unit are published with the data: columns are checked by
    their number, and `range` must be given where it is needed.
    """

    name = "Wetlab"
    classes = ("NULL", "cutting", "inverting", "peeling", "pestling", "pipetting", "pouring", "stirring", "transfer")
    axes = ("x", "y", "z")
    named_axes = False
    rate_hz = 50.0
    unit = "g"
    num_subjects = 22
    url = f"{FOLDER_IN_SHARE}wetlab"
    homepage = SHARE
