"""What quantized training and evaluation cost beside full precision: ResNet-20 on 32×32 images.

    python benchmarks/fat.py [--quick] [--threads 2] [--device cuda] [--compile] [--keep-memory]

The contestants take turns, so that a change in the machine's mood hits all alike; medians are shown, and ratios of
each turn's times rather than of two medians far apart. With one thread on a CPU these are processor seconds, which
other programs disturb less. A training step is forward, backward and an SGD step. With `--compile` both sides run under
`torch.compile`. Goals: a training step at most 1.15× full precision (1.08× compiled), a frozen network's evaluation at
most 1.02×.

What limits it: activations do not fit the caches, so a pass over them is what quantizing them costs. `clip.c` takes one
forward and one backward. In evaluation that one pass is all there is left: "inputs copied", a network whose quantizers
do no more than copy their input, costs all but about 1 % of what the frozen one costs, and both miss the goal in eager
mode. Only fusing the pass with the operation before it, as `torch.compile` does, saves it.

Seen on two cores of an AMD EPYC with torch 2.14, `--threads 1 --keep-memory`, several runs:

    training step     eager: uniform 1.09, fat 1.12-1.13           compiled: uniform 1.04-1.05, fat 1.08
    frozen network    eager: 1.07-1.08 (inputs copied: 1.05-1.07)  compiled: 1.02-1.03

Without `--keep-memory` glibc gives freed memory back to the system, which brings it in again page by page, about 2 µs
each on a virtual machine. Whether it does hangs on chance, and the more a step allocates the more; so page faults are
shown. With many, FAT's eager step was seen at up to 1.17, a frozen network at up to 1.36. `--keep-memory` forbids
that, on both sides; without this program, starting Python with MALLOC_TRIM_THRESHOLD_=4000000000
MALLOC_MMAP_THRESHOLD_=1000000000 does.
"""

from __future__ import annotations

import argparse
import copy
import ctypes
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional

from qsense.models.resnet_cifar import ResNetCIFAR
from qsense.quant.network.freeze import freeze
from qsense.quant.network.quantizer import NetworkQuantizer

FAT = partial(NetworkQuantizer, transform="fat")

CONTESTANTS: dict[str, NetworkQuantizer | None] = {
    "full precision": None,
    "uniform 4/4": NetworkQuantizer(bits=4),
    "fat 4/4": FAT(bits=4),
}


class Copy(nn.Module):
    """One pass over memory, and nothing else."""

    def forward(self, x: Tensor) -> Tensor:
        return x.clone()


def build(quantizer: NetworkQuantizer | None, images: Tensor) -> nn.Module:
    """The same network each time, quantized and calibrated."""
    torch.manual_seed(0)
    network = ResNetCIFAR(channels=3, num_classes=10).to(images.device)
    if quantizer is not None:
        quantizer.apply(network)
        quantizer.calibrate(network, images)
    return network


def training_step(network: nn.Module, images: Tensor, labels: Tensor, compiled: bool) -> Callable[[], None]:
    """One step of SGD."""
    network.train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    forward = torch.compile(network) if compiled else network

    def step() -> None:
        optimizer.zero_grad()
        functional.cross_entropy(forward(images), labels).backward()
        optimizer.step()

    return step


def evaluation(network: nn.Module, images: Tensor, compiled: bool) -> Callable[[], None]:
    """One batch of evaluation."""
    network.eval()
    forward = torch.compile(network) if compiled else network

    def step() -> None:
        with torch.no_grad():
            forward(images)

    return step


@dataclass
class Taken:
    """What the turns of one contestant took."""

    seconds: list[float] = field(default_factory=list)
    faults: list[int] = field(default_factory=list)  # pages that the system had to bring in


def alternate(steps: dict[str, Callable[[], None]], turns: int, device: torch.device) -> dict[str, Taken]:
    """Each step's cost, turn by turn; the first turns warm up."""
    clock = time.process_time if device.type == "cpu" and torch.get_num_threads() == 1 else time.perf_counter
    taken = {name: Taken() for name in steps}
    for turn in range(turns + 3):
        for name, step in steps.items():
            if device.type == "cuda":
                torch.cuda.synchronize()
            faults, start = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, clock()
            step()
            if device.type == "cuda":
                torch.cuda.synchronize()
            if turn >= 3:
                taken[name].seconds.append(clock() - start)
                taken[name].faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults)
    return taken


def peak_memory(name: str, batch: int, device: torch.device) -> int:
    """Peak bytes of one training step: of the device's allocator, or of a process of its own on a CPU."""
    if device.type == "cpu":
        command = [sys.executable, __file__, "--memory-of", name, "--batch", str(batch), "--threads", "1"]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    images, labels = data(batch, device)
    step = training_step(build(CONTESTANTS[name], images), images, labels, compiled=False)
    step()
    torch.cuda.reset_peak_memory_stats()
    step()
    return torch.cuda.max_memory_allocated()


def keep_memory() -> None:
    """Let glibc keep freed memory for the next step: sets M_TRIM_THRESHOLD and M_MMAP_THRESHOLD to their largest."""
    mallopt = ctypes.CDLL(None).mallopt
    if not (mallopt(-1, 2**31 - 1) and mallopt(-3, 32 << 20)):
        raise SystemExit("--keep-memory: mallopt refused")


def data(batch: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Random images and labels."""
    torch.manual_seed(1)
    return torch.randn(batch, 3, 32, 32, device=device), torch.randint(10, (batch,), device=device)


def show(title: str, taken: dict[str, Taken], memory: dict[str, int] | None = None) -> None:
    """One table: medians, and the median and quartiles of each turn's ratio to full precision."""
    table = Table("", "ms", "÷ full precision", "quartiles", "page faults", "peak MB" if memory else "", title=title)
    reference = taken["full precision"].seconds
    for name, own in taken.items():
        ratios = [seconds / full for seconds, full in zip(own.seconds, reference, strict=True)]
        low, _, high = statistics.quantiles(ratios, n=4)
        table.add_row(
            name,
            f"{statistics.median(own.seconds) * 1e3:.1f}",
            f"{statistics.median(ratios):.3f}",
            f"{low:.2f} … {high:.2f}",
            f"{statistics.median(own.faults):.0f}",
            f"{memory[name] / 1e6:.0f}" if memory else "",
        )
    Console(width=110).print(table)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="few turns")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--compile", action="store_true", help="also under torch.compile, on both sides")
    parser.add_argument("--keep-memory", action="store_true", help="no page faults by malloc (glibc)")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.keep_memory:
        keep_memory()
    torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device)
    images, labels = data(arguments.batch, device)
    if arguments.memory_of:
        training_step(build(CONTESTANTS[arguments.memory_of], images), images, labels, compiled=False)()
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
        return
    turns = 7 if arguments.quick else 41
    networks = {name: build(quantizer, images) for name, quantizer in CONTESTANTS.items()}
    memory = {name: peak_memory(name, arguments.batch, device) for name in networks}
    for compiled in (False, True) if arguments.compile else (False,):
        how = f"batch {arguments.batch}, {device}, {'compiled' if compiled else 'eager'}"
        torch.compiler.reset()
        steps = {
            name: training_step(copy.deepcopy(network), images, labels, compiled) for name, network in networks.items()
        }
        show(f"training step, {how}", alternate(steps, turns, device), None if compiled else memory)
        torch.compiler.reset()  # a function compiled more than eight times runs eagerly from then on
        contestants = {"full precision": copy.deepcopy(networks["full precision"])}
        contestants["fat, weights kept"] = copy.deepcopy(networks["fat 4/4"])
        contestants["fat, frozen"] = copy.deepcopy(networks["fat 4/4"])
        freeze(contestants["fat, frozen"])
        # The least that anything done to activations can cost, and what they cost when nothing is.
        for name, replacement in (("frozen, inputs copied", Copy()), ("frozen weights only", nn.Identity())):
            contestants[name] = copy.deepcopy(contestants["fat, frozen"])
            for module in contestants[name].modules():
                if hasattr(module, "input_quantizer"):
                    module.input_quantizer = replacement
        show(
            f"evaluation, {how}",
            alternate({name: evaluation(n, images, compiled) for name, n in contestants.items()}, turns, device),
        )


if __name__ == "__main__":
    main()
