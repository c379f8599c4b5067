"""Converters with memory of all kinds for the tests of their forms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from tests.chip.converters import a_run

from qsense.chip.memory import c_header, vectors, verilog, verilog_bench
from qsense.chip.memory.codec import Codec, codec
from qsense.chip.memory.vectors import random_walk
from qsense.quant.sensor.memory.adpcm import ADPCM
from qsense.quant.sensor.memory.base import MemoryConverter
from qsense.quant.sensor.memory.dpcm import DPCM
from qsense.quant.sensor.memory.row_dpcm import RowDPCM
from qsense.signal import Signal

NAMES = ("x", "y", "z")
STATISTICS: dict[str, Any] = {"normalise": "dataset", "low": [-1.9, -2.0, -1.5], "high": [2.1, 1.7, 2.0]}
EVERY: dict[str, tuple[type[MemoryConverter], dict[str, Any]]] = {
    **{f"adpcm {bits}": (ADPCM, {"bits": bits}) for bits in (1, 2, 3, 4, 5)},
    **{f"dpcm {bits}": (DPCM, {"bits": bits}) for bits in (1, 2, 3, 4, 5)},
    "dpcm 8, refresh 1": (DPCM, {"bits": 8, "native_bits": 8, "refresh": 1}),
    "adpcm 1, all": (ADPCM, {"bits": 1, "slope": 1, "refresh": 100, "native_bits": 16, "alike": 3}),
    "adpcm 1, step leak": (ADPCM, {"bits": 1, "step_leak": 5}),
    "adpcm 3, step leak": (ADPCM, {"bits": 3, "step_leak": 10, "slope": 2, "refresh": 40}),
    "adpcm 2, refresh": (ADPCM, {"bits": 2, "refresh": 7, "native_bits": 10}),
    "adpcm 4, IMA": (ADPCM, {"bits": 4, "leak": 0, "native_bits": 16, "moves": [-1, -1, -1, -1, 2, 4, 6, 8]}),
    "adpcm 5, slope": (ADPCM, {"bits": 5, "slope": 2, "leak": 0, "native_bits": 8}),
    "dpcm 1, slope": (DPCM, {"bits": 1, "slope": 1, "leak": 3, "native_bits": 14}),
    "dpcm 2, all": (DPCM, {"bits": 2, "slope": 2, "refresh": 250, "native_bits": 12}),
    "dpcm 3, neither": (DPCM, {"bits": 3, "leak": 0, "native_bits": 9}),
    "row_dpcm 4": (RowDPCM, {"bits": 4}),
    "row_dpcm 3, linear, refresh": (RowDPCM, {"bits": 3, "output": "linear", "refresh": 90, "slope": 2}),
    "row_dpcm 2, not companded": (RowDPCM, {"bits": 2, "companding": "none"}),
}


def signal(channels: int = 3, takes: str = "series", **changes: Any) -> Signal:
    """A series, or native codes of frames."""
    stated: dict[str, Any] = {"low": -1.0, "high": 1.0, "unit": "g", "rate_hz": 50.0, "names": NAMES[:channels]}
    if takes == "frames":
        stated |= {"low": 0.0, "unit": "full scale", "rate_hz": None, "native_bits": 10, "black": 16, "white": 1000}
    return Signal(channels, **{**stated, **changes})


def placed(kind: str, **changes: Any) -> MemoryConverter:
    """A converter of `EVERY`, placed by random walks that differ between channels."""
    made, settings = EVERY[kind]
    sensor = made(signal(takes=made.takes, **changes), **settings)
    random = np.random.default_rng(1)
    counts = np.stack([random_walk(3000, sensor.native_bits, random) // (c + 1) for c in range(sensor.rows)], axis=1)
    sensor.fit_recordings(counts.astype(np.uint16), np.array([0, 1000, 3000]))
    return sensor


def a_codec(kind: str, name: str = "adc_under_test", twos_complement: bool = False) -> tuple[MemoryConverter, Codec]:
    sensor = placed(kind)
    return sensor, codec(sensor, name, statistics(sensor), twos_complement)


def statistics(sensor: MemoryConverter) -> dict[str, Any]:
    """What its run's data was normalised by; frames are not."""
    return STATISTICS if sensor.takes == "series" else {"normalise": "range"}


def write(found: Codec, folder: Path) -> None:
    """The forms that a check compares."""
    run, name = a_run(), found.name
    for file, text in {
        f"{name}.h": c_header.header(found, run),
        f"{name}_test.c": c_header.program(found),
        f"{name}.v": verilog.module(found, run),
        f"{name}_tb.v": verilog_bench.bench(found),
        f"{name}_vectors.hex": vectors.as_text(found, run),
    }.items():
        (folder / file).write_text(text, encoding="utf-8")
