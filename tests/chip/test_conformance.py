"""The check of all forms against each other: what it compares, what it finds, what it could not check."""

from __future__ import annotations

import re
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.chip.converters import ACCELEROMETER, STATISTICS, a_run, converters
from tests.refusal import assert_names

from qsense.chip import c_header, conformance, vectors, verilog
from qsense.chip.conformance import Check, check, listened_to, random_values
from qsense.chip.converter import Converter, convert
from qsense.quant.sensor.base import SensorQuantizer
from qsense.quant.sensor.gamma import Gamma
from qsense.quant.sensor.linear import Linear

EVERY = converters()
BOTH = pytest.mark.skipif(
    not (shutil.which("gcc") and shutil.which("iverilog")), reason="gcc or Icarus Verilog is not installed"
)


def export(converter: Converter, folder: Path) -> None:
    run, name = a_run(), converter.name
    for file, text in {
        f"{name}.h": c_header.header(converter, run),
        f"{name}_test.c": c_header.program(converter),
        f"{name}.v": verilog.module(converter, run),
        f"{name}_tb.v": verilog.bench(converter),
        f"{name}_lut.hex": verilog.lut_file(converter, run),
        f"{name}_vectors.hex": vectors.as_text(converter, run),
    }.items():
        (folder / file).write_text(text, encoding="utf-8")


@BOTH
@pytest.mark.parametrize("name", EVERY)
def test_every_kind_of_converter_agrees(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sensor, converter = EVERY[name]
    export(converter, tmp_path)
    monkeypatch.chdir(tmp_path)
    found = check(Path(), converter, sensor, floats=5000)
    assert {each.what.partition(",")[0]: each.passed for each in found} == {
        "PyTorch": True, "C": True, "Verilog": True, "ONNX": None,
    }  # fmt: skip
    counts = len(converter.rows) * converter.native.codes
    assert str(found[0]) == f"PyTorch, every native count: passed: {counts:,} codes, 0 differences"
    if sensor.signal.native_bits is None:
        trained = found.pop(1)
        assert trained.what == "PyTorch, every native count as float32, normalised as in training"
        assert f"{counts:,} codes, 0 differences" in trained.detail
    assert str(found[1]) == f"PyTorch, floats: passed: {5000 * len(converter.rows):,} codes, 0 differences"
    assert str(found[-1]) == "ONNX: not checked: was not written"


@BOTH
def test_another_quantizer_fails_everywhere(tmp_path: Path) -> None:
    """The files of one converter beside the numbers of another."""
    sensor = Gamma(ACCELEROMETER, 2, gamma=0.6)
    export(convert(Gamma(ACCELEROMETER, 2, gamma=0.4), "x", STATISTICS), tmp_path)
    converter = convert(sensor, "x", STATISTICS)
    found = {each.what: each for each in check(tmp_path, converter, sensor, floats=1000)}
    assert found["PyTorch, every native count"].passed is False
    assert found["C, floats in the sensor's unit"].passed is False
    assert "FAILED" in str(found["PyTorch, every native count"])
    (tmp_path / "x_vectors.hex").write_text(vectors.as_text(converter, a_run()), encoding="utf-8")
    found = {each.what.partition(",")[0]: each for each in check(tmp_path, converter, sensor, floats=1000)}
    assert found["PyTorch"].passed
    assert found["C"].passed is False
    assert found["C"].detail.startswith("FAIL: 12288 vectors, ")
    assert found["Verilog"].passed is False
    assert "FAIL: 12288 vectors, " in found["Verilog"].detail


@pytest.mark.skipif(find_spec("onnxscript") is None or find_spec("onnxruntime") is None, reason="no ONNX installed")
def test_another_quantizer_fails_in_onnx(tmp_path: Path) -> None:
    from qsense.chip import onnx_model

    sensor = Gamma(ACCELEROMETER, 2, gamma=0.6)
    converter = convert(sensor, "x", STATISTICS)
    other = convert(Gamma(ACCELEROMETER, 2, gamma=0.4), "x", STATISTICS)
    (tmp_path / "x_vectors.hex").write_text(vectors.as_text(converter, a_run()), encoding="utf-8")
    for written, passed in ((converter, True), (other, False)):
        (tmp_path / "sensor_counts.onnx").write_bytes(onnx_model.sensor_by_counts(written))
        (tmp_path / "sensor_values.onnx").write_bytes(onnx_model.sensor_by_values(written))
        found = {each.what: each.passed for each in check(tmp_path, converter, sensor, floats=1000)}
        assert found["ONNX, every native count"] is passed
        assert found["ONNX, floats"] is passed


@BOTH
def test_code_that_does_not_compile(tmp_path: Path) -> None:
    sensor, converter = EVERY["log, raw"]
    export(converter, tmp_path)
    for file in ("adc_under_test.h", "adc_under_test.v"):
        (tmp_path / file).write_text("nonsense\n")
    found = {each.what.partition(",")[0]: each for each in check(tmp_path, converter, sensor, floats=100)}
    assert found["C"].detail.startswith("does not compile: ")
    assert found["Verilog"].detail.startswith("does not compile cleanly: ")


def test_a_missing_tool_is_not_a_passed_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sensor, converter = EVERY["log, raw"]
    export(converter, tmp_path)
    (tmp_path / "sensor_counts.onnx").write_bytes(b"")
    monkeypatch.setattr("shutil.which", lambda tool: None)
    monkeypatch.setattr(conformance, "find_spec", lambda package: None)
    found = [str(each) for each in check(tmp_path, converter, sensor, floats=100)[2:]]
    assert found == [
        "C: not checked: gcc is not installed (Debian: apt-get install gcc)",
        "Verilog: not checked: Icarus Verilog is not installed (Debian: apt-get install iverilog)",
        "ONNX: not checked: onnxruntime is not installed (pip install 'qsense[export]')",
    ]


def test_ties_of_training_are_told_from_differences(tmp_path: Path) -> None:
    """Linear at floor over exactly the native range: codes begin at counts, and float32 puts some of them below."""
    sensor = Linear(ACCELEROMETER, 8, rounding="floor")
    ends: dict[str, Any] = {"low": [-1.9, -2.3, -1.7], "high": [1.9, 2.3, 1.7]}
    what = "PyTorch, every native count as float32, normalised as in training"

    def verdict(converter: Converter, sensor: SensorQuantizer) -> Check:
        (tmp_path / "x_vectors.hex").write_text(vectors.as_text(converter, a_run()), encoding="utf-8")
        return {each.what: each for each in check(tmp_path, converter, sensor, floats=100)}[what]

    tied = verdict(convert(sensor, "x", ends, (-1.9, 1.9)), sensor)
    assert tied.passed
    assert re.fullmatch(r"12,288 codes, 0 differences, [1-9]\d* other codes at ties", tied.detail)
    other = verdict(convert(sensor, "x", STATISTICS, (-1.9, 1.9)), Linear(ACCELEROMETER, 8, rounding="round"))
    assert other.passed is False
    plain = Gamma(ACCELEROMETER, 2, mu=0.5)
    converter = convert(plain, "x", {}, (-3.0, 3.0))  # not normalised
    (tmp_path / "x_vectors.hex").write_text(vectors.as_text(converter, a_run()), encoding="utf-8")
    said = str(check(tmp_path, converter, plain, floats=100)[1])
    assert said == "PyTorch, every native count as float32: passed: 4,096 codes, 0 differences"


def test_random_values_crowd_around_thresholds() -> None:
    _, converter = EVERY["gamma per axis, values"]
    x = random_values(converter, 1, 10_000)
    assert x.dtype == np.float32
    assert np.array_equal(x, random_values(converter, 1, 10_000))
    distance = np.abs(x[:, None] - converter.seen[1]).min(axis=1)
    assert (distance < 1e-6).mean() > 0.49
    assert x.min() < -1
    assert x.max() > 1


def test_how_a_check_reads() -> None:
    assert str(Check("C", True, "fine")) == "C: passed: fine"
    wrong = conformance.compared("C", np.array([1, 2]), np.array([1, 3]))
    assert str(wrong) == "C: FAILED: 2 codes, 1 differences"
    assert conformance.compared("C", np.array([1]), np.array([1, 3])).passed is False


def test_a_program_is_heard_line_by_line_and_killed_if_it_does_not_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[None] = []
    done = listened_to([sys.executable, "-c", "print('a'); print('b')"], tmp_path, lambda: heard.append(None))
    assert (done.returncode, done.stdout, len(heard)) == (0, "a\nb\n", 2)
    wrong = listened_to([sys.executable, "-c", "import sys; sys.exit('no file')"], tmp_path, lambda: None)
    assert (wrong.returncode, wrong.stderr) == (1, "no file\n")
    monkeypatch.setattr("qsense.chip.conformance.PATIENCE", 0.5)
    endless = listened_to([sys.executable, "-c", "while True: pass"], tmp_path, lambda: None)
    assert endless.returncode != 0
    assert_names(endless.stderr, 0.5)
