"""What a sensor quantizer costs in training: forward + backward beside two yardsticks.

    python benchmarks/quantizers.py [--quick] [--threads 1] [--bits 2 4]

* *autograd*: the same formula written down plainly with torch operations and differentiated by autograd.
* *copy*: copying the input and the gradient, which no operation with an output and an input gradient can beat.

The three take turns, so that a change in the machine's mood hits all alike; medians are shown. Before each turn the
parameters change by a hair, as after an optimiser step, so that the tables are built anew. "x" says whether the input
wants a gradient: it does behind a network, raw data does not.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from qsense.quant.sensor.base import SensorQuantizer
from qsense.quant.sensor.gamma import Gamma
from qsense.quant.sensor.gamma_norm import GammaNorm
from qsense.quant.sensor.identity import Identity
from qsense.quant.sensor.linear import Linear
from qsense.quant.sensor.log import Log
from qsense.quant.sensor.log_eps import LogEps
from qsense.quant.sensor.pwl import PiecewiseLinear
from qsense.quant.sensor.quantile import Quantile
from qsense.quant.sensor.range import Range
from qsense.quant.sensor.sensor import Sensor
from qsense.quant.sensor.soft_tanh import SoftTanh
from qsense.quant.sensor.thresholds import Thresholds
from qsense.quant.ste import round_half_up
from qsense.signal import Signal

LIMITS = """\
What limits each
  none     nothing is done; the copies it is compared with are.
  linear   forward: one comparison and one look-up per bit and sample, then one look-up of the level, all in the cache;
           without an input gradient backward vanishes. On images, the memory for the result: the operating system
           hands out fresh pages, as it does for the copy.
  log      the same forward, whatever the curve; backward one division more.
  gamma    the same forward; backward one logarithm and one exponential per sample, from which all three gradients
           follow. The logarithm is the largest single part.
  per axis the same, plus rearranging a series so that each axis's samples lie together.
  On 100x50x12 fixed costs count: a microsecond or two for each of some hundred small operations, among them the
  decision levels in float64, built anew after every optimiser step (some 50 microseconds). There, and at many bits,
  the plain formula of linear and log is the faster one: it is exact levels without a single wrong code that cost.
"""


def plain(quantizer: Sensor) -> Callable[[Tensor], Tensor]:
    """The quantizer's formula over [-1, 1] or [0, 1] as one would first write it down."""
    steps = (1 << quantizer.bits) - 1
    bipolar = quantizer.signal.bipolar

    def transfer(x: Tensor) -> Tensor:
        if type(quantizer) is Gamma:
            gamma = quantizer.log_gamma.exp()
            if quantizer.per_channel and x.dim() == 4:
                gamma = gamma[:, None, None]
            if quantizer.mu is None:
                return torch.where(x > 0, x.clamp_min(1e-7) ** gamma, 0.0)
            centred = x - quantizer.mu
            return torch.where(centred >= 0, 1.0, -1.0) * (centred.abs() + quantizer.epsilon) ** gamma
        if isinstance(quantizer, Log):
            ratio = torch.tensor(1 / quantizer.epsilon)
            return torch.sign(x) * torch.log1p(x.abs() * ratio) / torch.log1p(ratio)
        if isinstance(quantizer, SensorQuantizer) and not isinstance(quantizer, Linear):
            return quantizer.curve(x.reshape(1, -1)).view_as(x)
        return x

    def quantize(x: Tensor) -> Tensor:
        if isinstance(quantizer, Identity):
            return x * 1.0
        if bipolar:
            v = (transfer(x).clamp(-1, 1) + 1) * (steps / 2)
            return 2 * round_half_up(v) / steps - 1
        return round_half_up(transfer(x).clamp(0, 1) * steps) / steps

    return quantize


def run(operation: Callable[[Tensor], Tensor], x: Tensor, grad: Tensor, parameters: list[Tensor]) -> None:
    """One forward and, where anything wants a gradient, one backward."""
    y = operation(x)
    wanted = [t for t in [x, *parameters] if t.requires_grad]
    if wanted and y.requires_grad:
        torch.autograd.grad(y, wanted, grad)


def saved_bytes(operation: Callable[[Tensor], Tensor], x: Tensor) -> int:
    """Bytes kept for backward, beside the input itself, which exists anyway."""
    kept: dict[int, int] = {}

    def pack(t: Tensor) -> Tensor:
        if t.untyped_storage().data_ptr() != x.untyped_storage().data_ptr():
            kept[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        y = operation(x)
    del y
    return sum(kept.values())


def measure(quantizer: Sensor, x: Tensor, repeats: int) -> list[float]:
    """Median seconds of [quantizer, autograd, copy]."""
    grad = torch.randn_like(x)
    parameters = list(quantizer.parameters())
    formula = plain(quantizer)
    copies = [x.detach(), grad] if x.requires_grad else [x.detach()]
    contestants: list[Callable[[], object]] = [
        lambda: run(quantizer, x, grad, list(parameters)),
        lambda: run(formula, x, grad, list(parameters)),
        lambda: [t.clone() for t in copies],
    ]
    times: list[list[float]] = [[] for _ in contestants]
    for turn in range(repeats + 1):
        for contestant, taken in zip(contestants, times, strict=True):
            with torch.no_grad():
                for p in parameters:
                    p.add_(1e-6)
            start = time.perf_counter()
            contestant()
            if turn:  # the first turn warms up
                taken.append(time.perf_counter() - start)
    return [statistics.median(taken) for taken in times]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="small images, few repeats")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--bits", type=int, nargs="+", default=[2, 4, 8])
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    series = Signal(channels=12, low=-1.0, high=1.0, unit="g")
    image = Signal(channels=4, low=0.0, high=1.0, unit="counts")
    shape = (2, 4, 200, 300) if arguments.quick else (16, 4, 400, 600)
    inputs = [
        (series, torch.rand(100, 50, 12) * 2 - 1, 50 if arguments.quick else 400),
        (image, torch.rand(shape), 5 if arguments.quick else 9),
    ]
    table = Table(title=f"forward + backward, {arguments.threads} thread(s), medians of alternating turns")
    for heading in (
        "quantizer",
        "input",
        "x",
        "bits",
        "ms",
        "autograd",
        "copy",
        "÷ autograd",
        "÷ copy",
        "saved",
        "saved by autograd",
    ):
        table.add_column(heading, justify="left" if heading in ("quantizer", "input", "x") else "right")
    for signal, data, repeats in inputs:
        for wants_x in (False, True):
            x = data.clone().requires_grad_(wants_x)
            for bits in arguments.bits:
                parts: dict[str, Sensor] = {
                    "none": Identity(signal),
                    "linear": Linear(signal, bits),
                    "log": Log(signal, bits),
                    "gamma": Gamma(signal, bits, gamma=0.4),
                    "gamma per axis": Gamma(signal, bits, gamma=0.4, per_channel=True),
                    "gamma, ewgs": Gamma(signal, bits, gamma=0.4, surrogate="ewgs"),
                    "gamma_norm": GammaNorm(signal, bits, gamma=0.4),
                    "log_eps": LogEps(signal, bits),
                    "range": Range(signal, bits),
                    "quantile": Quantile(signal, bits),
                    "pwl": PiecewiseLinear(signal, bits),
                    "thresholds": Thresholds(signal, bits),
                    "soft_tanh": SoftTanh(signal, bits, surrogate="ste"),
                }
                parts["quantile"].fit(data[:2].movedim(1, -1).flatten(0, -2) if data.dim() == 4 else data.flatten(0, 1))
                for name, quantizer in parts.items():
                    if name == "none" and bits != arguments.bits[0]:
                        continue
                    own, autograd, copy = measure(quantizer, x, repeats)
                    table.add_row(
                        name,
                        "x".join(map(str, x.shape)),
                        "yes" if wants_x else "no",
                        "" if name == "none" else str(bits),
                        f"{own * 1e3:.3f}",
                        f"{autograd * 1e3:.3f}",
                        f"{copy * 1e3:.3f}",
                        f"{own / autograd:.2f}",
                        f"{own / copy:.1f}",
                        f"{saved_bytes(quantizer, x):,}",
                        f"{saved_bytes(plain(quantizer), x):,}",
                    )
    Console(width=130).print(table)
    print(LIMITS)


if __name__ == "__main__":
    main()
