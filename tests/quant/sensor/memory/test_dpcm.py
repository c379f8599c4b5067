"""DPCM's levels: better in closed loop than in open loop, a local optimum, and near what theory allows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hydra.utils import instantiate
from tests.quant.sensor.memory.recordings import bounds_of, built

from qsense.experiment.compose import compose, hydra
from qsense.quant.sensor.lloyd import best_partition, lloyd
from qsense.quant.sensor.memory import kernel
from qsense.quant.sensor.memory.constants import Constants, scaled
from qsense.quant.sensor.memory.dpcm import DPCM
from qsense.signal import Signal

ONE = Signal(channels=1, low=-1.0, high=1.0, unit="g", rate_hz=50.0, native_bits=16)
Floats = npt.NDArray[np.float64]


def markov(correlation: float, count: int = 60_000, seed: int = 0) -> npt.NDArray[np.int64]:
    """16-bit counts [count, 1] of a Gaussian process x' = ρx + e, of standard deviation 4000."""
    noise = np.random.default_rng(seed).normal(0, 4000 * np.sqrt(1 - correlation**2), count)
    x = np.empty(count)
    x[0] = 0
    for index in range(1, count):
        x[index] = correlation * x[index - 1] + noise[index]
    counts: npt.NDArray[np.int64] = np.clip(np.round(x) + 32768, 0, 65535).astype(np.int64)[:, None]
    return counts


def error(constants: Constants, counts: npt.NDArray[np.integer]) -> float:
    """Mean squared error of what is decoded, on the 16-bit scale."""
    value = kernel.convert([constants], counts.astype(np.uint16), bounds_of((len(counts),)))[1]
    return float(((scaled(counts, constants.native_bits) - value) ** 2).mean())


def decibels(constants: Constants, counts: npt.NDArray[np.integer]) -> float:
    return float(10 * np.log10(counts.var() / error(constants, counts)))


def fitted(bits: int, counts: npt.NDArray[np.integer], **changes: Any) -> tuple[DPCM, Constants]:
    sensor = DPCM(ONE, bits, **changes)
    sensor.fit_recordings(counts, bounds_of((len(counts),)))
    return sensor, sensor.channels()[0]


def with_levels(sensor: DPCM, levels: Floats) -> Constants:
    return sensor._constants(int(sensor.centre[0]), np.round(levels).astype(np.int64))


def open_loop(bits: int, counts: npt.NDArray[np.integer], leak: int) -> Floats:
    """Lloyd-Max levels of the residuals that a prediction from the samples themselves would leave."""
    x = counts[:, 0] - counts.mean()
    residual = x[1:] - x[:-1] * (1 - (2.0**-leak if leak else 0))
    values, counted = np.unique(np.round(residual), return_counts=True)
    weights = counted.astype(np.float64)
    edges = np.quantile(residual, np.linspace(0, 1, 386)[1:-1])
    boundaries = lloyd(values, weights, best_partition(values, weights, 1 << bits, edges))
    cell = np.searchsorted(boundaries, values, side="right")
    means: Floats = np.bincount(cell, weights * values) / np.bincount(cell, weights)
    return means


@pytest.mark.parametrize("leak", [0, 4, 6])
@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_levels_of_the_closed_loop_are_better_than_those_of_the_open_one(bits: int, leak: int) -> None:
    for correlation in (0.5, 0.9, 0.99):
        counts = markov(correlation, 20_000)
        sensor, constants = fitted(bits, counts, leak=leak)
        opened = with_levels(sensor, open_loop(bits, counts, leak))
        assert error(constants, counts) <= error(opened, counts) * 1.02, correlation


@pytest.mark.parametrize("bits", [1, 2, 3])
@pytest.mark.parametrize("correlation", [0.8, 0.95])
def test_most_levels_gain_nothing_by_a_move(bits: int, correlation: float) -> None:
    counts = markov(correlation)
    sensor, constants = fitted(bits, counts)
    least, gains = error(constants, counts), []
    for index in range(2**bits):
        for factor in (0.99, 1.01):
            levels = np.array(constants.levels, dtype=np.float64)
            levels[index] *= factor
            gains.append(1 - error(with_levels(sensor, levels), counts) / least)
    assert max(gains) < 0.01
    assert np.mean(np.array(gains) <= 0) >= 0.75, gains


@pytest.mark.parametrize("leak", [0, 6])
@pytest.mark.parametrize("correlation", [0.8, 0.95, 0.99])
def test_two_levels_are_as_good_as_any_that_lie_evenly(correlation: float, leak: int) -> None:
    """One bit is mostly in slope overload, where rounds of placing levels by their own residuals go astray."""
    counts = markov(correlation, 20_000)
    sensor, constants = fitted(1, counts, leak=leak)
    others = [with_levels(sensor, np.array([-d, d])) for d in 4000 * np.geomspace(0.02, 1, 60)]
    assert error(constants, counts) <= 1.03 * min(error(other, counts) for other in others)


# A first-order Gaussian process: prediction leaves 1 - ρ² of the variance, and of that a Lloyd-Max quantizer of N bits
# leaves what Max (1960, Table I) says (O'Neal, 1966). With fewer bits the noise that is predicted from matters.
LLOYD_MAX_DB = {2: 9.30, 3: 14.62, 4: 20.22, 5: 26.01}


@pytest.mark.parametrize("bits", LLOYD_MAX_DB)
@pytest.mark.parametrize(("correlation", "leak"), [(0.9375, 4), (0.984375, 6)])
def test_a_known_process_is_coded_as_well_as_theory_says(bits: int, correlation: float, leak: int) -> None:
    counts = markov(correlation)
    _, constants = fitted(bits, counts, leak=leak)
    expected = LLOYD_MAX_DB[bits] + 10 * np.log10(1 / (1 - correlation**2))
    assert expected - decibels(constants, counts) == pytest.approx(0, abs=0.5)


DATA = os.environ.get("QSENSE_DATA")


@pytest.mark.slow
@pytest.mark.skipif(not DATA, reason="QSENSE_DATA does not point at the real data")
def test_real_recordings_keep_their_signal() -> None:
    """SBHAR, fitted on 29 subjects: dB of each axis, mean; 13 at 1 bit and 18.6 at 2 when this was written."""
    assert DATA is not None
    if not (Path(DATA) / "sbhar").exists():
        pytest.skip("there is no sbhar in QSENSE_DATA")
    with hydra():
        config = compose(["data=sbhar"])
    data = instantiate(config.data, _partial_=True, _convert_="all")(fold=0, seed=0)
    data.setup("fit")
    x, bounds = data.training_recordings()
    for name, bits, least in (("dpcm", 1, 12.5), ("dpcm", 2, 18), ("adpcm", 1, 12), ("adpcm", 2, 18)):
        sensor = built(name, bits, data.signal)
        sensor.fit_recordings(x, bounds)
        noise = (x - sensor.convert(x, bounds).values).var(axis=0)
        assert np.mean(10 * np.log10(x.var(axis=0) / noise)) > least, (name, bits)
