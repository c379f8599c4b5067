"""Four designs of a node, against figures worked out by hand from the stated constants."""

from __future__ import annotations

import inspect
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.metrics.test_sensing import BLE, CONSTANTS, model
from tests.refusal import refused

from qsense.metrics.compute import COMPUTED, DESIGNS, PARTS, SENDING, SENT, Stream, Work, compare_designs
from qsense.metrics.sensing import NODE, SensingModel

WRIST = Stream(channels=3, rate_hz=50, native_bits=12, bits=2, stride=25)  # two predictions a second
SMALL = Work(macs=200_000, requantizations=5_000)


def designs(stream: Stream = WRIST, work: Work = SMALL, **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = compare_designs(model(**changes), stream, work)["designs"]
    return found


# ------------------------------------------------------------------------------------------------------------ by hand


def test_a_wrists_four_designs_by_hand() -> None:
    """Three axes at 50 Hz, 12 bits or 2, a prediction every 25 samples; a cycle takes 3 V × 52 µA/MHz = 0.156 nJ."""
    found = designs()
    assert [*found] == [*DESIGNS]
    # 12 + 19 bytes and 17 more in 384 µs at 14.4 mW; 80 µs of answer and two gaps of 150 µs at 13.8 mW; twice a second
    assert found[SENT]["bytes"] == 31
    assert found[SENT]["radio_uw"] == pytest.approx(2 * (384 * 14.4 + 380 * 13.8) / 1e3)
    assert found["native_sent"]["bytes"] == 125
    assert found["native_sent"]["radio_uw"] == pytest.approx(2 * (1136 * 14.4 + 380 * 13.8) / 1e3)
    for name in ("native_computed", COMPUTED):
        assert found[name]["bytes"] == 6
        assert found[name]["radio_uw"] == pytest.approx(2 * (184 * 14.4 + 380 * 13.8) / 1e3)
        assert found[name]["compute_uw"] == pytest.approx(2 * (200_000 * 3 + 5_000 * 150) * 0.156e-3)
        assert found[name]["cpu_share"] == pytest.approx(2 * 1.35e6 / 64e6, rel=0.02)
        assert found[name]["real_time"] is True
    # 500 cycles, and 2 bytes (an address and three codes) at 8 Mbit/s, 2 µs; the converter at its floor of 1.3 pJ
    assert found[SENT]["sensing_uw"] == pytest.approx(50 * (500 + 2 * 64) * 0.156e-3 + 150 * 1.3e-6)
    assert found["native_sent"]["sensing_uw"] == pytest.approx(50 * (500 + 7 * 64) * 0.156e-3 + 150 * 57 * 4.096e-6)
    assert found[SENT]["sleep_uw"] == pytest.approx(3 * 3.16, rel=1e-3)
    for design in found.values():
        assert design["uw"] == pytest.approx(sum(design[f"{part}_uw"] for part in PARTS))
        assert design["packed_uw"] == pytest.approx(design["uw"] - design["radio_uw"] + design["packed_radio_uw"])


def test_a_network_breaks_even_where_it_takes_what_the_radio_spares() -> None:
    """25 bytes fewer: 200 µs at 14.4 mW, as many µJ as 18 462 cycles take."""
    assert compare_designs(BLE, WRIST, SMALL)["break_even_cycles"] == pytest.approx(200 * 14.4 / 0.156)
    least = compare_designs(BLE, WRIST, Work(macs=0, instructions=200 * 14.4 / 0.156 / 1.5))["designs"]
    assert least[COMPUTED]["uw"] == pytest.approx(least[SENT]["uw"], rel=1e-3)
    native = compare_designs(BLE, Stream(3, 50, 12, bits=0, stride=25), SMALL)
    assert native["break_even_cycles"] == pytest.approx(8 * 119 * 14.4 / 0.156)
    rare = compare_designs(BLE, Stream(1, 50, 12, bits=1, stride=1), SMALL)
    assert rare["break_even_cycles"] > 0, "a header is longer than a prediction"
    assert compare_designs(model(prediction_bytes=200), WRIST, SMALL)["break_even_cycles"] == 0


def test_samples_in_full_packets_cost_what_a_run_records_and_wait() -> None:
    found, recorded = designs(), BLE.compare(150, bits=2, native_bits=12)
    assert found[SENT]["packed_radio_uw"] == recorded["radio_uj_s"]
    assert found["native_sent"]["packed_radio_uw"] == recorded["native"]["radio_uj_s"]
    assert found[SENT]["wait_s"] == pytest.approx(244 * 8 / 300)


def test_counted_instructions_stand_for_the_networks_own_counts() -> None:
    found = compare_designs(BLE, WRIST, Work(SMALL.macs, SMALL.requantizations, instructions=1e6))
    assert found["cycles"] == 1.5e6
    assert found["designs"][COMPUTED]["compute_uw"] == pytest.approx(2 * 1.5e6 * 0.156e-3)


def test_a_processor_that_does_not_keep_up_is_told() -> None:
    found = designs(work=Work(macs=12e6))[COMPUTED]
    assert found["real_time"] is False
    assert found["cpu_share"] == pytest.approx(2 * 36e6 / 64e6, rel=1e-3)
    assert found["sleep_uw"] == 0
    assert designs(work=Work(macs=12e6), cpu_mhz=128)[COMPUTED]["real_time"] is True


def test_a_sensor_without_a_converter_has_two_designs() -> None:
    assert [*designs(Stream(3, 50, 12, bits=0, stride=25))] == ["native_sent", "native_computed"]


def test_a_converter_with_memory_sends_its_refreshes_too() -> None:
    stream = Stream(3, 50, 12, bits=1, stride=25, memory=True, refresh=50)
    found, recorded = designs(stream), BLE.compare(150, bits=1, native_bits=12, memory=True, refresh=50)
    assert found[SENT]["bytes"] == 24  # 12, and 75 values of 1 + 11/50 bits
    assert found[SENT]["packed_radio_uw"] == recorded["radio_uj_s"]
    assert found[COMPUTED]["sensing_uw"] > recorded["adc_uj_s"]


def test_a_message_of_several_packets_pays_for_each() -> None:
    assert BLE.message_uj(245) - BLE.message_uj(244) == pytest.approx((8 * 18 * 14.4 + 380 * 13.8) / 1e3)
    assert BLE.message_uj(244) == pytest.approx(BLE.radio_nj_per_bit * 244 * 8 / 1e3)


# --------------------------------------------------------------------------------------------------------- properties


@given(
    channels=st.integers(1, 24), rate=st.floats(1, 1e4), bits=st.integers(1, 8), stride=st.integers(1, 500),
    macs=st.integers(1, 10**9),
)  # fmt: skip
def test_power_is_never_negative_and_json_takes_it(
    channels: int, rate: float, bits: int, stride: int, macs: int
) -> None:
    found = compare_designs(BLE, Stream(channels, rate, 12, bits, stride), Work(macs))
    json.dumps(found, allow_nan=False)
    for name, design in found["designs"].items():
        assert all(design[f"{part}_uw"] >= 0 for part in PARTS)
        assert (design["compute_uw"] == 0) == (name in SENDING)
    assert found["designs"][SENT]["uw"] <= found["designs"]["native_sent"]["uw"]
    assert found["designs"][COMPUTED]["radio_uw"] == found["designs"]["native_computed"]["radio_uw"]


# ---------------------------------------------------------------------------------------------------------- constants


def test_a_runs_recorded_constants_are_those_of_its_figures() -> None:
    assert not {*NODE} & {*BLE.constants()}
    assert {*NODE} | {*BLE.constants()} == {*BLE.constants_of_node()} == {*CONSTANTS}


def test_runs_recorded_without_a_node_are_priced_with_its_constants() -> None:
    older = SensingModel(**{name: value for name, value in CONSTANTS.items() if name not in NODE})
    assert older.constants_of_node() == BLE.constants_of_node()
    assert {*NODE} <= {*inspect.signature(SensingModel).parameters}


@pytest.mark.parametrize("name", ["channels", "rate_hz", "native_bits", "stride"])
def test_a_stream_has_no_count_of_zero(name: str) -> None:
    good: dict[str, Any] = {"channels": 3, "rate_hz": 50.0, "native_bits": 12, "bits": 2, "stride": 25}
    with refused(ValueError, f"{name}=0", "positive"):
        Stream(**good | {name: 0})
