"""What surrounds a detector in a training step: moving, resizing and quantizing codes, RGB, normalising.

    python benchmarks/detection.py [--quick] [--threads 1]     # ResNet-50, batch 2, 256 × 384 pixels
    python benchmarks/detection.py --small                     # the built-in scenes' size
    python benchmarks/detection.py --device cuda --full        # batch 16, 800 × 1216 pixels, bf16: images/s, memory

*step* is the whole of it: codes from the host, nearest resize on the device, quantizer, network, backward, optimiser.
*detector* is the same network and optimiser on images that are ready. The two take turns; what the step takes more is
the share of everything that is not the detector. Goal: at most 5 %. Where γ is learned, that includes the gradient of
the network's input, which nothing else would need; on the small networks it is most of the share.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from qsense.data.frames.batches.arranging import arranged
from qsense.data.frames.batches.batch import FrameBatch
from qsense.data.frames.dataset import PLANES, Frame
from qsense.models.faster_rcnn import FasterRCNN
from qsense.models.fcos import FCOS
from qsense.models.paa import PAA
from qsense.models.retinanet import RetinaNet
from qsense.quant.sensor.gamma import Gamma
from qsense.signal import Signal
from qsense.tasks.detection import DetectionTask

RAW = Signal(4, 0.0, 1.0, "full scale", names=PLANES, native_bits=12, bayer="RGGB")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SMALL = {"depth": 18, "width": 32, "channels": 64, "coarsest": 4}
NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "Faster R-CNN": FasterRCNN,
    "RetinaNet": RetinaNet,
    "PAA": PAA,
    "FCOS": FCOS,
}


def frames(batch: int, height: int, width: int) -> FrameBatch:
    """Noise with three objects in each frame, as codes on the host."""
    rng = np.random.default_rng(0)
    codes = torch.from_numpy(rng.integers(0, 4096, (batch, 4, height, width)).astype(np.uint16))
    corner = rng.uniform(0, 0.6, (batch, 3, 2)) * (2 * width, 2 * height)
    boxes = np.concatenate([corner, corner + 0.3 * min(height, width)], axis=2).astype(np.float32)
    none, area = np.zeros(3, dtype=bool), np.full(3, (0.3 * min(height, width)) ** 2, dtype=np.float32)
    made = [
        Frame(i, str(i), 2 * height, 2 * width, boxes[i], np.arange(3), none, area) for i in range(batch)
    ]  # boxes are in pixels of the mosaic
    return FrameBatch(codes, [(height, width)] * batch, made)


def contestants(
    network: nn.Module, batch: FrameBatch, device: torch.device, half: bool
) -> dict[str, Callable[[], None]]:
    """A whole step, and the detector's part of it."""
    task = DetectionTask(network, Gamma(RAW, 4), ("car", "bicycle", "person"), MEAN, STD).to(device).train()
    optimizer = torch.optim.SGD(task.parameters(), lr=1e-6)
    there = arranged(batch.to(device), batch.sizes, [False] * len(batch))
    with torch.no_grad():
        images = task.input_of(there.x, there.condition, there.gains)
    targets = there.targets()

    def learn(losses: dict[str, Tensor]) -> None:
        optimizer.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        optimizer.step()

    def step() -> None:
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=half):
            losses = task(arranged(batch.to(device), batch.sizes, [False] * len(batch)))
        learn(losses)

    def detector() -> None:
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=half):
            losses = network(images, batch.sizes, targets)
        learn(losses)

    return {"step": step, "detector": detector}


def measure(steps: dict[str, Callable[[], None]], turns: int, device: torch.device) -> dict[str, list[float]]:
    """Seconds of each contestant, turn by turn, processor seconds on a CPU with one thread; two turns warm up."""
    clock = time.process_time if device.type == "cpu" and torch.get_num_threads() == 1 else time.perf_counter
    times: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(turns + 2):
        for name, step in steps.items():
            start = clock()
            step()
            if device.type == "cuda":
                torch.cuda.synchronize()
            if turn >= 2:
                times[name].append(clock() - start)
    return times


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="few turns")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--small", action="store_true", help="small ResNet-18, batch 8 of 96 × 96 pixels")
    parser.add_argument("--full", action="store_true", help="ResNet-50, batch 16 of 800 × 1216 pixels, bf16")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    batch = frames(*((16, 800, 1216) if options.full else (8, 96, 96) if options.small else (2, 256, 384)))
    table = Table("detector", "step, ms", "frames/s", "not the detector", "quartiles", "peak MB")
    for name, kind in NETWORKS.items():
        torch.manual_seed(0)
        arguments = {**SMALL, **({"reach": 4.0} if kind is FCOS else {"anchor_scale": 2.0})} if options.small else {}
        steps = contestants(kind(3, norm="batch", **arguments), batch, device, half=options.full)
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        times = measure(steps, 5 if options.quick else 21, device)
        shares = [1 - own / whole for whole, own in zip(times["step"], times["detector"], strict=True)]
        low, _, high = statistics.quantiles(shares, n=4)
        middle = statistics.median(times["step"])
        peak = f"{torch.cuda.max_memory_allocated() / 1e6:.0f}" if device.type == "cuda" else ""
        table.add_row(
            name,
            f"{1e3 * middle:.0f}",
            f"{len(batch) / middle:.1f}",
            f"{statistics.median(shares):.1%}",
            f"{low:.1%} … {high:.1%}",
            peak,
        )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
