"""Converters of raw frames' rows: companding is lossless, rows are on their own, sender and receiver agree."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.refusal import refused

from qsense.quant.sensor.memory import kernel, reference
from qsense.quant.sensor.memory.companding import square_root
from qsense.quant.sensor.memory.constants import HIGHEST, LOWEST, Constants, nearest_counts, scaled
from qsense.quant.sensor.memory.row_dpcm import RowDPCM, frames_of, rows_of
from qsense.signal import Signal

RAW = Signal(4, 0.0, 1.0, "full scale", native_bits=12, bayer="RGGB")
BLACK = Signal(4, 0.0, 1.0, "full scale", native_bits=10, black=64, white=1000, bayer="RGGB")


def frames(signal: Signal = RAW, count: int = 6, height: int = 10, width: int = 24, seed: int = 0) -> Any:
    """Frames [count, 4, h, w] of different light, with shot noise and edges."""
    rng = np.random.default_rng(seed)
    light = np.exp(rng.uniform(np.log(0.003), np.log(0.6), (count, 1, 1, 1))) * np.ones((count, 4, height, width))
    light *= np.where(np.arange(width) // 7 % 2, 1.4, 1.0)
    counts = signal.black + rng.poisson(light * 5000) / 5000 * (signal.top - signal.black)
    return np.clip(np.round(counts), 0, signal.codes - 1).astype(np.uint16)


def placed(bits: int, signal: Signal = RAW, **settings: Any) -> RowDPCM:
    converter = RowDPCM(signal, bits, **settings)
    converter.fit_recordings(*rows_of(frames(signal, seed=99)))
    return converter


@pytest.mark.parametrize(("native_bits", "black"), [(8, 0), (10, 64), (12, 0), (12, 256), (14, 0), (14, 1024), (16, 0)])
def test_companding_ascends_and_comes_back_exactly(native_bits: int, black: int) -> None:
    places = np.array(square_root(native_bits, black))
    assert (places[0], places[-1], len(places)) == (LOWEST, HIGHEST, 1 << native_bits)
    assert (np.diff(places) >= (native_bits <= 14)).all()
    counts = np.arange(1 << native_bits)
    back = nearest_counts(scaled(counts, native_bits, tuple(places.tolist())), native_bits, tuple(places.tolist()))
    if native_bits <= 14:
        assert np.array_equal(back, counts)
    else:  # the brightest share places
        assert np.abs(back.astype(int) - counts).max() <= 1


def test_shot_noise_is_equally_large_on_the_companded_scale() -> None:
    rng, places = np.random.default_rng(0), np.array(square_root(12))
    spread = [places[rng.poisson(mean, 40_000)].std() for mean in (100, 400, 1600, 3000)]
    assert max(spread) / min(spread) < 1.05


@pytest.mark.parametrize("compand", [(), square_root(10, 64)], ids=["even", "sqrt"])
def test_the_nearest_count_is_the_nearest(compand: tuple[int, ...]) -> None:
    values = np.arange(LOWEST, HIGHEST + 1)
    places = scaled(np.arange(1024), 10, compand)
    away = np.abs(places[nearest_counts(values, 10, compand)] - values)
    near = np.clip(np.searchsorted(places, values), 1, 1023)
    assert np.array_equal(away, np.minimum(np.abs(places[near] - values), np.abs(places[near - 1] - values)))


@settings(max_examples=60, deadline=None)
@given(
    bits=st.integers(1, 8), leak=st.integers(0, 8), slope=st.integers(0, 4), refresh=st.sampled_from([0, 1, 5, 1000]),
    black=st.sampled_from([0, 64]), seed=st.integers(0, 999),
)  # fmt: skip
def test_kernel_and_reference_agree_on_companded_rows(
    bits: int, leak: int, slope: int, refresh: int, black: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    levels = np.sort(rng.integers(2 * LOWEST, 2 * HIGHEST, 1 << bits))
    channels = [
        Constants(bits, 10, int(rng.integers(LOWEST, HIGHEST)), leak, slope, refresh,
                  tuple(np.sort(rng.integers(LOWEST, HIGHEST, (1 << bits) - 1)).tolist()), tuple(levels.tolist()),
                  compand=square_root(10, black))
        for _ in range(2)
    ]  # fmt: skip
    counts = rng.integers(0, 1024, (60, 2)).astype(np.uint16)
    bounds = np.array([0, 20, 20, 60])
    codes, values = kernel.convert(channels, counts, bounds)
    expected = reference.convert(channels, counts, bounds)
    assert np.array_equal(codes, expected[0])
    assert np.array_equal(values, expected[1])
    lost = rng.random(60) < 0.2
    assert np.array_equal(kernel.decode(channels, codes, bounds), values)
    assert np.array_equal(kernel.decode(channels, codes, bounds, lost), reference.decode(channels, codes, bounds, lost))
    if refresh == 1:
        assert np.array_equal(nearest_counts(values, 10, channels[0].compand), counts)


@pytest.mark.parametrize("signal", [RAW, BLACK], ids=["12 bits", "10 bits, black"])
@pytest.mark.parametrize("changes", [{}, {"companding": "none"}, {"output": "linear"}, {"refresh": 5}], ids=str)
def test_a_frame_arrives_as_it_is_decoded(signal: Signal, changes: dict[str, Any]) -> None:
    converter, raw = placed(4, signal, **changes), frames(signal)
    arrived = converter.received(raw)
    assert arrived.dtype == np.uint16
    assert arrived.shape == raw.shape
    codes = converter.encode(torch.from_numpy(raw.astype(np.int32)))
    seen = converter.decode(codes)
    assert torch.equal(seen, converter(torch.from_numpy(arrived.astype(np.int32))))
    assert seen.min() >= 0
    assert seen.max() <= 1
    rows, bounds = rows_of(raw)
    stream = converter.convert(rows, bounds)
    assert np.array_equal(frames_of(stream.values, raw.shape), seen.numpy())


def test_each_row_of_each_colour_is_on_its_own() -> None:
    converter, raw = placed(3), frames()
    arrived = converter.received(raw)
    assert np.array_equal(converter.received(raw[2]), arrived[2])
    assert np.array_equal(converter.received(raw[:, :, 3:5]), arrived[:, :, 3:5])
    other = raw.copy()
    other[:, 1] = 4095 - other[:, 1]
    assert np.array_equal(converter.received(other)[:, [0, 2, 3]], arrived[:, [0, 2, 3]])
    later = raw.copy()
    later[..., 12:] = 0
    assert np.array_equal(converter.received(later)[..., :12], arrived[..., :12])


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_between_the_outer_levels_no_error_exceeds_half_a_gap(bits: int) -> None:
    converter = placed(bits)
    rows, bounds = rows_of(frames(count=12))
    codes, values = kernel.convert(converter.channels(), rows.astype(np.uint16), bounds)
    error = np.abs(values - converter.scaled(rows))
    inner = (codes > 0) & (codes < (1 << bits) - 1)
    assert inner.mean() > 0.3
    for channel, constants in enumerate(converter.channels()):
        assert error[inner[:, channel], channel].max() <= (np.diff(constants.levels).max() + 1) // 2


@pytest.mark.parametrize("output", ["companded", "linear"])
def test_the_network_sees_black_as_low_and_white_as_high(output: Any) -> None:
    converter = RowDPCM(BLACK, 4, output=output)
    seen = converter(torch.tensor([0, 64, 532, 1000, 1023]))
    assert seen[[0, 1, 3, 4]].tolist() == [0, 0, 1, 1]
    middle = 0.5 if output == "linear" else (np.sqrt(469) - 1) / (np.sqrt(937) - 1)
    assert seen[2].item() == pytest.approx(middle, abs=1e-4)
    values = torch.rand(3)
    assert torch.equal(converter(values), values)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"companding": "log"}, ("companding='log'", "sqrt", "none")),
        ({"output": "code"}, ("output='code'", "companded", "linear")),
        ({"bits": 9}, ("bits=9", 1, 8)),
        ({"signal": Signal(3, -1.0, 1.0, "g", rate_hz=50.0)}, ("native codes", "lloyd_max")),
        ({"signal": Signal(3, 0.0, 1.0, "full scale")}, ("native codes", "lloyd_max")),
        ({"signal": Signal(4, 0.0, 1.0, "full scale", native_bits=24)}, ("native_bits=24", 16)),
    ],
)
def test_what_cannot_be_is_named(arguments: dict[str, Any], named: tuple[object, ...]) -> None:
    with refused(ValueError, "RowDPCM", *named):
        RowDPCM(**{"signal": RAW, "bits": 4, **arguments})


def test_frames_have_three_dimensions_and_codes_are_integers() -> None:
    with refused(ValueError, "[4, 4]", "planes"):
        placed(4).received(np.zeros((4, 4), np.uint16))
    with refused(ValueError, "torch.float32", "RowDPCM"):
        placed(4).received_frames(torch.rand(4, 2, 2))
