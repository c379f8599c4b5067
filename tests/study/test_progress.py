"""How far a study has come."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests.study_folders import by_seed, make_cell, make_run, running

from qsense.runs.status import STATES, TO_DO
from qsense.study.progress import Progress, progress
from qsense.study.summary import summarise


def record(folder: Path, seconds: float, started: int = 1) -> None:
    content = {"status": "finished", "started": [0.0] * started, "ended": seconds}
    (folder / "run.json").write_text(json.dumps(content))


def count(to_do: int = 0, **states: int) -> dict[str, int]:
    return dict.fromkeys(STATES, 0) | states | {TO_DO: to_do}


def test_counts_and_estimate(tmp_path: Path) -> None:
    for fold in range(3):
        record(make_run(tmp_path, fold=fold), seconds=60)
    record(make_run(tmp_path, fold=0, seed=1), seconds=9999, started=2)  # resumed: nobody knows how long it took
    make_run(tmp_path, None, fold=1, seed=1, failure="ValueError: no")
    for fold in (2, 3):
        running(make_run(tmp_path, None, fold=fold, seed=1))
    (found,) = progress(summarise([tmp_path]))
    # 2 seeds × 4 folds: 4 finished, 1 failed, 2 running (half of each is to come), 1 missing; two at a time.
    assert found == Progress("SBHAR", count(finished=4, running=2, failed=1, to_do=1), seconds_left=60 * 3 / 2)
    assert found.total == 8


def test_without_times_there_is_no_estimate(tmp_path: Path) -> None:
    make_run(tmp_path)
    assert progress(summarise([tmp_path]))[0].seconds_left is None


def test_each_data_set_has_its_own_speed(tmp_path: Path) -> None:
    record(make_run(tmp_path, fold=0), seconds=60)
    record(make_run(tmp_path, fold=0, data="rwhar"), seconds=10)
    assert [part.seconds_left for part in progress(summarise([tmp_path]))] == [None, None], "nothing is at work"
    running(make_run(tmp_path, None, fold=1))
    left = [part.seconds_left for part in progress(summarise([tmp_path]))]
    assert left == pytest.approx([30, 150]), "half of the one at work, and two that nobody has begun"


def test_a_copied_folder_is_no_progress(tmp_path: Path) -> None:
    one = make_run(tmp_path / "runs")
    begun = running(make_run(tmp_path / "runs", None, fold=1))
    make_run(tmp_path / "runs", fold=2)
    for number in range(3):
        shutil.copytree(one, tmp_path / "copies" / f"{number}")
    stale = shutil.copytree(begun, tmp_path / "copies" / "killed")
    (stale / ".heartbeat").unlink()
    (found,) = progress(summarise([tmp_path]))
    assert found.count == count(finished=2, running=1, to_do=1)


def test_nothing_finished(tmp_path: Path) -> None:
    make_run(tmp_path, None)
    assert progress(summarise([tmp_path])) == [Progress("sbhar", count(interrupted=1), None)]


def test_a_killed_run_counts_as_such(tmp_path: Path) -> None:
    running(make_run(tmp_path, None)).joinpath(".heartbeat").unlink()
    assert progress(summarise([tmp_path]))[0].count == count(killed=1)


def test_complete(tmp_path: Path) -> None:
    make_cell(tmp_path, by_seed(0.4, 0.5, 0.6))
    (found,) = progress(summarise([tmp_path]))
    assert (found.count, found.total) == (count(finished=12), 12)
