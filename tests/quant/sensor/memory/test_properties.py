"""Any converter with memory on any recordings: sender and receiver agree, and the C does nothing undefined."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.quant.sensor.memory.recordings import AT_ALL_BITS, bounds_of, built

from qsense.quant import compiled
from qsense.quant.sensor.memory import kernel, reference
from qsense.quant.sensor.memory.companding import square_root
from qsense.quant.sensor.memory.constants import HIGHEST, LOWEST, Constants, nearest_counts
from qsense.quant.sensor.memory.steps import MOVES, STEPS
from qsense.signal import Signal

Counts = npt.NDArray[np.uint16]

KINDS = ("constant", "lowest", "highest", "impulses", "square", "walk", "noise", "slow sine", "least change")


def piece(kind: str, length: int, native_bits: int, seed: int) -> npt.NDArray[np.float64]:
    """Native counts [length] of one kind, not yet whole or within the range."""
    rng, top, time = np.random.default_rng(seed), (1 << native_bits) - 1, np.arange(length)
    return {
        "constant": lambda: np.full(length, rng.uniform(0, top)),
        "lowest": lambda: np.zeros(length),
        "highest": lambda: np.full(length, float(top)),
        "impulses": lambda: np.where(rng.random(length) < 0.1, rng.choice([0.0, top], length), top / 2),
        "square": lambda: top * (time // rng.integers(1, 9) % 2).astype(np.float64),  # slope overload
        "walk": lambda: np.cumsum(rng.normal(0, rng.choice([0.5, top / 100, top / 5]), length)) + rng.uniform(0, top),
        "noise": lambda: rng.uniform(0, top, length),
        "slow sine": lambda: top / 2 * (1 + 1.1 * np.sin(time / 5 + rng.uniform(0, 6))),  # cut off at both ends
        "least change": lambda: top // 2 + (time % 2).astype(np.float64),
    }[kind]()


@st.composite
def recordings(draw: st.DrawFn, native_bits: int, channels: int) -> tuple[Counts, npt.NDArray[np.int64]]:
    """Native counts [time, channels] of some recordings, and their bounds."""
    lengths = tuple(draw(st.lists(st.one_of(st.just(0), st.just(1), st.integers(2, 60)), min_size=1, max_size=4)))
    columns = []
    for _ in range(channels):
        kinds, seed = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=3)), draw(st.integers(0, 1 << 16))
        parts = [piece(kind, -(-sum(lengths) // len(kinds)), native_bits, seed) for kind in kinds]
        columns.append(np.concatenate(parts)[: sum(lengths)])
    counts = np.clip(np.round(np.stack(columns, axis=1)), 0, (1 << native_bits) - 1).astype(np.uint16)
    return counts, bounds_of(lengths)


@st.composite
def converters(draw: st.DrawFn) -> list[Constants]:
    """One to five channels, whatever the constants: nobody has placed them with care."""
    fixed = draw(st.booleans())
    bits = draw(st.integers(1, 8 if fixed else 5))
    native_bits, refresh = draw(st.integers(max(8, bits), 16)), draw(st.sampled_from([0, 0, 1, 2, 17]))
    compand = square_root(native_bits) if native_bits < 10 and draw(st.booleans()) else ()
    channels = []
    for _ in range(draw(st.integers(1, 5))):
        settings: dict[str, Any] = {
            "centre": draw(st.integers(LOWEST, HIGHEST)),
            "leak": draw(st.integers(0, 15)),
            "slope": draw(st.integers(0, 15)),
            "refresh": refresh,
            "compand": compand,
        }
        if fixed:
            values = st.integers(2 * LOWEST, 2 * HIGHEST)
            settings["thresholds"] = tuple(sorted(draw(st.lists(values, min_size=2**bits - 1, max_size=2**bits - 1))))
            settings["levels"] = tuple(draw(st.lists(values, min_size=2**bits, max_size=2**bits)))
        else:
            moves = st.lists(st.integers(-88, 88), min_size=len(MOVES[bits]), max_size=len(MOVES[bits]))
            settings |= {"steps": STEPS, "moves": tuple(draw(st.one_of(st.just(MOVES[bits]), moves)))}
            settings |= {"first": draw(st.integers(0, 88)), "alike": draw(st.integers(2, 8))}
            settings |= {"step_leak": draw(st.sampled_from([0, 0, 1, 4, 10]))}
        channels.append(Constants(bits, native_bits, **settings))
    return channels


Case = tuple[list[Constants], Counts, npt.NDArray[np.int64], npt.NDArray[np.bool_]]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A converter, what it converts, and which samples are lost."""
    channels = draw(converters())
    counts, bounds = draw(recordings(channels[0].native_bits, len(channels)))
    lost = np.random.default_rng(draw(st.integers(0, 99))).random(len(counts)) < draw(st.sampled_from([0.0, 0.2, 0.9]))
    return channels, counts, bounds, lost


@settings(max_examples=150)
@given(cases())
def test_the_kernel_is_the_reference_and_the_receiver_the_sender(case: Case) -> None:
    channels, counts, bounds, lost = case
    codes, values = kernel.convert(channels, counts, bounds)
    expected = reference.convert(channels, counts, bounds)
    assert np.array_equal(codes, expected[0])
    assert np.array_equal(values, expected[1])
    assert np.array_equal(kernel.decode(channels, codes, bounds), values)
    received = kernel.decode(channels, codes, bounds, lost)
    assert np.array_equal(received, reference.decode(channels, codes, bounds, lost))
    for start, end in itertools.pairwise(bounds):
        before = start + int(np.argmax(lost[start:end])) if lost[start:end].any() else end
        assert np.array_equal(received[start:before], values[start:before]), "nothing is lost yet"


@pytest.mark.parametrize(("name", "bits"), AT_ALL_BITS)
@settings(max_examples=10)
@given(data=st.data())
def test_tables_are_placed_by_whatever_recordings(name: str, bits: int, data: st.DataObject) -> None:
    native_bits = data.draw(st.integers(max(8, bits), 16))
    signal = Signal(channels=2, low=-3.0, high=5.0, unit="g", rate_hz=50.0, native_bits=native_bits)
    leak, slope = data.draw(st.integers(0, 15)), data.draw(st.integers(0, 15))
    converter = built(name, bits, signal, leak=leak, slope=slope, refresh=data.draw(st.sampled_from([0, 1, 9])))
    counts, bounds = data.draw(recordings(native_bits, 2))
    if not len(counts):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        converter.fit_recordings(counts, bounds)
    for channel in converter.channels():
        assert LOWEST <= channel.centre <= HIGHEST
        assert list(channel.thresholds) == sorted(channel.thresholds)
        assert list(channel.levels) == sorted(channel.levels)
    codes, values = converter.convert(counts, bounds)
    assert np.array_equal(converter.receive(codes, bounds), values)
    assert values.min() >= -3
    assert values.max() <= 5


# The C itself ---------------------------------------------------------------------------------------------------------

# Reads converters and recordings, runs the kernel over arrays that end where the samples end, and lets sender and
# receiver go side by side: 7 if their states differ after a code.
HARNESS = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static int64_t number(void) { long long x; if (scanf("%lld", &x) != 1) exit(9); return x; }
static int32_t *table(void)
{
    const int64_t n = number();
    int32_t *values = n ? malloc(sizeof *values * n) : 0;
    for (int64_t i = 0; i < n; i++) values[i] = (int32_t)number();
    return values;
}
int main(void)
{
    const int64_t channels = number(), recordings = number(), time = number();
    qsense_memory *memory = malloc(sizeof *memory * channels);
    int64_t *bounds = malloc(sizeof *bounds * (recordings + 1));
    for (int64_t c = 0; c < channels; c++) {
        int32_t s[10];
        const int32_t *tables[5];
        for (int i = 0; i < 10; i++) s[i] = (int32_t)number();
        for (int i = 0; i < 5; i++) tables[i] = table();
        memory[c] = (qsense_memory){s[0], s[1], s[2], s[3], s[4], s[5], tables[4],
                                    tables[0], tables[1], tables[2], tables[3], s[6], s[7], s[8], s[9]};
    }
    for (int64_t i = 0; i <= recordings; i++) bounds[i] = number();
    uint16_t *counts = malloc(sizeof *counts * time * channels), *codes = malloc(sizeof *codes * time * channels);
    int16_t *values = malloc(sizeof *values * time * channels), *received = malloc(sizeof *values * time * channels);
    uint8_t *lost = malloc(time);
    for (int64_t i = 0; i < time * channels; i++) counts[i] = (uint16_t)number();
    for (int64_t i = 0; i < time; i++) lost[i] = (uint8_t)number();
    convert(memory, channels, bounds, recordings, counts, codes, values);
    decode(memory, channels, bounds, recordings, codes, lost, received);
    for (int64_t r = 0; r < recordings; r++)
        for (int64_t c = 0; c < channels; c++) {
            qsense_state sender, receiver;
            qsense_start(&memory[c], &sender, memory[c].centre);
            qsense_start(&memory[c], &receiver, memory[c].centre);
            for (int64_t t = bounds[r]; t < bounds[r + 1]; t++) {
                qsense_decode(&memory[c], &receiver, qsense_encode(&memory[c], &sender, counts[t * channels + c]));
                if (memcmp(&sender, &receiver, sizeof sender)) return 7;
            }
        }
    for (int64_t i = 0; i < time * channels; i++)
        printf("%d %d %d %d\n", codes[i], values[i], received[i], qsense_count(&memory[i % channels], values[i]));
    return 0;
}
"""


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The kernel as a program that ends at whatever C leaves undefined."""
    compiler, folder = shutil.which("gcc") or shutil.which("clang"), tmp_path_factory.mktemp("harness")
    if compiler is None:
        pytest.skip("no C compiler")
    text = compiled.source("qsense.quant.sensor.memory", "kernel", ["recursion.h"]) + HARNESS
    (folder / "harness.c").write_text(text)
    flags = ["-std=c99", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-fsanitize=undefined,address"]
    flags += ["-fno-sanitize-recover=all"]
    command = [compiler, *flags, str(folder / "harness.c"), "-o", str(folder / "harness")]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode and ("asan" in done.stderr or "sanitize" in done.stderr):
        pytest.skip(f"no sanitizers: {done.stderr.splitlines()[0]}")
    assert not done.returncode, done.stderr
    return folder / "harness"


def extreme(constants: Constants) -> Case:
    """A square wave over the whole range, of which every other sample is lost."""
    counts = np.tile(np.array([[0], [65535]], dtype=np.uint16), (40, 1))
    return [constants], counts, bounds_of((80,)), counts[:, 0] > 0


@settings(max_examples=60)
@given(case=cases())
@example(case=extreme(Constants(5, 16, HIGHEST, 1, 1, steps=STEPS, moves=(88,) * 16, first=88)))
@example(case=extreme(Constants(5, 16, 0, 1, 1, steps=STEPS, moves=(-88,) * 16, first=88, step_leak=10)))
@example(case=extreme(Constants(1, 16, LOWEST, 15, 1, thresholds=(0,), levels=(2 * LOWEST, 2 * HIGHEST))))
def test_nothing_undefined_happens_in_c(harness: Path, case: Case) -> None:
    channels, counts, bounds, lost = case
    numbers = [len(channels), len(bounds) - 1, len(counts)]
    for c in channels:
        numbers += [c.bits, c.native_bits, c.centre, c.leak, c.slope, c.refresh, c.first, len(c.steps) - 1, c.alike]
        numbers.append(c.step_leak)
        for table in (c.thresholds, c.levels, c.steps, c.moves, c.compand):
            numbers += [len(table), *table]
    numbers += [*bounds.tolist(), *counts.ravel().tolist(), *lost.astype(int).tolist()]
    told = " ".join(map(str, numbers))
    leaks = {"ASAN_OPTIONS": "detect_leaks=0"}
    done = subprocess.run([str(harness)], input=told, capture_output=True, text=True, env=leaks)
    assert done.returncode == 0, done.stderr
    found = np.array(done.stdout.split(), dtype=np.int64).reshape(-1, 4)
    codes, values = reference.convert(channels, counts, bounds)
    assert np.array_equal(found[:, 0], codes.ravel())
    assert np.array_equal(found[:, 1], values.ravel())
    assert np.array_equal(found[:, 2], reference.decode(channels, codes, bounds, lost).ravel())
    nearest = nearest_counts(values, channels[0].native_bits, channels[0].compand)
    assert np.array_equal(found[:, 3], nearest.ravel())
