"""WEAR: outdoor workouts, a watch on each wrist and ankle (Bock et al., IMWUT 2024)."""

from __future__ import annotations

from qsense.data.series.csv_recordings import FOLDER_IN_SHARE, SHARE, CSVRecordings


class WEAR(CSVRecordings):
    """18 subjects, 18 activities and NULL, 4 × 3 axes at 50 Hz.

    Later releases have more subjects; the first 18 are those of γ-Quant's Table 1. The watches (Bangle.js) recorded at
    ±8 g, as the authors' recording guide says.
    """

    name = "WEAR"
    classes = (
        "NULL",
        "jogging",
        "jogging (rotating arms)",
        "jogging (skipping)",
        "jogging (sidesteps)",
        "jogging (butt-kicks)",
        "stretching (triceps)",
        "stretching (lunging)",
        "stretching (shoulders)",
        "stretching (hamstrings)",
        "stretching (lumbar rotation)",
        "push-ups",
        "push-ups (complex)",
        "sit-ups",
        "sit-ups (complex)",
        "burpees",
        "lunges",
        "lunges (complex)",
        "bench-dips",
    )
    axes = (
        "right_arm_acc_x",
        "right_arm_acc_y",
        "right_arm_acc_z",
        "right_leg_acc_x",
        "right_leg_acc_y",
        "right_leg_acc_z",
        "left_leg_acc_x",
        "left_leg_acc_y",
        "left_leg_acc_z",
        "left_arm_acc_x",
        "left_arm_acc_y",
        "left_arm_acc_z",
    )
    rate_hz = 50.0
    unit = "g"
    range = (-8.0, 8.0)
    num_subjects = 18
    url = f"{FOLDER_IN_SHARE}wear"
    homepage = SHARE
