"""The datasheet as a page: its block diagram, its ports, its date, and how it looks on screens of all widths."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from html import unescape
from pathlib import Path

import pytest
from tests import browser as chromium
from tests.browser import Browser, call
from tests.chip.converters import a_run, converters
from tests.chip.memory.codecs import EVERY as MEMORY
from tests.chip.memory.codecs import a_codec

from qsense.chip import verilog
from qsense.chip.datasheet import datasheet, picture
from qsense.chip.memory import verilog as memory_verilog
from qsense.chip.memory.datasheet import datasheet as memory_datasheet
from qsense.chip.origin import Origin

EVERY = converters()
CLICKING = pytest.mark.skipif(bool(chromium.MISSING), reason=chromium.MISSING)
WIDTHS = (400, 900, 1400)


def ended(when: object) -> Origin:
    return replace(a_run(), record={"git_revision": "c0ffee", "ended": when})


def standardised() -> Origin:
    """A run whose facts are long."""
    run = a_run()
    numbers = {"mean": [-0.07475, 0.101, -0.1196], "std": [0.1707, 0.1343, 0.1256]}
    return replace(run, result={**run.result, "standardised": numbers})


SHEETS = ("gamma per axis, values", "log, raw", "gamma, 8 bits, values", "adpcm 1, all", "dpcm 2")


@cache
def sheet(name: str) -> str:
    """Of a converter, or of one with memory."""
    if name in EVERY:
        sensor, converter = EVERY[name]
        return datasheet(converter, sensor, standardised())
    return memory_datasheet(a_codec(name)[1], standardised())


def dated(when: object) -> str:
    sensor, converter = EVERY["log, raw"]
    return datasheet(converter, sensor, ended(when))


def words_of(page: str) -> list[str]:
    return [unescape(text) for text in re.findall(r"<text [^>]*>([^<]*)</text>", page)]


def declared(text: str) -> list[tuple[str, str, str]]:
    """The ports of every module in a Verilog file: direction, bits, name."""
    code = re.sub(r"//.*", "", text)
    found = re.findall(
        r"^    (input|output) +(?:wire|reg) +(?:signed )?(?:\[(\d+):0\] )?(\w+),?\s*$", code, re.MULTILINE
    )
    return [(direction, str(int(top) + 1) if top else "1", name) for direction, top, name in found]


def listed(page: str) -> list[tuple[str, str, str]]:
    cells = re.findall(r"<tr><td>(\w+)<td>(input|output)<td>(\d+)<td>\S", page)
    return [(direction, bits, name) for name, direction, bits in cells]


@pytest.mark.parametrize("name", EVERY)
def test_the_ports_are_those_of_the_verilog(name: str) -> None:
    found = listed(sheet(name))
    assert found == declared(verilog.module(EVERY[name][1], a_run()))
    assert ("output", str(EVERY[name][1].bits), "code") in found


@pytest.mark.parametrize("kind", MEMORY)
def test_the_ports_of_encoder_and_decoder(kind: str) -> None:
    _, found = a_codec(kind)
    ports = listed(memory_datasheet(found, a_run()))
    assert sorted(ports) == sorted(declared(memory_verilog.module(found, a_run())))
    assert ("input", str(found.native_bits), "sample") in ports


def test_the_diagram_is_of_this_design() -> None:
    words = words_of(sheet("gamma per axis, values"))
    for said in ("3 channels", "12 bits, 50 Hz", "3 thresholds", "of 3 rows", "3 × 2 bits", "4 levels"):
        assert said in words
    assert "1 threshold" in words_of(sheet("one bit"))
    assert "4 bits" in words_of(sheet("log, raw"))
    words = words_of(memory_datasheet(a_codec("adpcm 1, all")[1], a_run()))
    for said in ("predictor, DAC", "leak 1/64, slope 1/2", "16 bits, 50 Hz", "each 100th: 16", "1 bit", "± step"):
        assert said in words
    words = words_of(memory_datasheet(a_codec("dpcm 3, neither")[1], a_run()))
    assert {"7 comparators", "8 levels"} <= {*words}
    assert not any("leak" in word or "each" in word for word in words)


def test_date_and_revision() -> None:
    page = dated("2026-11-28T09:11:14+00:00")
    assert "learned 2026-11-28 09:11 UTC" in page
    assert EVERY["log, raw"][1].revision in page
    assert "learned 1970-01-01 00:00 UTC" in dated(0.0)
    assert "date not recorded" in dated("<script>")
    revisions = {converter.revision for _, converter in EVERY.values()}
    assert len(revisions) == len(EVERY)
    codec = a_codec("dpcm 2")[1]
    assert codec.revision == a_codec("dpcm 2")[1].revision
    moved = replace(codec, constants=tuple(replace(c, centre=c.centre + 1) for c in codec.constants))
    assert moved.revision != codec.revision


def test_what_says_nothing_about_a_sensor_is_left_out() -> None:
    for page in map(sheet, SHEETS):
        assert "multiplications" not in page
        assert "bit operations" not in page


def test_footnotes_explain_what_is_shown() -> None:
    for kind in ("dpcm 2", "dpcm 2, all"):
        _, found = a_codec(kind)
        measured, unmeasured = memory_datasheet(found, a_run(), snr=[1.0, 2.0, 3.0]), memory_datasheet(found, a_run())
        assert ("SNR: variance" in measured, "SNR: variance" in unmeasured) == (True, False)
        shown = "<th>samples from start to an end" in measured
        assert shown == ("Samples from start to an end:" in measured) == (not found.refresh)


def test_a_picture_has_a_legend() -> None:
    _, few = EVERY["gamma per axis, values"]
    assert picture(few, EVERY["gamma per axis, values"][0]).count("<svg") == 1
    assert 'id="legend_1"' in picture(few, EVERY["gamma per axis, values"][0])


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with chromium.browser() as window:
        yield window


def resize(window: Browser, width: int) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    call(f"{window.address}/goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": size})


@CLICKING
@pytest.mark.parametrize("name", SHEETS)
def test_it_fits_every_screen_and_can_be_read(name: str, window: Browser, tmp_path: Path) -> None:
    (tmp_path / "sheet.html").write_text(sheet(name), encoding="utf-8")
    contrast = """
        const part = (c) => ((c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        const light = (text) => {
          const [r, g, b] = text.match(/[0-9.]+/g).map(Number);
          return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
        };
        const paper = light(getComputedStyle(document.body).backgroundColor);
        return Math.min(...[...document.querySelectorAll('td, th, li, h2, footer, .diagram text')].map((each) => {
          const style = getComputedStyle(each);
          const ink = light(each instanceof SVGElement ? style.fill : style.color);
          return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
        }));
    """
    for dark in (False, True):
        window.emulate_dark(dark)
        for width in WIDTHS:
            resize(window, width)
            window.open(tmp_path / "sheet.html")
            assert window.run("return document.documentElement.scrollWidth") == width
            shown = (
                "[...document.querySelectorAll('.diagram')].filter((each) => each.getBoundingClientRect().width > 0)"
            )
            assert window.run(f"return {shown}.length") == 1
            outside = f"""return {shown}.flatMap((svg) => [...svg.querySelectorAll('text')].filter((text) => {{
                const a = text.getBoundingClientRect(), b = svg.getBoundingClientRect();
                return a.left < b.left - 1 || a.right > b.right + 1 || a.bottom > b.bottom + 1;
            }}).map((text) => text.textContent))"""
            assert window.run(outside) == []
            wide = "[...document.querySelectorAll('.facts')].filter((t) => t.scrollWidth > t.parentNode.clientWidth)"
            assert window.run(f"return {wide}.map((table) => table.innerText)") == [], "it would cover its neighbour"
            assert window.run(contrast) >= 4.5, "WCAG AA"
    assert window.errors() == []
