"""The ADC of least squared error."""

from __future__ import annotations

from itertools import combinations
from statistics import NormalDist

import numpy as np
import pytest
import torch

from qsense.quant.sensor.equal_shares import equal_shares
from qsense.quant.sensor.lloyd import lloyd, squared_error
from qsense.quant.sensor.lloyd_max import LloydMax
from qsense.signal import Signal

BIPOLAR = Signal(channels=3, low=-1.0, high=1.0, unit="g")
# Max (1960), Table I: decision levels above 0 and the mean squared error for a normal distribution of variance 1.
TABLE_I = {1: ([], 0.3634), 2: ([0.9816], 0.1175), 3: ([0.5006, 1.050, 1.748], 0.03454)}
TABLE_I[4] = ([0.2582, 0.5224, 0.7996, 1.099, 1.437, 1.844, 2.401], 0.009497)


def normal(count: int = 200_001) -> np.ndarray:
    """A normal distribution of variance 1, as so many equally likely values."""
    return np.array([NormalDist().inv_cdf((i + 0.5) / count) for i in range(count)])


@pytest.mark.parametrize("bits", list(TABLE_I))
def test_levels_and_error_are_those_of_max_for_a_normal_distribution(bits: int) -> None:
    values = normal() / 8
    quantizer = LloydMax(Signal(channels=1, low=-1.0, high=1.0, unit="g"), bits)
    quantizer.fit(torch.from_numpy(values)[:, None])
    upper, error = TABLE_I[bits]
    thresholds = quantizer.thresholds()[0].numpy() * 8
    np.testing.assert_allclose(thresholds, [-t for t in reversed(upper)] + [0.0, *upper], atol=3e-3)
    assert squared_error(values * 8, np.ones_like(values), thresholds) == pytest.approx(error, rel=2e-3)


@pytest.mark.parametrize("bits", [2, 4, 6])
def test_both_conditions_hold_and_no_other_placement_is_better(bits: int) -> None:
    rng = np.random.default_rng(0)
    x = np.clip(np.concatenate([rng.laplace(0.3, 0.05, 8000), rng.normal(-0.4, 0.2, 4000)]), -1, 1)
    values, number = np.unique(x.astype(np.float32).astype(np.float64), return_counts=True)
    counts = number.astype(np.float64)
    quantizer = LloydMax(BIPOLAR, bits)
    boundaries = quantizer.place(values, counts)
    cell = np.searchsorted(boundaries, values, side="right")
    means = np.array([np.average(values[cell == c], weights=counts[cell == c]) for c in range(2**bits)])
    np.testing.assert_allclose(boundaries, (means[1:] + means[:-1]) / 2, rtol=0, atol=1e-12)
    error = squared_error(values, counts, boundaries)
    even = np.linspace(-1, 1, 2**bits + 1)[1:-1]
    shares = equal_shares(values, counts, 2**bits, -1.0, 1.0)
    assert error < squared_error(values, counts, even)
    assert error < squared_error(values, counts, shares)
    for k in range(len(boundaries)):
        for move in (-1e-2, 1e-2):
            moved = boundaries.copy()
            moved[k] += move
            assert error <= squared_error(values, counts, np.sort(moved)) + 1e-15


def test_the_best_of_all_partitions_of_a_few_values() -> None:
    """Exhaustively, of values in clumps: from one start alone Lloyd's rounds often end in a worse optimum."""
    rng = np.random.default_rng(5)
    quantizer = LloydMax(Signal(channels=1, low=0.0, high=1.0, unit=""), 2)
    worse = 0
    for _ in range(40):
        values, counts = np.sort(rng.random(12) ** 3), rng.integers(1, 9, 12).astype(np.float64)
        middles = (values[1:] + values[:-1]) / 2
        best = min(squared_error(values, counts, middles[list(cut)]) for cut in combinations(range(11), 3))
        assert squared_error(values, counts, quantizer.place(values, counts)) == pytest.approx(best, rel=1e-9)
        alone = lloyd(values, counts, equal_shares(values, counts, 4, 0.0, 1.0))
        worse += squared_error(values, counts, alone) > best * (1 + 1e-9)
    assert worse > 5


def test_empty_cells_do_no_harm() -> None:
    boundaries = lloyd(np.array([0.0, 1.0]), np.array([3.0, 1.0]), np.linspace(0, 1, 9)[1:-1])
    assert np.isfinite(boundaries).all()
    assert (np.diff(boundaries) >= 0).all()
    assert squared_error(np.array([0.0, 1.0]), np.array([3.0, 1.0]), boundaries) == 0.0


def test_each_channel_by_itself() -> None:
    x = torch.from_numpy(np.random.default_rng(3).normal(0, (0.05, 0.1, 0.2), (5000, 3))).float()
    together = LloydMax(BIPOLAR, 3, per_channel=True)
    together.fit(x)
    for c in range(3):
        alone = LloydMax(Signal(channels=1, low=-1.0, high=1.0, unit="g"), 3)
        alone.fit(x[:, c : c + 1])
        assert torch.equal(alone.cuts[0], together.cuts[c])


def test_native_codes() -> None:
    raw = Signal(channels=1, low=0.0, high=1.0, unit="full scale", native_bits=8)
    codes = torch.tensor([[0]] * 9 + [[1]] * 9 + [[100]] * 3 + [[255]])
    quantizer = LloydMax(raw, 2)
    quantizer.fit(codes)
    assert quantizer.encode(torch.tensor([[0], [1], [100], [255]])).flatten().tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(quantizer.thresholds()[0].numpy() * 255, [0.5, 50.5, 177.5], atol=1e-4)
