"""Codes agree with an implementation that others wrote, and with what the papers say in plain integers."""

from __future__ import annotations

import itertools
import json
import warnings
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.quant.sensor.memory.recordings import bounds_of
from tests.refusal import refused

from qsense.quant.sensor.memory import kernel, reference
from qsense.quant.sensor.memory.adpcm import ADPCM
from qsense.quant.sensor.memory.constants import Constants
from qsense.quant.sensor.memory.dpcm import DPCM
from qsense.quant.sensor.memory.steps import MOVES, STEPS
from qsense.runs.settings import decisive
from qsense.signal import Signal

SOUND = Signal(channels=1, low=-1.0, high=1.0, unit="1", rate_hz=8000.0, native_bits=16)
GOLDEN = json.loads(Path(__file__).with_name("golden_codes.json").read_text())
Samples = npt.NDArray[np.int64]


def sound(count: int, seed: int = 0) -> Samples:
    """16-bit samples −32768 … 32767: tones, noise, silence, steps from one end to the other."""
    rng = np.random.default_rng(seed)
    time = np.arange(count)
    loudness = np.repeat(rng.choice([0.0, 30.0, 2000.0, 12000.0, 40000.0], -(-count // 100)), 100)[:count]
    x = loudness * np.sin(time * np.repeat(rng.uniform(0.01, 2, -(-count // 250)), 250)[:count])
    x += rng.normal(0, loudness / 10 + 1) + np.repeat(rng.normal(0, 5000, -(-count // 500)), 500)[:count]
    result: Samples = np.clip(np.round(x), -32768, 32767).astype(np.int64)
    result[: count // 50] = np.where(time[: count // 50] // 7 % 2, 32767, -32768)
    return result


def converted(constants: Constants, samples: Samples) -> tuple[list[int], list[int]]:
    counts = (samples + 32768).astype(np.uint16)[:, None]
    codes, values = kernel.convert([constants], counts, bounds_of((len(samples),)))
    return codes[:, 0].tolist(), values[:, 0].tolist()


def adaptive(bits: int, **changes: Any) -> Constants:
    return Constants(bits, 16, steps=STEPS, moves=MOVES[bits], **changes)


def audio() -> Any:
    """The standard library's IMA ADPCM, which left it with Python 3.13; `audioop-lts` is the same code."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return pytest.importorskip("audioop", reason="Python ≥ 3.13 needs audioop-lts")


def test_four_bits_are_ima_adpcm() -> None:
    audioop, samples = audio(), sound(100_000)
    packed, _ = audioop.lin2adpcm(samples.astype("<i2").tobytes(), 2, None)
    pairs = np.frombuffer(packed, dtype=np.uint8)
    expected = np.stack([pairs >> 4, pairs & 15], axis=1).ravel()
    codes, values = converted(adaptive(4), samples)
    assert codes == expected.tolist()
    decoded, _ = audioop.adpcm2lin(packed, 2, None)
    assert values == np.frombuffer(decoded, dtype="<i2").tolist()
    received = kernel.decode([adaptive(4)], np.array(codes, dtype=np.uint16)[:, None], bounds_of((len(samples),)))
    assert received[:, 0].tolist() == values


def test_a_sensor_of_16_bits_may_send_ima_adpcm() -> None:
    """The class itself, and not its arithmetic alone, where its settings are IMA's."""
    audioop, samples = audio(), sound(4_000, seed=1)
    sensor = ADPCM(SOUND, 4, moves=MOVES[4], first=0, leak=0)
    sensor.fit_recordings(np.array([[0], [65535], [32768], [32769]]), bounds_of((4,)))
    assert sensor.centre.tolist() == [0], "its mean is the middle"
    packed, _ = audioop.lin2adpcm(samples.astype("<i2").tobytes(), 2, None)
    pairs = np.frombuffer(packed, dtype=np.uint8)
    codes = sensor.convert((samples + 32768)[:, None], bounds_of((len(samples),))).codes[:, 0]
    assert codes.tolist() == np.stack([pairs >> 4, pairs & 15], axis=1).ravel().tolist()


def limited(value: int) -> int:
    return min(max(value, -32768), 32767)


def delta_modulation(samples: Sequence[int], grow: int, fall: int, alike: int, first: int) -> tuple[list[int], ...]:
    """One bit: the sign of what is left. The step grows after so many equal signs in a row and falls else (Greefkes and
    Riemens, 1970: continuously variable slope; with two signs, Jayant, 1970: a one-bit memory)."""
    value, place, signs, values = 0, first, [], []
    for sample in samples:
        signs.append(1 if sample < value else 0)
        step = STEPS[place]
        value = limited(value - step if signs[-1] else value + step)
        values.append(value)
        same = len(signs) >= alike and len(set(signs[-alike:])) == 1
        place = min(max(place + (grow if same else -fall), 0), len(STEPS) - 1)
    return signs, values


@pytest.mark.parametrize(("alike", "grow", "fall"), [(2, 4, 4), (3, 4, 2), (4, 8, 1), (8, 3, 3)])
def test_one_bit_is_adaptive_delta_modulation(alike: int, grow: int, fall: int) -> None:
    samples = sound(10_000, seed=alike)
    constants = Constants(1, 16, steps=STEPS, moves=(-fall, grow), first=20, alike=alike)
    assert converted(constants, samples) == delta_modulation(samples.tolist(), grow, fall, alike, first=20)


def ima_of(bits: int, samples: Sequence[int], moves: Sequence[int]) -> tuple[list[int], list[int]]:
    """IMA's recommendation for other numbers of bits, as adpcm-xq has it: the magnitude is that multiple of
    step / 2^(bits - 2) whose middle lies next, built from the step's halves, and its last bit moves nothing."""
    value, place, codes, values = 0, 0, [], []
    for sample in samples:
        step, rest, magnitude = STEPS[place], abs(sample - value), 0
        halves = [step >> k for k in range(bits)]  # step, step / 2, …; the last is what the middle adds
        change = halves[-1]
        for k in range(bits - 1):
            if rest >= halves[k]:
                rest -= halves[k]
                change += halves[k]
                magnitude += 1 << (bits - 2 - k)
        negative = sample < value
        value = limited(value - change if negative else value + change)
        place = min(max(place + moves[magnitude], 0), len(STEPS) - 1)
        codes.append(magnitude + (1 << (bits - 1)) * negative)
        values.append(value)
    return codes, values


VARIANTS = {  # of adpcm-xq and FFmpeg, typed here once more
    2: [-1, 2],
    3: [-1, -1, 1, 2],
    4: [-1, -1, -1, -1, 2, 4, 6, 8],
    5: [-1, -1, -1, -1, -1, -1, -1, -1, 1, 2, 4, 6, 8, 10, 13, 16],
}


@pytest.mark.parametrize("bits", VARIANTS)
def test_two_to_five_bits_are_those_in_use(bits: int) -> None:
    samples = sound(10_000, seed=bits)
    assert converted(adaptive(bits), samples) == ima_of(bits, samples.tolist(), VARIANTS[bits])


def predicted_levels(
    samples: Sequence[int], levels: Sequence[int], centre: int, leak: int, slope: int, refresh: int
) -> tuple[list[int], list[int]]:
    """DPCM with any levels: the nearest, of two equally near the upper one (Cutler, 1952), in whole numbers."""
    value = before = centre
    codes, values = [], []
    for index, sample in enumerate(samples):
        if refresh and index % refresh == 0:
            value = before = sample
            codes.append(sample + 32768)
        else:
            expected = value
            if leak:
                expected -= (value - centre) // 2**leak
            if slope:
                expected += (value - before) // 2**slope
            expected = limited(expected)
            distance = [abs(sample - expected - level) for level in levels]
            codes.append(max(k for k, d in enumerate(distance) if d == min(distance)))
            before, value = value, limited(expected + levels[codes[-1]])
        values.append(value)
    return codes, values


@pytest.mark.parametrize(
    ("bits", "leak", "slope", "refresh"), [(1, 6, 0, 0), (2, 0, 1, 0), (3, 4, 2, 17), (5, 1, 0, 1)]
)
def test_fixed_levels_are_differential_pulse_code_modulation(bits: int, leak: int, slope: int, refresh: int) -> None:
    samples = sound(10_000, seed=bits)
    sensor = DPCM(SOUND, bits, leak=leak, slope=slope, refresh=refresh)
    sensor.fit_recordings((samples + 32768)[:, None], bounds_of((10_000,)))
    (constants,) = sensor.channels()
    expected = predicted_levels(samples.tolist(), constants.levels, constants.centre, leak, slope, refresh)
    assert converted(constants, samples) == expected


# Golden codes: no later change moves any -----------------------------------------------------------------------------


def golden_cases() -> dict[str, Constants]:
    """Converters by name, placed without fitting, so that the arithmetic alone decides."""
    cases = {}
    for bits in range(1, 6):
        levels = tuple(int((2 * k + 1 - 2**bits) * 1500 / bits) for k in range(2**bits))
        middles = tuple((a + b + 1) >> 1 for a, b in itertools.pairwise(levels))
        for leak, slope, refresh, native_bits in ((0, 0, 0, 16), (6, 0, 0, 12), (4, 1, 100, 10), (1, 3, 7, 8)):
            shared = Constants(bits, native_bits, centre=256, leak=leak, slope=slope, refresh=refresh)
            name = f"{bits} bits of {native_bits}, leak {leak}, slope {slope}, refresh {refresh}"
            cases[f"dpcm, {name}"] = replace(shared, thresholds=middles, levels=levels)
            cases[f"adpcm, {name}"] = replace(shared, steps=STEPS, moves=MOVES[bits], first=30, alike=3)
    return cases


def golden_samples() -> Samples:
    """Whole numbers by a rule that no library can change: a linear congruence, and its running sum."""
    state, value, samples = 1, 0, []
    for index in range(600):
        state = (1_103_515_245 * state + 12_345) % 2**31
        value = limited(value + (state >> 16) % 8001 - 4000) if index % 200 else -value
        samples.append(32767 if index in (50, 51, 300) else value)
    return np.array(samples, dtype=np.int64)


def golden_codes(constants: Constants) -> dict[str, Any]:
    counts = ((golden_samples() + 32768) >> (16 - constants.native_bits)).astype(np.uint16)[:, None]
    codes, values = kernel.convert([constants], counts, bounds_of((400, 200)))
    return {
        "codes": codes[:24, 0].tolist(),
        "values": values[:24, 0].tolist(),
        "all": zlib.crc32(np.concatenate([codes.ravel(), values.ravel().view(np.uint16)]).astype("<u2").tobytes()),
    }


@pytest.mark.parametrize("name", golden_cases())
def test_no_code_has_moved(name: str) -> None:
    assert golden_codes(golden_cases()[name]) == GOLDEN[name]


def test_every_golden_entry_is_compared() -> None:
    assert set(GOLDEN) == set(golden_cases())


@pytest.mark.parametrize("moves", [3, 1.5, "12", {1, 2}, [1, 2, 3]])
def test_moves_are_a_list_of_as_many_as_there_are_magnitudes(moves: object) -> None:
    with refused(ValueError, "ADPCM", 2):
        ADPCM(SOUND, 2, moves=moves)  # type: ignore[arg-type]


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_a_step_that_leaks_moves_as_goodman_and_wilkinson_say(bits: int) -> None:
    """log step(t + 1) = β · log step(t) + move, towards the first step; in exact fractions of a place."""
    random, leak, first = np.random.default_rng(bits), 4, 30
    codes = random.integers(0, 1 << bits, (400, 1)).astype(np.uint16)
    constants = Constants(bits, 16, steps=STEPS, moves=MOVES[bits], first=first, step_leak=leak)
    receiver = reference.Receiver([constants], 1)
    place, last, run = float(first), -1, 0
    for code in codes[:, 0].tolist():
        run = run + 1 if code == last else 1
        last, magnitude = code, int(run >= 2) if bits == 1 else code & ((1 << (bits - 1)) - 1)
        place = min(max(first + (place - first) * (1 - 2**-leak) + MOVES[bits][magnitude], 0.0), 88.0)
        receiver.take(np.array([[code]]), np.array([[True]]))
        assert receiver.place[0, 0] / 2**leak == pytest.approx(place, abs=1.0)


@pytest.mark.parametrize("bits", [1, 2])
def test_a_wrong_step_heals_where_it_leaks(bits: int) -> None:
    time = np.arange(6000)[:, None]
    x = 0.3 * np.sin(time / 9) * (2 + np.sin(time / 400)) + 0.02 * np.random.default_rng(0).normal(size=time.shape)
    bounds, lost = np.array([0, 6000]), np.zeros(6000, dtype=bool)
    lost[1000:1050] = True
    errors = {}
    for step_leak in (0, 4):
        sensor = ADPCM(SOUND, bits, leak=5, step_leak=step_leak)
        sensor.fit_recordings(x.astype(np.float32), bounds)
        stream = sensor.convert(x.astype(np.float32), bounds)
        received = sensor.receive(stream.codes, bounds, lost)
        errors[step_leak] = np.abs(received - stream.values)[4000:].max()
    assert errors[4] == 0
    assert errors[0] > 0.001


@pytest.mark.parametrize("step_leak", [-1, 11, 1.0, True])
def test_a_leak_of_the_step_has_a_range(step_leak: object) -> None:
    with refused(ValueError, f"step_leak={step_leak!r}", "ADPCM", 0, 10):
        ADPCM(SOUND, 2, step_leak=step_leak)  # type: ignore[arg-type]


def test_runs_that_were_recorded_before_the_step_leaked_keep_their_names() -> None:
    old: dict[str, Any] = {"quant": {"sensor": {"_target_": "qsense.quant.sensor.memory.adpcm.ADPCM", "bits": 2}}}
    assert decisive({"quant": {"sensor": old["quant"]["sensor"] | {"step_leak": 0}}}) == decisive(old)
    assert decisive({"quant": {"sensor": old["quant"]["sensor"] | {"step_leak": 4}}}) != decisive(old)
    assert ADPCM(SOUND, 2).step_leak == 0
