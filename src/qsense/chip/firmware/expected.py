"""What a firmware must say of samples that its own test makes: windows and a checksum of their classes and margins.

Open it to change what `test/qs_test.c` compares; both make the same samples.
"""

from __future__ import annotations

import numpy as np

from qsense.chip.firmware.plan import Plan
from qsense.chip.firmware.reference import classify
from qsense.quant.network.integer.numbers import Ints

WINDOWS = 12  # at least
SAMPLES = 300  # at least, behind the first window
KIND = 16  # samples of a kind


def made(bits: int, channels: int, samples: int) -> Ints:
    """Native counts [samples, channels] of n bits: anything, either end, as before, a step aside; 16 of each."""
    highest, seed = (1 << bits) - 1, 1
    counts = np.zeros((samples, channels), np.int64)
    for time in range(samples):
        for c in range(channels):
            seed = (seed * 1664525 + 1013904223) & 0xFFFFFFFF
            random, before = seed >> 16, int(counts[time - 1, c]) if time else 0
            match time // KIND % 4:
                case 0:
                    count = (random << 8 ^ random) & highest
                case 1:
                    count = highest if random & 1 else 0
                case 2:
                    count = before
                case _:
                    count = before + (random % 65 - 32) * (highest // 256 + 1)
            counts[time, c] = min(max(count, 0), highest)
    return counts


def checksum(numbers: Ints) -> int:
    """FNV-1a of 32-bit numbers, the low byte first.

    >>> f"{checksum(np.array([1, -1])):08x}"
    'ec9ef2e0'
    """
    total = 2166136261
    for byte in numbers.astype("<u4").tobytes():
        total = (total ^ byte) * 16777619 & 0xFFFFFFFF
    return total


def header(plan: Plan, bits: int, majority: int) -> str:
    """`qs_expected.h`.

    Args:
        plan: the firmware.
        bits: of a native count.
        majority: windows that the majority is taken of.
    """
    samples = plan.window + max(WINDOWS * plan.stride, SAMPLES)
    found = classify(plan, made(bits, len(plan.channels), samples), majority)
    rows = np.stack([found.start, found.winner, found.margin, found.majority], axis=1)
    return f"""\
/* What qs_test.c expects, from the reference in Python, with a majority of {majority}. */
#define QS_EXPECTED_SAMPLES {samples}
#define QS_EXPECTED_WINDOWS {len(rows)}
#define QS_EXPECTED_CHECKSUM UINT32_C(0x{checksum(rows.ravel()):08x})
"""
