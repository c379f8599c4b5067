"""What a sensor quantizer costs on native codes: forward + backward beside two yardsticks.

    python benchmarks/codes.py [--quick] [--threads 1 2] [--bits 4] [--native-bits 12] [--codes wide half constant]

* *copy*: copying float32 values of that shape forward and their gradient backward, which no operation on values with an
  output and an input gradient can beat.
* *autograd*: the formula written down plainly on float32 values and differentiated by autograd.

All take turns, so that a change in the machine's mood hits all alike; medians of the ratios within one turn are shown,
of wall-clock time and of processor seconds, which other programs disturb less.
Before each turn the parameters change by a hair, as after an optimiser step, so that the tables are built anew.
"Codes" says what the frames look like: *wide* spread over the range, *dark* (few different codes, as in a night scene),
*half* (wide, and its lower half saturated), *constant* (a saturated frame).
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from qsense.quant.sensor.gamma import Gamma
from qsense.quant.sensor.gamma_per_condition import GammaPerCondition
from qsense.quant.sensor.identity import Identity
from qsense.quant.sensor.linear import Linear
from qsense.quant.sensor.log import Log
from qsense.quant.sensor.sensor import Sensor
from qsense.quant.ste import round_half_up
from qsense.signal import Signal

LIMITS = """\
What limits each
  copy     fresh memory: the operating system's handing out of pages is most of it, twice.
  all      the same pages once, for the values. Forward: the codes widened to 32 bits, and one look-up per sample.
           Without a parameter there is no backward.
  gamma    backward: codes and gradients widened to 64 bits, and one addition per sample; the curve itself is evaluated
           on 2^n codes only, whatever it is. Where many samples in a row have the same code, each addition waits for
           the one before it, about three times as long; so 32 000 neighbours of one code are summed at once.
  per condition: a table for each condition, and pieces that end where a frame does.
"""

Times = tuple[list[float], list[float]]  # wall clock, and processor seconds of all threads, per turn


def plain(quantizer: Sensor) -> Callable[[Tensor], Tensor]:
    """The quantizer's formula on values in [0, 1] as one would first write it down."""
    steps = (1 << quantizer.bits) - 1

    def quantize(x: Tensor) -> Tensor:
        if isinstance(quantizer, Gamma):
            gamma = quantizer.log_gamma.exp()
            x = torch.where(x > 0, x.clamp_min(1e-7) ** (gamma[:, None, None] if quantizer.per_channel else gamma), 0.0)
        elif isinstance(quantizer, Log):
            x = torch.log1p(x / quantizer.epsilon) / math.log1p(1 / quantizer.epsilon)
        return round_half_up(x.clamp(0, 1) * steps) / steps

    return quantize


def run(operation: Callable[[Tensor], Tensor], x: Tensor, grad: Tensor, parameters: Sequence[Tensor]) -> None:
    """One forward and, where there is something to learn, one backward."""
    y = operation(x)
    if parameters:
        torch.autograd.grad(y, parameters, grad)


def frames(kind: str, shape: tuple[int, ...], native_bits: int) -> Tensor:
    """Native codes, uint16."""
    top = (1 << native_bits) - 1
    upper, lower = ((*shape[:2], rows, shape[3]) for rows in (shape[2] // 2, shape[2] - shape[2] // 2))
    found = {
        "wide": lambda: torch.rand(shape).square_() * top,
        "dark": lambda: torch.randn(shape) * 3 + 40,
        "constant": lambda: torch.full(shape, float(top // 3)),
        "half": lambda: torch.cat([torch.rand(upper).square_() * top, torch.full(lower, float(top))], dim=2),
    }[kind]()
    return found.round_().clamp_(0, top).to(torch.int32).to(torch.uint16)


def measure(quantizers: dict[str, Sensor], codes: Tensor, values: Tensor, repeats: int) -> dict[str, Times]:
    """Times of each quantizer, of each "autograd" beside it, and of "copy", in alternating turns."""
    grad = torch.randn_like(values)
    alternating = [i % 2 for i in range(len(codes))]  # of day and night: the hardest order
    contestants: dict[str, Callable[[], object]] = {"copy": lambda: (values.clone(), grad.clone())}
    for name, quantizer in quantizers.items():
        parameters, formula = list(quantizer.parameters()), plain(quantizer)
        contestants[name] = partial(run, partial(quantizer, condition=alternating), codes, grad, parameters)
        if not isinstance(quantizer, Identity | GammaPerCondition):
            contestants[f"{name} autograd"] = partial(run, formula, values, grad, parameters)
    times: dict[str, Times] = {name: ([], []) for name in contestants}
    for turn in range(repeats + 1):
        for name, contestant in contestants.items():
            with torch.no_grad():
                for quantizer in quantizers.values():
                    for p in quantizer.parameters():
                        p.add_(1e-6)
            wall, processor = time.perf_counter(), time.process_time()
            contestant()
            if turn:  # the first turn warms up
                times[name][0].append(time.perf_counter() - wall)
                times[name][1].append(time.process_time() - processor)
    return times


def ratio(of: list[float], to: list[float]) -> float:
    """Median of the ratios within one turn."""
    return statistics.median(a / b for a, b in zip(of, to, strict=True))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="small frames, few repeats")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--bits", type=int, default=4)
    parser.add_argument("--native-bits", type=int, default=12)
    parser.add_argument(
        "--codes", nargs="+", choices=["wide", "dark", "half", "constant"], default=["wide", "dark", "half", "constant"]
    )
    parser.add_argument("--repeats", type=int, default=9)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    shape = (2, 4, 200, 300) if arguments.quick else (16, 4, 400, 600)
    signal = Signal(4, 0.0, 1.0, "full scale", native_bits=arguments.native_bits, conditions=("day", "night"))
    title = f"forward + backward, {'x'.join(map(str, shape))} codes of {arguments.native_bits} bits → {arguments.bits}"
    table = Table(title=f"{title} bits, medians of alternating turns")
    for heading in (
        "threads",
        "codes",
        "quantizer",
        "ms",
        "÷ copy",
        "in CPU s",
        "÷ autograd",
        "autograd ÷ copy",
    ):
        table.add_column(heading, justify="left" if heading in ("codes", "quantizer") else "right")
    for threads in arguments.threads:
        torch.set_num_threads(threads)
        for kind in arguments.codes:
            codes = frames(kind, shape, arguments.native_bits)
            values = codes.float() / signal.top
            quantizers: dict[str, Sensor] = {
                "none": Identity(signal),
                "linear": Linear(signal, arguments.bits),
                "log": Log(signal, arguments.bits),
                "gamma": Gamma(signal, arguments.bits, gamma=0.4),
                "gamma per colour": Gamma(signal, arguments.bits, gamma=0.4, per_channel=True),
                "gamma per condition": GammaPerCondition(signal, arguments.bits, gamma=0.4),
            }
            times = measure(quantizers, codes, values, 3 if arguments.quick else arguments.repeats)
            copy = times["copy"]
            table.add_row(str(threads), kind, "copy", f"{statistics.median(copy[0]) * 1e3:.1f}", "1", "1")
            for name in quantizers:
                own, autograd = times[name], times.get(f"{name} autograd")
                table.add_row(
                    str(threads),
                    kind,
                    name,
                    f"{statistics.median(own[0]) * 1e3:.1f}",
                    f"{ratio(own[0], copy[0]):.2f}",
                    f"{ratio(own[1], copy[1]):.2f}",
                    "" if autograd is None else f"{ratio(own[0], autograd[0]):.3f}",
                    "" if autograd is None else f"{ratio(autograd[0], copy[0]):.1f}",
                )
            table.add_section()
    Console(width=120).print(table)
    print(LIMITS)


if __name__ == "__main__":
    main()
