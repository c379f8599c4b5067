"""A firmware's page, its record and its picture: the same figures everywhere, whatever is known of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml
from tests import browser as chromium
from tests.browser import Browser
from tests.chip.converters import a_run, converters
from tests.chip.firmware.plans import deepconvlstm, depthwise
from tests.chip.memory.codecs import a_codec

from qsense.chip.conformance import Check
from qsense.chip.converter import Converter
from qsense.chip.firmware.counting import count
from qsense.chip.firmware.datasheet import firmware_page, revision_of, sources
from qsense.chip.firmware.energy import Measured, energy_of, stream_of, work_of
from qsense.chip.firmware.export import PAGE, PICTURE, RECORD, Firmware
from qsense.chip.firmware.plan import Plan
from qsense.experiment.schema import config_folder
from qsense.metrics.compute import COMPUTED, SENT
from qsense.metrics.sensing import NODE, SensingModel
from qsense.quant.network.integer.numbers import Convolution
from qsense.runs.words import power, short

CONSTANTS: dict[str, Any] = yaml.safe_load((config_folder() / "sensing" / "ble.yaml").read_text())
CONSTANTS.pop("_target_")
MODEL = SensingModel(**CONSTANTS)
RUN = Measured("Cortex-M4, -Os, QEMU", flash=21_000, ram=3_000, stack=512, instructions=3.1e5, longest=2.4e4)
CHECKS = [vars(Check("C, host", True, "300 windows, 0 differences"))]
CLICKING = pytest.mark.skipif(bool(chromium.MISSING), reason=chromium.MISSING)


def two_bits(plan: Plan) -> Plan:
    """The plan behind a converter of 2 bits."""
    converter: Converter = converters()["gamma per axis, values"][1]
    return replace(plan, converter=converter)


TEST = {
    "windows": 300, "monitor": "f1_sample", "recorded": 0.6123,
    "scores": {name: {"f1_sample": score} for name, score in (("integers", 0.6111), ("firmware", 0.6099))},
    "windows_of_another_class": {"integers": 2, "firmware": 13},
}  # fmt: skip


def recorded(plan: Plan, measured: Measured | None = None, model: SensingModel | None = MODEL) -> dict[str, Any]:
    """What `firmware.json` says, as far as the page shows it."""
    energy = energy_of(plan, count(plan), model, measured)
    known = None if measured is None else vars(measured)
    return {"majority": 1, "test": TEST, "conformance": CHECKS, "measured": known, "energy": energy}


def sheet(plan: Plan, measured: Measured | None = None, **changes: Any) -> str:
    return unescape(firmware_page(plan, count(plan), recorded(plan, measured) | changes, a_run()))


# ------------------------------------------------------------------------------------------------------------- figures


def test_the_page_has_the_records_figures() -> None:
    plan = two_bits(depthwise())
    record, page = recorded(plan, RUN), sheet(plan, RUN, majority=3)
    assert record["energy"]["cycles"] == 3.1e5 * CONSTANTS["cycles_per_instruction"]
    for design in record["energy"]["designs"].values():
        for key in ("sensing_uw", "radio_uw", "sleep_uw", "uw", "packed_uw"):
            assert power(design[key]) in page
        assert design["title"] in page
    for shown in ("20.5 kB", "2.93 kB", "512 bytes", short(3.1e5), "majority of 3", "C, host: passed", "72.3 %",
                  "61.23 %", "61.11 %", "60.99 %", "13 of 300", revision_of(plan)):  # fmt: skip
        assert shown in page
    for layer in count(plan).layers:
        assert f"{layer.macs:,}" in page


def test_what_nobody_measured_is_said_and_counted() -> None:
    plan = two_bits(deepconvlstm())
    counts, page = count(plan), sheet(plan, conformance=None, test=None)
    expected = counts.macs * CONSTANTS["cycles_per_mac"]
    expected += work_of(counts).requantizations * CONSTANTS["cycles_per_requantization"]
    assert recorded(plan)["energy"]["cycles"] == expected
    for said in ("not measured", "MODEL, NOT MEASURED", "--check", "not at hand"):
        assert said in page


def test_without_a_rate_or_constants_there_is_no_power() -> None:
    still = replace(depthwise(), rate_hz=None)
    assert recorded(still)["energy"] is None
    assert recorded(depthwise(), model=None)["energy"] is None
    assert "µW" not in sheet(still)


def test_the_sensor_is_the_plans() -> None:
    plan = depthwise()
    native, memory = stream_of(plan), stream_of(replace(plan, converter=a_codec("adpcm 1, all")[1]))
    flash = stream_of(two_bits(plan))
    assert native is not None
    assert memory is not None
    assert flash is not None
    assert (native.bits, native.native_bits, native.channels, native.rate_hz, native.stride) == (0, 12, 3, 50.0, 10)
    assert (memory.bits, memory.memory, memory.refresh) == (1, True, 100)
    assert (flash.bits, flash.memory) == (2, False)


def test_a_processor_too_slow_is_named() -> None:
    plan = two_bits(depthwise())
    slow = replace(RUN, instructions=64e6)
    energy = energy_of(plan, count(plan), MODEL, slow)
    assert energy is not None
    assert energy["designs"][COMPUTED]["real_time"] is False
    assert energy["designs"][SENT]["real_time"] is True
    assert "Not in real time" in sheet(plan, slow)
    late = replace(RUN, longest=2e6)
    assert "FIFO" in sheet(plan, late)
    assert "FIFO" not in sheet(plan, RUN)


def test_a_revision_is_of_the_numbers() -> None:
    plan = depthwise()
    assert revision_of(plan) == revision_of(replace(depthwise(), name="other")) != revision_of(depthwise(seed=1))
    first, *others = plan.network.layers
    assert isinstance(first, Convolution)
    weight = np.array(first.weight)
    weight[0, 0, 0] += 1
    moved = replace(plan.network, layers=(replace(first, weight=weight), *others))
    assert revision_of(replace(plan, network=moved)) != revision_of(plan)


def test_every_constant_stands_with_its_source() -> None:
    known = sources()
    assert {*CONSTANTS} - {"values_per_frame"} <= {*known}
    page = sheet(two_bits(depthwise()))
    for name in NODE:
        assert f"<td>{name}<td>{CONSTANTS[name]:g}<td>{known[name][1]}" in page
    older = recorded(two_bits(depthwise()), model=SensingModel(**CONSTANTS | {"cpu_mhz": 16}))
    page = sheet(two_bits(depthwise()), energy=older["energy"])
    assert f"<td>cpu_mhz<td>16<td>the run's own; usual is 64: {known['cpu_mhz'][1]}" in page


def test_names_of_others_stay_text() -> None:
    bad = "<script>alert(1)</script>"
    plan = replace(depthwise(), channels=(bad, "$x$", "y"), class_names=(bad, "a", "b", "c"), name=bad)
    assert bad not in firmware_page(plan, count(plan), recorded(plan), a_run())


# ----------------------------------------------------------------------------------------------------------- an export


def test_an_export_says_the_same_in_all_its_files(tmp_path: Path) -> None:
    plan = two_bits(depthwise())
    record = recorded(plan) | {"conformance": None}
    made = Firmware(tmp_path, a_run(), SimpleNamespace(plan=plan), count(plan), None, MODEL, record)  # type: ignore[arg-type]
    assert made.save() == [tmp_path / name for name in (RECORD, PAGE, PICTURE)]
    assert (tmp_path / PICTURE).read_bytes().startswith(b"\x89PNG")
    assert json.loads((tmp_path / RECORD).read_text())["measured"] is None
    made.price(RUN)
    said = json.loads((tmp_path / RECORD).read_text())
    assert said["measured"] == vars(RUN)
    assert said["energy"]["instructions"] == RUN.instructions
    power_of_node = power(said["energy"]["designs"][COMPUTED]["uw"])
    assert power_of_node in (tmp_path / PAGE).read_text()
    assert power_of_node in "\n".join(made.summary())
    assert max(map(len, made.summary())) <= 80


# ----------------------------------------------------------------------------------------------------------- the page


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with chromium.browser() as window:
        yield window


@CLICKING
@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_the_screen(width: int, window: Browser, tmp_path: Path) -> None:
    (tmp_path / "sheet.html").write_text(sheet(two_bits(deepconvlstm()), RUN), encoding="utf-8")
    window.resize(width)
    window.open(tmp_path / "sheet.html")
    assert window.run("return document.documentElement.scrollWidth") <= width
    hidden = "[...document.querySelectorAll('.facts, .ports')].filter((t) => t.scrollWidth > t.parentNode.clientWidth)"
    assert window.run(f"return {hidden}.length") == 0
    assert window.errors() == []
