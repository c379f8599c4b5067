"""A run's folder: atomic writes, and a result that means finished."""

from __future__ import annotations

import json
import math
import os
import stat
import threading
import time
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from tests.refusal import refused
from tests.results import whole_result

from qsense.experiment.seeding import derive
from qsense.runs import folder as run_folder
from qsense.runs.machine import processor
from qsense.runs.times import moment


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    file = tmp_path / "metrics.json"
    texts = ["a" * 200_000, "b" * 300_000]
    run_folder.write_atomically(file, texts[0])
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            for text in texts:
                run_folder.write_atomically(file, text)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(300):
            assert file.read_text() in texts
    finally:
        stop.set()
        writer.join()
    assert [f.name for f in tmp_path.iterdir()] == ["metrics.json"]


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    theirs, elsewhere = tmp_path / "theirs", tmp_path / "elsewhere"
    theirs.mkdir()
    elsewhere.write_text("mine")
    for name in ("a.json", f".a.json.{os.getpid()}.tmp"):
        (theirs / name).symlink_to(elsewhere)
    run_folder.write_atomically(theirs / "a.json", "new")
    assert elsewhere.read_text() == "mine"
    assert (theirs / "a.json").read_text() == "new"
    assert not (theirs / "a.json").is_symlink()


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "metrics.json"
    run_folder.write_atomically(file, "old")

    def full(_: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with refused(OSError, "no space left on device"):
        run_folder.write_atomically(file, "new")
    assert file.read_text() == "old"


def test_results_are_readable_by_others(tmp_path: Path) -> None:
    run_folder.write_json(tmp_path / "run.json", {})
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((tmp_path / "run.json").stat().st_mode) == 0o666 & ~mask


def test_the_life_of_a_run(tmp_path: Path) -> None:
    run_folder.start(tmp_path, "bits: 2\n", ["bits=2"], "data")
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["status"] == "running"
    assert record["versions"]["torch"][0].isdigit()
    assert record["command"][1:] == ["-m", "qsense.train", "bits=2"]
    assert not run_folder.finished(tmp_path)

    try:
        raise ValueError("the flux ran out")
    except ValueError:
        run_folder.fail(tmp_path)
    assert "the flux ran out" in (tmp_path / "failed.txt").read_text()

    run_folder.start(tmp_path, "bits: 2\n", ["bits=2"], "data")
    assert not (tmp_path / "failed.txt").exists()
    run_folder.finish(tmp_path, whole_result())
    assert run_folder.finished(tmp_path)
    assert run_folder.result(tmp_path) == whole_result()
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["status"] == "finished"
    assert len(record["started"]) == 2
    assert record["duration_s"] == run_folder.seconds(tmp_path)


def test_what_dead_processes_were_writing_is_removed(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "wandb" / "offline-run-1").mkdir(parents=True)
    left = [".metrics.json.7.tmp", "checkpoints/.last.ckpt.99999.tmp", ".learned.csv.1.tmp"]
    kept = ["notes.tmp", ".hidden", "checkpoints/best.tmp", "wandb/offline-run-1/.file.1.tmp", "checkpoints/last.ckpt"]
    for name in (*left, *kept):
        (tmp_path / name).write_text("half")
    run_folder.start(tmp_path, "", [], None)
    assert [name for name in (*left, *kept) if (tmp_path / name).exists()] == kept


@pytest.mark.parametrize("started", ["5", "null", '"x"', "{}", "[NaN]", "[1e999]"])
def test_a_run_begins_again_whatever_its_record_says(tmp_path: Path, started: str) -> None:
    (tmp_path / "run.json").write_text(f'{{"started": {started}}}')
    run_folder.start(tmp_path, "", [], None)
    record = json.loads((tmp_path / "run.json").read_text(), parse_constant=pytest.fail)
    assert time.time() - (moment(record["started"][-1]) or 0) < 60
    assert run_folder.seconds(tmp_path) is None


def write_record(run: Path, **content: object) -> None:
    (run / "run.json").write_text(json.dumps(content))


def test_times_are_iso_and_older_records_stay_readable(tmp_path: Path) -> None:
    run_folder.start(tmp_path, "", [], None)
    assert run_folder.seconds(tmp_path) is None  # it has not ended
    run_folder.finish(tmp_path, whole_result())
    record = run_folder.record(tmp_path)
    for value in (*record["started"], record["ended"]):
        assert datetime.fromisoformat(value).utcoffset() is not None
    assert 0 <= record["duration_s"] < 60
    write_record(tmp_path, started=[1795857104.5], ended=1795857123.75)
    assert run_folder.seconds(tmp_path) == 19.25
    write_record(tmp_path, started=[1795857104.5, 1795857110.0], ended=1795857123.75)  # nobody knows of the first time
    assert run_folder.seconds(tmp_path) is None


def test_a_duration_is_of_all_starts_unless_one_was_killed(tmp_path: Path) -> None:
    run_folder.start(tmp_path, "", [], None)
    write_record(tmp_path, **{**run_folder.record(tmp_path), "started": ["2026-01-01T00:00:00+00:00"]})
    run_folder.interrupt(tmp_path)
    before = run_folder.seconds(tmp_path)
    assert before is not None
    run_folder.start(tmp_path, "", [], None)
    run_folder.finish(tmp_path, whole_result())
    after = run_folder.seconds(tmp_path)
    assert after is not None
    assert before <= after < before + 60
    for _ in range(2):  # killed: it says that it is running
        run_folder.start(tmp_path, "", [], None)
    run_folder.finish(tmp_path, whole_result())
    assert run_folder.seconds(tmp_path) is None


def test_the_machine_is_recorded(tmp_path: Path) -> None:
    run_folder.start(tmp_path, "", [], None)
    run_folder.use(tmp_path, threads=3, gpu=None)
    record = run_folder.record(tmp_path)
    assert record["processor"]
    assert record["cores"] >= 1
    assert record["threads"] == 3
    assert record["gpu"] is None
    assert record["git_dirty"] in (True, False, None)


def test_a_processor_is_named_as_linux_does(tmp_path: Path) -> None:
    (tmp_path / "x86").write_text("processor\t: 0\nmodel\t\t: 85\nmodel name\t: A Processor @ 2 GHz\n")
    (tmp_path / "arm").write_text("processor\t: 0\nHardware\t: none\nModel\t\t: A Small Board\n")
    assert processor(tmp_path / "x86") == "A Processor @ 2 GHz"
    assert processor(tmp_path / "arm") == "A Small Board"
    assert processor(tmp_path / "none")


def test_json_holds_null_for_what_is_no_finite_number(tmp_path: Path) -> None:
    run_folder.write_json(tmp_path / "a.json", {"noise": np.float64("nan"), "steps": [1.5, math.inf]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"noise": None, "steps": [1.5, None]}


def test_a_run_remembers_its_data(tmp_path: Path) -> None:
    assert run_folder.fingerprint(tmp_path) is None
    run_folder.start(tmp_path, "", [], "abc")
    assert run_folder.fingerprint(tmp_path) == "abc"


def test_what_a_run_says_of_itself(tmp_path: Path) -> None:
    assert (run_folder.recorded_state(tmp_path), run_folder.seconds(tmp_path)) == ("", None)
    run_folder.start(tmp_path, "", [], None)
    assert (run_folder.recorded_state(tmp_path), run_folder.seconds(tmp_path)) == ("running", None)
    run_folder.interrupt(tmp_path)
    assert run_folder.recorded_state(tmp_path) == "interrupted"
    assert run_folder.seconds(tmp_path) is not None
    run_folder.start(tmp_path, "", [], None)
    run_folder.finish(tmp_path, whole_result())
    assert run_folder.seconds(tmp_path) is not None, "it was resumed: both times count"
    (tmp_path / "run.json").write_text("{")
    assert run_folder.recorded_state(tmp_path) == ""


@pytest.mark.parametrize(
    ("text", "exception"),
    [
        ("Traceback (most recent call last):\n  File\nValueError: no\n  more\n", "ValueError: no"),
        ("Traceback:\n  a\nKeyError: 1\n\nDuring …\n\nTraceback:\n  b\nOSError: 2\n", "OSError: 2"),
        ("", "no message"),
    ],
)
def test_the_exception_of_a_traceback(tmp_path: Path, text: str, exception: str) -> None:
    (tmp_path / "failed.txt").write_text(text)
    assert run_folder.failure(tmp_path) == exception


def test_a_damaged_result_is_named(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text('{"metrics": ')
    with refused(ValueError, tmp_path / "metrics.json"):
        run_folder.result(tmp_path)


def test_only_an_empty_folder_is_discarded(tmp_path: Path) -> None:
    for name, content in (("log", ""), ("lines", "text")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "train.log").write_text(content)
        run_folder.discard(tmp_path / name)
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / ".lock").touch()
    run_folder.discard(tmp_path / "log")
    assert [folder.name for folder in tmp_path.iterdir()] == ["lines"]


def test_no_result_is_said(tmp_path: Path) -> None:
    with refused(FileNotFoundError, tmp_path, "metrics.json"):
        run_folder.result(tmp_path)
    (tmp_path / "gamma-2bit").mkdir()
    with refused(FileNotFoundError, tmp_path / "gama-2bit", "gamma-2bit", "metrics.json"):
        run_folder.result(tmp_path / "gama-2bit")


def test_seeds_depend_on_everything_named() -> None:
    seeds = {derive(s, f, *e) for s in range(3) for f in range(30) for e in [(), (0,), (1,), (0, 1)]}
    assert len(seeds) == 3 * 30 * 4
    assert derive(1, 2, 3) == derive(1, 2, 3)
