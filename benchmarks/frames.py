"""What a frame costs per epoch: read from the plane cache, beside decoding its raw file.

    python benchmarks/frames.py [--quick] [--file colorchart.dng] [--short-side 800] [--frames 16]

* *decoding*: rawpy opens the file, its mosaic is packed into planes and made smaller, as the conversion does.
* *rawpy alone*: the same without packing, the least that any reader of raw files pays.
* *stored at SIDE*: a batch of the converted frames, from memory-mapped files to the tensor that goes to the device.
* *stored native → SIDE*: the same where frames were stored as they are, each read at that size (`data.stored=native`).
* *stored native → sizes*: each read at one of the eleven sizes of training, 480 … 800.
* *stored at sizes → SIDE*, *→ sizes*: likewise of frames that hold each of these sizes (`data.stored=sizes`).
* *copying alone → sizes*: the same bytes from the memory maps to memory that is at hand: the bound of the line before.

Without a file, 12-bit DNGs of 6034 × 4012 samples are written, uncompressed: the easiest that a decoder can meet. The
contestants take turns, so that a change in the machine's mood hits all alike; medians of processor time are shown, as
other programs do not count then, and ratios of each turn's times. *MB* is what is read of a frame: of native ones whole
rows, as a processor fetches their lines of 64 bytes. Goal: stored frames at least 100 times as fast as decoding. Native
ones move several times the bytes, from which they are gathered sample by sample, and come to some 20 to 60 times. All
files lie in the memory: a disk adds what it needs for the pages that are read, of native frames about two for each row
that is kept.
"""

from __future__ import annotations

import argparse
import runpy
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import rawpy
import torch
from rich.console import Console
from rich.table import Table

from qsense.data.frames.batches.part import FramePart, ReadSizes
from qsense.data.frames.dataset import Frame, FrameDataset, Part
from qsense.data.frames.files.raw_files import CameraConversion, read_mosaic
from qsense.data.frames.geometry.stored_sizes import Sheets, ShortSide, ShortSides
from qsense.data.frames.storing.converting import convert
from qsense.data.frames.storing.plane_cache import Codes, stamp
from qsense.signal import Signal

SIZE = (4012, 6034)
SIZES = range(480, 801, 32)
DNG = Path(__file__).parents[1] / "tests" / "data" / "frames" / "dng.py"


class Files(FrameDataset):
    """Copies of one raw file as frames without annotations."""

    name = "benchmark"
    classes = ("thing",)

    def __init__(self, file: Path, count: int, cache: Path, short_side: ShortSide) -> None:
        size = read_mosaic(file).codes.shape
        self.size = (int(size[0]), int(size[1]))
        self.count = count
        make = CameraConversion((file,) * count, self.size, "planes", 16, short_side, False, False)
        stamps = {str(i): stamp(file) for i in range(count)}
        self.cache = convert(cache, f"benchmark-{short_side}", stamps, make, self.name, processes=1)

    @property
    def signal(self) -> Signal:
        return Signal(4, 0.0, 1.0, "full scale", native_bits=16, bayer="RGGB")

    def check(self) -> None:
        pass

    def fingerprint(self) -> str:
        return ""

    def frames(self, part: Part) -> list[Frame]:
        none = np.zeros(0, dtype=np.float32)
        return [
            Frame(i, str(i), *self.size, none.reshape(0, 4), none.astype(np.int64), none.astype(bool), none)
            for i in range(self.count)
        ]

    def codes(self, frame: Frame) -> Codes:
        return self.cache[frame.name]

    def sheets(self, sides: ShortSides, frame: Frame) -> Sheets:
        return Sheets(self.codes(frame), (self.size[0] // 2, self.size[1] // 2), sides, packed=True)


def alternate(steps: dict[str, Callable[[], int]], turns: int) -> dict[str, list[float]]:
    """Seconds of processor time per frame of each step, turn by turn; the first turn warms up."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(turns + 1):
        for name, step in steps.items():
            start = time.process_time()
            frames = step()
            if turn:
                times[name].append((time.process_time() - start) / frames)
    return times


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="few turns")
    parser.add_argument("--file", type=Path, help="a camera raw file; none: one is written")
    parser.add_argument("--short-side", type=int, default=800)
    parser.add_argument("--frames", type=int, default=16, help="frames per batch")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        file = arguments.file
        if file is None:
            mosaic = np.random.default_rng(0).integers(0, 4096, SIZE).astype(np.uint16)
            file = runpy.run_path(str(DNG))["write_dng"](Path(name) / "a.dng", mosaic)
        side: int = arguments.short_side
        count: int = arguments.frames
        sides = ShortSides(tuple({*SIZES, side}), 1333)
        data, native, every = (Files(file, count, Path(name), stored) for stored in (side, None, sides))
        frames, sheets = data.frames("train"), partial(every.sheets, sides)
        one, drawn = ReadSizes([side], 1333, 0, 0), ReadSizes(SIZES, 1333, 0, 0)
        parts = {
            f"stored at {side}": FramePart(data.codes, frames),
            f"stored native → {side}": FramePart(native.codes, frames, one),
            "stored native → sizes": FramePart(native.codes, frames, drawn),
            f"stored at sizes → {side}": FramePart(sheets, frames, one),
            "stored at sizes → sizes": FramePart(sheets, frames, drawn),
        }
        convert_one = CameraConversion((file,), data.size, "planes", 16, side, False, False)

        def decode() -> int:
            convert_one(0)
            return 1

        def rawpy_alone() -> int:
            with rawpy.imread(str(file)) as raw:
                raw.raw_image_visible.max()
            return 1

        def read(part: FramePart) -> int:
            return len(part.__getitems__((0, range(len(part)))))

        copied = [np.zeros(sheets(frame).largest.shape, np.uint16) for frame in frames]
        sizes = [drawn(0, frame, sheets(frame).native) for frame in frames]

        def copy() -> int:
            for target, frame, (height, width) in zip(copied, frames, sizes, strict=True):
                np.copyto(target[:, :height, :width], sheets(frame).at((height, width)))
            return count

        steps = {"decoding": decode, "rawpy alone": rawpy_alone}
        steps |= {name: partial(read, part) for name, part in parts.items()}
        steps["copying alone → sizes"] = copy
        fixed = [one(0, frame, sheets(frame).native) for frame in frames]
        whole = native.size[1] // 2  # samples of a native row
        samples = {  # of one plane
            f"stored at {side}": [height * width for height, width in fixed],
            f"stored native → {side}": [height * whole for height, _ in fixed],
            "stored native → sizes": [height * whole for height, _ in sizes],
            f"stored at sizes → {side}": [height * width for height, width in fixed],
            "stored at sizes → sizes": [height * width for height, width in sizes],
            "copying alone → sizes": [height * width for height, width in sizes],
        }
        megabytes = {step: f"{4 * 2 * statistics.fmean(each) / 1e6:.1f}" for step, each in samples.items()}
        times = alternate(steps, 5 if arguments.quick else 21)
        shape = tuple(data.codes(data.frames("train")[0]).shape)
    table = Table(
        "", "MB", "ms per frame", "decoding ÷ this", "quartiles", title=f"{file.name} {data.size} → planes {shape}"
    )
    for step, taken in times.items():
        ratios = [slow / own for slow, own in zip(times["decoding"], taken, strict=True)]
        low, _, high = statistics.quantiles(ratios, n=4)
        table.add_row(
            step,
            megabytes.get(step, ""),
            f"{statistics.median(taken) * 1e3:.2f}",
            f"{statistics.median(ratios):.1f}",
            f"{low:.1f} … {high:.1f}",
        )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
