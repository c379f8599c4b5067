"""Integer thresholds are exactly what the quantizer does with every native count."""

from __future__ import annotations

import warnings
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.chip.converters import ACCELEROMETER, BY_CONDITION, RAW, STATISTICS, Half, converters
from tests.quant.sensor.test_contract import CODED, CODES, build
from tests.refusal import assert_names, refused

from qsense.chip.converter import Converter, convert
from qsense.chip.findings import findings
from qsense.quant.sensor.base import SensorQuantizer
from qsense.quant.sensor.gamma import Gamma
from qsense.quant.sensor.gamma_per_condition import GammaPerCondition
from qsense.quant.sensor.linear import Linear
from qsense.signal import Signal

EVERY = converters()


def own_codes(sensor: SensorQuantizer, x: torch.Tensor, row: int) -> np.ndarray[Any, Any]:
    """What the quantizer itself makes of samples [n] in one of its rows."""
    if sensor.per_channel:
        return sensor.encode(x[:, None].repeat(1, sensor.rows))[:, row].numpy()
    return sensor.encode(x, condition=[row] * len(x) if sensor.rows > 1 else None).numpy()


@pytest.mark.parametrize("name", EVERY)
def test_the_table_is_what_the_quantizer_does(name: str) -> None:
    sensor, converter = EVERY[name]
    every = np.arange(converter.native.codes)
    for r, codes in enumerate(converter.lut()):
        if sensor.signal.native_bits is not None:
            x = torch.from_numpy(every)
        else:  # normalised by hand, as the data does, but in float64
            low, high = STATISTICS["low"][r], STATISTICS["high"][r]
            values = converter.native.low + (converter.native.high - converter.native.low) * every / 4095
            x = torch.from_numpy(np.clip((values - low) * 2 / (high - low) - 1, -1, 1))
        assert np.array_equal(codes, own_codes(sensor, x, converter.source[r]))
    assert (np.diff(converter.counts) >= 0).all()


@pytest.mark.parametrize("kind", CODES)
@pytest.mark.parametrize("name", CODED)
def test_every_quantizer_of_the_configuration_on_its_native_codes(name: str, kind: str) -> None:
    sensor = build(name, CODES[kind], bits=3)
    converter = convert(sensor, "x", {})
    every = torch.arange(CODES[kind].codes)
    for r, codes in enumerate(converter.lut()):
        assert np.array_equal(codes, own_codes(sensor, every, converter.source[r]))


@pytest.mark.parametrize("name", CODED)
def test_every_quantizer_of_the_configuration_on_normalised_values(name: str) -> None:
    sensor = build(name, ACCELEROMETER, bits=3)
    converter = convert(sensor, "x", STATISTICS)
    every = np.arange(4096)
    for r, codes in enumerate(converter.lut()):
        x = torch.from_numpy(converter.sample(r, every))
        assert np.array_equal(codes, own_codes(sensor, x, converter.source[r]))


@settings(max_examples=150)
@given(
    bits=st.integers(1, 6),
    native=st.integers(1, 12),
    gamma=st.floats(0.05, 4),
    mu=st.floats(-0.95, 0.95),
    low=st.floats(-20, -0.01),
    high=st.floats(0.01, 20),
    rounding=st.sampled_from(["round", "floor"]),
)
@pytest.mark.filterwarnings("ignore:.*1 bit.*")
def test_native_codes_of_any_signed_sensor(
    bits: int, native: int, gamma: float, mu: float, low: float, high: float, rounding: Any
) -> None:
    sensor = Gamma(Signal(1, low, high, "g", native_bits=native), bits, gamma, mu, rounding=rounding)
    converter = convert(sensor, "x", {})
    assert np.array_equal(converter.lut()[0], sensor.encode(torch.arange(1 << native)).numpy())


@settings(max_examples=150)
@given(
    bits=st.integers(1, 6),
    native=st.integers(2, 12),
    gamma=st.floats(0.05, 4),
    ends=st.tuples(st.integers(0, 100), st.integers(101, 4095)),
    rounding=st.sampled_from(["round", "floor"]),
)
@pytest.mark.filterwarnings("ignore:.*1 bit.*")
def test_native_codes_of_any_raw_sensor(
    bits: int, native: int, gamma: float, ends: tuple[int, int], rounding: Any
) -> None:
    black, white = (end % (1 << native) for end in ends)
    if black >= white:
        black, white = 0, (1 << native) - 1
    signal = Signal(1, 0.0, 1.0, "full scale", native_bits=native, black=black, white=white)
    sensor = Gamma(signal, bits, gamma, rounding=rounding)
    converter = convert(sensor, "x", {})
    assert np.array_equal(converter.lut()[0], sensor.encode(torch.arange(1 << native)).numpy())


@settings(max_examples=60)
@given(
    low=st.floats(-20, -0.1),
    high=st.floats(0.1, 20),
    scale=st.floats(0.5, 40),
    native=st.integers(4, 16),
    gamma=st.floats(0.1, 3),
)
def test_counts_are_those_of_exact_arithmetic(low: float, high: float, scale: float, native: int, gamma: float) -> None:
    """Normalised data: smallest count whose value, in rational numbers, reaches the threshold."""
    signal = Signal(1, -1.0, 1.0, "g")
    sensor = Gamma(signal, 3, gamma)
    converter = convert(sensor, "x", {"low": [low], "high": [high]}, (-scale, scale), native)
    top = (1 << native) - 1
    for t, count in zip(sensor.thresholds()[0].tolist(), converter.counts[0].tolist(), strict=True):
        reach = Fraction(low) + (Fraction(t) + 1) / 2 * (Fraction(high) - Fraction(low))
        place = (reach + Fraction(scale)) / (2 * Fraction(scale)) * top
        if abs(place - round(place)) < Fraction(1, 10**9):
            continue  # a tie, which the last bit of float64 decides
        if t > 1 or place > top:
            assert count == top + 1
        elif t <= -1 or place <= 0:
            assert count == 0
        else:
            assert count == -(-place.numerator // place.denominator)


def test_a_count_that_is_a_decision_level_reaches_it() -> None:
    """Floor at 2 bits over the sensor's own range: codes begin at a third and two thirds of 4095, which are counts."""
    for signal, scale in ((RAW, None), (ACCELEROMETER, (-4.0, 4.0))):
        statistics = {} if signal is RAW else {"low": [-4.0] * 3, "high": [4.0] * 3}
        converter = convert(Linear(signal, 2, rounding="floor"), "x", statistics, scale)
        assert converter.counts.tolist() == [[1365, 2730, 4095]]


def test_thresholds_are_in_the_sensors_own_unit() -> None:
    sensor = Gamma(ACCELEROMETER, 2, per_channel=True)
    converter = convert(sensor, "x", STATISTICS, (-2.0, 2.0))
    assert converter.rows == ("x", "y", "z")
    for r, (low, high) in enumerate(zip(STATISTICS["low"], STATISTICS["high"], strict=True)):
        again = (converter.thresholds[r] - low) * 2 / (high - low) - 1
        np.testing.assert_allclose(again, sensor.thresholds()[r], rtol=0, atol=1e-14)
        np.testing.assert_allclose(converter.levels[r][[0, -1]], [low, high], atol=1e-12)
        np.testing.assert_allclose(converter.positions[r], (converter.thresholds[r] + 2) / 4 * 4095, rtol=1e-14)
    assert converter.values.tolist() == sensor.decode(torch.arange(4)).tolist()


def test_rows() -> None:
    def names(sensor: SensorQuantizer, statistics: dict[str, Any]) -> tuple[str, ...]:
        return convert(sensor, "x", statistics).rows

    alike = {"low": [-2.0] * 3, "high": [2.0] * 3}
    assert names(Linear(ACCELEROMETER, 2), alike) == ("all",)
    assert names(Linear(ACCELEROMETER, 2), STATISTICS) == ("x", "y", "z")  # one curve, three ranges
    assert names(GammaPerCondition(BY_CONDITION, 2), {}) == ("day", "night")
    assert names(Gamma(Signal(2, 0.0, 1.0, "V"), 2, per_channel=True), {}) == ("channel_0", "channel_1")


def test_what_nobody_states_is_assumed_and_said() -> None:
    sensor = Linear(ACCELEROMETER, 2)
    native = convert(sensor, "x", STATISTICS).native
    assert (native.bits, native.low, native.high) == (12, -2.0, 2.1)
    assert_names(native.assumed, 12, "native_bits=", -2, "2.1 g", "full_scale=low,high")
    native = convert(sensor, "x", STATISTICS, native_bits=10, stated=(-4.0, 4.0)).native
    assert (native.bits, native.low, native.high) == (10, -4.0, 4.0)
    assert_names(native.assumed, -4, "4 g")
    assert convert(sensor, "x", STATISTICS, (-8.0, 8.0), 16).native.assumed == ""
    assert convert(Linear(RAW, 2), "x", {}).native.assumed == ""
    assert_names(convert(sensor, "x", {}).native.assumed, -1, "1 g")


def test_values_that_are_not_normalised_are_not_cut_off() -> None:
    """The curve goes on beyond the quantizer's range: 1.9 has code 3 in training, and has it here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sensor = Gamma(Signal(1, -1.0, 1.0, "g"), 2, mu=0.9)
    converter = convert(sensor, "x", {}, (-2.0, 2.0))
    x = torch.linspace(-2, 2, 4096, dtype=torch.float64)
    assert np.array_equal(converter.lut()[0], sensor.encode(x).numpy())
    assert sensor.encode(torch.tensor([1.9])).item() == converter.lut()[0, -100] == 3
    assert convert(sensor, "x", {"low": [-1.0], "high": [1.0]}, (-2.0, 2.0)).lut().max() == 2  # normalised ones are


def test_options_that_contradict_the_sensor() -> None:
    with refused(ValueError, "native_bits=10", 12):
        convert(Linear(RAW, 2), "x", {}, native_bits=10)
    with refused(ValueError, "full_scale=0,2", 0, 1):
        convert(Linear(RAW, 2), "x", {}, (0.0, 2.0))
    with refused(ValueError, "native_bits=33", 1, 32):
        convert(Linear(ACCELEROMETER, 2), "x", {}, native_bits=33)
    with refused(ValueError, "full_scale=2,-2", "low,high", "g"):
        convert(Linear(ACCELEROMETER, 2), "x", {}, (2.0, -2.0))


def test_wide_sensors() -> None:
    signal = Signal(4, 0.0, 1.0, "full scale", native_bits=24, conditions=("day", "night"))
    sensor = Gamma(signal, 4, gamma=0.3)
    converter = convert(sensor, "x", {})
    assert not converter.listed
    near = (converter.counts[0][:, None] + np.array([-1, 0])).clip(0)
    codes = sensor.encode(torch.from_numpy(near)).numpy()
    assert codes.tolist() == [[k, k + 1] for k in range(15)]


# What to mind ---------------------------------------------------------------------------------------------------------


def test_gaps_and_accuracy() -> None:
    found = findings(convert(Linear(RAW, 3), "x", {}))
    assert found.gap == pytest.approx(4095 / 7)
    assert found.accuracy == pytest.approx(np.log2(7))  # a linear converter of 7 steps needs itself
    assert found.sentences() == []
    one = findings(convert(Linear(RAW, 1), "x", {}))
    assert (one.gap, one.accuracy) == (None, None)


def test_collapsed_and_unreachable_codes_are_named() -> None:
    signal = Signal(1, 0.0, 1.0, "full scale", native_bits=4)
    converter = convert(Gamma(signal, 4, gamma=0.3), "x", {})
    found = findings(converter)
    present = set(converter.lut()[0].tolist())
    (row,) = found.rows
    assert set(row.collapsed) | set(row.beyond) == set(range(16)) - present
    assert len(row.collapsed) > 1
    assert row.beyond == ()
    assert "collapsed: both thresholds lie within one native step" in found.sentences()[0]
    half = findings(convert(Half(RAW, 2), "x", {})).rows[0]
    assert (half.beyond, half.outside, half.collapsed) == ((3,), (3,), ())
    assert findings(convert(Half(RAW, 2), "x", {})).sentences() == [
        "code 3 out of reach: the thresholds lie outside the range"
    ]
    coincident = convert(Gamma(ACCELEROMETER, 8, epsilon=0.5), "x", {"low": [-2.0] * 3, "high": [2.0] * 3})
    assert any("some thresholds coincide" in sentence for sentence in findings(coincident).sentences())


def test_a_narrow_native_adc_reaches_less() -> None:
    """The data went to ±2 g, the ADC saturates at ±0.5 g: it never sees the outer codes."""
    converter: Converter = convert(
        Linear(ACCELEROMETER, 2), "x", {"low": [-2.0] * 3, "high": [2.0] * 3}, (-0.5, 0.5), 8
    )
    assert converter.counts.tolist() == [[0, 128, 256]]
    assert findings(converter).rows[0].outside == (1, 3)
    assert findings(converter).rows[0].beyond == (0, 3)
