"""A firmware's page, its record and its picture: the same figures everywhere, whatever is known of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path
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
from qsense.chip.firmware.datasheet import PAGE, PICTURE, describe, firmware_page, sources
from qsense.chip.firmware.energy import Measured, energy_of, stream_of, work_of
from qsense.chip.firmware.plan import Plan
from qsense.chip.firmware.record import FILE, revision_of
from qsense.experiment.schema import config_folder
from qsense.metrics.compute import COMPUTED, SENT
from qsense.metrics.sensing import NODE, SensingModel
from qsense.quant.network.integer.numbers import Convolution
from qsense.runs.words import power, short

CONSTANTS: dict[str, Any] = yaml.safe_load((config_folder() / "sensing" / "ble.yaml").read_text())
CONSTANTS.pop("_target_")
MODEL = SensingModel(**CONSTANTS)
RUN = Measured("Cortex-M4, -Os, QEMU", flash=21_000, ram=3_000, stack=512, instructions=3.1e5, longest=2.4e4)
CHECKS = [Check("C, host", True, "300 windows, 0 differences")]
CLICKING = pytest.mark.skipif(bool(chromium.MISSING), reason=chromium.MISSING)


def two_bits(plan: Plan) -> Plan:
    """The plan behind a converter of 2 bits."""
    converter: Converter = converters()["gamma per axis, values"][1]
    return replace(plan, converter=converter)


def sheet(plan: Plan, measured: Measured | None = None, model: SensingModel | None = MODEL, majority: int = 1) -> str:
    counts = count(plan)
    energy = energy_of(plan, counts, model, measured)
    return firmware_page(plan, counts, energy, a_run(), CHECKS, measured, majority)


def described(folder: Path, plan: Plan, **changes: Any) -> tuple[dict[str, Any], str]:
    given: dict[str, Any] = {"model": MODEL, "conformance": CHECKS} | changes
    describe(folder, plan, count(plan), origin=a_run(), **given)
    return json.loads((folder / FILE).read_text()), unescape((folder / PAGE).read_text())


# ------------------------------------------------------------------------------------------------------------- figures


def test_page_and_record_have_the_same_figures(tmp_path: Path) -> None:
    plan = two_bits(depthwise())
    record, page = described(tmp_path, plan, measured=RUN, majority=3)
    assert (tmp_path / PICTURE).read_bytes().startswith(b"\x89PNG")
    assert (record["flash_bytes"], record["ram_bytes"], record["sizes_of"]) == (21_000, 3_000, "program")
    assert record["counts"] == count(plan).record()
    assert record["measured"]["instructions"] == 3.1e5
    assert record["energy"]["cycles"] == 3.1e5 * 1.5
    assert record["conformance"] == [vars(CHECKS[0])]
    for design in record["energy"]["designs"].values():
        for key in ("sensing_uw", "radio_uw", "sleep_uw", "uw", "packed_uw"):
            assert power(design[key]) in page
        assert design["title"] in page
    for shown in ("20.5 kB", "2.93 kB", "512 bytes", short(3.1e5), "majority of 3", str(CHECKS[0]), record["revision"]):
        assert shown in page
    for layer in count(plan).layers:
        assert f"{layer.macs:,}" in page


def test_what_nobody_measured_is_said_and_counted(tmp_path: Path) -> None:
    plan = two_bits(deepconvlstm())
    record, page = described(tmp_path, plan, conformance=[])
    counts = count(plan)
    assert (record["flash_bytes"], record["ram_bytes"], record["sizes_of"]) == (counts.flash, counts.ram, "constants")
    assert record["measured"] is None
    assert record["energy"]["cycles"] == counts.macs * 10 + work_of(counts).requantizations * 20
    assert "not measured" in page
    assert "MODEL, NOT MEASURED" in page
    assert "--check" in page


@pytest.mark.parametrize("missing", ["rate", "model"])
def test_without_a_rate_or_constants_there_is_no_power(missing: str, tmp_path: Path) -> None:
    plan = replace(depthwise(), rate_hz=None) if missing == "rate" else depthwise()
    record, page = described(tmp_path, plan, model=None if missing == "model" else MODEL)
    assert record["energy"] is None
    assert not (tmp_path / PICTURE).exists()
    assert "µW" not in page


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
    page = unescape(sheet(two_bits(depthwise())))
    for name in NODE:
        assert f"<td>{name}<td>{CONSTANTS[name]:g}<td>{known[name]}" in page


def test_names_of_others_stay_text() -> None:
    bad = "<script>alert(1)</script>"
    plan = replace(depthwise(), channels=(bad, "$x$", "y"), class_names=(bad, "a", "b", "c"), name=bad)
    assert bad not in sheet(plan)


# ----------------------------------------------------------------------------------------------------------- the page


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with chromium.browser() as window:
        yield window


@CLICKING
@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_the_screen(width: int, window: Browser, tmp_path: Path) -> None:
    (tmp_path / PAGE).write_text(sheet(two_bits(deepconvlstm()), RUN), encoding="utf-8")
    window.resize(width)
    window.open(tmp_path / PAGE)
    assert window.run("return document.documentElement.scrollWidth") <= width
    hidden = "[...document.querySelectorAll('.facts, .ports')].filter((t) => t.scrollWidth > t.parentNode.clientWidth)"
    assert window.run(f"return {hidden}.length") == 0
    assert window.errors() == []
