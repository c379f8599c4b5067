"""How many objects of simulated scenes each curve leaves visible, without training.

qsense visibility --bits 4 --gammas 1 0.35 0.2
qsense visibility --bits 4 --fit mixed
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from qsense.commands._parser import Parser
from qsense.runs.next_steps import say_next

if TYPE_CHECKING:
    from qsense.data.frames.synthetic_raw import SyntheticRaw
    from qsense.quant.sensor.sensor import Sensor

FRAMES = 200
FITTED_ON = 50  # training frames of each regime


def fitted(data: SyntheticRaw, bits: int, rounding: Literal["round", "floor"]) -> dict[str, Sensor]:
    """Converters whose levels the training frames place, by name: without memory, and along the rows.

    Args:
        data: whose training frames place them, all of them.
        bits: of the ADC, 1 … 8.
        rounding: "round" or "floor"; it moves no level here.

    Raises:
        ValueError: an argument that the quantizers refuse.
    """
    import numpy as np
    import torch

    from qsense.quant.sensor.lloyd_max import LloydMax
    from qsense.quant.sensor.memory.row_dpcm import RowDPCM, rows_of
    from qsense.quant.sensor.quantile import Quantile

    memoryless: dict[str, Sensor] = {
        "quantile": Quantile(data.signal, bits, rounding=rounding),
        "lloyd_max": LloydMax(data.signal, bits, rounding=rounding),
    }
    rows = {
        "row_dpcm, companding none": RowDPCM(data.signal, bits, companding="none"),
        "row_dpcm": RowDPCM(data.signal, bits),
    }
    samples, bounds = rows_of(np.stack([data.codes(frame) for frame in data.frames("train")]))
    for quantizer in memoryless.values():
        quantizer.fit(torch.from_numpy(samples.astype(np.int32)))
    for converter in rows.values():
        converter.fit_recordings(samples, bounds)
    return {**memoryless, **rows}


def shares(
    data: SyntheticRaw,
    bits: int,
    gammas: Sequence[float],
    rounding: Literal["round", "floor"],
    frames: int = FRAMES,
    others: Mapping[str, Sensor] | None = None,
) -> dict[str, float]:
    """By curve, the share of objects in [0, 1] whose detectability d′ exceeds 6 (see `qsense.metrics.visibility`).

    Args:
        data: scenes whose objects' shapes are known.
        bits: of the ADC, 1 … 16.
        gammas: exponents of fixed power curves beside linear and log.
        rounding: "round" or "floor".
        frames: how many test frames to look at.
        others: further converters, by name, that have been fitted.

    Raises:
        ValueError: an argument that the quantizers refuse.
    """
    import torch

    from qsense.metrics.visibility import detectability, visible_share
    from qsense.quant.sensor.fixed import fixed_curves
    from qsense.quant.sensor.identity import Identity
    from qsense.quant.sensor.memory.mipi import MipiDPCM
    from qsense.quant.sensor.memory.pisp import PiSP
    from qsense.quant.sensor.memory.whole import WholeConverter

    fixed = fixed_curves(data.signal, bits, gammas, rounding)
    cameras: dict[str, Sensor] = {"pisp, 8 bits": PiSP(data.signal)}
    cameras |= {f"mipi, {sent} bits": MipiDPCM(data.signal, sent) for sent in (6, 7, 8, 10)}
    sensors = {"none": Identity(data.signal), **cameras, **fixed, **(others or {})}
    found: dict[str, list[torch.Tensor]] = {name: [] for name in sensors}
    with torch.no_grad():
        for frame in data.frames("test")[:frames]:
            masks = torch.from_numpy(data.masks(frame))
            codes = torch.from_numpy(data.codes(frame).astype("int32"))[None]
            for name, sensor in sensors.items():
                received = sensor.received_frames(codes) if isinstance(sensor, WholeConverter) else codes
                found[name].append(detectability(sensor(received)[0], masks))
    return {name: visible_share(torch.cat(d)) for name, d in found.items()}


def parser() -> argparse.ArgumentParser:
    """The command line's arguments."""
    from qsense.data.frames.simulation.synthetic_scenes import REGIMES

    parser = Parser(
        prog="qsense visibility",
        description="The share of objects in simulated raw scenes that a quantizer leaves visible (d′ > 6), for "
        "linear, log and γ curves and for cameras' own compression (PiSP, MIPI) in each regime: what no detector "
        "behind it can win back. With --fit also for converters whose levels training frames place: a camera is fitted "
        "once, for all light.",
    )
    parser.add_argument(
        "--regimes", nargs="+", choices=list(REGIMES), default=list(REGIMES), metavar="REGIME",
        help=f"{', '.join(REGIMES)} (default: all)",
    )  # fmt: skip
    parser.add_argument("--bits", type=int, default=4, help="resolution (default: 4)")
    parser.add_argument("--gammas", type=float, nargs="+", default=[0.6, 0.35, 0.2], help="(default: 0.6 0.35 0.2)")
    parser.add_argument(
        "--rounding", choices=("round", "floor"), default="floor", help="(default: floor, as in the paper)"
    )
    parser.add_argument("--frames", type=int, default=FRAMES, help=f"frames of each regime (default: {FRAMES})")
    parser.add_argument(
        "--fit", choices=("each", "mixed"),
        help=f"also quantile, lloyd_max and row_dpcm, fitted on {FITTED_ON} training frames of each regime by itself, "
        "or of all three together",
    )  # fmt: skip
    return parser


def main(arguments: Sequence[str]) -> int:
    """Print a table: converters by regimes."""
    options = parser().parse_args(arguments)
    if options.frames < 1:
        parser().error(f"--frames {options.frames}: name a whole number of at least 1")

    from qsense.data.frames.simulation.synthetic_scenes import REGIMES
    from qsense.data.frames.synthetic_raw import SyntheticRaw

    mixed = None
    if options.fit == "mixed":
        mixed = fitted(SyntheticRaw("mixed", train_frames=FITTED_ON * len(REGIMES)), options.bits, options.rounding)
    columns = {}
    for regime in options.regimes:
        data = SyntheticRaw(regime, train_frames=FITTED_ON, test_frames=options.frames)
        others = fitted(data, options.bits, options.rounding) if options.fit == "each" else mixed
        columns[regime] = shares(data, options.bits, options.gammas, options.rounding, options.frames, others)

    from rich import box
    from rich.console import Console
    from rich.table import Table

    title = f"objects with d′ > 6 at {options.bits} bits, simulated scenes"
    where = {"each": "each regime by itself", "mixed": "all regimes together"}
    caption = f"shares of objects in {options.frames} frames of each regime"
    if options.fit:
        caption += f"\nfitted on training frames of {where[options.fit]}"
    table = Table("converter", box=box.SIMPLE_HEAD, title=title, caption=caption)
    for regime in columns:
        table.add_column(regime, justify="right")
    for name in next(iter(columns.values())):
        table.add_row(name, *(f"{values[name]:.2f}" for values in columns.values()))
    Console().print(table)
    regime = "mixed" if options.fit == "mixed" else options.regimes[0]
    settings = ["task=detection", f"data.dataset.regime={regime}", f"bits={options.bits}"]
    curves = "quantile,lloyd_max,row_dpcm" if options.fit else "linear,log,gamma"
    say_next(
        (("train", *settings, f"quant={curves}", "-m"), "what a detector finds behind these converters"),
        (("scenes", "--data", "synthetic_raw", "--bits", options.bits), "such a scene through fixed curves"),
    )
    return 0
