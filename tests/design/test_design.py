"""The whole command on a tiny simulation: trains, answers, writes, and does nothing twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hydra.core.global_hydra import GlobalHydra
from tests.conftest import environment
from tests.quick import NO_PICTURES
from tests.refusal import assert_names

from qsense.design import estimate
from qsense.design.estimate import describe, too_short
from qsense.design.plan import Design, plan_design
from qsense.design.request import read
from qsense.experiment.compose import options, stated_by_options
from qsense.runs import folder as run_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Command

TINY = [
    "data.dataset.subjects=3", "data.dataset.minutes=4", "model.filters=4", "model.hidden=8", "trainer.max_epochs=1",
    "seed=0,1", "bits=1,2", "quant=linear,lloyd_max,dpcm", "keep=2", "max_loss=100", "logger=none",
    *NO_PICTURES,
]  # fmt: skip


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield
    GlobalHydra.instance().clear()


def planned(*words: str) -> Design:
    return plan_design(read(words))


# ----------------------------------------------------------------------------------------------------------------- plan


def test_candidates_are_all_converters_of_conf_that_fit() -> None:
    design = planned("bits=2")
    known = {name for name, said in stated_by_options("quant/sensor").items() if "bits" in said.quant.sensor}
    assert {one.option for one in design.candidates} == known - {"mipi", "pisp", "row_dpcm"}  # which are for frames
    assert len({one.name for one in design.candidates}) == len(design.candidates)
    fixed = {one.option for one in design.candidates if not one.learns}
    assert {"linear", "log", "mulaw", "quantile", "lloyd_max", "dpcm", "adpcm", "gamma"} <= fixed
    assert set(options("quant/sensor")) - known == {"none"}


def test_a_yaml_of_the_users_own_joins_by_itself(tmp_path: Path) -> None:
    own = tmp_path / "conf" / "quant" / "sensor"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text(
        "_target_: qsense.quant.sensor.mulaw.MuLaw\nbits: ${bits}\nmu: 50.0\nlearn: false\nrounding: ${rounding}\n"
    )
    design = planned("bits=2", f"hydra.searchpath=[file://{tmp_path}/conf]", "fold=0,1", "seed=0")
    (mine,) = (one for one in design.candidates if one.option == "mine")
    assert mine.settings["mu"] == 50
    assert not mine.learns
    runs = design.runs_of(mine)
    assert all("-mine-2bit-" in folder.name for _, folder in runs.values())


def test_runs_are_those_of_ordinary_sweeps() -> None:
    design = planned("bits=2", "quant=gamma", "fold=0,1", "seed=0,1")
    learned, fixed = design.candidates[-1], design.candidates[0]
    assert learned.learns
    assert not fixed.learns
    from qsense.experiment.grids.grid import plan

    same = ["bits=2", "quant=gamma", "fold=0,1", "seed=0,1"]
    assert {folder for _, folder in design.runs_of(learned).values()} == {*plan(same)[0].values()}
    gamma = [f"quant.sensor.gamma={fixed.settings['gamma']}", "quant.sensor.lr=0"]
    assert {folder for _, folder in design.runs_of(fixed).values()} == {*plan([*same, *gamma])[0].values()}
    none = plan(["quant=none", "fold=0,1", "seed=0,1"])[0]
    assert {folder for _, folder in design.reference.values()} == {*none.values()}


def test_what_an_experiment_sets_at_its_own_sensor_holds_for_no_other() -> None:
    design = planned("experiment=series_gamma", "bits=2", "quant=lloyd_max,gamma", "fold=0,1", "seed=0")
    assert all(design.runs_of(one) for one in design.candidates)


def test_power_limits_what_is_tried() -> None:
    design = planned("max_uW=6")
    assert {one.bits for one in design.candidates} == {1, 2}
    assert design.excluded
    assert all(one.radio < one.power <= 6 for one in design.candidates)


def test_a_converter_that_cannot_have_so_many_bits_says_why() -> None:
    design = planned("bits=2,6", "quant=adpcm,linear", "fold=0,1", "seed=0")
    assert {(one.option, one.bits) for one in design.candidates} == {("adpcm", 2), ("linear", 2), ("linear", 6)}
    assert "adpcm" in design.excluded


def test_a_converter_for_other_data_is_told_of_only_if_asked() -> None:
    assert "row_dpcm" not in planned("bits=2", "fold=0,1", "seed=0").excluded
    assert "row_dpcm" in planned("bits=2", "quant=row_dpcm,linear", "fold=0,1", "seed=0").excluded


def test_what_is_planned_fits_a_few_lines_and_tells_the_time() -> None:
    design = planned(*TINY)
    lines = list(describe(design, measure=False))
    assert len(lines) < 12
    assert "known once one is finished" in lines[-1]


def test_trials_are_announced_before_they_take_time(monkeypatch: pytest.MonkeyPatch) -> None:
    began: list[Design] = []
    monkeypatch.setattr(estimate, "measured_seconds", began.append)
    for line in describe(planned(*TINY), measure=True):
        if "trials" in line:
            assert not began
            break
    else:
        pytest.fail("no line announces them")


def test_hours_that_are_too_few_are_said_with_the_folds_that_fit() -> None:
    design = planned("hours=1", "workers=2", "seed=0,1", "keep=4")
    assert too_short(design, None) == too_short(design, 60.0) == []
    (text,) = too_short(design, 400.0)  # 18 runs in an hour: 6 for others than the best, 4 for each fold
    assert_names(text, "hours=1", "fold=0,2,4", "seed=0,1", "trainer.max_epochs=…")
    (text,) = too_short(design, 1000.0)
    assert_names(text, "hours=1", "too short")


# ---------------------------------------------------------------------------------------------------------- the command


@pytest.mark.slow
def test_the_command_answers_and_does_nothing_twice(command: Command, light_command: Command, tmp_path: Path) -> None:
    first = command("qsense", "design", *TINY, "workers=2")
    assert first.code == 0, first.err + first.out
    found = json.loads((tmp_path / "design" / "design.json").read_text())
    assert found["winner"]["bits"] == 1
    assert found["winner"]["stage"] == "confirmed"
    assert found["finished"]
    for line in found["headline"]:
        assert line in first.out
    files = {file.name for file in (tmp_path / "design").iterdir()}
    assert {"design.md", "design.json", "pareto.png", "index.html", "export", "design.log", "search"} == files
    assert (tmp_path / "design" / "export" / "datasheet.html").is_file()
    assert found["headline"][0] in (tmp_path / "design" / "index.html").read_text()
    runs = {file: file.stat().st_mtime_ns for file in (tmp_path / "runs").glob("*/metrics.json")}
    assert all(run_folder.finished(file.parent) for file in runs)
    assert len(runs) < 2 * 3 * (1 + 6)  # of the whole grid

    again = light_command("qsense", "design", *TINY, "workers=2")
    assert again.code == 0
    assert found["headline"][0] in again.out
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "runs").glob("*/metrics.json")} == runs
    assert not again.heavy & {"torch", "lightning"}


@pytest.mark.slow
def test_processes_end_with_a_command_that_is_killed(tmp_path: Path) -> None:
    line = [sys.executable, "-m", "qsense", "design", *TINY, "trainer.max_epochs=500", "workers=1"]
    process = subprocess.Popen(line, cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.DEVNULL)
    log = tmp_path / "runs"
    until = time.monotonic() + 120
    while not list(log.glob("*/run.json")) and time.monotonic() < until:
        time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (run,) = (file.parent for file in log.glob("*/run.json"))
    until = time.monotonic() + 60
    while run_folder.recorded_state(run) == run_folder.RUNNING and time.monotonic() < until:
        time.sleep(0.2)
    assert run_folder.recorded_state(run) == run_folder.INTERRUPTED


@pytest.mark.slow
def test_hours_are_kept(command: Command, tmp_path: Path) -> None:
    long = [word for word in TINY if not word.startswith("trainer")]
    began = time.monotonic()
    done = command("qsense", "design", *long, "trainer.max_epochs=5000", "workers=1", "hours=0.006")
    assert time.monotonic() - began < 400  # thousands of epochs take longer
    assert done.code == 1
    assert "No answer yet" in done.out
    assert "the same command goes on" in done.err
