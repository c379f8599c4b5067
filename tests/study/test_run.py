"""A run's folder → what a study knows of it; the folders that the report's tests are made of are a real run's."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hydra.core.global_hydra import GlobalHydra
from tests.quick import NO_PICTURES
from tests.study.audit.test_audited import arm
from tests.study_folders import REAL, make_run, real

from qsense.experiment.grids.grid import plan
from qsense.runs.folder import SCHEMA
from qsense.study.audit.audited import compare, lines
from qsense.study.files import write_report
from qsense.study.page import contents
from qsense.study.rows import Row
from qsense.study.run import read_run
from qsense.study.summary import summarise

if TYPE_CHECKING:
    from tests.conftest import Command

FILES = ("config.yaml", "metrics.json", "run.json")
BRIEF = ["trainer.max_epochs=1", "trainer.limit_train_batches=1", "trainer.limit_test_batches=1"]
BRIEF += ["data.dataset.subjects=2", "data.dataset.sessions=1", "data.dataset.minutes=2", *NO_PICTURES]


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield
    GlobalHydra.instance().clear()


def keys(node: Any, path: str = "") -> set[str]:
    """The dotted keys of nested mappings."""
    if not isinstance(node, dict):
        return {path}
    return {path}.union(*(keys(value, f"{path}.{key}") for key, value in node.items()))


# ------------------------------------------------------------------------------------------------------- real folders


def test_the_folders_of_the_reports_tests_are_as_a_run_writes_them_today(command: Command, tmp_path: Path) -> None:
    done = command("qsense.train", "quant=gamma", "bits=2", "task.standardise=false", *BRIEF)
    assert done.code == 0, done.err
    (folder,) = (tmp_path / "runs").iterdir()
    for name in FILES:
        fresh = yaml.safe_load((folder / name).read_text())  # JSON is YAML
        pictures = tuple(f"{each.removesuffix('=null')}." for each in NO_PICTURES)
        absent = {key for key in keys(real(name)) if key.removeprefix(".").startswith(pictures)}
        assert keys(fresh) == keys(real(name)) - absent, name
    assert real("metrics.json")["schema"] == SCHEMA


def test_a_run_of_schema_2_stands_in_the_row_of_the_same_run_today(tmp_path: Path) -> None:
    shutil.copytree(REAL, tmp_path / "runs")
    assert [real("metrics.json", schema)["schema"] for schema in (2, 3)] == [2, 3]
    old, new = (read_run(tmp_path / "runs" / name) for name in ("schema2", "schema3"))
    assert {**new.metrics, **old.metrics} == new.metrics, "the old one has fewer"
    apart = {"folder", "seconds", "written", "metrics", "tallies"}
    told = [{key: value for key, value in vars(run).items() if key not in apart} for run in (old, new)]
    for later, known in (("cost", old.cost), ("constants", old.constants)):  # today's runs record more
        told[1][later] = {key: value for key, value in told[1][later].items() if key in known}
    assert told[0] == told[1]
    assert set(new.cost) - set(old.cost) >= {"nominal_bits", "entropy_bits", "behind_uj_s", "lossless_uj_s"}
    summary = summarise([tmp_path / "runs"])
    assert summary.rows == [Row("gamma", 2, None, "har", "deepconvlstm_small")]
    assert summary.notes == ["Folders of a run already counted, with the same score: 1."]


def test_a_run_that_counted_no_codes_is_read_and_averaged_beside_one_that_did(tmp_path: Path) -> None:
    for name in ("before", "today"):
        shutil.copytree(REAL / "schema3", tmp_path / "runs" / name)
    result = real("metrics.json")
    later = ("behind", "entropy", "lossless")
    sensing = {key: value for key, value in result["sensing"].items() if key not in later}
    old = {key: value for key, value in result.items() if key != "rates"} | {"sensing": sensing, "fold": 1}
    (tmp_path / "runs" / "before" / "metrics.json").write_text(json.dumps(old))
    summary = summarise([tmp_path / "runs"])
    assert [(run.status, run.unreadable) for run in summary.runs] == [("finished", ())] * 2
    (cell,) = summary.cells.values()
    assert cell.cost["entropy_bits"] == result["rates"]["entropy"]
    assert cell.cost["kbit_s"] == sensing["kbit_s"]
    write_report(summary, tmp_path / "report")


# --------------------------------------------------------------------------------------------------------------- bits


@pytest.mark.usefixtures("elsewhere")
def test_a_sensors_own_bits_name_its_folder_and_its_interrupted_run() -> None:
    folders, config = plan(["quant=gamma", "bits=4", "quant.sensor.bits=3", "seed=0", "fold=0"])
    (folder,) = folders.values()
    assert "-gamma-3bit-fold00-" in folder.name
    run = read_run(make_run(folder.parent, None, bits=4, sensor={"bits": int(config.quant.sensor.bits)}))
    assert (run.status, run.bits, run.quantizer) == ("interrupted", 3, "gamma 3 bit")


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A quantized sensor, a quantized network, both, and none."""
    for quant, bits in (("none", None), ("gamma", 4), ("fat", 4), ("gamma_fat", 2)):
        make_run(tmp_path / "runs", quant=quant, bits=bits)
    return tmp_path / "runs"


def test_bits_of_sensor_and_network_go_by_their_own_names(mixed: Path, tmp_path: Path) -> None:
    summary = summarise([mixed])
    labels = ["none", "fat network 4 bit", "gamma 4 bit", "gamma_fat 2 bit + network 4 bit"]
    assert [row.name for row in summary.rows] == labels
    write_report(summary, tmp_path / "report")
    assert all(f"| {label} |" in (tmp_path / "report" / "report.md").read_text() for label in labels)
    latex = (tmp_path / "report" / "report.tex").read_text()
    assert "Quantizer & Bits & Network bits & SBHAR" in latex
    assert [f"{row} & " in latex for row in ("gamma & 4 & --", "fat & -- & 4", "gamma\\_fat & 2 & 4")] == [True] * 3
    for name in ("report.csv", "runs.csv"):
        rows = {row["quant"]: row for row in csv.DictReader((tmp_path / "report" / name).open())}
        found = {quant: (row["bits"], row["network_bits"]) for quant, row in rows.items()}
        assert found == {"none": ("", ""), "gamma": ("4", ""), "fat": ("", "4"), "gamma_fat": ("2", "4")}


def test_the_page_tells_bits_of_the_network_from_those_of_the_sensor(mixed: Path) -> None:
    rows = contents([summarise([mixed])])["rows"]
    assert [(row["bits"], row["bitsName"], row["line"]) for row in rows] == [
        (None, "", "none"),
        (4, "network 4 bit", "fat (network bits)"),
        (4, "4 bit", "gamma"),
        (2, "2 bit", "gamma_fat network 4 bit"),
    ]


def test_an_audit_names_the_bits_of_a_quantized_network(tmp_path: Path) -> None:
    def score(seed: int, fold: int) -> float:
        return 0.5 + 0.1 * seed

    arms = [
        arm(tmp_path, "learned", "gamma", score),
        arm(tmp_path, "fixed", "γ 0.4", score, (0.4, 0.0)),
        arm(tmp_path, "baseline", "fat", score, quant="fat"),
        arm(tmp_path, "baseline", "linear", score, quant="linear"),
    ]
    text = "\n".join(lines(compare(arms)))
    assert "# Audit: SBHAR, 2 bit, deepconvlstm" in text
    assert "| fat network 2 bit (baseline) |" in text
    assert "| linear (baseline) " in text
    beside = [arm(tmp_path / "fat", each.kind, each.name, score, each.place, quant="gamma_fat") for each in arms[:2]]
    assert "# Audit: SBHAR, 2 bit + network 4 bit, deepconvlstm" in "\n".join(lines(compare(beside)))
