"""The logarithmic ADC."""

from __future__ import annotations

import math
from typing import Literal

import mpmath
import numpy as np
import pytest
import torch
from tests.refusal import refused

from qsense.quant.sensor.log import Log
from qsense.signal import Signal


def test_thresholds_to_fifty_digits() -> None:
    mpmath.mp.dps = 50
    log = Log(Signal(channels=1, low=0.0, high=1.0, unit=""), bits=5, native_bits=12)
    epsilon = mpmath.mpf(1) / 4095
    for k, found in enumerate(log.thresholds()[0].tolist(), start=1):
        z = (k - mpmath.mpf(1) / 2) / 31
        exact = epsilon * ((1 + epsilon) / epsilon) ** z - epsilon
        assert abs(found - exact) <= 4e-15 * exact


def test_odd_about_zero_and_fixed_at_the_ends() -> None:
    log = Log(Signal(channels=1, low=-1.0, high=1.0, unit=""), bits=4)
    u = torch.linspace(-1, 1, 201, dtype=torch.float64)
    torch.testing.assert_close(log.curve(u), -log.curve(-u))
    assert log.curve(torch.tensor([-1.0, 0.0, 1.0])).tolist() == [-1.0, 0.0, 1.0]
    assert log.thresholds()[0, 7] == 0.0


@pytest.mark.parametrize("rounding", ["floor", "round"])
@pytest.mark.parametrize("native", [10, 12, 14, 24])
def test_codes_are_those_of_log_of_counts_plus_one(native: int, rounding: Literal["floor", "round"]) -> None:
    """γ-Quant's authors: floor(L · log(counts + 1) / log(2^n)), here by integers: count + 1 ≥ 2^(n·k/L) for code k."""
    powers = [native * (2 * k - (rounding == "round")) for k in range(1, 16)]  # in 30ths
    starts = [math.ceil(mpmath.root(mpmath.mpf(2) ** power, 30)) for power in powers]
    assert all((start - 1) ** 30 < 2**power <= start**30 for start, power in zip(starts, powers, strict=True))
    ties = {start - 1 for start, power in zip(starts, powers, strict=True) if start**30 == 2**power}
    counts = np.random.default_rng(0).integers(0, 1 << native, 100_000)
    counts[:30] = [max(start - side, 0) for start in starts for side in (1, 2)]  # either side of every level
    counts = counts[~np.isin(counts, list(ties - {(1 << native) - 1}))]  # a level itself: rounding decides
    signal = Signal(channels=1, low=0.0, high=1.0, unit="full scale", native_bits=native)
    found = Log(signal, 4, rounding=rounding).encode(torch.from_numpy(counts)[:, None])[:, 0].numpy()
    assert np.array_equal(found, np.searchsorted(starts, counts + 1, side="right"))


def test_epsilon_is_a_step_of_the_signal() -> None:
    values = Signal(channels=1, low=-1.0, high=1.0, unit="g")
    levelled = Signal(channels=1, low=0.0, high=1.0, unit="", native_bits=10, black=64, white=1000)
    for signal, steps in ((values, 4095), (levelled, 936)):
        assert Log(signal, 4).epsilon == 1 / steps
        assert Log(signal, 4, native_bits=12).epsilon == 1 / 4095, "what is stated holds"


@pytest.mark.parametrize("native_bits", [0, 33, 12.0, "12", True])
def test_bad_native_bits(native_bits: object) -> None:
    with refused(ValueError, f"native_bits={native_bits!r}", "Log", 1, 32, "null"):
        Log(Signal(channels=1, low=0.0, high=1.0, unit=""), bits=4, native_bits=native_bits)  # type: ignore[arg-type]
