"""The picture of a converter with memory, in place of a transfer curve: it has none.

Open it to change which stretches of a test recording are drawn; how they look is in `plots/stream.py`.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from qsense.callbacks.pictures import heading
from qsense.data.series.module import HARDataModule
from qsense.plots.stream import Stretch, plot_stream
from qsense.quant.sensor.memory.base import MemoryConverter
from qsense.tasks.base import Task

Floats = npt.NDArray[np.floating]
SECONDS = 3.0  # of a stretch
MOST_AXES = 3  # those that move most
CALM = 0.1  # share of all stretches that are calmer than the calm one


def stream(task: Task, data: HARDataModule, most: int = MOST_AXES) -> Figure | None:
    """Two stretches of the test recordings, through most motion and through little; None without a memory of series.

    Args:
        task: trained.
        data: converted.
        most: axes that are drawn, those that move most.
    """
    sensor = task.sensor
    if not isinstance(sensor, MemoryConverter) or sensor.takes != "series":
        return None
    signal, (codes, decoded), bounds = data.test_stream()
    age = np.arange(len(signal)) - np.repeat(bounds[:-1], np.diff(bounds))
    shown = rank(codes, sensor).astype(np.float64)
    if sensor.refresh:
        shown[age % sensor.refresh == 0] = np.nan
    rate = data.signal.rate_hz
    assert rate is not None
    length = min(round(SECONDS * rate), int(np.diff(bounds).max()))
    starts = dict(
        zip(("most motion", "little motion, on its own scale"), stretches(signal, bounds, length), strict=True)
    )
    noise = snr(signal, decoded)
    axes = np.sort(np.argsort(-signal.var(axis=0), kind="stable")[:most])
    signal, decoded = (in_unit(values, data) for values in (signal, decoded))
    return plot_stream(
        [
            Stretch(
                label, age[start] / rate, *(values[start : start + length, axes] for values in (signal, decoded, shown))
            )
            for label, start in starts.items()
        ],
        rate,
        sensor.bits,
        names=[data.signal.names[axis] for axis in axes] if data.signal.names else [f"axis {axis}" for axis in axes],
        notes=[f"SNR {noise[axis]:.1f} dB" for axis in axes],
        unit=data.signal.unit,
        title=f"{heading(task, data)}: SNR {noise.mean():.1f} dB over the test recordings",
    )


def stretches(x: Floats, bounds: npt.NDArray[np.int64], length: int) -> tuple[int, int]:
    """Where the stretch of most motion starts, and one of little; motion is the mean change from sample to sample.

    Args:
        x: samples [time, axes].
        bounds: where each recording starts and the last one ends.
        length: of a stretch, at most that of the longest recording.

    >>> x = np.array([0, 0, 0, 0, 5, 0, 5, 0, 0, 0, 9])[:, None]
    >>> stretches(x, np.array([0, 8, 11]), 4)  # 0 to 9 lies between two recordings
    (3, 0)
    """
    change = np.abs(np.diff(x.astype(np.float64), axis=0)).sum(axis=1)
    total = np.concatenate([[0.0], np.cumsum(change)])
    starts = np.concatenate([np.arange(a, max(a, b - length + 1)) for a, b in pairwise(bounds)])
    motion = total[starts + length - 1] - total[starts]
    order = np.argsort(motion, kind="stable")
    return int(starts[np.argmax(motion)]), int(starts[order[int(CALM * len(order))]])


def rank(codes: npt.NDArray[np.integer], sensor: MemoryConverter) -> npt.NDArray[np.int64]:
    """Codes numbered by the residuals that they stand for: those of a step are sign and magnitude."""
    wide = codes.astype(np.int64)
    if sensor.channels()[0].thresholds:
        return wide
    half = 1 << (sensor.bits - 1)
    ordered: npt.NDArray[np.int64] = np.where(wide < half, half + wide, 2 * half - 1 - wide)
    return ordered


def snr(signal: Floats, decoded: Floats) -> Floats:
    """Of each axis, 10·log10(variance of the signal / mean squared error), dB."""
    wide = signal.astype(np.float64)
    error = ((decoded - wide) ** 2).mean(axis=0)
    ratio: Floats = 10 * np.log10(np.maximum(wide.var(axis=0), 1e-30) / np.maximum(error, 1e-30))
    return ratio


def in_unit(values: Floats, data: HARDataModule) -> Floats:
    """Normalised values [..., axes] in the sensor's own unit."""
    if data.statistics["low"] is None:
        return values
    low, high = (np.array(data.statistics[end]) for end in ("low", "high"))
    own: Floats = low + (values + 1) / 2 * (high - low)
    return own
