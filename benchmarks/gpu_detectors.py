"""One training step of each detector at full size on a GPU: images/s, memory, the quantizer's share, and what pays.

    python -m benchmarks.gpu_detectors                 # ResNet-50, batches of 16 × 800 × 1216 pixels, ≤ 10 minutes
    python -m benchmarks.gpu_detectors --batch 8 --networks RetinaNet
    python -m benchmarks.gpu_detectors --quick --device cpu     # small networks, to see that it runs

A step begins with codes on the host and ends with the optimiser, as in training; γ is learned. *quantizer* is the time
of quantizing alone, forward and backward, as a share of the step. The ways of running take turns, so that a change in
the machine's mood hits all alike; a ratio is the median over turns of a way's time ÷ that of plain bf16.

* *float32*: no autocast, and PyTorch's own setting of TF32.
* *channels-last*: weights and images in that memory format.
* *compiled*: the ResNet and its pyramid by `torch.compile(dynamic=True)`; heads are not, as their shapes follow the
  data. The first steps, which compile, are not timed. *more graphs*: how many were compiled for frames of eleven sizes
  beside the first.
* *frozen*: `frozen_stages=1`. With a learned γ gradients still pass through these stages, but none of their weights has
  any.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable, Sequence

import torch
from benchmarks.detection import NETWORKS, RAW, SMALL, contestants, frames
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from qsense.quant.sensor.gamma import Gamma

PLAIN = "bf16"
WAYS: dict[str, tuple[str, ...]] = {
    PLAIN: ("half",),
    "float32": (),
    "bf16, channels-last": ("half", "channels-last"),
    "bf16, compiled": ("half", "compiled"),
    "bf16, channels-last, compiled": ("half", "channels-last", "compiled"),
    "bf16, frozen": ("half", "frozen"),
}
SIDES = range(480, 801, 32)


def network(kind: Callable[..., nn.Module], how: Sequence[str], quick: bool) -> nn.Module:
    """A detector with random weights, run in a certain way."""
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that norm=frozen has random statistics
        made = kind(3, norm="frozen", frozen_stages=1 if "frozen" in how else -1, **(SMALL if quick else {}))
    if "channels-last" in how:
        made = made.to(memory_format=torch.channels_last)
    if "compiled" in how:
        backbone = made.get_submodule("backbone")
        backbone.compile(dynamic=True, backend="eager" if quick else "inductor")
    return made


def quantizing(codes: Tensor) -> Callable[[], None]:
    """Quantizing a batch, forward and backward."""
    gamma = Gamma(RAW, 4).to(codes.device)
    grad = torch.randn(codes.shape, device=codes.device)

    def quantize() -> None:
        gamma(codes).backward(grad)

    return quantize


def seconds(step: Callable[[], object], device: torch.device) -> float:
    """Time of one call, to the device's last operation."""
    began = time.perf_counter()
    step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def more_graphs(made: nn.Module, device: torch.device, quick: bool) -> int:
    """How many further graphs a compiled backbone needs for images of eleven sizes."""
    torch._dynamo.utils.counters.clear()
    backbone = made.get_submodule("backbone")
    for side in SIDES:
        height = -(-side // (8 if quick else 1) // 32) * 32
        backbone(torch.zeros(2, 3, height, height + 32, device=device))
    return int(torch._dynamo.utils.counters["stats"]["unique_graphs"])


def main(words: Sequence[str] | None = None) -> None:
    """Measure and print, detector by detector."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="small networks and frames, one turn")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=10, help="no further way is begun after this time")
    options = parser.parse_args(words)
    device = torch.device(options.device)
    began = time.monotonic()
    batch = frames(2, 64, 96) if options.quick else frames(options.batch, 800, 1216)
    codes = batch.x.to(device)
    turns, warm_up = (1, 1) if options.quick else (options.turns, 3)
    for place, name in enumerate(options.networks):
        until = began + 60 * options.minutes * (place + 1) / len(options.networks)
        table = Table("way", "images/s", "÷ bf16", "quartiles", "quantizer", "peak GB", "more graphs", title=name)
        steps: dict[str, Callable[[], object]] = {"quantizer": quantizing(codes)}
        found: dict[str, nn.Module] = {}
        peaks: dict[str, float] = {}
        for way, how in WAYS.items():
            if time.monotonic() > until - 60 * options.minutes / len(options.networks) / 2 and way != PLAIN:
                break  # half of the time is for the turns
            found[way] = network(NETWORKS[name], how, options.quick)
            steps[way] = contestants(found[way], batch, device, "half" in how)["step"]
            try:
                if device.type == "cuda":
                    torch.cuda.reset_peak_memory_stats()
                for _ in range(warm_up):
                    seconds(steps[way], device)
            except torch.cuda.OutOfMemoryError:
                table.add_row(way, "out of memory: a smaller --batch")
                del steps[way], found[way]
                torch.cuda.empty_cache()
                continue
            peaks[way] = torch.cuda.max_memory_allocated() / 1e9 if device.type == "cuda" else 0.0
        times: dict[str, list[float]] = {way: [] for way in steps}
        for turn in range(turns):
            if turn >= 3 and time.monotonic() > until:
                break
            for way, step in steps.items():
                times[way].append(seconds(step, device))
        for way, taken in times.items():
            if way == "quantizer":
                continue
            ratios = [own / plain for own, plain in zip(taken, times.get(PLAIN, taken), strict=True)]
            low, middle, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
            share = statistics.median(q / own for q, own in zip(times["quantizer"], taken, strict=True))
            table.add_row(
                way,
                f"{len(batch) / statistics.median(taken):.1f}",
                f"{middle:.2f}",
                f"{low:.2f} … {high:.2f}",
                f"{share:.1%}",
                f"{peaks[way]:.1f}" if peaks[way] else "",
                str(more_graphs(found[way], device, options.quick)) if "compiled" in WAYS[way] else "",
            )
        Console(width=110).print(table)


if __name__ == "__main__":
    main()
