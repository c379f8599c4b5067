"""The search on made-up runs: what it chooses, what it leaves, and how processes share it."""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import signal
import sys
import time
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from optuna.storages.journal import JournalFileOpenLock
from tests import browser as chromium
from tests.design import designs
from tests.design.designs import FOLDS, LOSSES, design, trained, trainer
from tests.refusal import refused

from qsense.design import screening, search, work
from qsense.design.estimate import runs_left
from qsense.design.files import answer_on_file, write_answer
from qsense.design.judging import CONFIRMED
from qsense.design.plan import Design
from qsense.design.recommendation import as_record, headline, left_out, recommend, trust
from qsense.experiment.command_line.overrides import Job
from qsense.experiment.errors import ConfigError
from qsense.runs import folder as run_folder
from qsense.runs.lock import claim


def screen(asked: Design, fold: int) -> None:
    run_folder.write_json(screening.file_of(asked, fold), designs.screened(asked, fold))


def every_run(asked: Design) -> list[tuple[Job, Path]]:
    every = [asked.reference, *(asked.runs_of(one) for one in asked.candidates)]
    return [run for runs in every for run in runs.values()]


@pytest.fixture(autouse=True)
def made_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(screening, "screen", screen)
    monkeypatch.setattr(work, "train_run", trainer(tmp_path))


def test_the_fewest_bits_that_hold_win_and_are_confirmed(tmp_path: Path) -> None:
    asked = design(tmp_path)
    work.work(asked)
    found = recommend(asked)
    assert found.finished
    assert found.winner is not None
    assert found.winner.candidate.name == "2 bits adpcm"
    assert found.winner.stage == CONFIRMED
    assert found.winner.seeds == [1]
    assert found.winner.loss == pytest.approx(0.4, abs=0.01)
    first, second, third = headline(found)
    assert first.startswith("2 bits, adpcm: 0.4 ± ")
    assert "5.40 instead of 32.6 µW" in second
    assert "1 bit adpcm, 2.5 ± " in third
    assert "seed 1" in " ".join(trust(found))
    assert not any("3bit" in run for run in trained(tmp_path))  # dearer ones are not needed


def test_others_are_given_up_after_few_folds(tmp_path: Path) -> None:
    asked = design(tmp_path)
    work.work(asked)
    runs = Counter(run.rpartition("-fold")[0] for run in trained(tmp_path))
    assert runs["none"] == runs["adpcm-2bit"] == 2 * FOLDS
    assert runs["lloyd_max-2bit"] == 1
    assert runs["linear-2bit"] == 0  # the screening left it out
    assert runs["adpcm-1bit"] == 3  # by then it was hopeless
    lines = left_out(recommend(asked))
    assert any("1 bit adpcm" in line and "it loses too much" in line for line in lines)
    assert any("2 bits lloyd_max" in line and "others did better" in line for line in lines)
    assert any("2 bits" in line and "screened alone" in line and "linear" in line for line in lines)


def test_a_second_search_trains_nothing(tmp_path: Path) -> None:
    work.work(design(tmp_path))
    before = trained(tmp_path)
    asked = design(tmp_path)
    work.work(asked)
    assert trained(tmp_path) == before
    assert as_record(recommend(asked)) == as_record(recommend(design(tmp_path)))


def test_without_a_limit_on_loss_the_least_is_looked_for(tmp_path: Path) -> None:
    asked = design(tmp_path, max_loss=None, max_microwatts=9.0)
    work.work(asked)
    found = recommend(asked)
    assert found.winner is not None
    assert found.winner.candidate.name == "3 bits lloyd_max"


def test_where_none_holds_the_nearest_is_named(tmp_path: Path) -> None:
    few = {name: loss for name, loss in LOSSES.items() if name.startswith("1 ")}
    asked = design(tmp_path, losses=few)
    work.work(asked)
    found = recommend(asked)
    assert found.finished
    assert found.winner is None
    assert headline(found)[0].startswith("No converter loses at most 1 point; nearest: 1 bit, adpcm: 2.5 ± ")


def test_one_that_held_by_luck_alone_is_not_recommended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lucky, honest = trainer(tmp_path, {**LOSSES, "1 bit adpcm": 0.5}), trainer(tmp_path)
    monkeypatch.setattr(work, "train_run", lambda job: (lucky if "seed=0" in job else honest)(job))
    asked = design(tmp_path)
    work.work(asked)
    found = recommend(asked)
    assert found.winner is not None
    assert found.winner.candidate.name == "2 bits adpcm"
    (other,) = (one for one in found.judged if one.candidate.name == "1 bit adpcm")
    assert other.loss == pytest.approx(2.5, abs=0.01)


def test_fresh_seeds_that_refused_another_one_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work.work(asked := design(tmp_path))
    assert "which chose nothing" in " ".join(trust(recommend(asked)))

    other = tmp_path / "other"
    lucky, honest = trainer(other, {**LOSSES, "1 bit adpcm": 0.5}), trainer(other)
    monkeypatch.setattr(work, "train_run", lambda job: (lucky if "seed=0" in job else honest)(job))
    work.work(asked := design(other))
    assert "which refused 1 bit adpcm, too" in " ".join(trust(recommend(asked)))


def test_without_fresh_seeds_it_says_so(tmp_path: Path) -> None:
    asked = design(tmp_path, seeds=(0,))
    work.work(asked)
    found = recommend(asked)
    assert found.winner is not None
    assert "expect to lose more" in " ".join(trust(found))


def test_a_training_that_fails_costs_its_converter_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = trainer(tmp_path)

    def train(job: Job) -> None:
        if "quant=adpcm" in job and "bits=2" in job:
            raise RuntimeError("training diverged")
        whole(job)

    monkeypatch.setattr(work, "train_run", train)
    asked = design(tmp_path)
    work.work(asked)
    found = recommend(asked)
    assert found.winner is not None
    assert found.winner.candidate.name == "2 bits mulaw"
    assert found.ended["2 bits adpcm"] == "fold 0: training diverged"
    assert any("2 bits adpcm" in line and "training diverged" in line for line in left_out(found))


def test_an_unquantized_run_that_fails_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def train(job: Job) -> None:
        raise RuntimeError("training diverged")

    monkeypatch.setattr(work, "train_run", train)
    with pytest.raises(RuntimeError, match="diverged"):
        work.work(design(tmp_path))


@pytest.mark.parametrize("at", [3, 7, 12])
def test_a_killed_search_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    whole = trainer(tmp_path)

    def train(job: Job) -> None:
        if len(trained(tmp_path)) == at:
            os.kill(os.getpid(), signal.SIGKILL)
        whole(job)

    monkeypatch.setattr(work, "train_run", train)
    child = multiprocessing.get_context("fork").Process(target=work.work, args=(design(tmp_path),))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    assert len(trained(tmp_path)) == at
    assert not recommend(design(tmp_path)).finished
    monkeypatch.setattr(work, "train_run", whole)
    work.work(design(tmp_path))
    assert max(Counter(trained(tmp_path)).values()) == 1
    found = recommend(design(tmp_path))
    assert found.winner is not None
    assert found.winner.candidate.name == "2 bits adpcm"


def test_the_lock_of_a_killed_process_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(search, "JournalFileOpenLock", partial(JournalFileOpenLock, grace_period=3))
    asked = design(Path())  # as by default, its paths are relative
    asked.state.mkdir(parents=True)
    (asked.state / f"{search.JOURNAL}.lock").touch()
    work.work(asked, time.time() + 60)
    assert recommend(asked).finished


def test_a_damaged_journal_is_named_and_costs_no_run(tmp_path: Path) -> None:
    work.work(asked := design(tmp_path))
    before, journal = trained(tmp_path), asked.state / search.JOURNAL
    journal.write_bytes(journal.read_bytes()[:-20] + b'{"op_code": 1}\n' * 2)  # a line was cut, and others followed
    with refused(ConfigError, str(journal), "delete it"):
        recommend(design(tmp_path))
    journal.unlink()
    work.work(design(tmp_path))
    assert trained(tmp_path) == before
    assert recommend(design(tmp_path)).winner is not None


def test_two_processes_share_one_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, folders = trainer(tmp_path), dict(every_run(design(tmp_path)))

    def train(job: Job) -> None:
        with claim(folders[job]):  # as a training does; raises where the other process has it
            (tmp_path / f"{os.getpid()}").touch()
            time.sleep(0.1)
            if not run_folder.finished(folders[job]):
                whole(job)

    monkeypatch.setattr(work, "train_run", train)
    context = multiprocessing.get_context("fork")
    crew = [context.Process(target=work.work, args=(design(tmp_path),)) for _ in range(2)]
    for one in crew:
        one.start()
    for one in crew:
        one.join(60)
    assert [one.exitcode for one in crew] == [0, 0]
    assert all((tmp_path / f"{one.pid}").is_file() for one in crew)  # both have trained
    assert max(Counter(trained(tmp_path)).values()) == 1
    found = recommend(design(tmp_path))
    assert found.winner is not None
    assert found.winner.candidate.name == "2 bits adpcm"


def test_at_the_deadline_the_best_so_far_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, deadline = trainer(tmp_path), time.time() + 3600

    def train(job: Job) -> None:
        if len(trained(tmp_path)) == 10:  # and now the hour is over
            monkeypatch.setattr("time.time", lambda: deadline)
            signal.setitimer(signal.ITIMER_REAL, 0.01, work.AGAIN_S)
            time.sleep(60)
            pytest.fail("the training was not interrupted")
        whole(job)

    monkeypatch.setattr(work, "train_run", train)
    work.work(design(tmp_path), deadline)
    assert len(trained(tmp_path)) == 10
    found = recommend(design(tmp_path))
    assert not found.finished
    assert headline(found)[0].startswith("Not finished; best so far:")


def test_before_anything_is_trained_there_is_no_answer(tmp_path: Path) -> None:
    asked = design(tmp_path)
    assert "No answer yet" in headline(recommend(asked))[0]
    work.work(asked, time.time() - 1)
    assert not trained(tmp_path)


def test_a_deadline_lost_in_a_collection_of_garbage_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "AGAIN_S", 1.0)
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)  # pytest's own takes so long that it is interrupted, too
    again: list[str] = []

    def collecting(phase: str, info: dict[str, int]) -> None:
        if not again:
            again.append(phase)
            time.sleep(60)  # the signal comes in here, and what it raises is dropped

    gc.callbacks.append(collecting)
    began = time.monotonic()
    try:
        with pytest.raises(work.NoTimeError), work.until(time.time() + 0.1):
            time.sleep(60 * (gc.collect() >= 0))
    finally:
        gc.callbacks.remove(collecting)
    assert again
    assert time.monotonic() - began < 50, "neither of them slept to its end"


def test_what_is_left_to_train_is_counted(tmp_path: Path) -> None:
    asked = design(tmp_path)
    confirming = (2 + 1) * FOLDS  # unquantized with both seeds, and the winner with the fresh one
    assert runs_left(asked) == (confirming + 8, confirming + 8 + 8 + 6)
    work.work(asked)
    assert runs_left(asked)[0] == 0


def test_the_answer_is_written_with_its_picture_on_top_of_the_page(tmp_path: Path) -> None:
    asked = design(tmp_path)
    work.work(asked)
    found = recommend(asked)
    assert {file.name for file in write_answer(found)} == {"design.md", "design.json", "pareto.png", "index.html"}
    page = (tmp_path / "design" / "index.html").read_text()
    top = page[page.index("<main>") : page.index('id="sections"')]
    assert headline(found)[0] in top
    assert "data:image/png;base64," in top
    record = json.loads((tmp_path / "design" / "design.json").read_text())
    assert record["winner"]["name"] == "2 bits adpcm"
    assert record["winner"]["losses"].keys() == {"0", "1", "2", "3"}
    assert answer_on_file(asked) is None  # its export is not written
    (tmp_path / "design" / "export").mkdir()
    (tmp_path / "design" / "export" / "run.txt").touch()
    assert answer_on_file(asked) == record
    assert answer_on_file(design(tmp_path, max_loss=3.0)) is None


def test_the_page_misses_no_run_that_the_search_did_not_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "train_run", trainer(tmp_path, {**LOSSES, "2 bits adpcm": 0.9}))
    work.work(asked := design(tmp_path))
    write_answer(recommend(asked))
    page = (tmp_path / "design" / "index.html").read_text()
    told = json.loads(page.partition('id="study">')[2].partition("</script>")[0])
    rows = [told["rows"][place]["label"] for place in {run["row"] for run in told["runs"]}]
    assert sorted(rows) == ["adpcm 2 bit", "mulaw 2 bit", "none"]
    assert len(told["runs"]) == (2 + 1 + 2) * FOLDS  # the second best has no fresh seed
    assert told["ownSeeds"]
    assert "Missing" not in told["lists"]
    assert [part["total"] for part in told["progress"]] == [len(told["runs"])]


@pytest.mark.skipif(bool(chromium.MISSING), reason=chromium.MISSING)
def test_a_browser_shows_the_answer_above_the_study(tmp_path: Path) -> None:
    work.work(asked := design(tmp_path))
    write_answer(found := recommend(asked))
    with chromium.browser() as window:
        window.open(tmp_path / "design" / "index.html")
        window.wait("document.documentElement.dataset.drawn === 'all'")
        assert window.texts("main h2")[:2] == [headline(found)[0], "Which to take"]
        assert window.errors() == []


def test_names_of_others_stay_text_on_the_page(tmp_path: Path) -> None:
    asked = design(tmp_path)
    work.work(asked)
    hostile = replace(asked, excluded={"<script>alert(1)</script>": "</section>"})
    write_answer(recommend(hostile))
    page = (tmp_path / "design" / "index.html").read_text()
    top = page[page.index("<main>") : page.index('id="sections"')]
    assert "<script>" not in top
    assert top.count("</section>") == 1
