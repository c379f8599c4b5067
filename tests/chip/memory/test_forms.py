"""C header, Verilog and vectors of converters with memory: what is compiled, simulated and refused."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from tests.chip.converters import a_run
from tests.chip.memory.codecs import EVERY, STATISTICS, a_codec, signal, write
from tests.refusal import refused

from qsense.chip.conformance import STRICT
from qsense.chip.memory import c_header, vectors, verilog
from qsense.chip.memory.codec import Codec, codec
from qsense.quant.sensor.memory.dpcm import DPCM

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
needs_icarus = pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")
needs_yosys = pytest.mark.skipif(shutil.which("yosys") is None, reason="Yosys is not installed")
FEW = ("adpcm 1", "adpcm 1, all", "adpcm 2, refresh", "adpcm 5, slope", "dpcm 2, all", "dpcm 3, neither")


def built(folder: Path, text: str, compiler: str = "gcc", *flags: str) -> subprocess.CompletedProcess[str]:
    """A program that includes the header, compiled with every warning an error, and run."""
    source = folder / ("main.c" if compiler == "gcc" else "main.cc")
    source.write_text(text)
    command = [compiler, *(flags or STRICT), "-o", str(folder / "main"), str(source)]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    return subprocess.run([str(folder / "main")], capture_output=True, text=True, cwd=folder)


@needs_gcc
def test_two_exports_in_one_program(tmp_path: Path) -> None:
    for name, kind in (("one", "adpcm 1"), ("two", "dpcm 2, all")):
        write(a_codec(kind, name)[1], tmp_path)
    text = '#include "one.h"\n#include "two.h"\n#include "one.h"\nint main(void) {{ {0} return {1}; }}\n'
    state = "one_state a; two_state b; one_start(&a, 0); two_start(&b, 2);"
    value = "one_encode(&a, 0, 0) == 1 && two_encode(&b, 2, 4000) == 4000 && two_refreshes(&b, 2) == 0 ? 0 : 1"
    assert built(tmp_path, text.format(state, value)).returncode == 0


@pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")
@pytest.mark.parametrize("kind", FEW)
def test_the_header_is_cpp_too(kind: str, tmp_path: Path) -> None:
    write(a_codec(kind)[1], tmp_path)
    text = '#define ADC_UNDER_TEST_UNIT\n#include "adc_under_test.h"\nint main() { return 0; }\n'
    built(tmp_path, text, "g++", "-std=c++11", "-Wall", "-Wextra", "-Werror", "-pedantic")


@needs_gcc
def test_what_is_beyond_a_sample_or_a_code_does_no_harm(tmp_path: Path) -> None:
    _, small = a_codec("dpcm 3, neither")  # 9 native bits
    write(small, tmp_path)
    text = (
        '#include "adc_under_test.h"\nint main(void) {\n'
        "adc_under_test_state a, b;\nadc_under_test_start(&a, 1); adc_under_test_start(&b, 1);\n"
        "if (adc_under_test_encode(&a, 1, 65535u) != adc_under_test_encode(&b, 1, 511u)) return 1;\n"
        "adc_under_test_start(&a, 1); adc_under_test_start(&b, 1);\n"
        "if (adc_under_test_decode(&a, 1, 0xffu) != adc_under_test_decode(&b, 1, 7u)) return 2;\nreturn 0; }\n"
    )
    assert built(tmp_path, text).returncode == 0


@needs_gcc
@pytest.mark.parametrize("kind", ["dpcm 2, all", "row_dpcm 4", "row_dpcm 2, not companded"])
def test_a_decoded_value_in_the_sensors_unit(kind: str, tmp_path: Path) -> None:
    _, found = a_codec(kind)
    write(found, tmp_path)
    values = np.array([-32768, -20000, 0, 1234, 32752, 32767])
    printed = "".join(f'printf("%.17g\\n", adc_under_test_in_unit(1, {value}));\n' for value in values)
    text = '#define ADC_UNDER_TEST_UNIT\n#include <stdio.h>\n#include "adc_under_test.h"\n'
    done = built(tmp_path, f"{text}int main(void) {{\n{printed}return 0; }}\n")
    np.testing.assert_allclose([float(line) for line in done.stdout.split()], found.in_unit(1, values), atol=1e-12)
    assert found.in_unit(1, values)[[0, -1]].tolist() == pytest.approx(found.limits[1])


@pytest.mark.parametrize("kind", FEW)
def test_neither_side_needs_a_float_a_heap_or_a_division(kind: str) -> None:
    text = c_header.header(a_codec(kind)[1], a_run()).partition("#ifdef ADC_UNDER_TEST_UNIT")[0]
    code = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    assert not re.search(r"float|double|alloc|[^*/]/[^*/]|%|\d\.\d", code)
    assert set(re.findall(r"#include (\S+)", code)) == {"<stdint.h>"}
    assert "qsense_" not in code


@pytest.mark.parametrize("kind", EVERY)
def test_verilog_neither_multiplies_nor_divides(kind: str) -> None:
    text = verilog.module(a_codec(kind)[1], a_run())
    code = re.sub(r"//.*", "", text)
    assert not re.search(r"[/%]", code.replace("`timescale 1ns / 1ps", ""))
    products = re.findall(r"\S+ ?\* ?\S+", code.replace("@*", ""))
    assert all(product.startswith("reached[g") or "[g*32" in product for product in products), products


@needs_gcc
def test_the_c_program_finds_faults(tmp_path: Path) -> None:
    _, found = a_codec("dpcm 2, all")
    write(found, tmp_path)
    level = str(found.constants[1].levels[2])
    header = tmp_path / "adc_under_test.h"
    sound = header.read_text()
    header.write_text(sound.replace(f" {level},", f" {int(level) + 1},"))
    assert header.read_text() != sound
    command = ["gcc", "-o", "test", "adc_under_test_test.c"]
    subprocess.run(command, cwd=tmp_path, check=True)
    done = subprocess.run(["./test", "adc_under_test_vectors.hex"], cwd=tmp_path, capture_output=True, text=True)
    assert re.fullmatch(r"FAIL: \d+ samples, [1-9]\d* differences\n", done.stdout)
    assert done.returncode == 1
    (tmp_path / "bad.hex").write_text("0_zz_1\n")
    done = subprocess.run(["./test", "bad.hex"], cwd=tmp_path, capture_output=True, text=True)
    assert "not a vector: 0_zz_1" in done.stdout
    assert subprocess.run(["./test"], cwd=tmp_path, capture_output=True).returncode == 2


def simulate(folder: Path) -> str:
    command = ["iverilog", "-g2001", "-Wall", "-o", "tb", "adc_under_test.v", "adc_under_test_tb.v"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return subprocess.run(["vvp", "-n", "tb"], cwd=folder, capture_output=True, text=True).stdout


@needs_icarus
def test_the_bench_finds_faults(tmp_path: Path) -> None:
    _, found = a_codec("dpcm 2, all")
    write(found, tmp_path)
    module = tmp_path / "adc_under_test.v"
    sound = module.read_text()
    level = found.constants[1].levels[3]
    module.write_text(sound.replace(f"32'sd{level}, // code 3, y", f"32'sd{level + 5}, // code 3, y"))
    said = simulate(tmp_path)
    assert "decoder: channel 1, vector " in said
    assert said.splitlines()[-1].startswith("FAIL: ")
    module.write_text(sound)
    (tmp_path / "adc_under_test_vectors.hex").write_text("// nothing\n")
    assert "adc_under_test_vectors.hex is missing or short" in simulate(tmp_path)


@needs_icarus
def test_a_channel_that_there_is_not_decodes_nothing(tmp_path: Path) -> None:
    write(a_codec("adpcm 3")[1], tmp_path)
    (tmp_path / "adc_under_test_tb.v").write_text(
        "`timescale 1ns / 1ps\nmodule tb; reg clock; wire signed [15:0] value, prediction; wire signed [19:0] step;\n"
        "wire refreshes; adc_under_test_decoder #(.CHANNEL(3)) none (.clock(clock), .start(1'b1), .valid(1'b0),\n"
        ".lost(1'b0), .code(3'd0), .value(value), .prediction(prediction), .step(step), .refreshes(refreshes));\n"
        'initial begin clock = 0; #1 clock = 1; #1 $display("%b", value); $finish; end endmodule\n'
    )
    assert simulate(tmp_path) == "x" * 16 + "\n"


def synthesize(folder: Path, *steps: str) -> None:
    done = subprocess.run(
        ["yosys", "-q", "-p", "; ".join(("read_verilog adc_under_test.v", *steps))],
        cwd=folder, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@needs_yosys
@pytest.mark.parametrize("kind", FEW)
def test_it_becomes_registers_adders_and_multiplexers(kind: str, tmp_path: Path) -> None:
    """Before they are mapped to gates, where a product could still be told from other gates."""
    write(a_codec(kind)[1], tmp_path)
    none_of_these = "select -assert-none t:$mul t:$div t:$mod t:$dlatch"
    synthesize(tmp_path, "prep -top adc_under_test_encoder", "check -assert", none_of_these)


@needs_yosys
@pytest.mark.parametrize("kind", ["dpcm 2, all", pytest.param("adpcm 1, all", marks=pytest.mark.slow)])
def test_it_becomes_gates(kind: str, tmp_path: Path) -> None:
    write(a_codec(kind)[1], tmp_path)
    synthesize(tmp_path, "synth -top adc_under_test_encoder", "check -assert")


def test_vectors_start_every_sequence_and_lose_some() -> None:
    _, found = a_codec("dpcm 2, all")
    text = vectors.as_text(found, a_run())
    given = vectors.read(text, found)
    every = vectors.vectors(found)
    for name, column in vars(every).items():
        assert np.array_equal(getattr(given, name), column), name
    for channel in range(3):
        flags = given.flags[given.channel == channel]
        assert flags[0] == vectors.START
        assert (flags & vectors.START).astype(bool).sum() == 9
        assert 0.005 < (flags & vectors.LOST).astype(bool).mean() < 0.05
        lost = (flags & vectors.LOST).astype(bool) & (given.code[given.channel == channel] > 3)
        assert lost.any(), "a refresh is lost"
    assert set(given.count.tolist()) >= {0, 4095}
    refreshed = given.code > 3
    assert np.array_equal(given.code[refreshed], given.count[refreshed])
    line = text.splitlines()[-1]
    with refused(ValueError, "checksum"):
        vectors.read(text.replace(line, line[:-1] + ("0" if line[-1] != "0" else "1")), found)


def test_a_random_walk_stays_in_its_range() -> None:
    walk = vectors.random_walk(50_000, 10, np.random.default_rng(0))
    assert (walk.min(), walk.max()) >= (0, 900)
    assert walk.max() <= 1023


def test_native_codes_have_their_own_black_and_white() -> None:
    sensor = DPCM(signal(native_bits=10, black=100, white=900), 2)
    sensor.fit_recordings(np.full((20, 3), 500) + np.arange(20)[:, None] % 7, np.array([0, 20]))
    found: Codec = codec(sensor, "x", {})
    values = np.array([-32768, 32767, (500 - 512) << 6])
    np.testing.assert_allclose(found.in_unit(0, values), [-1, 1, 0], atol=1e-12)
    assert np.array_equal(found.network_sees(values), sensor.values(values))
    offset, step = found.scale(2)
    assert offset + step * values[2] == pytest.approx(0)
    assert found.stated
    assert found.notes == []


def test_units_are_those_of_the_data_before_it_was_normalised() -> None:
    sensor, found = a_codec("adpcm 2, refresh")
    assert found.limits == ((-1.9, 2.1), (-2.0, 1.7), (-1.5, 2.0))
    counts = np.array([[0, 512, 1023]] * 3, dtype=np.uint16)
    stream = sensor.convert(counts.T.copy(), np.arange(4))  # each a recording of its own: a refresh
    assert found.in_unit(0, np.array([-32768, 32704])).tolist() == [-1.9, 2.1]
    assert np.array_equal(stream.values[:, 0], found.network_sees(np.array([-32768, 0, 32704])))
    assert found.rate == pytest.approx(2 + 8 / 7)
    assert found.kbit_s == pytest.approx((2 + 8 / 7) * 0.15)
    assert found.notes[0].startswith("the data states no native counts: training took 10 bits")
    assert codec(sensor, "x", {}).limits == ((-1.0, 1.0),) * 3
    assert STATISTICS["normalise"] in found.full_scale
