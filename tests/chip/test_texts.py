"""Tables, registers, vectors and the datasheet: what stands in them."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.chip.converters import RAW, a_run, converters
from tests.refusal import refused
from tests.results import whole_result

from qsense.chip import registers, tables, vectors
from qsense.chip.converter import convert
from qsense.chip.cost import costs
from qsense.chip.datasheet import datasheet
from qsense.chip.findings import findings
from qsense.chip.names import identifier
from qsense.chip.origin import origin
from qsense.quant.sensor.gamma import Gamma
from qsense.quant.sensor.quantile import Quantile
from qsense.runs import folder as run_folder
from qsense.signal import Signal

EVERY = converters()


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_json_holds_everything() -> None:
    sensor, converter = EVERY["gamma per axis, values"]
    content = json.loads(tables.as_json(converter, a_run(), full_scale_volts=3.3))
    assert [row["name"] for row in content["rows"]] == ["x", "y", "z"]
    for r, row in enumerate(content["rows"]):
        assert row["thresholds"] == converter.thresholds[r].tolist()  # every digit
        assert row["native_counts"] == converter.counts[r].tolist()
        np.testing.assert_allclose(row["volts"], converter.positions[r] / 4095 * 3.3)
    assert content["network_sees"]["thresholds"] == sensor.thresholds().tolist()
    assert content["native"]["assumed"].startswith("the data states no native codes")
    assert content["origin"][0] == "run sbhar-gamma-2bit-fold03-seed1-0123456789"
    assert content["simulated"] is False
    assert content["findings"]["comparator_accuracy_bits"] > 0
    assert "volts" not in json.loads(tables.as_json(converter, a_run()))["rows"][0]


@pytest.mark.parametrize("record", ['{"git_revision": "abc"}', "{", "[]", "", None])
def test_an_export_says_its_runs_commit_as_far_as_it_is_known(tmp_path: Path, record: str | None) -> None:
    run_folder.finish(tmp_path, whole_result())
    (tmp_path / "run.json").unlink()
    if record is not None:
        (tmp_path / "run.json").write_text(record)
    assert origin(tmp_path).revision == ("abc" if record == '{"git_revision": "abc"}' else "unknown")


def test_json_holds_the_code_of_every_count() -> None:
    for name in ("gamma, 8 bits, values", "log, raw"):
        _, converter = EVERY[name]
        content = json.loads(tables.as_json(converter, a_run()))
        digits = content["lut_digits"]
        for row, codes in zip(content["rows"], converter.lut().tolist(), strict=True):
            lut = row["lut"]
            assert [int(lut[i : i + digits], 16) for i in range(0, len(lut), digits)] == codes
    wide = convert(Gamma(Signal(1, 0.0, 1.0, "V", native_bits=24), 4, gamma=0.3), "x", {})
    content = json.loads(tables.as_json(wide, a_run()))
    assert "lut_digits" not in content
    assert "lut" not in content["rows"][0]


def test_json_of_a_threshold_that_nothing_reaches() -> None:
    _, converter = EVERY["half"]
    content = json.loads(tables.as_json(converter, a_run()))
    assert content["rows"][0]["thresholds"][2] is None
    assert content["rows"][0]["native_counts"] == [1365, 4095, None]
    assert [line[-1] for line in rows(tables.thresholds_csv(converter))] == ["reached", "yes", "yes", "never"]


def test_csv() -> None:
    _, converter = EVERY["gamma per axis, values"]
    heading, *lines = rows(tables.thresholds_csv(converter, 3.3))
    assert heading == ["row", "code", "threshold_g", "native_position", "native_count", "reached", "volts"]
    assert [float(line[2]) for line in lines] == converter.thresholds.ravel().tolist()
    assert [int(line[4]) for line in lines] == converter.counts.ravel().tolist()
    heading, *lines = rows(tables.levels_csv(converter))
    assert heading == ["code", "network_sees", "x_g", "y_g", "z_g"]
    assert [[float(v) for v in line[2:]] for line in lines] == converter.levels.T.tolist()
    heading, *lines = rows(tables.lut_csv(converter))
    assert heading == ["native_count", "x", "y", "z"]
    assert [[int(v) for v in line] for line in lines] == [
        [c, *codes] for c, codes in enumerate(converter.lut().T.tolist())
    ]


def test_registers() -> None:
    _, converter = EVERY["gamma per axis, values"]
    text = registers.as_text(converter, a_run())
    found = dict(line.split() for line in text.splitlines() if not line.startswith("#"))
    assert list(found) == [f"{row}_THRESHOLD_{code}" for row in "XYZ" for code in (1, 2, 3)]
    assert list(found.values()) == [f"0x{count:03X}" for count in converter.counts.ravel()]
    assert "12 bits per register" in text
    off = registers.as_text(EVERY["half"][1], a_run())
    assert off.endswith("ALL_THRESHOLD_3 0x1000\n")
    assert "13 bits per register" in off
    assert "# 0x1000: comparator off" in off
    for names in (("β", "γ"), ("acc-x", "acc x")):
        signal = Signal(2, -1.0, 1.0, "g", names=names)
        text = registers.as_text(convert(Gamma(signal, 2, per_channel=True), "x", {}), a_run())
        registered = [line.split()[0] for line in text.splitlines() if not line.startswith("#")]
        assert len(set(registered)) == 6
        assert registered[0].startswith("R0_")


def test_vectors_are_every_count_and_have_a_checksum() -> None:
    _, converter = EVERY["gamma per condition, raw"]
    text = vectors.as_text(converter, a_run())
    body = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("//"))
    assert hashlib.sha256(body.encode()).hexdigest() in text
    again = vectors.read(text)
    assert again.row.tolist() == [0] * 256 + [1] * 256
    assert again.count.tolist() == [*range(256)] * 2
    assert again.code.tolist() == converter.lut().ravel().tolist()
    with refused(
        ValueError,
        hashlib.sha256(body.encode()).hexdigest(),
        hashlib.sha256(body.replace("1_ff_7", "1_ff_6").encode()).hexdigest(),
    ):
        vectors.read(text.replace("1_ff_7", "1_ff_6"))


def test_vectors_of_wide_sensors_surround_every_threshold() -> None:
    converter = convert(Gamma(Signal(1, 0.0, 1.0, "V", native_bits=24), 4, gamma=0.3), "x", {})
    given = vectors.read(vectors.as_text(converter, a_run()))
    for count in converter.counts[0]:
        assert {count - 1, count, min(count + 1, (1 << 24) - 1)} <= set(given.count.tolist())
    assert len(given.count) > 4000


def test_names() -> None:
    assert identifier("RWHAR gamma_per_axis 2bit") == "rwhar_gamma_per_axis_2bit"
    assert identifier("2024 γ") == "adc_2024"


# Datasheet ------------------------------------------------------------------------------------------------------------


def sheet(name: str, volts: float | None = None, **changes: object) -> str:
    sensor, converter = EVERY[name]
    return datasheet(converter, sensor, a_run(**changes), volts)


def test_a_datasheet_names_every_threshold() -> None:
    _, converter = EVERY["gamma per axis, values"]
    page = sheet("gamma per axis, values", 3.3)
    for value, count in zip(converter.thresholds.ravel(), converter.counts.ravel(), strict=True):
        assert f"{value:.4f}".replace("-", "−") in page
        assert f"{count} · " in page
    for said in (
        "72.3 %",
        "macro-F1, sample-wise",
        "fold 3 of 30, seed 1",
        "c0ffee",
    ):
        assert said in page
    assert "SIMULATED" not in page
    assert not re.search(r'(src|href)="(?!#)', page.replace('xlink:href="#', ""))  # nothing from elsewhere
    assert page == sheet("gamma per axis, values", 3.3)


def test_what_follows_a_converter_is_named() -> None:
    _, converter = EVERY["linear, values"]
    standardised = {"mean": [0.25, -0.5, 0.0], "std": [0.125, 1.0, 2.0]}
    assert "0.25, -0.5, 0" in sheet("linear, values", standardised=standardised)
    assert "0.125, 1, 2" in sheet("linear, values", standardised=standardised)
    assert "standardised" not in sheet("linear, values")
    content = json.loads(tables.as_json(converter, a_run(standardised=standardised)))
    assert content["network_sees"]["standardised"] == standardised


def test_a_datasheet_says_what_to_mind() -> None:
    assert "code 3 out of reach" in sheet("half")
    assert "never" in sheet("half")
    assert "collapsed" in sheet("gamma, 8 bits, values")
    assert "The data states no native codes; assumed" in sheet("linear, values")
    assert "Every code has native counts of its own" in sheet("log, raw")
    assert "counts 64, 1000" in sheet("linear, black and white")
    assert "255 thresholds in each of 3 rows: see thresholds.csv" in sheet("gamma, 8 bits, values")


def test_a_datasheet_says_what_the_data_did_for_the_curve() -> None:
    assert "12 bits, learned for SBHAR" in sheet("gamma per axis, values")
    assert "12 bits, used for SBHAR" in sheet("log, raw")
    sensor = Quantile(RAW, 2)
    sensor.fit(torch.arange(4096)[:, None].repeat(1, 4))
    assert "12 bits, fitted to SBHAR" in datasheet(convert(sensor, "x", {}), sensor, a_run())


def test_gaps_below_a_native_step() -> None:
    """γ = 0.2 on 12 bits: thresholds closer than counts, the first a millionth of full scale."""
    sensor = Gamma(RAW, 4, gamma=0.2)
    converter = convert(sensor, "x", {})
    page = datasheet(converter, sensor, a_run())
    found = findings(converter)
    assert found.gap is not None
    assert found.accuracy is not None
    assert found.gap < 1
    assert f"{found.gap:.4g} native steps; {found.apart} between different counts" in page
    assert f"{found.accuracy:.1f} bits of the analog signal; behind the native ADC, 12" in page
    assert f"<td>{converter.thresholds[0, 0]:.4g}".replace("-", "−") in page
    assert "<td>code 1<td>0.0000" not in page
    assert "between different counts" not in sheet("log, raw")


def test_simulated_data_is_labelled() -> None:
    page = sheet("log, raw", data="synthetic_raw", dataset="Synthetic raw")
    assert "SIMULATED DATA" in page
    assert "Synthetic raw (simulated)" in page
    assert "SIMULATED DATA" in sheet("log, raw", data="coco_raw", statistics={"simulated": True})


def test_cost_of_sensing_where_a_run_has_it() -> None:
    priced = {"bits": 2, "kbit_s": 1.2, "radio_uj_s": 21.7, "adc_uj_s": 0.00078, "flash_uj_s": 0.0001}
    native = {"bits": 12, "kbit_s": 7.2, "radio_uj_s": 130.0, "adc_uj_s": 0.0047, "flash_uj_s": 0.2}
    page = sheet("log, raw", sensing={**priced, "native": native})
    assert "1.20 kbit/s; at 12 bits 7.20" in page
    assert "780 pW; at 12 bits 4.7 nW" in page
    assert "kbit/s" not in sheet("log, raw")
    assert "not recorded by this run" in sheet("log, raw", cost=None)


def test_honest_rates_and_both_places_of_the_quantizer() -> None:
    priced = {"bits": 2, "kbit_s": 0.306, "radio_uj_s": 5.5, "adc_uj_s": 0.001, "flash_uj_s": 0.0001}
    native = {"bits": 12, "kbit_s": 1.8, "radio_uj_s": 32.6, "adc_uj_s": 0.035, "flash_uj_s": 0.2}
    sensing = {
        **priced,
        "behind": {"adc_uj_s": 0.0352, "uj_s": 5.54},
        "entropy": {"bits": 1.23, "kbit_s": 0.18, "radio_uj_s": 3.35},
        "lossless": {"bits": 6.63, "kbit_s": 0.99, "radio_uj_s": 18.0, "adc_uj_s": 0.035, "uj_s": 18.0},
        "native": native,
    }
    rates = {"nominal": 2.04, "entropy": 1.23, "lossless": {"bits": 6.63}}
    page = sheet("log, raw", sensing=sensing, rates=rates)
    assert "2.04, refreshes counted" in page
    assert "1.23 bits per sample (bound, no coder)" in page
    assert "6.63 bits per sample (differences, bound)" in page
    assert "35.2 nW, the radio alone gains" in page
    assert "3.35 µW; lossless 18 µW" in page
    unquantized = dict(costs({"rates": {"lossless": {"bits": 6.63}}, "cost": None}))
    assert unquantized == {"": "not recorded by this run"}


def test_many_rows_share_one_table() -> None:
    names = tuple(f"axis{i}" for i in range(9))
    sensor = Gamma(Signal(9, -1.0, 1.0, "g", names=names), 2, per_channel=True)
    converter = convert(sensor, "x", {"low": [-2.0] * 9, "high": [2.0] * 9})
    page = datasheet(converter, sensor, a_run())
    assert page.count("<td>axis8") == 1
    assert "code 3 → 1.0000" in page
