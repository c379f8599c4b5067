"""The ADC of equal shares, and what it shares with every fitted ADC."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
import torch
from tests.refusal import refused

from qsense.quant.sensor.equal_shares import equal_shares
from qsense.quant.sensor.fitted import Fitted
from qsense.quant.sensor.lloyd_max import LloydMax
from qsense.quant.sensor.quantile import Quantile
from qsense.signal import Signal

BIPOLAR = Signal(channels=3, low=-1.0, high=1.0, unit="g")
RAW = Signal(channels=4, low=0.0, high=1.0, unit="full scale", native_bits=12, black=64, white=4000, bayer="RGGB")


def series(count: int = 20_000) -> torch.Tensor:
    """Three channels of different spread and centre."""
    rng = np.random.default_rng(0)
    x = rng.laplace((0.0, 0.1, -0.2), (0.05, 0.1, 0.2), (count, 3))
    return torch.from_numpy(np.clip(x, -1, 1)).float()


def frames(count: int = 50_000) -> torch.Tensor:
    """Dark native codes, some below black, a fifth saturated."""
    rng = np.random.default_rng(1)
    codes = np.clip(rng.lognormal(5, 1, (count, 4)), 0, 4095).astype(np.int64)
    return torch.from_numpy(np.where(rng.random((count, 4)) < 0.2, 4095, codes))


@pytest.mark.parametrize("kind", [Quantile, LloydMax])
def test_each_channel_of_a_series_has_levels_of_its_own(kind: type[Fitted]) -> None:
    recorded = dataclasses.replace(BIPOLAR, rate_hz=50.0)
    assert kind(recorded, 2).per_channel
    assert not kind(RAW, 2).per_channel
    for stated in (False, True):
        assert kind(recorded, 2, per_channel=stated).per_channel is stated
        assert kind(RAW, 2, per_channel=stated).per_channel is stated
    by_default, asked = kind(recorded, 2), kind(BIPOLAR, 2, per_channel=True)
    for quantizer in (by_default, asked):
        quantizer.fit(series())
    assert torch.equal(by_default.thresholds(), asked.thresholds())
    with refused(ValueError, "per_channel='yes'", kind.__name__, "true", "false"):
        kind(recorded, 2, per_channel="yes")  # type: ignore[arg-type]


@pytest.mark.parametrize("bits", [1, 2, 4, 6])
def test_codes_are_equally_frequent(bits: int) -> None:
    x = series()
    for per_channel in (False, True):
        quantizer = Quantile(BIPOLAR, bits, per_channel=per_channel)
        quantizer.fit(x)
        codes = quantizer.encode(x)
        for column in codes.T if per_channel else [codes.flatten()]:
            share = torch.bincount(column, minlength=2**bits) / len(column) * 2**bits
            assert (share - 1).abs().max() < 2**bits * 10 / len(column) + 1e-3


def test_levels_are_the_quantiles_of_numpy() -> None:
    x = series()
    quantizer = Quantile(BIPOLAR, 3)
    quantizer.fit(x)
    expected = np.quantile(x.double().numpy(), np.arange(1, 8) / 8)
    np.testing.assert_allclose(quantizer.thresholds()[0].numpy(), expected, atol=1e-4)


def test_a_heavy_value_takes_one_code_and_the_others_share_the_rest() -> None:
    rng = np.random.default_rng(2)
    values = np.arange(200.0)
    counts = rng.integers(1, 20, 200).astype(np.float64)
    counts[[0, 120, 199]] = 50_000, 9_000, 30_000
    boundaries = equal_shares(values, counts, 16, -0.5, 199.5)
    cell = np.searchsorted(boundaries, values, side="right")
    assert (np.diff(boundaries) > 0).all()
    assert len(np.unique(cell)) == 16
    for heavy in (0, 199):
        assert (cell == cell[heavy]).sum() <= 8
    rest = counts.sum() - 89_000
    light = [counts[(cell == c) & (counts < 100)].sum() for c in range(16) if counts[cell == c].max() < 100]
    assert len(light) >= 12
    assert max(light) < 1.25 * rest / 13


def test_no_more_values_than_cells_get_one_each() -> None:
    values = np.array([0.0, 0.1, 0.5, 0.9])
    for cells in (4, 7, 64):
        boundaries = equal_shares(values, np.array([5.0, 1.0, 1.0, 100.0]), cells, 0.0, 1.0)
        assert len(np.unique(np.searchsorted(boundaries, values, side="right"))) == 4
        assert (np.diff(boundaries) >= 0).all()


@pytest.mark.parametrize("per_channel", [False, True])
def test_native_codes_are_counted_exactly(per_channel: bool) -> None:
    """Fitted on codes: the same levels as from the clamped codes' own exact histogram, between two codes each."""
    codes = frames()
    quantizer = Quantile(RAW, 4, per_channel=per_channel)
    quantizer.fit(codes)
    clamped = codes.clamp(64, 4000).double().numpy()
    for row, column in enumerate(clamped.T if per_channel else [clamped.ravel()]):
        values, counts = np.unique(column, return_counts=True)
        cuts = equal_shares(values, counts.astype(np.float64), 16, 64, 4000)
        every = np.arange(4096).clip(64, 4000)
        clear = np.abs(every[:, None] - cuts).min(1) > 1e-3  # a level may lie on a code
        assert clear.mean() > 0.99
        expected = np.searchsorted(cuts, every, side="right")
        found = quantizer.encode(torch.arange(4096)[:, None].expand(-1, 4))[:, row].numpy()
        assert np.array_equal(found[clear], expected[clear])
    assert torch.equal(quantizer.encode(codes.to(torch.int32)), quantizer.encode(codes))


def test_levels_are_those_of_either_rounding() -> None:
    x = series()
    rounded, floored = Quantile(BIPOLAR, 4, rounding="round"), Quantile(BIPOLAR, 4, rounding="floor")
    for quantizer in (rounded, floored):
        quantizer.fit(x)
        assert torch.equal(quantizer.thresholds()[0], quantizer.cuts[0].double())
    assert torch.equal(rounded.encode(x), floored.encode(x))


def test_state_carries_the_levels_and_fitting_again_changes_no_bit() -> None:
    x = series()
    quantizer = Quantile(BIPOLAR, 4, per_channel=True)
    quantizer.fit(x)
    before = quantizer.cuts.clone()
    quantizer.fit(x)
    assert torch.equal(quantizer.cuts, before)
    buffer = io.BytesIO()
    torch.save(quantizer.state_dict(), buffer)
    buffer.seek(0)
    fresh = Quantile(BIPOLAR, 4, per_channel=True)
    fresh.load_state_dict(torch.load(buffer, weights_only=True))
    assert torch.equal(fresh(x), quantizer(x))
    other = Quantile(BIPOLAR, 4, per_channel=True)
    other.fit(x.flip(1))
    other(x)  # tables of the levels before must not survive the loading
    other.load_state_dict(quantizer.state_dict())
    assert torch.equal(other(x), quantizer(x))
    assert quantizer.parameter_groups(0.1) == []
    assert quantizer.trajectory() == {}


def test_unfitted_says_what_to_do() -> None:
    quantizer = Quantile(BIPOLAR, 2)
    for use in (lambda: quantizer(series(10)), lambda: quantizer.encode(series(10)), quantizer.thresholds):
        with refused(RuntimeError, "Quantile", "sensor.fit(samples)", "qsense.train"):
            use()


def test_samples_that_cannot_be_used_are_named() -> None:
    quantizer = Quantile(BIPOLAR, 2)
    with refused(ValueError, "[5, 2]", "Quantile", "[n, channels]", "n ≥ 1", "channels = 3"):
        quantizer.fit(torch.zeros(5, 2))
    with refused(ValueError, "Quantile", "finite"):
        quantizer.fit(torch.full((5, 3), torch.nan))
