"""Hang-Time: basketball drills and games, a watch at the wrist (Hoelzemann et al., Sensors 2023)."""

from __future__ import annotations

from qsense.data.series.csv_recordings import FOLDER_IN_SHARE, SHARE, CSVRecordings


class HangTime(CSVRecordings):
    """24 subjects, 5 activities and NULL, 3 axes at 50 Hz.

    The columns' names are not published with the data, so they are checked by their number; the sensor's full scale
    could not be established, and `range` must be given where it is needed.
    """

    name = "Hang-Time"
    classes = ("NULL", "dribbling", "shot", "pass", "rebound", "layup")
    axes = ("x", "y", "z")
    named_axes = False
    rate_hz = 50.0
    unit = "g"
    num_subjects = 24
    url = f"{FOLDER_IN_SHARE}hangtime"
    homepage = SHARE
