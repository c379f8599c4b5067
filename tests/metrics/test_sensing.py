"""What a sensor costs, against figures worked out by hand from the stated constants."""

from __future__ import annotations

import math
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.refusal import refused

from qsense.data.series.wear import WEAR
from qsense.experiment.schema import config_folder
from qsense.metrics.conversion import conversion_energy, flash_energy, tracking_energy
from qsense.metrics.sensing import NODE, SensingModel, data_rate

CONSTANTS: dict[str, Any] = yaml.safe_load((config_folder() / "sensing" / "ble.yaml").read_text())
CONSTANTS.pop("_target_")
WEAR_VALUES = len(WEAR.axes) * WEAR.rate_hz  # 12 axes at 50 Hz
FRAME = 24_000_000


def model(**changes: Any) -> SensingModel:
    return SensingModel(**(CONSTANTS | changes))


BLE = model()
rates = st.floats(1e-3, 1e12)
bits = st.integers(1, 16)


# ------------------------------------------------------------------------------------------------- the known figures


def test_wear_from_twelve_bits_to_two() -> None:
    """With ENOB = the converter's bits, and nothing sent but the codes in full packets."""
    found = BLE.compare(WEAR_VALUES, bits=2, native_bits=None)
    assert found["native"]["bits"] == 12
    assert (found["native"]["kbit_s"], found["kbit_s"]) == (7.2, 1.2)
    assert found["native"]["radio_uj_s"] == pytest.approx(130, rel=0.01)
    assert found["radio_uj_s"] == pytest.approx(22, rel=0.02)
    assert found["native"]["adc_uj_s"] == pytest.approx(600 * 57e-9 * 4096)  # µJ/s
    assert found["native"]["adc_uj_s"] < 0.002 * found["native"]["radio_uj_s"], "negligible"
    assert found["adc_uj_s"] < 1e-4 * found["radio_uj_s"], "negligible"
    assert found["link_share"] < 0.01


def test_a_frame_of_24_megapixels() -> None:
    """57 fJ per step: 12 effective bits cost 5.6 mJ; at 2 bits, as at 4, the floor of 1.3 pJ is what is left."""
    assert FRAME * conversion_energy(12, walden_fj=57, floor_pj=1.3) == pytest.approx(5.6e9, rel=0.01)  # pJ
    for few in (1, 2, 4):
        assert FRAME * conversion_energy(few, walden_fj=57, floor_pj=1.3) == pytest.approx(31e6, rel=0.01)
    assert conversion_energy(5, walden_fj=57, floor_pj=1.3) > 1.3
    per_second = model(values_per_frame=FRAME, frames_per_second=1)
    found = per_second.compare(per_second.values_per_s(4, None, 10), bits=2, native_bits=12)
    assert found["native"]["adc_uj_s"] == pytest.approx(5603, rel=1e-3)
    assert found["adc_uj_s"] == pytest.approx(31.2, rel=1e-3)
    assert found["link_share"] > 1, "Bluetooth LE carries no such frames, and says so"


def test_a_packet_by_hand() -> None:
    """261 bytes sent in 2088 µs at 14.4 mW, then 80 µs of answer and two gaps of 150 µs at 13.8 mW."""
    assert BLE.packet_us == 2088 + 80 + 300
    assert BLE.radio_nj_per_bit == pytest.approx((2088e-6 * 14.4e-3 + 380e-6 * 13.8e-3) / 1952 * 1e9)
    assert BLE.capacity_kbit_s == pytest.approx(1952 / 2.468)


@pytest.mark.parametrize(("n", "comparators"), [(1, 1), (2, 3), (4, 15), (8, 255)])
def test_a_flash_converter_has_a_comparator_per_threshold(n: int, comparators: int) -> None:
    assert flash_energy(n, comparator_fj=1000) == comparators


def test_conversions_per_second() -> None:
    assert BLE.values_per_s(channels=12, rate_hz=50.0, values_in_input=0) == 600
    assert BLE.values_per_s(channels=4, rate_hz=None, values_in_input=100) == 3000
    assert model(values_per_frame=24e6).values_per_s(4, None, 100) == 720e6
    assert model(values_per_frame=24e6).values_per_s(12, 50.0, 0) == 600, "a time series has no frames"


def test_a_sensor_that_is_not_quantized_delivers_its_native_bits() -> None:
    for native, expected in ((None, 12), (8, 8)):
        found = BLE.compare(600, bits=0, native_bits=native)
        assert found["bits"] == expected
        assert {name: found[name] for name in found["native"]} == found["native"]


def test_all_constants_are_recorded_with_the_figures() -> None:
    found = BLE.compare(600, bits=2, native_bits=None)
    assert found["constants"] == {name: value for name, value in CONSTANTS.items() if name not in NODE}
    assert found["basis"] == "model, not measured"


def test_a_tracking_converter_by_hand() -> None:
    """2 bits at the floor of 1.3 pJ, 4096 units of 1 fF at 1 V, and 20 operations of 50 fJ; at refreshes 12 bits."""
    pj = 1.3 + 4.096 + 1.0
    assert tracking_energy(1.3, 12, dac_fj=1, digital_fj=1000) == pytest.approx(pj)
    found = BLE.compare(600, bits=2, native_bits=None, memory=True)
    assert found["adc_uj_s"] == pytest.approx(600 * pj / 1e6)
    assert found["adc_uj_s"] < found["native"]["adc_uj_s"]
    assert found["kbit_s"] == 1.2
    refreshed = BLE.compare(600, bits=2, native_bits=None, memory=True, refresh=250)
    assert refreshed["kbit_s"] == pytest.approx(0.6 * (2 + 10 / 250))
    assert refreshed["radio_uj_s"] == pytest.approx(refreshed["kbit_s"] * BLE.radio_nj_per_bit)
    assert refreshed["adc_uj_s"] == pytest.approx(600 * (249 / 250 * pj + 57 * 4.096 / 250) / 1e6)
    whole = BLE.compare(600, bits=2, native_bits=12, memory=True, refresh=1)
    assert {name: whole[name] for name in whole["native"] if name != "bits"} == pytest.approx(
        {name: value for name, value in whole["native"].items() if name != "bits"}
    )


@pytest.mark.parametrize(("memory", "operations"), [(False, 2), (True, 20)])
def test_behind_a_native_adc_the_radio_alone_gains(memory: bool, operations: int) -> None:
    found = BLE.compare(600, bits=2, native_bits=None, memory=memory)
    behind, native = found["behind"], found["native"]
    assert behind["adc_uj_s"] == pytest.approx(native["adc_uj_s"] + 600 * operations * 50e-9)
    assert behind["adc_uj_s"] == pytest.approx(native["adc_uj_s"], rel=0.01), "the codec is negligible in logic"
    assert behind["uj_s"] == behind["adc_uj_s"] + found["radio_uj_s"] > found["uj_s"]
    unquantized = BLE.compare(600, bits=0, native_bits=None)
    assert unquantized["behind"] == {key: unquantized["native"][key] for key in ("adc_uj_s", "uj_s")}


def test_a_codec_that_needs_a_native_adc_pays_for_it() -> None:
    found = BLE.compare(600, bits=8, native_bits=12, digital=True)
    assert found["adc_uj_s"] == found["behind"]["adc_uj_s"] == pytest.approx(600 * (57e-3 * 4096 + 1.0) / 1e6)
    assert found["flash_uj_s"] > found["native"]["flash_uj_s"]
    assert (found["bits"], found["kbit_s"]) == (8, 4.8)


def test_radio_by_entropy_stands_beside_the_nominal_one() -> None:
    found = BLE.compare(600, bits=2, native_bits=None, entropy=0.5, lossless=6.0)
    assert found["kbit_s"] == 1.2
    assert found["entropy"]["kbit_s"] == 0.3
    assert found["entropy"]["radio_uj_s"] == pytest.approx(found["radio_uj_s"] / 4)
    assert found["lossless"]["radio_uj_s"] == pytest.approx(found["native"]["radio_uj_s"] / 2)
    assert found["lossless"]["adc_uj_s"] > found["native"]["adc_uj_s"]
    assert not {"entropy", "lossless"} & set(BLE.compare(600, bits=2, native_bits=None))


def test_constants_of_older_runs_price_as_they_did() -> None:
    later = ("dac_fj", "operation_fj", "codec_operations")
    older = SensingModel(**{name: value for name, value in CONSTANTS.items() if name not in later})
    assert older.constants() == BLE.constants()


# --------------------------------------------------------------------------------------------------------- properties


@given(rate=rates, n=st.integers(1, 8), native=st.integers(8, 16), few=st.integers(2, 50))
def test_rarer_refreshes_never_send_more(rate: float, n: int, native: int, few: int) -> None:
    often, rarely, never = (BLE.price_with_memory(rate, n, native, refresh) for refresh in (few, 2 * few, 0))
    assert often["kbit_s"] >= rarely["kbit_s"] >= never["kbit_s"] == data_rate(rate, n)
    for found in (often, rarely, never):
        assert found["uj_s"] == found["radio_uj_s"] + found["adc_uj_s"]
        assert set(found) == set(BLE.price(rate, n))


@given(rate=rates, few=bits, many=bits)
def test_more_bits_never_cost_less(rate: float, few: int, many: int) -> None:
    few, many = sorted((few, many))
    less, more = BLE.price(rate, few), BLE.price(rate, many)
    assert all(less[name] <= more[name] for name in less)
    if few < many:
        assert all(less[name] < more[name] for name in ("kbit_s", "radio_uj_s", "flash_uj_s", "uj_s"))


@given(rate=rates, factor=st.floats(1e-3, 1e3), n=bits)
def test_costs_are_in_proportion_to_the_rate(rate: float, factor: float, n: int) -> None:
    one, other = BLE.price(rate, n), BLE.price(factor * rate, n)
    for name in set(one) - {"bits"}:
        assert other[name] == pytest.approx(factor * one[name], rel=1e-9)
    assert one["uj_s"] == one["radio_uj_s"] + one["adc_uj_s"]
    assert data_rate(rate, n) == one["kbit_s"]


@given(n=st.floats(0, 24), walden=st.floats(0.1, 1e4), floor=st.floats(1e-3, 1e3))
def test_a_conversion_costs_the_floor_or_the_figure_of_merit(n: float, walden: float, floor: float) -> None:
    energy = conversion_energy(n, walden, floor)
    assert energy >= floor
    assert energy == floor or math.log2(energy * 1e3 / walden) == pytest.approx(n, abs=1e-9)


# ----------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("name", sorted(CONSTANTS))
@pytest.mark.parametrize("value", [0, -1, math.inf, math.nan])
def test_a_constant_must_be_positive(name: str, value: float) -> None:
    with refused(ValueError, f"sensing.{name}={value}", "positive"):
        model(**{name: value})


def test_native_bits_have_an_end() -> None:
    with refused(ValueError, "sensing.native_bits=33", 1, 32):
        model(native_bits=33)


def test_every_constant_in_the_file_has_its_reason() -> None:
    lines = (config_folder() / "sensing" / "ble.yaml").read_text().splitlines()
    stated = {line.split(":")[0]: line.partition("#")[2] for line in lines if line[:1].isalpha()}
    assert set(CONSTANTS) <= set(stated)
    sources = ("Assumed", "Bluetooth Core", "nRF52840", "null:", "Horowitz", "Counted")
    lacking = [name for name in CONSTANTS if name != "supply_v" and not any(word in stated[name] for word in sources)]
    assert lacking == []
    assert stated["supply_v"].strip()
