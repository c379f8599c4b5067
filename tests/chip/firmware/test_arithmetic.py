"""The C of scaling, sigmoid and tanh against `numbers.py`, over all arguments or their extremes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from tests.chip.firmware import plans
from tests.chip.firmware.building import SANITIZED, build, needs_gcc, project

from qsense.chip.firmware.sizes import packed
from qsense.quant.network.integer.numbers import Scale, requantize, sigmoid, tanh

PROGRAM = """\
#include <stdio.h>
#include "qs_arithmetic.h"
int main(void)
{
    long sum, multiplier, shift, z;
    while (scanf("%ld %ld %ld", &sum, &multiplier, &shift) == 3)
        printf("%ld\\n", (long)qs_requantize((int32_t)sum, (uint16_t)multiplier, (uint8_t)shift, -(1 << 24), 1 << 24));
    for (z = -32768; z < 32768; z++) printf("%ld\\n%ld\\n", (long)qs_sigmoid((int32_t)z), (long)qs_tanh((int32_t)z));
    return 0;
}
"""


@needs_gcc
def test_scaling_sigmoid_and_tanh(tmp_path: Path) -> None:
    folder = project(plans.deepconvlstm(), tmp_path)
    (folder / "test" / "arithmetic.c").write_text(PROGRAM)
    random = np.random.default_rng(0)
    ends = [-(1 << 31), -(1 << 31) + 1, -65536, -65535, -1, 0, 1, 65535, 65536, (1 << 31) - 1]
    sums = np.concatenate([ends, random.integers(-(1 << 31), 1 << 31, 30), random.integers(-999, 1000, 20)])
    cases = [(s, m, shift) for shift in range(1, 47) for m in (1 << 14, 21846, (1 << 15) - 1) for s in sums.tolist()]
    given = "".join(f"{s} {m} {shift}\n" for s, m, shift in cases)
    program = build(folder, "arithmetic", SANITIZED)
    done = subprocess.run([str(program)], input=given, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    z = np.arange(-32768, 32768)
    expected = [int(requantize(np.array(s), Scale(m, shift), -(1 << 24), 1 << 24)) for s, m, shift in cases]
    expected += np.stack([sigmoid(z), tanh(z)], axis=1).ravel().tolist()
    assert [int(line) for line in done.stdout.split()] == expected


@pytest.mark.parametrize("bits", range(2, 9))
def test_packed_weights_hold_every_code(bits: int) -> None:
    """Unpacked as `qs_weights.h` says."""
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    codes = np.random.default_rng(bits).integers(low, high + 1, (5, 37)).astype(np.int16)
    words = packed(codes, bits)
    assert words.shape == (5, -(-37 * bits // 32))
    for row, of_row in zip(words.tolist(), codes.tolist(), strict=True):
        number = sum(word << 32 * place for place, word in enumerate(row))
        for i, code in enumerate(of_row):
            at = i * bits
            if bits in (2, 4, 8):
                word, i = divmod(i, 32 // bits)
                at = 32 * word + (0, 16, 8, 24)[i % 4] + 8 - bits * (i // 4 + 1)
            field = number >> at & ((1 << bits) - 1)
            assert field - (field >> (bits - 1) << bits) == code
