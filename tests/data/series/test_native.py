"""The grid that samples lie on: found where there is one, whatever its step, and not found where there is none."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsense.data.series.native import ASSUMED_BITS, grid_of, native_counts
from qsense.data.series.sbhar import SBHAR
from qsense.data.series.synthetic_imu import SyntheticIMU
from qsense.metrics.code_rate import entropy

DATA = os.environ.get("QSENSE_DATA")


def noise(size: int = 20_000, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.3, size)


@given(step=st.floats(1e-4, 0.02), offset=st.floats(-1, 1), seed=st.integers(0, 9))
def test_any_step_and_offset_is_found(step: float, offset: float, seed: int) -> None:
    counts = np.round(noise(seed=seed) / step)
    grid = grid_of((offset + counts * step).astype(np.float32).astype(np.float64))
    assert grid is not None
    assert grid[0] == pytest.approx(step, rel=1e-3)
    found = np.round((offset + counts * step - grid[1]) / grid[0])
    assert np.array_equal(found - found[0], counts - counts[0])


def test_what_was_filled_in_lies_off_the_grid_and_hides_it_not() -> None:
    x = np.round(noise() * 720) / 720
    x[::100] += 0.0004
    grid = grid_of(x)
    assert grid is not None
    assert grid[0] == pytest.approx(1 / 720, rel=1e-3)


def test_filtered_samples_lie_on_none() -> None:
    assert grid_of(np.convolve(np.round(noise() * 720) / 720, np.hanning(15), "same")) is None
    assert grid_of(noise().astype(np.float32).astype(np.float64)) is None, "a grid of floating-point numbers is none"
    assert grid_of(np.zeros(100)) is None
    assert grid_of(np.array([0.0, 1.0] * 50)) is None


class Filtered(SyntheticIMU):
    """Whose sensor nobody knows: one axis has been filtered, one never moves."""

    def recordings(self) -> list:  # type: ignore[type-arg]
        found = super().recordings()
        for recording in found:
            recording.x[:, 0] *= np.linspace(0.5, 0.9, len(recording.x), dtype=np.float32)
            recording.x[:, 1] = 0
        return found

    def fingerprint(self) -> str:
        return "filtered"


def test_twelve_bits_over_the_range_stand_for_a_grid(tmp_path: Path) -> None:
    native = native_counts(Filtered(subjects=2, sessions=1, minutes=2), tmp_path)
    assert native["found"].tolist() == [False, False, True]
    assert native["step"][0] == 8 / ((1 << ASSUMED_BITS) - 1)  # ±4 g
    assert native["counts"].min() == 0
    assert native["counts"][:, 0].max() < 1 << ASSUMED_BITS
    assert not native["counts"][:, 1].any()
    assert native["counts"].dtype == np.int32


@pytest.mark.skipif(not DATA, reason="QSENSE_DATA does not point at the real data")
def test_the_grid_of_sbhar_and_what_its_differences_need(tmp_path: Path) -> None:
    sbhar = SBHAR(root=f"{DATA}/sbhar/sbhar_acc.zip")
    native = native_counts(sbhar, tmp_path)
    assert native["found"].all()
    assert 1 / native["step"] == pytest.approx([720] * 3, rel=1e-6)
    counts = native["counts"]
    samples = [entropy(np.bincount(axis)) for axis in counts.T]
    changes = [entropy(np.bincount(axis + (1 << 12))) for axis in np.diff(counts, axis=0).T]
    assert samples == pytest.approx([9.3, 9.7, 9.8], abs=0.05)
    assert changes == pytest.approx([6.8, 6.6, 6.5], abs=0.05)
