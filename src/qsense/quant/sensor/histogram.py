"""Decision levels by the histogram of training samples, whatever rule places them.

Open it to see what is counted, and which samples are refused.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from qsense.quant.sensor.search import round_up

Floats = npt.NDArray[np.float64]
Place = Callable[[Floats, Floats], Floats]  # (values, counts) → decision levels: see `Fitted.place`


def checked(samples: Tensor, channels: int, name: str) -> Tensor:
    """Samples that something called `name` is fitted on: values as float64, native codes as they are.

    Raises:
        ValueError: samples of another shape, none, or some that are not finite.
    """
    if samples.dim() != 2 or samples.shape[1] != channels or not len(samples):
        raise ValueError(
            f"samples of shape {list(samples.shape)}: {name} is fitted on [n, channels] with "
            f"n ≥ 1 and channels = {channels}"
        )
    if not samples.isfinite().all():
        raise ValueError(f"{name} cannot be fitted on samples that are not finite: fill them first")
    return samples.double() if samples.is_floating_point() else samples


def levels_by(place: Place, units: Tensor, per_channel: bool) -> Tensor:
    """Decision levels [rows, levels], float32, by one histogram of all samples or by one for each channel.

    Args:
        place: finds them in a histogram.
        units: samples in unit coordinates, within the range, [n, channels].
        per_channel: whether each channel has a row.
    """
    x = units.cpu().numpy()
    rows = []
    for row in x.T if per_channel else [x.ravel()]:
        values, counts = np.unique(row, return_counts=True)
        rows.append(place(values, counts.astype(np.float64)))
    # Rounded up, a level between two neighbouring float32 samples still parts them.
    return round_up(torch.from_numpy(np.stack(rows)))
