"""Channels, units, data sets and runs with hostile names, in every form of a converter."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from tests.chip.converters import a_run, apart
from tests.hostile_names import HOSTILE

from qsense.chip import conformance, registers, tables, vectors
from qsense.chip.converter import Converter, convert
from qsense.chip.datasheet import datasheet
from qsense.chip.export import texts
from qsense.chip.names import FORMATS
from qsense.chip.origin import Origin
from qsense.quant.sensor.base import SensorQuantizer
from qsense.quant.sensor.gamma import Gamma
from qsense.runs.escapes import csv_cell, one_line
from qsense.signal import Signal

MORE = (
    "*", "/", "*/", "/*", "\\", "x\\", "x\\ ", "x??/", "//", "\udcff", "x\x00y", "x\x85y", "x\x0by", "x\x0cy", "$x$",
    "synopsys translate_off", "pragma protect begin_protected", "verilator lint_off", "", " ", "'", '"', "{", "}", "{}",
    "%s%n", "@(posedge clock)", "a\ttab", "\ufeff", "int", "endmodule", "1e5", "TRUE", "ROW_0", "0xFF",
)  # fmt: skip
NAMES = (*HOSTILE, *MORE)
BENIGN = tuple(f"n{index}" for index in range(len(NAMES)))


def converter(names: tuple[str, ...], unit: str) -> tuple[SensorQuantizer, Converter]:
    """One row per name, each with thresholds of its own."""
    sensor = apart(Gamma(Signal(len(names), -1.0, 1.0, unit, names=names), 2, per_channel=True))
    return sensor, convert(sensor, "adc_under_test", {}, native_bits=6)


def origin(name: str) -> Origin:
    """Of a run that is called so, on data that is, by a metric that is."""
    return Origin(name, a_run(data=name, dataset=name, quant=name, fold=name, monitor=name, metrics={name: 0.5}).result,
                  {"git_revision": name})  # fmt: skip


HOSTILE_UNIT = "*/ g \\\n// $x$ {0} <b>,=1"
SENSOR, ALL = converter(NAMES, HOSTILE_UNIT)
_, PLAIN = converter(BENIGN, "g")


def written(folder: Path, every: Converter, where: Origin) -> Path:
    for file, content in texts(every, where, FORMATS, 3.3, []).items():
        (folder / file).write_bytes(content.encode(errors="backslashreplace"))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every text form of all names at once."""
    return written(tmp_path_factory.mktemp("hostile"), ALL, origin("*/ x \\"))


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_c_compiles_and_agrees(folder: Path) -> None:
    for check in conformance._by_c(folder, ALL, floats=1000):
        assert check.passed, check


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_c_holds_nothing_but_its_own_code(folder: Path, tmp_path: Path) -> None:
    """What the compiler sees once comments are gone is what it sees of harmless names."""
    written(tmp_path, PLAIN, origin("plain"))
    seen = [
        subprocess.run(["gcc", "-std=c99", "-fpreprocessed", "-dD", "-E", "-P", each / "adc_under_test.h"],
                       capture_output=True, text=True, check=True).stdout
        for each in (folder, tmp_path)
    ]  # fmt: skip
    assert seen[0] == seen[1]


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="needs Icarus Verilog")
def test_verilog_compiles_and_agrees(folder: Path) -> None:
    check = conformance.simulated("Verilog", folder, "adc_under_test")
    assert check.passed, check


def test_verilog_holds_nothing_but_its_own_code(folder: Path, tmp_path: Path) -> None:
    written(tmp_path, PLAIN, origin("plain"))
    for file in ("adc_under_test.v", "adc_under_test_tb.v", "adc_under_test_lut.hex", "adc_under_test_vectors.hex"):
        ours, theirs = ((each / file).read_text(encoding="utf-8").split("\n") for each in (folder, tmp_path))
        assert [line.partition("//")[0] for line in ours] == [line.partition("//")[0] for line in theirs]
        for line in ours:  # no comment begins with a word that a tool takes for an order
            assert not re.match(r"\s*(synopsys|synthesis|pragma|verilator)", line.partition("//")[2])


def test_vectors_are_read_again(folder: Path) -> None:
    given = vectors.read((folder / "adc_under_test_vectors.hex").read_text(encoding="utf-8"))
    assert given.code.tolist() == ALL.lut().ravel().tolist()


def test_registers_have_names_of_their_own() -> None:
    lines = registers.as_text(ALL, origin("x\ny 0x1")).split("\n")
    values = [line.split() for line in lines if line and not line.startswith("#")]
    assert len(values) == ALL.counts.size
    assert len({name for name, _ in values}) == ALL.counts.size
    assert all(re.fullmatch(r"[A-Z][A-Z0-9_]{1,90}", name) for name, _ in values)
    assert [int(value, 16) for _, value in values] == ALL.counts.ravel().tolist()


def test_json_says_names_as_they_are(folder: Path) -> None:
    content = json.loads((folder / "adc.json").read_text(encoding="utf-8"))
    assert [row["name"] for row in content["rows"]] == list(NAMES)
    assert [row["thresholds"] for row in content["rows"]] == ALL.thresholds.tolist()


def test_csv_is_text_and_numbers(folder: Path) -> None:
    heading, *rows = csv.reader(io.StringIO(tables.thresholds_csv(ALL, 3.3)))
    assert heading[2] == csv_cell(f"threshold_{HOSTILE_UNIT.replace(' ', '_')}")
    cells = [csv_cell(name) for name in NAMES for _ in range(3)]
    assert [row[0] for row in rows] == cells
    assert [float(row[2]) for row in rows] == ALL.thresholds.ravel().tolist()  # negative numbers stay numbers
    heading, *rows = csv.reader(io.StringIO(tables.lut_csv(ALL)))
    assert heading[1:] == [csv_cell(name) for name in NAMES]
    for file in ("thresholds.csv", "levels.csv", "lut.csv"):
        for row in csv.reader(io.StringIO((folder / file).read_text(encoding="utf-8"))):
            for cell in row:
                assert not cell.startswith(tuple("=+@\t\r"))
                assert not cell.startswith("-") or float(cell) < 0


class Page(HTMLParser):
    """Tags, attributes and texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.comments: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


@pytest.mark.filterwarnings("ignore:Glyph", "ignore:constrained_layout")
def test_a_datasheet_shows_names_as_text() -> None:
    plain_sensor, plain = converter(BENIGN[: len(NAMES) // 3], "g")
    same = Page(datasheet(plain, plain_sensor, origin("plain"), 3.3))
    few = len(NAMES) // 3  # of each page, so that all are as long
    for start in range(3):
        names = NAMES[start * few : (start + 1) * few]
        sensor, ours = converter(names, HOSTILE_UNIT)
        page = Page(datasheet(ours, sensor, origin(names[0] or "x"), 3.3))
        outside = [tag for tag in page.tags if tag not in ("path", "use", "g", "defs", "clippath", "rect")]
        assert outside == [tag for tag in same.tags if tag not in ("path", "use", "g", "defs", "clippath", "rect")]
        assert page.attributes == same.attributes
        for name in names:
            assert one_line(name)[:39].strip() in " ".join(page.texts)


def test_every_name_alone_is_the_only_row(tmp_path: Path) -> None:
    """As a condition or as one channel of several, whatever the form: nothing raises."""
    for name in NAMES:
        sensor, ours = converter((name, "y"), name)
        every = texts(ours, origin(name or "x"), FORMATS, 3.3, [])
        assert len(every) == 11
        assert np.array_equal(vectors.read(every["adc_under_test_vectors.hex"]).code, ours.lut().ravel())
        assert isinstance(sensor, Gamma)
