"""A line for each run of a sweep as it ends, by what the runs' folders hold."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tests.results import whole_result

from qsense.experiment.command_line.overrides import Job
from qsense.experiment.grids import following
from qsense.experiment.grids.dry_run import estimate, print_plan
from qsense.experiment.grids.following import FILE, Following
from qsense.runs import folder as run_folder
from qsense.runs.lock import claim


@pytest.fixture
def folders(tmp_path: Path) -> dict[Job, Path]:
    return {
        (f"bits={bits}", "seed=0", f"fold={fold}"): tmp_path / f"sbhar-gamma-{bits}bit-fold0{fold}-seed0-0123456789"
        for bits in (2, 4)
        for fold in (0, 1)
    }


def begin(folder: Path) -> None:
    run_folder.start(folder, "bits: 2", [], None)


def finish(folder: Path) -> None:
    run_folder.finish(folder, whole_result(run=folder.name))


def fail(folder: Path) -> None:
    try:
        raise ValueError("no ink")
    except ValueError:
        run_folder.fail(folder)


def told(folder: Path) -> list[str]:
    file = folder.parent / FILE
    return [line.partition("]: ")[2] for line in file.read_text().splitlines()] if file.is_file() else []


def test_each_run_is_told_of_once_with_its_score(folders: dict[Job, Path], caplog: pytest.LogCaptureFixture) -> None:
    first, second, third, fourth = folders.values()
    begin(first)
    finish(first)
    begin(second)
    fail(second)  # before this sweep
    with caplog.at_level("INFO"):
        follow = Following(folders)
        follow.tell()
        assert not told(first)
        begin(third)
        finish(third)
        follow.tell()
        follow.tell()
        begin(second)
        fail(second)
        begin(fourth)
        finish(fourth)
        follow.tell()
    lines = told(first)
    assert caplog.messages == lines
    assert lines[0].startswith("2/4 gamma 4 bit fold 0 seed 0 · 50.0 % · 0 s")
    assert lines[0].endswith(" left")
    assert lines[1].startswith("3/4 gamma 2 bit fold 1 seed 0 · failed: ValueError: no ink")
    assert lines[2] == "4/4 gamma 4 bit fold 1 seed 0 · 50.0 % · 0 s"


def test_two_sweeps_lines_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for process in (17, 4711):
        monkeypatch.setattr("os.getpid", lambda: process)  # noqa: B023 – called within the turn
        following.say(tmp_path, f"1/2 of {process}")
    lines = (tmp_path / FILE).read_text().splitlines()
    assert ["[17]: 1/2 of 17" in lines[0], "[4711]: 1/2 of 4711" in lines[1]] == [True, True]


def test_time_left_is_of_runs_that_wait_not_of_failed_ones(
    folders: dict[Job, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_folder, "seconds", lambda folder: 120.0 if run_folder.finished(folder) else None)
    first, second, third, _ = folders.values()
    follow = Following(folders)
    follow.parallel = 8
    begin(first)
    finish(first)
    follow.tell()
    assert told(first)[-1].endswith(" · 2 min left"), "three at a time, as more do not wait"
    for folder in (second, third):
        begin(folder)
        fail(folder)
    follow.tell()
    assert told(first)[-1].endswith(" · 2 min left"), "one waits: a second worker makes it no faster"
    follow.parallel = 1
    assert follow.left() == ["2 min left"]


def test_a_silent_sweep_says_what_is_at_work(folders: dict[Job, Path]) -> None:
    first = next(iter(folders.values()))
    begin(first)
    (first / "train.log").write_text("[2026-01-01 00:00:00,000][qsense.progress][INFO] - epoch 1/8 · loss 1.2\n")
    follow = Following(folders)
    with claim(first):
        follow.due.next = 0.0
        follow.tell()
    assert told(first) == ["1 at work · gamma 2 bit fold 0 seed 0 · epoch 1/8 · loss 1.2"]


def test_runs_that_are_launched_elsewhere_are_followed(
    folders: dict[Job, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "LOOK_S", 0.01)
    first, second, *_ = folders.values()
    with following.following(folders):
        begin(first)
        finish(first)
        deadline = time.monotonic() + 20
        while not told(first) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(told(first)) == 1, "while the sweep goes on"
        begin(second)
        finish(second)
    assert len(told(first)) == 2, "what ended last, too"


def test_a_dry_run_counts_each_cell(folders: dict[Job, Path], capsys: pytest.CaptureFixture[str]) -> None:
    first, second, *_ = folders.values()
    begin(first)
    finish(first)
    begin(second)
    fail(second)
    print_plan(folders, one_by_one=False)
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["quantizer", "finished", "failed", "to", "do"],
        ["gamma", "2", "bit", "1", "1", "·"],
        ["gamma", "4", "bit", "·", "·", "2"],
    ]
    print_plan(folders, one_by_one=True)
    assert capsys.readouterr().out.splitlines()[4] == f"failed       {second.name}  ValueError: no ink"


def test_the_time_is_that_of_finished_runs_or_of_timed_batches(
    folders: dict[Job, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Job] = []

    def timed(job: Job) -> float:
        asked.append(job)
        return 60.0

    assert estimate(folders, timed) == "about 4 min of one worker's time, by a few batches, timed here"
    assert asked == [next(iter(folders))], "bits change a run's time little"
    assert not estimate(folders, None)
    first = next(iter(folders.values()))
    begin(first)
    finish(first)
    monkeypatch.setattr(run_folder, "seconds", lambda run: 1200.0)
    assert estimate(folders, timed) == "about 60 min of one worker's time, by the finished run"
    assert len(asked) == 1
