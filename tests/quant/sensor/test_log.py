"""The logarithmic ADC."""

from __future__ import annotations

import mpmath
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


@pytest.mark.parametrize("native_bits", [0, 33, 12.0, "12", True])
def test_bad_native_bits(native_bits: object) -> None:
    with refused(ValueError, f"native_bits={native_bits!r}", "Log", 1, 32):
        Log(Signal(channels=1, low=0.0, high=1.0, unit=""), bits=4, native_bits=native_bits)  # type: ignore[arg-type]
