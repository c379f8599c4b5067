"""WEAR: outdoor workouts, a watch on each wrist and ankle (Bock et al., IMWUT 2024)."""

from __future__ import annotations

from collections.abc import Sequence

from qsense.data.series.csv_har import CSVActivityDataset


class WEAR(CSVActivityDataset):
    """18 subjects, 18 activities and NULL, 4 × 3 axes at 50 Hz.

    Later releases have more subjects; the first 18 are those of γ-Quant's Table 1. The watches (Bangle.js) recorded at
    ±8 g, as the authors' recording guide says.

    Args:
        root: folder in the common CSV layout, see `CSVActivityDataset`.
        range: full scale of the sensor [low, high] in the data's unit; None takes the published one, if any.
        download: fetch the archive if the data is missing.
        sha256: checksum the archive must have to be unpacked (hex); it says nothing about what is unpacked already.
            None accepts any and logs the one seen.

    Raises:
        ValueError: `range` is not [low, high] with low below high.
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
    # The share in which the data sets were published together in this layout; it packs the folder when asked.
    url = "https://uni-siegen.sciebo.de/s/BNuj9LWBaMs5tZs/download?path=%2F&files=wear"
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
            axes=self.axes,
            labels=self.classes,
            rate_hz=self.rate_hz,
            subjects=self.num_subjects,
            unit=self.unit,
            range=self.range if range is None else range,
            url=self.url,
            download=download,
            sha256=sha256,
        )
