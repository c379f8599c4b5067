"""Tables, registers and datasheet of converters with memory: what stands in them."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from tests.chip.converters import a_run
from tests.chip.memory.codecs import EVERY, a_codec, placed, signal, write
from tests.hostile_names import HOSTILE

from qsense.chip import conformance
from qsense.chip.memory import tables, vectors
from qsense.chip.memory.codec import Codec, codec, snr
from qsense.chip.memory.datasheet import datasheet, slowest_arrival
from qsense.quant.sensor.memory.dpcm import DPCM


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


@pytest.mark.parametrize("kind", EVERY)
def test_json_holds_every_number(kind: str) -> None:
    _, found = a_codec(kind)
    content = json.loads(tables.as_json(found, a_run(), 3.3, [10.0, 11.0, 12.0]))
    for row, constants in zip(content["rows"], found.constants, strict=True):
        assert row["start"]["value"] == constants.centre
        for name in ("thresholds", "levels", "steps", "moves"):
            assert row["tables"].get(name, []) == list(getattr(constants, name))
    assert [row["snr_db"] for row in content["rows"]] == [10, 11, 12]
    assert (content["native"]["bits"], content["native"]["volts"]) == (found.native_bits, 3.3)
    assert content["bits_per_sample"] == found.rate
    assert content["memory"] is True
    assert content["sensor"]["channels"][0]["centre"] == found.constants[0].centre
    assert content["refresh"] == found.refresh
    assert sum(content["state_bits"].values()) == sum(found.state.values())


def test_the_state_is_as_small_as_it_can_be() -> None:
    assert a_codec("dpcm 2")[1].state == {"value": 16}
    assert a_codec("dpcm 2, all")[1].state == {"value": 16, "earlier": 16, "age": 8}
    assert a_codec("adpcm 4, IMA")[1].state == {"value": 16, "place": 7}
    assert a_codec("adpcm 1, all")[1].state == {
        "value": 16, "earlier": 16, "age": 7, "place": 7, "last": 1, "run": 2,
    }  # fmt: skip


def test_csv_holds_every_number_and_its_meaning() -> None:
    _, found = a_codec("dpcm 2, all")
    heading, *lines = rows(tables.as_table(found))
    assert heading == ["channel", "table", "place", "number", "number_g"]
    assert len(lines) == 3 * (1 + 3 + 4)
    offset, step = found.scale(1)
    by_name = {(line[0], line[1], int(line[2])): line for line in lines}
    assert float(by_name["y", "centre", 0][4]) == offset + step * found.constants[1].centre
    assert float(by_name["y", "level", 3][4]) == step * found.constants[1].levels[3]
    assert int(by_name["y", "threshold", 3][3]) == found.constants[1].thresholds[2]
    _, *lines = rows(tables.as_table(a_codec("adpcm 3")[1]))
    assert len(lines) == 3 * (1 + 1 + 4 + 89)


def test_registers_are_what_a_chip_is_programmed_with() -> None:
    _, found = a_codec("adpcm 1, all")
    lines = tables.as_registers(found, a_run()).splitlines()
    values = dict(line.split() for line in lines if not line.startswith("#"))
    assert [values[name] for name in ("LEAK", "SLOPE", "REFRESH", "ALIKE")] == [
        "0x00006", "0x00001", "0x00064", "0x00003",
    ]  # fmt: skip
    centre = int(values["Y_CENTRE"], 16)
    assert centre - (1 << 20) * (centre >> 19) == found.constants[1].centre
    assert "the table of steps is a ROM" in "".join(lines)
    assert "ALIKE" not in tables.as_registers(a_codec("dpcm 1")[1], a_run())


def test_the_signal_to_noise_ratio_is_that_of_what_is_decoded() -> None:
    sensor, _ = a_codec("dpcm 5")
    time = np.arange(4000)[:, None]
    x = (0.4 * np.sin(time / [7.0, 9.0, 11.0])).astype(np.float32)
    sensor.fit_recordings(x, np.array([0, 4000]))
    measured = snr(sensor, (x, np.array([0, 4000])))
    error = x - sensor.convert(x, np.array([0, 4000])).values
    assert measured == pytest.approx(10 * np.log10(x.var(0) / (error**2).mean(0)), abs=1e-3)
    counts = snr(sensor, (sensor.counts(x), np.array([0, 4000])))
    assert counts == pytest.approx(measured, abs=0.5)


@pytest.mark.parametrize("kind", EVERY)
def test_the_datasheet_says_what_it_is(kind: str) -> None:
    _, found = a_codec(kind)
    text = datasheet(found, a_run(), 3.3, [10.04, 11.0, 12.0])
    assert text == datasheet(found, a_run(), 3.3, [10.04, 11.0, 12.0])
    full_scale = "the sensor's own" if found.stated else "data.normalise=dataset"
    for said in (f"{found.bits}-bit", found.quantizer, "Predictor", "10.0", "3.3 V", full_scale):
        assert said in unescape(text)
    assert ("Refresh: " in text) == bool(found.refresh)
    assert ("(leak)" in text) == bool(found.constants[0].leak and not found.refresh)
    assert ("stays: there is neither leak nor refresh" in text) == (not found.constants[0].leak and not found.refresh)
    assert "No SNR is stated" in datasheet(found, a_run())


def test_how_long_a_start_takes() -> None:
    _, found = a_codec("dpcm 2")
    largest = max(-found.constants[0].levels[0], found.constants[0].levels[-1])
    arrival = slowest_arrival(found, 0)
    assert arrival is not None
    assert arrival >= (32767 - abs(found.constants[0].centre)) / largest
    sensor = DPCM(signal(), 1)
    counts = np.full((50, 3), 2048, np.uint16) + np.arange(50, dtype=np.uint16)[:, None] % 2
    sensor.fit_recordings(counts, np.array([0, 50]))
    assert slowest_arrival(codec(sensor, "x", {}), 0) is None  # its levels are too small for the leak


NAMES = (*HOSTILE, "*/", "x\\", "x??/", "endmodule", "{0}", "%s%n", "synopsys translate_off")


@pytest.fixture(scope="module")
def hostile() -> Codec:
    """Channels and a unit of other people's making."""
    sensor = placed("adpcm 3", channels=len(NAMES), names=NAMES, unit="*/ g \\\n// $x$ {0} <b>,=1")
    return codec(sensor, "adc_under_test", {})


@pytest.mark.skipif(not (shutil.which("gcc") and shutil.which("iverilog")), reason="needs gcc and Icarus Verilog")
def test_hostile_names_stay_text(hostile: Codec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "LENGTH", 40)  # each of very many channels
    write(hostile, tmp_path)
    command = ["gcc", *conformance.STRICT, "-o", str(tmp_path / "test"), str(tmp_path / "adc_under_test_test.c")]
    subprocess.run(command, check=True)
    done = subprocess.run(["./test", "adc_under_test_vectors.hex"], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.startswith("PASS: ")
    checked = conformance.simulated("Verilog", tmp_path, "adc_under_test")
    assert checked.passed, checked
    for file in ("adc_under_test.v", "adc_under_test_vectors.hex"):
        for line in (tmp_path / file).read_text(encoding="utf-8").split("\n"):
            assert not re.match(r"\s*(synopsys|synthesis|pragma|verilator)", line.partition("//")[2])


def test_hostile_names_in_tables(hostile: Codec) -> None:
    assert [row["name"] for row in json.loads(tables.as_json(hostile, a_run()))["rows"]] == list(NAMES)
    lines = [line for line in tables.as_registers(hostile, a_run()).split("\n") if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Z][A-Z0-9_]+ 0x[0-9A-F]{5}", line) for line in lines)
    assert len({line.split()[0] for line in lines}) == len(lines)
    assert len(rows(tables.as_table(hostile))) == 1 + len(NAMES) * (1 + 1 + 4 + 89)
    tags: set[str] = set()

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            tags.add(tag)

    Tags().feed(datasheet(hostile, a_run()))
    assert not tags & {"script", "b ", "img"}
