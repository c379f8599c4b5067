"""Sender and receiver over a line that loses, delays and damages packets, against a simulation of what is held."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from tests.chip.firmware import plans
from tests.chip.firmware.building import SANITIZED, Ints, build, counts, lines, needs_gcc, project, samples
from tests.chip.firmware.plans_with_converters import with_memory, without_memory

from qsense.chip.firmware.plan import Plan
from qsense.chip.firmware.reference import converted, decided, input_codes, windows
from qsense.chip.firmware.sizes import Sizes
from qsense.chip.memory.codec import Codec
from qsense.quant.sensor.memory import kernel

pytestmark = needs_gcc
SAMPLES = 9  # of a packet
MAJORITY = 3
LONG_GAP = "." * 5 + "x" * 60 + "." * 15
LINES = (".", "x.", "..x", "xx..d..t.g.b.r..", ".r", ".rxt.rb", "dgd", LONG_GAP)
PLANS = {
    "no converter": lambda: plans.balanced(plans.deepconvlstm(stride=7)),
    "2 bits": lambda: without_memory("gamma per axis, values", stride=11),
    "refresh 7": lambda: with_memory("adpcm 2, refresh", stride=10),
    "refresh 40": lambda: with_memory("adpcm 3, step leak", twos_complement=True, stride=10),
    "leak": lambda: with_memory("dpcm 2", stride=40),
}
RARER = ("refresh 40", "leak")


def accepted(fates: str, recordings: list[Ints]) -> Iterator[list[int]]:
    """The packets of each recording that its receiver takes, by their number."""
    line: list[tuple[int, int]] = []  # (recording, packet) in the order of arrival, those that are whole
    waiting: list[tuple[int, int]] = []
    for number, x in enumerate(recordings):
        for packet in range(-(-len(x) // SAMPLES)):
            fate, before, waiting = fates[packet % len(fates)], waiting, []
            if fate == "r":
                waiting = [(number, packet)]
            elif fate in ".dg":
                line.append((number, packet))
            line += before
    now = last = -1
    taken: list[list[int]] = [[] for _ in recordings]
    for number, packet in line:
        if number > now:
            now, last = number, -1
        if number == now and packet > last:
            last = packet
            taken[number].append(packet)
    yield from taken


def simulated(plan: Plan, x: Ints, packets: list[int]) -> list[list[int]]:
    """Start, class, margin and majority of each window as a receiver of these packets has them."""
    arrives = np.isin(np.arange(len(x)) // SAMPLES, packets)
    if not packets:
        return []
    x, arrives = x[: SAMPLES * (packets[-1] + 1)], arrives[: SAMPLES * (packets[-1] + 1)]
    if isinstance(plan.converter, Codec):
        bounds = np.array([0, len(x)])
        codes = kernel.convert(plan.converter.constants, x.astype(np.uint16), bounds)[0]
        values = kernel.decode(plan.converter.constants, codes, bounds, ~arrives)
        inputs = input_codes(plan, values.astype(np.int64))
    else:
        inputs = input_codes(plan, converted(plan, x))
        last = np.maximum.accumulate(np.where(arrives, np.arange(len(x)), -1))
        inputs = np.where(last[:, None] < 0, 0, inputs[last])
    found = decided(plan, windows(plan, inputs), MAJORITY)
    rows: list[list[int]] = np.stack([found.start, found.winner, found.margin, found.majority], axis=1).tolist()
    return rows


def left_out(plan: Plan, packets: list[int]) -> set[int]:
    """Starts of the windows that a receiver does not classify: those that end in the last whole strides of a long gap.

    Before them the receiver holds for a window and a majority's classes, and as many strides more as are not whole.
    """
    longest = plan.window + (MAJORITY + 1) * plan.stride
    starts: set[int] = set()
    for before, after in pairwise([-1, *packets]):
        gap, end = SAMPLES * (after - before - 1), SAMPLES * after
        skipped = max(gap - longest, 0) // plan.stride * plan.stride
        starts.update(last - plan.window + 1 for last in range(end - skipped, end))
    return starts


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=pytest.mark.slow) if name in RARER else name for name in PLANS]
)
def split(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Path]:
    """A plan, and its program `qs_split` with all checks of gcc."""
    plan = PLANS[request.param]()
    folder = project(plan, tmp_path_factory.mktemp("split"), MAJORITY, SAMPLES)
    return plan, build(folder, "qs_split", SANITIZED)


@pytest.mark.parametrize("fates", LINES)
def test_what_arrives_as_simulated(split: tuple[Plan, Path], fates: str) -> None:
    plan, program = split
    recordings = [counts(plan, time, seed) for seed, time in enumerate((700, 30, 5, 333))]
    files = [samples(plan, x, program.parent / f"{n}.bin") for n, x in enumerate(recordings)]
    found = lines(program, fates, *map(str, files)).tolist()
    expected, missing = [], 0
    for number, packets in enumerate(accepted(fates, recordings)):
        rows = simulated(plan, recordings[number], packets)
        without = left_out(plan, packets)
        expected += [[number, *row] for row in rows if row[0] not in without]
        missing += sum(row[0] in without for row in rows)
    assert found == expected
    assert bool(missing) == (fates == LONG_GAP)
    assert found


DUMP = """\
#include "qs_samples.h"
#include "qs_sender.h"
int main(int argc, char **argv)
{
    static qs_sender sender;
    qs_sample sample[QS_CHANNELS];
    FILE *file = fopen(argv[argc - 1], "rb");
    unsigned length, i;
    int more;
    qs_sender_start(&sender, 0xabcd);
    do {
        more = read_sample(file, sample);
        length = more ? qs_encode(&sender, sample) : qs_sender_flush(&sender);
        for (i = 0; i < length; i++) printf("%02x", sender.packet[i]);
        if (length) printf("\\n");
    } while (more);
    return fclose(file);
}
"""


def crc16(data: bytes, start: int) -> int:
    """Polynomial 0x1021, bit by bit from the top."""
    total = start
    for bit in (byte >> place & 1 for byte in data for place in range(7, -1, -1)):
        total = (total << 1 ^ (0x1021 if (total >> 15 ^ bit) & 1 else 0)) & 0xFFFF
    return total


def test_packets_are_what_is_documented(split: tuple[Plan, Path]) -> None:
    plan, program = split
    folder = program.parent.parent
    (folder / "test" / "dump.c").write_text(DUMP)
    x = counts(plan, 100, 3)
    file = samples(plan, x, folder / "dump.bin")
    done = subprocess.run([str(build(folder, "dump", SANITIZED)), str(file)], capture_output=True, text=True)
    codes, sizes = converted(plan, x), Sizes(plan)
    if isinstance(plan.converter, Codec):
        codes = kernel.convert(plan.converter.constants, x.astype(np.uint16), np.array([0, len(x)]))[0].astype(np.int64)
    assert crc16(b"123456789", 0xFFFF) == 0x29B1, "the checksum's published value"
    index = 0
    for sequence, line in enumerate(done.stdout.splitlines()):
        packet = bytes.fromhex(line)
        number = min(SAMPLES, len(x) - index)
        assert packet[:10] == struct.pack("<BHHIB", 0x51, 0xABCD, sequence, index, number)
        assert int.from_bytes(packet[-2:], "little") == crc16(packet[:-2], sizes.converter_id)
        rest = int.from_bytes(packet[10:-2], "little")
        for moment in range(index, index + number):
            bits = sizes.coding.bits if sizes.refresh and moment % sizes.refresh == 0 else sizes.code_bits
            for code in codes[moment].tolist():
                assert rest & ((1 << bits) - 1) == code
                rest >>= bits
        assert rest == 0
        index += number
    assert index == len(x)
