"""How many objects of simulated scenes each curve leaves visible, without training.

qsense visibility --bits 4 --gammas 1 0.35 0.2
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from qsense.runs.next_steps import say_next

if TYPE_CHECKING:
    from qsense.data.frames.synthetic_raw import SyntheticRaw

FRAMES = 200


def shares(
    data: SyntheticRaw, bits: int, gammas: Sequence[float], rounding: Literal["round", "floor"], frames: int = FRAMES
) -> dict[str, float]:
    """By curve, the share of objects in [0, 1] whose detectability d′ exceeds 6 (see `qsense.metrics.visibility`).

    Args:
        data: scenes whose objects' shapes are known.
        bits: of the ADC, 1 … 16.
        gammas: exponents of fixed power curves beside linear and log.
        rounding: "round" or "floor".
        frames: how many test frames to look at.

    Raises:
        ValueError: an argument that the quantizers refuse.
    """
    import torch

    from qsense.metrics.visibility import detectability, visible_share
    from qsense.quant.sensor.fixed import fixed_curves
    from qsense.quant.sensor.identity import Identity

    sensors = {"none": Identity(data.signal), **fixed_curves(data.signal, bits, gammas, rounding)}
    found: dict[str, list[torch.Tensor]] = {name: [] for name in sensors}
    with torch.no_grad():
        for frame in data.frames("test")[:frames]:
            masks = torch.from_numpy(data.masks(frame))
            codes = torch.from_numpy(data.codes(frame).astype("int32"))[None]
            for name, sensor in sensors.items():
                found[name].append(detectability(sensor(codes)[0], masks))
    return {name: visible_share(torch.cat(d)) for name, d in found.items()}


def parser() -> argparse.ArgumentParser:
    """The command line's arguments."""
    from qsense.data.frames.synthetic_scenes import REGIMES

    parser = argparse.ArgumentParser(
        prog="qsense visibility",
        description="The share of objects in simulated raw scenes that a quantizer leaves visible (d′ > 6), for "
        "linear, log and γ curves in each regime: what no detector behind it can win back.",
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
    return parser


def main(arguments: Sequence[str]) -> int:
    """Print a table: regimes by curves."""
    options = parser().parse_args(arguments)

    from qsense.data.frames.synthetic_raw import SyntheticRaw

    rows = {}
    for regime in options.regimes:
        data = SyntheticRaw(regime, test_frames=max(options.frames, 1))
        rows[regime] = shares(data, options.bits, options.gammas, options.rounding, options.frames)

    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table("regime (simulated)", box=box.SIMPLE_HEAD, title=f"objects with d′ > 6 at {options.bits} bits")
    for name in next(iter(rows.values())):
        table.add_column(name, justify="right")
    for regime, values in rows.items():
        table.add_row(regime, *(f"{value:.2f}" for value in values.values()))
    Console().print(table)
    settings = ["task=detection", f"data.dataset.regime={options.regimes[0]}", f"bits={options.bits}"]
    say_next(
        (("train", *settings, "quant=linear,log,gamma", "-m"), "what a detector finds behind these curves"),
        (("scenes", "--data", "synthetic_raw", "--bits", options.bits), "such a scene through each of them"),
    )
    return 0
