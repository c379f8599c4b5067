"""How fast converters with memory go over recordings, beside copying the samples and beside the NumPy reference.

    python benchmarks/memory.py [--quick] [--samples 6000000] [--channels 3] [--repeats 9]

* *copy*: NumPy's copy of the counts, and of as many values: what any conversion has to write.
* *reference*: `reference.py`, what runs without a C compiler, on the first 1 % of the samples, cut into 60
  recordings; per sample.
* *row_dpcm*: the same samples as rows of frames, 1500 samples of each colour long.
* *pisp*: the same samples as frames, through words of four; its reference is NumPy's.

All take turns on one thread, so that a change in the machine's mood hits all alike; medians of processor seconds, and
of the ratios within one turn, are shown. Samples are counted over all channels.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from rich.console import Console
from rich.table import Table

from qsense.quant.sensor.memory import kernel, pisp_words, reference
from qsense.quant.sensor.memory.adpcm import ADPCM
from qsense.quant.sensor.memory.base import MemoryConverter
from qsense.quant.sensor.memory.dpcm import DPCM
from qsense.quant.sensor.memory.row_dpcm import RowDPCM
from qsense.signal import Signal

ROW = 1500  # samples
LIMITS = """\
What limits it
  convert  each sample waits for the value that the one before it has left: four channels side by side fill the wait.
  dpcm     one comparison for each threshold, 2^N - 1 of them: from 5 bits on these count.
  adpcm    one comparison and one subtraction for each bit, and the step's place.
  decode   no comparison; channel by channel, so that each sample waits.
"""


def recordings(samples: int, channels: int, count: int = 60) -> tuple[kernel.Counts, kernel.Bounds]:
    """12-bit counts [time, channels] that wander through the range, and where each recording starts."""
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.normal(0, 40, (samples // channels, channels)), axis=0)
    counts = np.abs((walk + 2048) % 8190 - 4095).astype(np.uint16)
    return counts, np.linspace(0, len(counts), count + 1).astype(np.int64)


def measure(contestants: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Processor seconds of each, in alternating turns; the first turn warms up."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(repeats + 1):
        for name, contestant in contestants.items():
            started = time.process_time()
            contestant()
            if turn:
                times[name].append(time.process_time() - started)
    return times


def copies(counts: kernel.Counts) -> object:
    """What any conversion has to write."""
    return counts.copy(), counts.copy()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="few samples, few repeats")
    parser.add_argument("--samples", type=int, default=6_000_000)
    parser.add_argument("--channels", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=9)
    arguments = parser.parse_args()
    samples, repeats = (600_000, 3) if arguments.quick else (arguments.samples, arguments.repeats)
    counts, bounds = recordings(samples, arguments.channels)
    few = counts[: len(counts) // 100].copy()
    few_bounds = np.linspace(0, len(few), len(bounds)).astype(np.int64)
    signal = Signal(arguments.channels, -1.0, 1.0, "g", rate_hz=50.0)
    title = f"{counts.size / 1e6:.1f} million samples, {arguments.channels} channels, {len(bounds) - 1} recordings"
    table = Table(title=f"{title}: medians of alternating turns, one thread")
    for heading in ("converter", "convert, M samples/s", "÷ copy", "decode, M samples/s", "÷ copy", "time ÷ reference"):
        table.add_column(heading, justify="left" if heading == "converter" else "right")
    converters: dict[str, MemoryConverter] = {}
    for bits in (1, 2, 3, 4, 8):
        converters[f"dpcm {bits}"] = DPCM(signal, bits)
    for bits in range(1, 6):
        converters[f"adpcm {bits}"] = ADPCM(signal, bits)
    raw = Signal(arguments.channels, 0.0, 1.0, "full scale", native_bits=12)
    for bits in (2, 3, 4, 8):
        converters[f"row_dpcm {bits}"] = RowDPCM(raw, bits)
    converters["dpcm 2, slope 1, refresh 100"] = DPCM(signal, 2, slope=1, refresh=100)
    converters["adpcm 1, slope 1, refresh 100"] = ADPCM(signal, 1, slope=1, refresh=100)
    shifted: kernel.Counts = (counts << 4).T.reshape(-1).astype(np.uint16)
    fours = shifted[: counts.size // 4 * 4].reshape(-1, pisp_words.SAMPLES)
    series, rows = bounds, np.append(np.arange(0, len(counts), ROW), len(counts))
    for name, converter in converters.items():
        bounds = series if converter.takes == "series" else rows
        converter.fit_recordings(few, few_bounds)
        channels = converter.channels()
        codes, _ = kernel.convert(channels, counts, bounds)
        contestants: dict[str, Callable[[], object]] = {
            "copy": partial(copies, counts),
            "convert": partial(kernel.convert, channels, counts, bounds),
            "decode": partial(kernel.decode, channels, codes, bounds),
            "reference": partial(reference.convert, channels, few, few_bounds),
        }
        show(table, name, counts.size, few.size, measure(contestants, repeats))
    pisp: dict[str, Callable[[], object]] = {
        "copy": partial(copies, counts),
        "convert": partial(pisp_words.encode, fours),
        "decode": partial(pisp_words.decode, pisp_words.encode(fours)),
        "reference": partial(pisp_words.encode_in_numpy, fours[: few.size // 4]),
    }
    show(table, "pisp", fours.size, few.size // 4 * 4, measure(pisp, repeats))
    Console(width=120).print(table)
    print(LIMITS)


def show(table: Table, name: str, samples: int, few: int, times: dict[str, list[float]]) -> None:
    """Add a converter's row: of `samples` samples, and of `few` that went through its reference."""
    pairs = {key: list(zip(times[key], times["copy"], strict=True)) for key in ("convert", "decode")}
    slower = [few / b / (samples / a) for a, b in zip(times["convert"], times["reference"], strict=True)]
    table.add_row(
        name,
        f"{samples / statistics.median(times['convert']) / 1e6:.0f}",
        f"{statistics.median(a / b for a, b in pairs['convert']):.1f}",
        f"{samples / statistics.median(times['decode']) / 1e6:.0f}",
        f"{statistics.median(a / b for a, b in pairs['decode']):.1f}",
        f"1/{1 / statistics.median(slower):.0f}",
    )


if __name__ == "__main__":
    main()
