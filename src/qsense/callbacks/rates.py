"""The honest rates of a run's sensor: its nominal bits, what an entropy coder would spend, and the lossless rival.

Open it when `rates` of `metrics.json` should hold something else; how bits are counted is in `metrics/code_rate.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from qsense.data.module import ExperimentData
from qsense.data.series.module import HARDataModule
from qsense.data.series.native import native_counts
from qsense.data.series.prepared import prepared
from qsense.metrics.code_rate import Bounds, Codes, contexts_for, mixed, spent, tally, without_refreshes
from qsense.quant.sensor.base import SensorQuantizer
from qsense.quant.sensor.memory.base import MemoryConverter
from qsense.quant.sensor.sensor import Sensor
from qsense.tasks.base import Task

BASIS = "bound of an ideal entropy coder, none is built; tables of training recordings, spent on test recordings"
BLOCK = 1 << 18  # samples converted at once


def rates_of(task: Task, data: ExperimentData) -> dict[str, Any] | None:
    """Bits per sample of a series' converter and of its lossless rival, ready for JSON; None for other kinds of data.

    The tables of an ideal coder are those of the training subjects, as a product would ship them, and the bits are
    those that the test subject's codes cost with them, per channel: a table that is too long to be learned, or fits the
    training subjects alone, shows. The lossless rival sends first differences of the
    samples as the sensor's own ADC counted them; it depends on data and fold alone. The first sample of a recording,
    which each sends as it is, is not counted.

    Returns:
        "basis"; "nominal": bits per sample, refreshes counted; "contexts": for each `length`, the number of last codes
        that the tables mind, the `bits` of each channel; "entropy": the mean over channels for the longest context that
        the training samples support; "lossless": the rival's "bits", their mean over "channels", and the grid that was
        found, its "step" and "native_bits" (where it was not "found", 12 bits over the range stand for it). Without a
        quantizer "basis" and "lossless" alone.
    """
    if not isinstance(data, HARDataModule):
        return None
    arrays = prepared(data.dataset, data.cache)
    bounds = np.asarray(arrays["bounds"])
    held_out = np.asarray(arrays["subject"]) == data.fold
    rates: dict[str, Any] = {"basis": BASIS}
    codes = codes_of(task.sensor, data, np.asarray(arrays["x"]), bounds)
    if codes is not None:
        refresh = task.sensor.refresh if isinstance(task.sensor, MemoryConverter) else 0
        native_bits = task.sensor.native_bits if isinstance(task.sensor, MemoryConverter) else 0
        streams = [without_refreshes(*part, refresh) for part in _parts(codes, bounds, held_out)]
        by_context = {
            k: [mixed(bits, native_bits, refresh) for bits in _channels(streams, k, 1 << task.sensor.bits)]
            for k in contexts_for(len(streams[0][0]), 1 << task.sensor.bits)
        }
        rates |= {
            "nominal": mixed(task.sensor.bits, native_bits, refresh),
            "contexts": [{"length": k, "bits": bits} for k, bits in by_context.items()],
            "entropy": float(np.mean(by_context[max(by_context)])),
        }
    return {**rates, "lossless": lossless_of(data, bounds, held_out)}


def lossless_of(data: HARDataModule, bounds: Bounds, held_out: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """What the native samples cost without loss, as first differences; see `rates_of`."""
    native = native_counts(data.dataset, data.cache)
    counts = np.asarray(native["counts"])
    most = counts.max(0)
    changes = np.diff(counts, axis=0, prepend=counts[:1]) + most  # 0 … 2·most of each channel
    parts = [(without_refreshes(*part, len(counts))) for part in _parts(changes, bounds, held_out)]  # but for the first
    bits = [
        spent(*(tally(codes[:, channel], starts, 0, 2 * int(most[channel]) + 1) for codes, starts in parts))
        for channel in range(counts.shape[1])
    ]
    return {
        "bits": float(np.mean(bits)),
        "channels": bits,
        "step": native["step"].tolist(),
        "native_bits": [int(top).bit_length() for top in most],
        "found": native["found"].tolist(),
    }


@torch.no_grad()
def codes_of(sensor: Sensor, data: HARDataModule, x: npt.NDArray[np.float32], bounds: Bounds) -> Codes | None:
    """The codes of all recordings [time, channels], in order; None for a sensor that is not quantized."""
    if isinstance(sensor, MemoryConverter):
        codes: Codes = data.stream.codes
        return codes
    if not isinstance(sensor, SensorQuantizer):
        return None
    blocks = []
    for start in range(0, len(x), BLOCK):
        block = torch.from_numpy(data.part("train").normalised(x[start : start + BLOCK].copy()))
        blocks.append(sensor.encode(block.to(sensor.device or "cpu")).cpu().numpy().astype(np.uint16))
    return np.concatenate(blocks)


def _parts(codes: Codes, bounds: Bounds, held_out: npt.NDArray[np.bool_]) -> list[tuple[Codes, Bounds]]:
    """Codes and bounds of the training recordings, and of the test recordings."""
    lengths = np.diff(bounds)
    parts = []
    for chosen in (~held_out, held_out):
        parts.append((codes[np.repeat(chosen, lengths)], np.concatenate([[0], np.cumsum(lengths[chosen])])))
    return parts


def _channels(streams: list[tuple[Codes, Bounds]], context: int, alphabet: int) -> list[float]:
    """Bits of each channel's test codes with the tables of its training codes."""
    channels = range(streams[0][0].shape[1])
    return [spent(*(tally(codes[:, c], bounds, context, alphabet) for codes, bounds in streams)) for c in channels]
