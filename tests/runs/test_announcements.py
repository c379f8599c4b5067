"""A running sweep says which runs it has yet to begin; a dead one says nothing."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.refusal import refused
from tests.study_folders import make_run

from qsense.runs.announcements import FOLDER, announced, not_begun
from qsense.runs.lock import LONG_SILENCE_S, _write
from qsense.study.progress import progress
from qsense.study.summary import summarise


def test_while_it_runs_and_no_longer(tmp_path: Path) -> None:
    begun = make_run(tmp_path, None).name
    with announced(tmp_path, [begun, "sbhar-x", "sbhar-y"]):
        assert not_begun(tmp_path) == ["sbhar-x", "sbhar-y"]
        with announced(tmp_path, [begun, "sbhar-x", "sbhar-y"]), announced(tmp_path, ["sbhar-y", "sbhar-z"]):
            assert sorted(not_begun(tmp_path)) == ["sbhar-x", "sbhar-y", "sbhar-z"]
        assert not_begun(tmp_path) == ["sbhar-x", "sbhar-y"]
    assert not_begun(tmp_path) == []
    assert not (tmp_path / FOLDER).exists()


def test_one_that_was_killed_is_no_longer_waited_for(tmp_path: Path) -> None:
    with announced(tmp_path, ["sbhar-x"]):
        (plan,) = (tmp_path / FOLDER).iterdir()
        _write(plan / ".heartbeat", {"owner": "x", "machine": "other:1", "pid": 7, "beat": 1})
        assert not_begun(tmp_path) == ["sbhar-x"]
        with announced(tmp_path, ["sbhar-x"]):
            assert plan.is_dir(), "it may be alive"
        before = time.time() - 2 * LONG_SILENCE_S
        os.utime(plan / ".heartbeat", (before, before))
        assert not_begun(tmp_path) == []
        with announced(tmp_path, ["sbhar-y"]):
            assert not_begun(tmp_path) == ["sbhar-y"]
            assert not plan.exists(), "nothing of dead sweeps piles up"


def test_the_progress_of_a_study_knows_them(tmp_path: Path) -> None:
    for fold in range(4):
        make_run(tmp_path, fold=fold)
    names = [f"sbhar-gamma-4bit-fold0{fold}-seed0-1" for fold in range(4)] + ["wear-gamma-4bit-fold00-seed0-1"]
    assert [part.count["to do"] for part in progress(summarise([tmp_path]))] == [0]
    with announced(tmp_path, names):
        parts = progress(summarise([tmp_path]))
    counts = [(part.dataset, part.count["finished"], part.count["to do"]) for part in parts]
    assert counts == [("SBHAR", 4, 4), ("wear", 0, 1)]


def test_a_sweep_that_is_refused_leaves_nothing(tmp_path: Path) -> None:
    with refused(ValueError, "refused"), announced(tmp_path, ["sbhar-x"]):
        raise ValueError("refused")
    assert not (tmp_path / FOLDER).exists()


def test_only_old_leftovers_of_reports_are_removed(tmp_path: Path) -> None:
    for name in (".index.json.7.tmp", ".index.json.8.tmp", "notes.tmp"):
        (tmp_path / name).touch()
        if "8" not in name:
            os.utime(tmp_path / name, (1e9, 1e9))
    with announced(tmp_path, []):
        pass
    assert sorted(file.name for file in tmp_path.iterdir()) == [".index.json.8.tmp", "notes.tmp"]
