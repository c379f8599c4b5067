"""The Verilog modules, simulated by Icarus Verilog."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.chip.converters import RAW, a_run, converters
from tests.refusal import refused

from qsense.chip import vectors, verilog
from qsense.chip.converter import Converter, convert
from qsense.quant.sensor.gamma import Gamma
from qsense.quant.sensor.linear import Linear
from qsense.signal import Signal

EVERY = converters()
needs_icarus = pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")


def write(converter: Converter, folder: Path) -> None:
    name, run = converter.name, a_run()
    (folder / f"{name}.v").write_text(verilog.module(converter, run), encoding="utf-8")
    (folder / f"{name}_tb.v").write_text(verilog.bench(converter), encoding="utf-8")
    (folder / f"{name}_vectors.hex").write_text(vectors.as_text(converter, run), encoding="utf-8")
    if converter.listed:
        (folder / f"{name}_lut.hex").write_text(verilog.lut_file(converter, run), encoding="utf-8")


def simulate(folder: Path, name: str = "adc_under_test") -> str:
    command = ["iverilog", "-g2001", "-Wall", "-o", "tb", f"{name}.v", f"{name}_tb.v"]
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert (built.returncode, built.stderr) == (0, "")
    return subprocess.run(["vvp", "-n", "tb"], cwd=folder, capture_output=True, text=True).stdout


@needs_icarus
@pytest.mark.parametrize("name", EVERY)
def test_every_native_count(name: str, tmp_path: Path) -> None:
    _, converter = EVERY[name]
    write(converter, tmp_path)
    count = len(converter.rows) * converter.native.codes
    assert simulate(tmp_path) == f"PASS: {count} vectors, 0 differences\n"


@needs_icarus
def test_the_bench_finds_faults(tmp_path: Path) -> None:
    _, converter = EVERY["gamma per axis, values"]
    write(converter, tmp_path)
    module, table = tmp_path / "adc_under_test.v", tmp_path / "adc_under_test_lut.hex"
    sound = module.read_text()
    count = int(converter.counts[1, 1])
    module.write_text(sound.replace(f"13'h{count:04x}", f"13'h{count + 3:04x}"))
    said = simulate(tmp_path)
    assert "comparators: row 1, sample " in said
    assert said.splitlines()[-1] == "FAIL: 12288 vectors, 3 differences"
    module.write_text(sound)
    lines = table.read_text().splitlines()
    lines[-1] = lines[-1][:-1] + "0"
    table.write_text("\n".join(lines) + "\n")
    assert "lut: row 2, sample 4095: code 0 instead of 3\nFAIL: 12288 vectors, 1 differences" in simulate(tmp_path)
    (tmp_path / "adc_under_test_vectors.hex").write_text("// nothing\n")
    assert "adc_under_test_vectors.hex is missing or short" in simulate(tmp_path)


@needs_icarus
def test_comparators_or_a_table_alone(tmp_path: Path) -> None:
    wide = convert(Linear(Signal(1, 0.0, 1.0, "V", native_bits=20), 3), "adc_under_test", {})
    fine = convert(Linear(RAW, 9), "adc_under_test", {})
    for converter, one, other in ((wide, "comparators", "_lut"), (fine, "_lut", "comparators")):
        write(converter, tmp_path)
        assert one in verilog.bench(converter)
        assert other not in verilog.bench(converter)
        assert simulate(tmp_path).startswith("PASS")


@needs_icarus
def test_many_rows_and_one_that_is_not_there(tmp_path: Path) -> None:
    """21 rows of 255 thresholds: in one vector they would be longer than the 65 536 bits that every tool allows."""
    signal = Signal(21, -1.0, 1.0, "g", native_bits=20)
    converter = convert(Gamma(signal, 8, gamma=0.6, per_channel=True), "many", {})
    (tmp_path / "many.v").write_text(verilog.module(converter, a_run()), encoding="utf-8")
    (tmp_path / "many_tb.v").write_text(
        "`timescale 1ns / 1ps\nmodule tb; wire [7:0] last, none;\n"
        "many #(.ROW(20)) a (.sample(20'hfffff), .code(last)); many #(.ROW(21)) b (.sample(20'hfffff), .code(none));\n"
        'initial begin #1 $display("%0d %b", last, none); $finish; end endmodule\n'
    )
    assert "WIDTH*COUNT*" not in verilog.module(converter, a_run())
    assert simulate(tmp_path, "many") == "255 xxxxxxxx\n"


def test_neither() -> None:
    converter = convert(Linear(Signal(1, 0.0, 1.0, "V", native_bits=20), 9), "x", {})
    with refused(ValueError, 9, 20, 8, 16):
        verilog.module(converter, a_run())


@pytest.mark.skipif(shutil.which("yosys") is None, reason="Yosys is not installed")
def test_it_synthesizes(tmp_path: Path) -> None:
    _, converter = EVERY["gamma per axis, values"]
    write(converter, tmp_path)
    script = "read_verilog adc_under_test.v; synth -top adc_under_test; check -assert; design -reset; "
    script += "read_verilog adc_under_test.v; synth -top adc_under_test_lut; check -assert"
    done = subprocess.run(["yosys", "-q", "-p", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
