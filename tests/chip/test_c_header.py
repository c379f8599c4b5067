"""The C header, compiled with every warning an error, and run."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from tests.chip.converters import RAW, Half, a_run, converters

from qsense.chip import c_header, vectors
from qsense.chip.conformance import STRICT
from qsense.chip.converter import Converter, convert
from qsense.quant.sensor.gamma import Gamma
from qsense.quant.sensor.linear import Linear
from qsense.signal import Signal

EVERY = converters()
needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")


def build(converter: Converter, folder: Path) -> Path:
    (folder / f"{converter.name}.h").write_text(c_header.header(converter, a_run()), encoding="utf-8")
    (folder / f"{converter.name}_test.c").write_text(c_header.program(converter), encoding="utf-8")
    (folder / "v.hex").write_text(vectors.as_text(converter, a_run()), encoding="utf-8")
    program = folder / "program"
    subprocess.run(["gcc", *STRICT, "-o", str(program), str(folder / f"{converter.name}_test.c")], check=True)
    return program


def run(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(program), *arguments], capture_output=True, text=True, cwd=program.parent)


@needs_gcc
@pytest.mark.parametrize("name", EVERY)
def test_every_native_count(name: str, tmp_path: Path) -> None:
    _, converter = EVERY[name]
    done = run(build(converter, tmp_path), "v.hex")
    assert done.stdout == f"PASS: {len(converter.rows) * converter.native.codes} vectors, 0 differences\n"
    assert done.returncode == 0


@needs_gcc
def test_floats_in_the_sensors_unit(tmp_path: Path) -> None:
    _, converter = EVERY["gamma per axis, values"]
    cuts = converter.thresholds.ravel()
    x = np.concatenate([np.random.default_rng(0).uniform(-3, 3, 1000), cuts, np.nextafter(cuts, -np.inf)])
    np.tile(x, 3).tofile(tmp_path / "x")
    program = build(converter, tmp_path)
    assert run(program, "v.hex", "x", "codes", str(len(x))).returncode == 0
    codes = np.fromfile(tmp_path / "codes", dtype=np.uint32).reshape(3, len(x))  # one code per double, in its own row
    assert np.array_equal(codes, (x[:, None] >= converter.thresholds[:, None]).sum(-1))
    assert run(program, "v.hex", "x", "codes", "10").stdout.endswith("FAIL: more doubles than rows\n")
    assert run(program, "v.hex", "x", "codes", "0").returncode == 2


@needs_gcc
@pytest.mark.parametrize(("native", "bits"), [(1, 1), (8, 2), (16, 3), (24, 4), (32, 2)])
def test_the_smallest_types(native: int, bits: int, tmp_path: Path) -> None:
    signal = Signal(1, 0.0, 1.0, "V", native_bits=native)
    for sensor in (Linear(signal, bits), Half(signal, bits)):  # Half: a threshold that is one more than fits
        converter = convert(sensor, "small", {})
        text = c_header.header(converter, a_run())
        holds = next(size for size in (8, 16, 32) if native <= size)
        assert f"typedef uint{holds}_t small_sample;" in text
        assert "typedef uint8_t small_code;" in text
        assert run(build(converter, tmp_path), "v.hex").returncode == 0


@needs_gcc
def test_samples_beyond_the_native_bits_are_saturated(tmp_path: Path) -> None:
    build(convert(Half(RAW, 2), "adc_under_test", {}), tmp_path)
    (tmp_path / "main.c").write_text(
        '#include "adc_under_test.h"\nint main(void) { return adc_under_test_encode(0, 65535u); }\n'
    )
    subprocess.run(["gcc", *STRICT, "-o", str(tmp_path / "main"), str(tmp_path / "main.c")], check=True)
    assert run(tmp_path / "main").returncode == 2  # the code of 4095, and not the one that no sample reaches


@needs_gcc
def test_a_wrong_threshold_is_found(tmp_path: Path) -> None:
    _, converter = EVERY["log, raw"]
    build(converter, tmp_path)
    header = tmp_path / "adc_under_test.h"
    first = str(converter.counts[0, 7])
    header.write_text(header.read_text().replace(f" {first},", f" {int(first) + 1},"))
    subprocess.run(["gcc", "-o", str(tmp_path / "again"), str(tmp_path / "adc_under_test_test.c")], check=True)
    done = run(tmp_path / "again", "v.hex")
    assert done.stdout == "FAIL: 4096 vectors, 1 differences\n"
    assert done.returncode == 1
    assert run(tmp_path / "again").returncode == 2
    (tmp_path / "bad.hex").write_text("0_zz_1\n")
    assert "not a vector: 0_zz_1" in run(tmp_path / "again", "bad.hex").stdout


@needs_gcc
def test_a_wrong_entry_of_the_look_up_table_is_found(tmp_path: Path) -> None:
    _, converter = EVERY["gamma per condition, raw"]
    build(converter, tmp_path)
    header = tmp_path / "adc_under_test.h"
    head, lut = header.read_text().split("ADC_UNDER_TEST_LUT\n", 1)
    header.write_text(f"{head}ADC_UNDER_TEST_LUT\n{lut.replace('7, 7,', '7, 6,', 1)}")
    subprocess.run(["gcc", "-o", str(tmp_path / "again"), str(tmp_path / "adc_under_test_test.c")], check=True)
    assert run(tmp_path / "again", "v.hex").stdout == "FAIL: 512 vectors, 1 differences\n"


def test_the_encode_path_has_no_floats_and_the_head_says_where_it_is_from() -> None:
    _, converter = EVERY["gamma per axis, values"]
    text = c_header.header(converter, a_run())
    integer = re.sub(r"/\*.*?\*/", "", text.partition("#ifdef ADC_UNDER_TEST_TABLES")[0], flags=re.S)
    assert not re.search(r"float|double|math\.h|\d\.\d", integer)
    assert text.startswith(
        "/* 2-bit converter behind a sensor of 12 bits.\n * run sbhar-gamma-2bit-fold03-seed1-0123456789"
    )
    assert "trained at git c0ffee" in text
    assert "Rows: 0 = x, 1 = y, 2 = z." in text
    assert "#ifndef ADC_UNDER_TEST_H\n#define ADC_UNDER_TEST_H" in text


@needs_gcc
def test_comments_cannot_be_broken(tmp_path: Path) -> None:
    """By the data set's name, channels or units: they are words of whoever described the data."""
    text = c_header.header(convert(Gamma(RAW, 2), "x", {}), a_run(dataset="a */ b"))
    assert "a * / b" in text
    signal = Signal(2, -1.0, 1.0, "m/*s*/", names=("a/*b", "c*/d"), native_bits=8)
    converter = convert(Gamma(signal, 2, per_channel=True), "x", {})
    assert run(build(converter, tmp_path), "v.hex").returncode == 0  # /* within a comment would be a warning
