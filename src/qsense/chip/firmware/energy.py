"""A firmware's power, beside that of a node which sends its samples: from plan, counts and conf/sensing.

Open it to change what a firmware is priced by; the model is `metrics/compute.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from qsense.chip.converter import Converter
from qsense.chip.firmware.counting import Counts
from qsense.chip.firmware.plan import Plan
from qsense.chip.memory.codec import Codec
from qsense.metrics.compute import PARTS, Stream, Work, compare_designs
from qsense.metrics.sensing import SensingModel
from qsense.plots.designs import Bar, plot_designs


@dataclass(frozen=True)
class Measured:
    """A firmware as it was compiled and ran.

    Args:
        processor: on which, how compiled, how run: "Cortex-M4, -Os, QEMU".
        flash: bytes of code and constants.
        ram: bytes of its state.
        stack: bytes at most.
        instructions: per prediction, on average.
        longest: instructions of the one sample that takes most.
    """

    processor: str
    flash: int
    ram: int
    stack: int
    instructions: float
    longest: float


def stream_of(plan: Plan) -> Stream | None:
    """What its sensor delivers; None where the data states no rate, so that there is no power."""
    if plan.rate_hz is None:
        return None
    bits, memory, refresh = 0, False, 0
    if isinstance(plan.converter, Codec):
        bits, memory, refresh = plan.converter.bits, True, plan.converter.refresh
    elif isinstance(plan.converter, Converter):
        bits = plan.converter.bits
    return Stream(len(plan.channels), plan.rate_hz, plan.native.bits, bits, plan.stride, memory, refresh)


def work_of(counts: Counts, measured: Measured | None = None) -> Work:
    """What a prediction takes: the network's own counts, and instructions where they were counted."""
    codes = counts.requantizations + sum(layer.curves for layer in counts.layers)
    return Work(counts.macs, codes, None if measured is None else measured.instructions)


def energy_of(
    plan: Plan, counts: Counts, model: SensingModel | None, measured: Measured | None = None
) -> dict[str, Any] | None:
    """See `compare_designs`; with "longest_s", the time of the sample that takes most, where it was measured.

    Args:
        plan: the firmware.
        counts: its own.
        model: constants; None: the run was recorded without them, so that there is no power.
        measured: instructions, where they were counted.
    """
    stream = stream_of(plan)
    if stream is None or model is None:
        return None
    energy = compare_designs(model, stream, work_of(counts, measured))
    if measured is not None:
        energy["longest_s"] = measured.longest * model.cycles_per_instruction / (1e6 * model.cpu_mhz)
    return energy


def design_picture(energy: Mapping[str, Any], title: str = "") -> Figure:
    """The designs as stacked bars."""
    return plot_designs(
        [
            Bar(
                design["title"],
                {part: design[f"{part}_uw"] for part in PARTS},
                design["packed_uw"],
                "" if design["real_time"] else "too slow",
            )
            for design in energy["designs"].values()
        ],
        title,
    )
