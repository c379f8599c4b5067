"""What a firmware's export says in a report: columns, a picture, and a note where its file is damaged."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console
from tests.chip.converters import converters
from tests.chip.firmware.plans import depthwise
from tests.refusal import refused
from tests.study_folders import make_run, sensing

from qsense.chip.firmware.counting import count
from qsense.chip.firmware.energy import Measured, energy_of
from qsense.experiment.schema import config_folder
from qsense.metrics.sensing import SensingModel
from qsense.runs.folder import FIRMWARE
from qsense.study.bounds import DamageError
from qsense.study.costs import COMPUTES, SENDS
from qsense.study.files import write_report
from qsense.study.index import gather
from qsense.study.page import contents
from qsense.study.record import of_firmware
from qsense.study.run import read_run
from qsense.study.screen import print_report
from qsense.study.summary import summarise

CONSTANTS: dict[str, Any] = yaml.safe_load((config_folder() / "sensing" / "ble.yaml").read_text())
CONSTANTS.pop("_target_")


def exported(instructions: float | None = None) -> dict[str, Any]:
    """What an export records of a small firmware behind 2 bits."""
    plan = replace(depthwise(), converter=converters()["gamma per axis, values"][1])
    run = None if instructions is None else Measured("Cortex-M4", 20_480, 2_048, 512, instructions, instructions)
    counts = count(plan)
    energy = energy_of(plan, counts, SensingModel(**CONSTANTS), run)
    return {"counts": counts.record(), "measured": None if run is None else vars(run), "energy": energy}


def with_firmware(folder: Path, content: Any) -> Path:
    file = folder / FIRMWARE
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(content))
    return file


def screen(root: Path, width: int = 80) -> str:
    console = Console(width=width, file=StringIO(), color_system=None)
    print_report(summarise([root]), console)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


# -------------------------------------------------------------------------------------------------------- what is read


def test_a_measured_program_stands_for_its_counts() -> None:
    counted, measured = of_firmware(exported()), of_firmware(exported(1e6))
    record = exported()
    assert counted["firmware_flash"] == record["counts"]["flash"]["total"]
    assert counted["firmware_ram"] == record["counts"]["ram"]["total"]
    assert counted[COMPUTES] == record["energy"]["designs"]["codes_computed"]["uw"]
    assert counted[SENDS] == record["energy"]["designs"]["codes_sent"]["uw"]
    assert "firmware_instructions" not in counted
    assert (measured["firmware_flash"], measured["firmware_ram"]) == (20_480, 2_048)
    assert measured["firmware_instructions"] == 1e6
    assert measured["firmware_share"] == exported(1e6)["energy"]["designs"]["codes_computed"]["cpu_share"]


def test_a_sensor_without_a_converter_has_its_native_designs() -> None:
    record = exported()
    for name in ("codes_sent", "codes_computed"):
        del record["energy"]["designs"][name]
    assert of_firmware(record)[SENDS] == record["energy"]["designs"]["native_sent"]["uw"]
    assert not {SENDS, COMPUTES, "firmware_share"} & {*of_firmware({**record, "energy": None})}


# ------------------------------------------------------------------------------------------------------------- report


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Two quantizers of two folds; of one each fold has a firmware, measured."""
    for fold in range(2):
        for quant, bits, instructions in (("gamma", 2, 1e6 + fold * 1e4), ("linear", 4, None)):
            folder = make_run(tmp_path / "runs", 0.5 + bits / 10, quant, bits, fold=fold, sensing=sensing(bits))
            if instructions:
                with_firmware(folder, exported(instructions))
    return tmp_path / "runs"


def test_columns_are_there_where_a_run_has_them_and_fit_80(study: Path) -> None:
    shown = screen(study)
    for heading in ("flash", "RAM", "kinstr", "computes", "sends"):
        assert heading in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert "1005" in shown, "the mean of the folds' 1000 and 1010 thousand"
    assert "20.0" in shown
    make_run(study.parent / "others", 0.5, sensing=sensing(2))
    without = screen(study.parent / "others")
    assert not any(heading in without for heading in ("flash", "RAM", "kinstr", "computes"))


def test_scores_are_drawn_over_both_designs(study: Path, tmp_path: Path) -> None:
    written = {file.name for file in write_report(summarise([study]), tmp_path / "report")}
    assert "tradeoff_node.png" in written
    markdown = (tmp_path / "report" / "report.md").read_text()
    assert markdown.count("tradeoff_node.png") == 1
    assert "]()" not in markdown
    assert "firmware_uj_s" in (tmp_path / "report" / "runs.csv").read_text()
    data = contents([summarise([study])])
    assert {"flash kB", "RAM kB"} <= {column["heading"] for column in data["columns"]}


def test_an_export_made_after_a_report_is_in_the_next(study: Path) -> None:
    before = {run.folder: run.cost for run in gather([study])}
    folder = next(folder for folder, cost in before.items() if COMPUTES not in cost)
    file = with_firmware(folder, exported())
    assert COMPUTES in {run.folder: run.cost for run in gather([study])}[folder]
    file.unlink()
    assert {run.folder: run.cost for run in gather([study])} == before


# ------------------------------------------------------------------------------------------------------------- damage


def as_pipe(file: Path) -> None:
    os.mkfifo(file)


def holding(content: bytes) -> Callable[[Path], None]:
    def write(file: Path) -> None:
        file.write_bytes(content)

    return write


DAMAGES = [as_pipe, Path.mkdir, *map(holding, (b"{", b"[]", b"\xff", b"null", b'{"counts": 1}', b'{"a": ' * 5000))]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_costs_a_line_and_no_run(damage: Callable[[Path], None], study: Path) -> None:
    whole = {run.folder: run for run in gather([study])}
    folder = next(folder for folder, run in whole.items() if COMPUTES in run.cost)
    (folder / FIRMWARE).unlink()
    damage(folder / FIRMWARE)
    run = read_run(folder)
    assert (run.status, run.metrics) == ("finished", whole[folder].metrics)
    assert not any(key.startswith("firmware_") for key in run.cost)
    assert {**whole[folder].cost, **run.cost} == whole[folder].cost
    (line,) = run.unreadable
    assert line.startswith(f"{folder / FIRMWARE}: ")
    assert "Could not be read" in screen(study)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("counts", "macs"), "many"),
        (("counts", "macs"), -1),
        (("counts", "flash"), 7),
        (("measured", "ram"), float("nan")),
        (("measured", "instructions"), None),
        (("energy", "designs"), []),
        (("energy", "designs", "codes_computed", "uw"), True),
        (("energy", "designs", "codes_sent", "uw"), [1]),
    ],
)
def test_a_value_of_another_kind_is_named(place: tuple[str, ...], value: Any) -> None:
    record = node = exported(1e6 if place[0] == "measured" else None)
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = value
    with refused(DamageError, ".".join(place)):
        of_firmware(record)
