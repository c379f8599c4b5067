"""A sweep's grid point: which runs it has, their mean, and what happens where other processes train some of them."""

from __future__ import annotations

import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra.core.global_hydra import GlobalHydra
from tests.refusal import refused
from tests.results import whole_result

from qsense.experiment.errors import ConfigError
from qsense.experiment.grids import grid_point, sweeping
from qsense.experiment.grids.grid import plan
from qsense.runs import folder as run_folder
from qsense.runs.checkpoints import CHECKPOINT
from qsense.runs.lock import claim


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sweeping, "LOOK_S", 0.01)
    yield
    GlobalHydra.instance().clear()


def finish(folder: Path, f1: float = 0.5, seed: int = 0, fold: int = 0) -> None:
    run_folder.finish(folder, whole_result(metrics={"f1": f1}, seed=seed, fold=fold, run=folder.name))


def test_a_plan_is_every_fold_of_the_data_with_folders_of_its_own(tmp_path: Path) -> None:
    planned, config = plan(["quant=gamma", "bits=2", "seed=1"])
    assert [job[-2:] for job in planned] == [("seed=1", f"fold={fold}") for fold in range(6)]
    assert len({folder.name for folder in planned.values()}) == 6
    assert all(folder.parent == tmp_path / "runs" for folder in planned.values())
    assert config.bits == 2
    assert not list(tmp_path.iterdir())  # nothing is started


def test_each_run_resolves_what_a_value_refers_to(tmp_path: Path) -> None:
    for fold in (0, 1):
        start = tmp_path / f"start{fold}" / CHECKPOINT
        start.parent.mkdir(parents=True)
        with zipfile.ZipFile(start, "w") as archive:
            archive.writestr("last/data.pkl", b"")
    overrides = ["quant=gamma", "seed=0", "fold=0,1"]
    planned, config = plan([*overrides, "init_from=start${fold}"])
    assert str(config.init_from) == "start0"
    alike, _ = plan([*overrides, "init_from=start0"])
    first, second = planned.values()
    assert first in alike.values()
    assert second not in alike.values()


def test_a_grid_point_that_cannot_run_is_refused_before_anything_starts() -> None:
    with refused(ConfigError, "bits=77", 1, 16):
        plan(["bits=77"])


def test_a_single_run_takes_the_process_over(monkeypatch: pytest.MonkeyPatch) -> None:
    class Taken(Exception):
        pass

    def take(path: str, command: list[str]) -> None:
        raise Taken(*command[1:])

    monkeypatch.setattr("os.execv", take)
    with pytest.raises(Taken) as taken:
        grid_point.train_grid_point(["quant=gamma", "fold=1", "seed=0"])
    assert taken.value.args == ("-m", "qsense.train", "quant=gamma", "fold=1", "seed=0")


def test_a_finished_grid_point_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    overrides = ["quant=gamma", "fold=0,1", "seed=0", "logger=none"]
    planned, _ = plan(overrides)
    for folder in planned.values():
        finish(folder)
    monkeypatch.setattr(sweeping, "train_sweep", lambda *arguments: pytest.fail("trained again"))
    assert grid_point.train_grid_point(overrides) == 0


def test_runs_of_other_processes_are_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    trained = []

    def train(*arguments: Any) -> int:
        trained.append("ours")
        finish(ours)
        return 0

    monkeypatch.setattr(sweeping, "train_sweep", train)
    claimed, looked = threading.Event(), threading.Event()

    def other() -> None:
        with claim(theirs):
            claimed.set()
            looked.wait(10)
            finish(theirs)

    monkeypatch.setattr("time.sleep", lambda seconds: looked.set())
    thread = threading.Thread(target=other)
    thread.start()
    claimed.wait(10)
    assert sweeping.complete([], [ours, theirs]) == 0
    thread.join(10)
    assert trained == ["ours"]
    assert run_folder.finished(theirs)


def test_a_failure_ends_the_grid_point_with_its_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "train_sweep", lambda *arguments: 4)
    assert sweeping.complete([], [tmp_path / "run"]) == 4


def test_the_mean_over_folds_has_the_names_of_a_runs_own_figures() -> None:
    results = [
        {"metrics": {"f1": 0.25}, "quantizer": {"gamma": [0.5]}, "cost": {"macs": 8, "full_precision": {"macs": 9}}},
        {"metrics": {"f1": 0.75}, "quantizer": {"gamma": [0.25]}, "cost": {"macs": 8, "full_precision": {"macs": 9}}},
    ]
    assert grid_point.mean("", results) == {
        "test/f1": 0.5, "learned/gamma_0": 0.375, "cost/macs": 8.0, "folds/std/f1": 0.25,
    }  # fmt: skip
    assert grid_point.mean("folds/", results) == {
        "folds/test/f1": 0.5, "folds/learned/gamma_0": 0.375, "folds/cost/macs": 8.0,
    }  # fmt: skip
    assert grid_point.mean("folds/", []) == {}


def test_it_does_not_wait_for_runs_that_nobody_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "train_sweep", lambda *arguments: 0)
    with refused(RuntimeError, tmp_path / "run"):
        sweeping.complete([], [tmp_path / "run"])
