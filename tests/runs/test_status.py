"""Where runs stand, how long the rest takes, and the table of those that did not finish."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hydra.core.utils import JobReturn, JobStatus
from tests.refusal import assert_names, refused
from tests.results import whole_result

from qsense.experiment.errors import ConfigError
from qsense.experiment.grids.sweeping import conclude
from qsense.runs import folder as run_folder
from qsense.runs.lock import claim
from qsense.runs.status import FAILED, Status, failures, overview, seconds_left, status_of


def fail(folder: Path, message: str) -> None:
    try:
        raise ValueError(message)
    except ValueError:
        run_folder.fail(folder)


def test_every_state(tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ("finished", "failed", "interrupted", "killed", "to do")}
    for name, folder in folders.items():
        if name != "to do":
            run_folder.start(folder, "", [], None)
    run_folder.finish(folders["finished"], whole_result())
    fail(folders["failed"], "the flux ran out")
    run_folder.interrupt(folders["interrupted"])
    (folders["interrupted"] / "train.log").write_text("a line")
    every = [status_of(folder) for folder in folders.values()]
    assert [each.state for each in every] == list(folders)
    assert every[1].reason == "ValueError: the flux ran out"
    assert every[1].log == folders["failed"] / "failed.txt"
    assert every[2].log == folders["interrupted"] / "train.log"
    assert overview(every) == "5 runs: 1 finished, 1 failed, 1 interrupted, 1 killed, 1 to do"
    with claim(folders["killed"]):
        assert status_of(folders["killed"]).state == "running"


def test_the_rest_takes_as_long_as_what_is_like_it(tmp_path: Path) -> None:
    cells: dict[Path, object] = {tmp_path / str(number): "fast" if number < 4 else "slow" for number in range(8)}
    cells[tmp_path / "9"] = "unknown"
    assert seconds_left(cells) is None
    for folder, seconds in ((tmp_path / "0", 10), (tmp_path / "1", 20), (tmp_path / "4", 100)):
        run_folder.start(folder, "", [], None)
        run_folder.finish(folder, whole_result())
        record = folder / "run.json"
        record.write_text(f'{{"status": "finished", "started": [1000], "ended": {1000 + seconds}}}')
    # two more fast ones, three slow ones, and one of which only the overall mean is known
    assert seconds_left(cells) == pytest.approx(2 * 15 + 3 * 100 + 130 / 3)


def test_failures_stay_on_one_screen() -> None:
    every = [Status(Path(f"runs/{number}"), FAILED, f"ValueError: {number % 10}") for number in range(200)]
    every += [Status(Path(f"runs/oom{number}"), FAILED, "OutOfMemoryError") for number in range(300)]
    text = failures(every)
    assert text.splitlines()[0] == "300 × failed: OutOfMemoryError"
    assert_names(text, 297)
    assert_names(text, 1, "qsense report")
    assert len(text.splitlines()) < 40


def test_a_failure_is_one_line_whatever_its_run_and_reason_are_called() -> None:
    text = failures([Status(Path("runs/a\nb\x1b[2J"), FAILED, "ValueError: \x1b[31m" + "no\n" * 1000)])
    assert text.replace("\n", "").isprintable()
    assert len(text.splitlines()) == 2
    assert len(text) < 500


def test_a_launcher_knows_of_a_lost_run_before_its_heartbeat_is_silent(tmp_path: Path) -> None:
    run_folder.start(tmp_path / "run", "", [], None)
    beat = {"owner": "1", "machine": "node7:1", "pid": 1, "beat": 3}
    (tmp_path / "run" / ".heartbeat").write_text(json.dumps(beat))
    lost = JobReturn(overrides=["seed=0"], status=JobStatus.FAILED)
    lost.return_value = RuntimeError("its node failed")
    jobs: dict[tuple[str, ...], Path] = {("seed=0",): tmp_path / "run"}
    with refused(ConfigError, "1 of 1", "killed", "its node failed", tmp_path / "run"):
        conclude(jobs, [lost], "")
    conclude(jobs, [], "")  # left to another sweep
