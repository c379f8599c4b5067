"""Native counts in two's complement: every form agrees with that in offset binary, and every check passes."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.chip.converters import a_run, converters
from tests.chip.memory.codecs import a_codec
from tests.chip.memory.codecs import write as write_memory

from qsense.chip import conformance, registers, tables, vectors
from qsense.chip.coding import Coding
from qsense.chip.converter import Converter, convert
from qsense.chip.datasheet import datasheet
from qsense.chip.export import texts
from qsense.chip.memory import conformance as memory_conformance
from qsense.chip.memory import tables as memory_tables
from qsense.chip.memory import vectors as memory_vectors
from qsense.chip.names import FORMATS
from qsense.quant.sensor.gamma import Gamma
from qsense.quant.sensor.linear import Linear
from qsense.signal import Signal

EVERY = converters()
TOOLS = pytest.mark.skipif(
    not (shutil.which("gcc") and shutil.which("iverilog")), reason="gcc or Icarus Verilog is not installed"
)


def signed(converter: Converter) -> Converter:
    return replace(converter, native=replace(converter.native, twos_complement=True))


def write(converter: Converter, folder: Path) -> None:
    notes: list[str] = []
    for file, text in texts(converter, a_run(), FORMATS, None, notes).items():
        (folder / file).write_text(text, encoding="utf-8")
    if find_spec("onnxscript") and converter.native.bits == 9:  # a model takes seconds
        from qsense.chip import onnx_model

        (folder / "sensor_counts.onnx").write_bytes(onnx_model.sensor_by_counts(converter))
        (folder / "sensor_values.onnx").write_bytes(onnx_model.sensor_by_values(converter))


@given(st.integers(1, 32), st.data())
def test_words_are_numbers_in_twos_complement(bits: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, (1 << bits) - 1))
    coding = Coding(bits, signed=True)
    number, word = coding.number(count), coding.word(count)
    assert coding.lowest <= number <= coding.highest
    assert word == number % (1 << bits)
    assert coding.word(word) == count
    offset = Coding(bits)
    assert (offset.number(count), offset.word(count), offset.lowest) == (count, count, 0)


@TOOLS
@pytest.mark.parametrize(
    "name",
    ["gamma per axis, values", "gamma per condition, raw", "linear, black and white", "gamma, signed codes", "half"],
)
def test_every_form_agrees(name: str, tmp_path: Path) -> None:
    sensor, converter = EVERY[name]
    write(signed(converter), tmp_path)
    checks = conformance.check(tmp_path, signed(converter), sensor, floats=1000)
    assert {"C", "Verilog", "PyTorch"} <= {each.what.partition(",")[0] for each in checks if each.passed}
    assert not [each for each in checks if each.passed is False]


@TOOLS
@pytest.mark.parametrize("native", [1, 8, 16, 24, 32])
def test_every_width(native: int, tmp_path: Path) -> None:
    sensor = Linear(Signal(1, 0.0, 1.0, "V", native_bits=native), 1 if native == 1 else 3)
    converter = convert(sensor, "adc", {}, twos_complement=True)
    write(converter, tmp_path)
    checks = conformance.check(tmp_path, converter, sensor, floats=100)
    assert not [each for each in checks if each.passed is False], checks


@TOOLS
def test_forms_in_another_coding_fail(tmp_path: Path) -> None:
    sensor, converter = EVERY["log, raw"]
    write(converter, tmp_path)
    checks = {each.what: each.passed for each in conformance.check(tmp_path, signed(converter), sensor, floats=100)}
    assert not checks["PyTorch, every native count"]


def test_tables_say_the_same_numbers() -> None:
    """As an engineer would compare them: each number less 2^(n−1), and each word with its highest bit inverted."""
    _, converter = EVERY["gamma per axis, values"]
    other, half = signed(converter), 2048
    one, two = (json.loads(tables.as_json(each, a_run())) for each in (converter, other))
    assert two["native"]["coding"] == "two's complement"
    assert (two["native"]["black"], two["native"]["white"]) == (-2048, 2047)
    for a, b in zip(one["rows"], two["rows"], strict=True):
        assert [count - half for count in a["native_counts"]] == b["native_counts"]
        np.testing.assert_allclose(np.array(a["native_positions"]) - half, b["native_positions"])
        assert (a["lut"], a["thresholds"]) == (b["lut"], b["thresholds"])
    assert one["network_sees"] == two["network_sees"]

    def cells(text: str) -> list[list[str]]:
        return list(csv.reader(io.StringIO(text)))[1:]

    for a, b in zip(cells(tables.thresholds_csv(converter)), cells(tables.thresholds_csv(other)), strict=True):
        assert (int(a[4]) - half, a[:3]) == (int(b[4]), b[:3])
    for a, b in zip(cells(tables.lut_csv(converter)), cells(tables.lut_csv(other)), strict=True):
        assert (int(a[0]) - half, a[1:]) == (int(b[0]), b[1:])
    numbers = [int(line.split()[1], 16) for line in registers.as_text(other, a_run()).splitlines() if line[0] != "#"]
    assert numbers == [(int(count) - half) % 4096 for count in converter.counts.ravel()]
    given, found = vectors.vectors(converter), vectors.read(vectors.as_text(other, a_run()), other.native.coding)
    assert all(np.array_equal(getattr(given, key), getattr(found, key)) for key in ("row", "count", "code"))
    assert "\n0_800_0\n" in vectors.as_text(other, a_run())


def test_a_comparator_that_is_off() -> None:
    _, converter = EVERY["half"]
    text = registers.as_text(signed(converter), a_run())
    assert text.endswith("ALL_THRESHOLD_3 0x0800\n")
    assert "# 0x800: comparator off" in text
    assert "13 bits per register" in text


def test_offset_binary_is_what_is_written_unless_asked() -> None:
    for name, (sensor, converter) in EVERY.items():
        every = texts(converter, a_run(), FORMATS, None, [])
        assert "complement" not in "".join(every.values()), name
        assert "complement" not in datasheet(converter, sensor, a_run())


@TOOLS
@pytest.mark.parametrize("kind", ["adpcm 1, all", "adpcm 2, refresh", "dpcm 8, refresh 1", "dpcm 3, neither"])
def test_every_converter_with_memory_agrees(kind: str, tmp_path: Path) -> None:
    sensor, found = a_codec(kind, twos_complement=True)
    write_memory(found, tmp_path)
    checks = memory_conformance.check(tmp_path, found, sensor, samples=3000, simulate=300)
    assert all(each.passed for each in checks), checks
    header = (tmp_path / "adc_under_test.h").read_text()
    assert re.search(r"typedef int(8|16)_t adc_under_test_sample;", header)


def test_a_sample_that_is_sent_as_it_is_is_sent_as_it_is_written() -> None:
    _, plain = a_codec("dpcm 2, all")
    _, other = a_codec("dpcm 2, all", twos_complement=True)
    one, two = memory_vectors.vectors(plain), memory_vectors.written(other, memory_vectors.vectors(other))
    changed = one.code != two.code
    assert np.array_equal(two.code[changed], two.count[changed])
    starts = (one.flags & memory_vectors.START) != 0
    assert (changed | (one.code == two.code))[starts].all()
    assert changed[starts].all(), "a recording starts with a native count"
    again = memory_vectors.read(memory_vectors.as_text(other, a_run()), other)
    assert all(np.array_equal(getattr(again, key), getattr(one, key)) for key in vars(one))
    content: dict[str, Any] = json.loads(memory_tables.as_json(other, a_run()))
    assert (content["native"]["coding"], content["native"]["black"]) == ("two's complement", -2048)
    assert content["rows"] == json.loads(memory_tables.as_json(plain, a_run()))["rows"]


def test_a_signed_sample_beyond_its_bits_is_cut_off(tmp_path: Path) -> None:
    from qsense.chip import c_header

    sensor = Gamma(Signal(1, -1.0, 1.0, "g", native_bits=12), 2)
    text = c_header.header(convert(sensor, "adc", {}, twos_complement=True), a_run())
    assert "if (sample < -2048) sample = -2048;" in text
    assert "if (sample > 2047) sample = 2047;" in text
    assert "typedef int16_t adc_sample;" in text
