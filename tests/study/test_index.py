"""The index beside the runs gives what reading them gives, and only what changed is read."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from tests.refusal import refused
from tests.study_folders import by_seed, make_cell, make_run, running

from qsense.runs import folder as run_folder
from qsense.runs.lock import LONG_SILENCE_S
from qsense.runs.status import KILLED, LOST
from qsense.study import index
from qsense.study.index import INDEX, gather
from qsense.study.run import ReportError, read_run


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the folders that were read and not taken from the index."""
    names: list[str] = []
    original = read_run

    def remember(folder: Path):  # type: ignore[no-untyped-def]
        names.append(folder.name)
        return original(folder)

    monkeypatch.setattr(index, "read_run", remember)
    return names


def test_a_second_look_reads_nothing_and_finds_the_same(tmp_path: Path, read: list[str]) -> None:
    make_cell(tmp_path / "a", by_seed(0.4, 0.5, 0.6), cost={"macs": 1, "bops": 2, "size_mb": 3})
    make_run(tmp_path / "a", None, failure="ValueError: no", name="failed")
    first = gather([tmp_path])
    assert len(read) == 13
    read.clear()
    assert gather([tmp_path]) == first
    assert read == []


def test_what_changed_is_read_again(tmp_path: Path, read: list[str]) -> None:
    one, two, three = (make_run(tmp_path, 0.5, fold=fold) for fold in range(3))
    gather([tmp_path])
    read.clear()
    result = json.loads((one / "metrics.json").read_text())
    (one / "metrics.json").write_text(json.dumps(result | {"metrics": {"f1_sample": 0.75}}))
    (two / "metrics.json").unlink()
    for file in three.iterdir():
        file.unlink()
    three.rmdir()
    new = make_run(tmp_path, 0.25, fold=3)
    found = {run.folder: run for run in gather([tmp_path])}
    assert sorted(read) == sorted([one.name, two.name, new.name])
    assert [found[folder].metrics.get("f1_sample") for folder in (one, two, new)] == [0.75, None, 0.25]
    assert three not in found


def test_unfinished_runs_are_always_looked_at(tmp_path: Path, read: list[str]) -> None:
    make_run(tmp_path, None, name="stopped")
    make_run(tmp_path, name="done")
    gather([tmp_path])
    before = (tmp_path / INDEX).stat()
    read.clear()
    gather([tmp_path])
    assert read == ["stopped"]
    assert (tmp_path / INDEX).stat() == before, "nothing new is known, so nothing is written"


def test_a_running_run_whose_heartbeat_is_silent_was_killed(tmp_path: Path) -> None:
    folder = running(make_run(tmp_path, None))
    (run,) = gather([tmp_path])
    assert (run.status, run.reason) == ("running", "")
    long_ago = time.time() - 3 * LONG_SILENCE_S
    os.utime(folder / ".heartbeat", (long_ago, long_ago))
    (run,) = gather([tmp_path])
    assert (run.status, run.reason) == (KILLED, LOST)
    (folder / ".heartbeat").touch()
    assert gather([tmp_path])[0].status == "running"
    (folder / ".heartbeat").unlink()
    assert gather([tmp_path])[0].status == KILLED


@pytest.mark.parametrize("content", ["{", "[]", '{"schema": 0}', "\x00"])
def test_a_damaged_index_is_made_anew(tmp_path: Path, content: str, read: list[str]) -> None:
    make_run(tmp_path)
    first = gather([tmp_path])
    (tmp_path / INDEX).write_text(content)
    assert gather([tmp_path]) == first
    assert len(read) == 2
    assert gather([tmp_path]) == first
    assert len(read) == 2


def test_runs_with_the_same_settings_share_them(tmp_path: Path) -> None:
    make_cell(tmp_path, by_seed(0.4, 0.5), seeds=2)
    gather([tmp_path])
    assert len({id(run.settings) for run in gather([tmp_path])}) == 1


def test_the_index_lies_beside_runs_and_never_in_one(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    (found,) = gather([run])
    assert found.folder == run
    assert not list(tmp_path.rglob(INDEX))
    assert len(gather([tmp_path, run])) == 1, "one run, by whichever way it was named"
    assert (tmp_path / INDEX).is_file()


def test_a_folder_that_may_only_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(tmp_path)

    def refuse(path: Path, text: str) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(run_folder, "write_atomically", refuse)
    assert len(gather([tmp_path])) == 1


@pytest.mark.parametrize("name", [".", "..", "../runs", "deep/..", "../link"])
def test_a_folder_is_the_same_however_it_is_written(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for fold, run in enumerate(("a", "b", "xbc", "ybc")):
        make_run(tmp_path / "runs", 0.5, fold=fold, name=run)
    (tmp_path / "runs" / "deep").mkdir()
    (tmp_path / "link").symlink_to("runs")
    monkeypatch.chdir(tmp_path / "runs")
    assert [run.folder.name for run in gather([Path(name)])] == ["a", "b", "xbc", "ybc"]
    assert len(gather([Path(name), tmp_path / "runs"])) == 4


def test_no_folder(tmp_path: Path) -> None:
    with refused(ReportError, tmp_path / "absent"):
        gather([tmp_path / "absent"])
