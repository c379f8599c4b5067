"""What every converter with memory of `conf/quant/sensor` holds; a new YAML is tested as it is."""

from __future__ import annotations

import io
import itertools
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.quant.sensor.memory.recordings import (
    AT_ALL_BITS,
    BIPOLAR,
    CONVERTERS,
    MOST_BITS,
    SIGNALS,
    bounds_of,
    built,
    placed,
    placed_anew,
    recordings,
)
from tests.refusal import refused

from qsense.experiment import signatures
from qsense.quant.sensor.base import SensorQuantizer
from qsense.quant.sensor.memory import kernel, reference
from qsense.quant.sensor.memory.base import MemoryConverter
from qsense.quant.sensor.memory.constants import scaled

LENGTHS = (150, 0, 1, 2, 0, 97, 0)  # of recordings; empty ones lie before, between and behind the others
SETTINGS: list[dict[str, Any]] = [
    {},
    {"leak": 0},
    {"leak": 1, "slope": 1},
    {"leak": 15, "slope": 3, "refresh": 1},
    {"refresh": 13},
]

at_all_bits = pytest.mark.parametrize(("name", "bits"), AT_ALL_BITS)
of_all_signals = pytest.mark.parametrize("kind", SIGNALS)


def converters(name: str, bits: int) -> Iterator[MemoryConverter]:
    """At these bits: one for each signal, and one for each setting."""
    for signal in SIGNALS.values():
        yield placed(name, bits, signal)
    for changes in SETTINGS[1:]:
        yield placed(name, bits, **changes)


def test_yamls_state_every_argument() -> None:
    assert {"dpcm", "adpcm"} <= set(CONVERTERS)
    for name, sensor in CONVERTERS.items():
        assert set(sensor) - {"_target_"} == set(signatures.arguments(sensor["_target_"]) or {}) - {"signal"}, name
        assert not issubclass(type(built(name, 1)), SensorQuantizer), "it has no curve"
        assert not built(name, 1).state_dict()["placed"]


@at_all_bits
def test_codes_and_values(name: str, bits: int) -> None:
    for converter in converters(name, bits):
        x, bounds = recordings(converter.signal, LENGTHS)
        codes, values = converter.convert(x, bounds)
        assert codes.shape == values.shape == x.shape
        assert codes.dtype == np.uint16
        assert values.dtype == np.float32
        refreshed = np.zeros(len(x), dtype=bool)
        for start, end in itertools.pairwise(bounds):
            refreshed[start : end : converter.refresh or end + 1] = bool(converter.refresh)
        assert codes[~refreshed].max(initial=0) < 2**bits
        assert np.array_equal(codes[refreshed], converter.counts(x)[refreshed])
        signal, native = converter.signal, converter.white - converter.black
        assert signal.low is not None
        assert signal.high is not None
        assert values.min() >= np.float32(signal.low)
        assert values.max() <= np.float32(signal.high)
        half = (signal.high - signal.low) / native / 2
        exact = np.clip(x, signal.low, signal.high)[refreshed]
        assert np.abs(values[refreshed] - exact).max(initial=0) <= half * (1 + 1e-4) + 1e-6
        share = len(range(0, 10_000, converter.refresh)) / 10_000 if converter.refresh else 0
        assert converter.rate == pytest.approx(bits + share * (converter.native_bits - bits), abs=0.01)


@at_all_bits
def test_what_is_decoded_is_what_the_network_sees(name: str, bits: int) -> None:
    for converter in converters(name, bits):
        x, _ = recordings(converter.signal, (120,))
        codes, values = converter.convert(x, bounds_of((120,)))
        encoded = converter.encode(torch.from_numpy(x))
        assert np.array_equal(encoded.numpy(), codes)
        assert np.array_equal(converter.decode(encoded).numpy(), values)
        assert np.array_equal(converter.receive(codes, bounds_of((120,))), values)
        seen = torch.from_numpy(values)[None]
        assert torch.equal(converter(seen), seen)
        assert torch.equal(converter.eval()(seen), seen)
        assert converter(seen.half()).dtype == torch.float32
        assert converter(seen.double()).dtype == torch.float64
        batch = torch.from_numpy(x).view(4, 30, -1)
        alone = torch.stack([converter.encode(recording) for recording in batch])
        assert torch.equal(converter.encode(batch), alone)
        assert torch.equal(converter.decode(alone), torch.stack([converter.decode(codes) for codes in alone]))


@at_all_bits
def test_recordings_know_nothing_of_one_another(name: str, bits: int) -> None:
    for converter in converters(name, bits):
        x, bounds = recordings(converter.signal, LENGTHS)
        codes, values = converter.convert(x, bounds)
        for start, end in itertools.pairwise(bounds):
            alone = converter.convert(x[start:end], np.array([0, end - start]))
            assert np.array_equal(alone.codes, codes[start:end])
            assert np.array_equal(alone.values, values[start:end])
        nothing = converter.convert(x[:0], np.array([0]))
        assert nothing.codes.shape == nothing.values.shape == (0, converter.rows)


@at_all_bits
def test_what_comes_later_changes_nothing_before(name: str, bits: int) -> None:
    for converter in converters(name, bits):
        x, bounds = recordings(converter.signal, (160,))
        codes, values = converter.convert(x, bounds)
        for end in (1, 2, 40, 159):
            changed = x.copy()
            changed[end:] = -changed[end:]
            for part in (x[:end], changed):
                other = converter.convert(part, np.array([0, len(part)]))
                assert np.array_equal(other.codes[:end], codes[:end])
                assert np.array_equal(other.values[:end], values[:end])


@at_all_bits
@of_all_signals
def test_channels_know_nothing_of_one_another(name: str, bits: int, kind: str) -> None:
    converter = placed(name, bits, SIGNALS[kind])
    x, bounds = recordings(converter.signal, LENGTHS)
    codes, values = converter.convert(x, bounds)
    for channel in range(converter.rows):
        other = np.roll(x, 7, axis=0)[:, ::-1].copy()
        other[:, channel] = x[:, channel]
        changed = converter.convert(other, bounds)
        assert np.array_equal(changed.codes[:, channel], codes[:, channel])
        assert np.array_equal(changed.values[:, channel], values[:, channel])
        constants = [converter.channels()[channel]]
        alone, _ = kernel.convert(constants, converter.counts(x[:, channel : channel + 1]), bounds)
        assert np.array_equal(alone[:, 0], codes[:, channel])


@at_all_bits
def test_what_is_not_finite_is_refused(name: str, bits: int) -> None:
    converter = placed_anew(name, bits)
    x, bounds = recordings(BIPOLAR, (30,))
    for bad in (np.nan, np.inf, -np.inf):
        x[[4, 9], 1] = bad
        for refuses in (converter.convert, converter.fit_recordings):
            with refused(ValueError, 2, x.size, "[4, 1]"):
                refuses(x, bounds)
        with refused(ValueError, 2, x.size, "[4, 1]"):
            converter.encode(torch.from_numpy(x))


@pytest.mark.parametrize("name", CONVERTERS)
def test_a_converter_without_tables_says_what_to_do(name: str) -> None:
    converter, (x, bounds) = built(name, 2), recordings(BIPOLAR, (30,))
    codes = torch.zeros(30, 3, dtype=torch.int32)
    for refuses in (
        lambda: converter.convert(x, bounds),
        lambda: converter.receive(codes.numpy(), bounds),
        lambda: converter.encode(torch.from_numpy(x)),
        lambda: converter.decode(codes),
    ):
        with refused(RuntimeError, type(converter).__name__, "sensor.fit_recordings"):
            refuses()


@pytest.mark.parametrize("name", CONVERTERS)
def test_wrong_shapes_and_bounds_are_refused(name: str) -> None:
    converter, (x, bounds) = placed_anew(name, 2, refresh=7), recordings(BIPOLAR, (10, 20))
    codes, _ = converter.convert(x, bounds)
    for wrong in ([0, 29], [0, 31], [1, 30], [0, 20, 10, 30], [-1, 30], [], [30]):
        for refuses in (converter.convert, converter.fit_recordings):
            with refused(ValueError, "bounds", 30):
                refuses(x, np.array(wrong, dtype=np.int64))
        with refused(ValueError, "bounds", 30):
            converter.receive(codes, np.array(wrong, dtype=np.int64))
    for columns in (2, 4):
        other = np.zeros((30, columns))
        for refuses in (converter.convert, converter.fit_recordings):
            with refused(ValueError, [30, columns], 3):
                refuses(other, bounds)
        with refused(ValueError, [30, columns], 3):
            converter.encode(torch.from_numpy(other))
        with refused(ValueError, [30, columns], 3):
            converter.receive(other.astype(np.uint16), bounds)
    with refused(ValueError, [0, 3]):
        converter.fit_recordings(x[:0], np.array([0, 0]))
    for shape in ([30], [1, 2, 3, 3]):
        with refused(ValueError, shape):
            converter.encode(torch.zeros(shape))
        with refused(ValueError, shape):
            converter.decode(torch.zeros(shape, dtype=torch.int32))
    with refused(ValueError, "lost", [29], 30):
        converter.receive(codes, bounds, np.zeros(29, dtype=bool))


@at_all_bits
def test_codes_that_are_none_are_refused(name: str, bits: int) -> None:
    converter = placed(name, bits, refresh=10)
    good = torch.zeros(30, 3, dtype=torch.int64)
    good[::10] = 4095
    converter.decode(good)
    for place, code in ((0, 4096), (5, 2**bits), (9, 65536), (11, 4095), (29, -1), (20, 65536)):
        codes = good.clone()
        codes[place, 1] = code
        with refused(ValueError, max(code, 4095), bits, 2**bits - 1, 4095):
            converter.decode(codes)
        with refused(ValueError, max(code, 4095)):
            converter.receive(codes.numpy(), bounds_of((30,)))
    for dtype in (torch.float32, torch.bool):
        with refused(ValueError, dtype):
            converter.decode(good.to(dtype))


@at_all_bits
def test_a_state_makes_another_converter_the_same(name: str, bits: int) -> None:
    for changes in SETTINGS:
        converter, other = placed(name, bits, **changes), built(name, bits, **changes)
        file = io.BytesIO()
        torch.save(converter.state_dict(), file)
        file.seek(0)
        other.load_state_dict(torch.load(file, weights_only=True))
        x, bounds = recordings(BIPOLAR, LENGTHS, seed=3)
        assert np.array_equal(converter.convert(x, bounds).codes, other.convert(x, bounds).codes)
        assert np.array_equal(converter.convert(x, bounds).values, other.convert(x, bounds).values)
        assert other.channels() == converter.channels()


@at_all_bits
def test_fitting_is_the_same_every_time_whatever_else_runs(name: str, bits: int) -> None:
    threads = torch.get_num_threads()
    try:
        found = []
        for count in (1, 2):
            torch.set_num_threads(count)
            torch.manual_seed(count)
            found.append(placed_anew(name, bits, slope=2))
    finally:
        torch.set_num_threads(threads)
    assert found[0].channels() == found[1].channels()
    x, bounds = recordings(BIPOLAR, LENGTHS)
    assert np.array_equal(found[0].convert(x, bounds).codes, found[1].convert(x, bounds).codes)
    before = found[0].channels()
    found[0].fit_recordings(*recordings(BIPOLAR, (400,), seed=5))
    found[0].fit_recordings(*recordings(BIPOLAR, (200, 1, 0, 300), seed=99))
    assert found[0].channels() == before, "nothing is left of what was fitted earlier"


@at_all_bits
@pytest.mark.parametrize("kind", ["bipolar", "black and white level", "16 native bits"])
def test_samples_of_any_type_are_the_same_counts(name: str, bits: int, kind: str) -> None:
    converter = placed(name, bits, SIGNALS[kind])
    x, bounds = recordings(converter.signal, LENGTHS)
    counts = converter.counts(x)
    exact = converter.values(scaled(counts, converter.native_bits))  # float32, on the grid of counts
    codes = converter.convert(exact, bounds).codes
    assert np.array_equal(converter.counts(exact.astype(np.float64)), counts)
    signed = (np.int32, np.int64)  # which may be values where no native bits are stated
    for dtype in (np.float64, np.uint16, np.uint32, *(signed if converter.signal.native_bits else ())):
        same = exact.astype(dtype) if dtype == np.float64 else counts.astype(dtype)
        assert np.array_equal(converter.convert(same, bounds).codes, codes)
        assert np.array_equal(converter.convert(np.asfortranarray(same), bounds).codes, codes)
    beyond = counts.astype(np.int64) + (1 << 20) * (counts == counts.max()) - (1 << 20) * (counts == counts.min())
    if converter.signal.native_bits is None:
        with refused(ValueError, "int64", "native_bits", "uint16"):
            converter.counts(beyond)
        return
    assert converter.counts(beyond).max() == 2**converter.native_bits - 1
    assert converter.counts(beyond).min() == 0


@at_all_bits
def test_the_kernel_is_the_reference(name: str, bits: int) -> None:
    rng = np.random.default_rng(1)
    for converter in converters(name, bits):
        x, bounds = recordings(converter.signal, LENGTHS, seed=bits)
        counts, channels = converter.counts(x), converter.channels()
        codes, values = kernel.convert(channels, counts, bounds)
        expected = reference.convert(channels, counts, bounds)
        assert np.array_equal(codes, expected[0])
        assert np.array_equal(values, expected[1])
        for lost in (None, rng.random(len(x)) < 0.3, np.ones(len(x), dtype=bool), np.zeros(len(x), dtype=bool)):
            received = kernel.decode(channels, codes, bounds, lost)
            assert np.array_equal(received, reference.decode(channels, codes, bounds, lost))
            if lost is None or not lost.any():
                assert np.array_equal(received, values)


@at_all_bits
def test_a_lost_code_holds_the_last_value_and_a_refresh_mends(name: str, bits: int) -> None:
    converter = placed(name, bits, refresh=10)
    x, bounds = recordings(BIPOLAR, (40,))
    codes, values = converter.convert(x, bounds)
    lost = np.zeros(40, dtype=bool)
    lost[[13, 14, 15]] = True
    received = converter.receive(codes, bounds, lost)
    assert np.array_equal(received[:13], values[:13])
    assert np.array_equal(received[[13, 14, 15]], received[[12, 12, 12]])
    assert np.array_equal(received[20:], values[20:])
    lost[20] = True
    assert np.array_equal(converter.receive(codes, bounds, lost)[30:], values[30:])


@pytest.mark.parametrize("name", CONVERTERS)
@pytest.mark.parametrize("failure", ["no compiler", "a compiler that fails"])
def test_without_a_compiler_it_is_the_same(
    name: str, failure: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    x, bounds = recordings(BIPOLAR, LENGTHS)
    expected = placed(name, 2, refresh=13).convert(x, bounds)
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path))
    if failure == "no compiler":
        monkeypatch.setattr(shutil, "which", lambda _: None)
    else:
        monkeypatch.setattr(shutil, "which", lambda _: "/bin/false")
    kernel.library.cache_clear()
    try:
        with caplog.at_level(logging.WARNING):
            converter = placed_anew(name, 2, refresh=13)
        assert kernel.library() is None
        assert len(caplog.records) == 1
        found = converter.convert(x, bounds)
        assert np.array_equal(converter.receive(found.codes, bounds), found.values)
    finally:
        kernel.library.cache_clear()
    assert np.array_equal(found.codes, expected.codes)
    assert np.array_equal(found.values, expected.values)


@pytest.mark.parametrize("name", CONVERTERS)
@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"bits": 0}, ["bits=0", 1]),
        ({"native_bits": 1}, ["native_bits=1", 2, 16]),
        ({"native_bits": 17}, ["native_bits=17", 2, 16]),
        ({"leak": 16}, ["leak=16", 0, 15]),
        ({"slope": -1}, ["slope=-1", 0, 15]),
        ({"slope": True}, ["slope=True", 0, 15]),
        ({"refresh": -1}, ["refresh=-1", 0, 1 << 20]),
    ],
)
def test_settings_out_of_range_are_refused(name: str, changes: dict[str, Any], named: list[object]) -> None:
    with refused(ValueError, *named):
        built(name, **{"bits": 2, **changes})


@pytest.mark.parametrize("name", CONVERTERS)
def test_bits_and_signals_that_do_not_fit_are_refused(name: str) -> None:
    most = MOST_BITS[name]
    with refused(ValueError, f"bits={most + 1}", 1, most):
        built(name, most + 1)
    with refused(ValueError, "native_bits=12", 8):
        built(name, 2, SIGNALS["8 native bits"], native_bits=12)
    assert built(name, 2, SIGNALS["8 native bits"], native_bits=8).native_bits == 8
