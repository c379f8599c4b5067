"""A trained run keeps its result whatever fails beside it; without a result it is not finished."""

from __future__ import annotations

import errno
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger
from omegaconf import DictConfig
from tests.quick import NO_PICTURES
from tests.refusal import assert_names, refused

from qsense.experiment.errors import ConfigError
from qsense.runs import folder as run_folder
from qsense.runs.checkpoint_io import AtomicCheckpointIO, read_checkpoint
from qsense.runs.status import FAILED, FINISHED, INTERRUPTED, status_of
from qsense.train import train

Compose = Callable[..., DictConfig]
SMALL = ["data.dataset.minutes=4", "data.dataset.subjects=2", "model.filters=4", "model.hidden=4", "trainer=smoke"]
SMALL += ["callback.progress=null", "threads=1"]
BRIEF = [*SMALL, *NO_PICTURES, "logger=none"]
HERE = __name__


class Broken(CSVLogger):
    """A logger that fails at whatever it is asked, once it is open."""

    def log_metrics(self, *_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        raise ConnectionError("nobody answers")

    def save(self) -> None:
        raise RuntimeError("nothing is saved")

    def finalize(self, status: str) -> None:
        raise ValueError(f"it does not end: {status}")


class Closed(CSVLogger):
    """A logger that cannot be opened."""

    @property
    def experiment(self) -> Any:
        raise ConnectionError("the server answers with nonsense")


class AtTheEnd(Callback):
    """A user's callback that fails after the test, once the result is there."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert run_folder.finished(self.folder)
        raise RuntimeError("what a user wrote")


class Stopped(Callback):
    """The process is told to stop."""

    def __init__(self, hook: str) -> None:
        setattr(self, hook, lambda *_: os.kill(os.getpid(), signal.SIGTERM))


def broken(what: str) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError(f"no {what}")

    return fail


def test_nothing_beside_a_result_costs_it(
    composed: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = tmp_path / "runs" / "run"
    config = composed(
        *SMALL,
        "logger=csv",
        *(f"+logger.{name}={{_target_: {HERE}.{name}, save_dir: {run}}}" for name in ("Broken", "Closed")),
        f"+callback.mine={{_target_: {HERE}.AtTheEnd, folder: {run}}}",
    )
    monkeypatch.setattr("qsense.callbacks.figures.plot_sensor", broken("ink"))
    monkeypatch.setattr("qsense.callbacks.adc.as_record", broken("record"))
    monkeypatch.setattr("qsense.callbacks.cost.as_csv", broken("table"))
    monkeypatch.setattr("qsense.experiment.fitting.cost_of", broken("count"))
    monkeypatch.setattr("qsense.callbacks.trajectory.write_atomically", broken("room"))
    score = train(config)
    assert run_folder.result(run)["metrics"]["f1_sample"] == score
    assert status_of(run).state == FINISHED
    warned = [record.getMessage() for record in caplog.records if "goes on without" in record.getMessage()]
    for what in ("Broken", "Closed", "picture transfer", "LearnedADC", "CostTable", "learned.csv", "follows the test"):
        assert len([line for line in warned if what in line]) == 1, what
    assert_names((run / "mishaps.txt").read_text(), "Traceback", "no ink", "no count", "what a user wrote")
    assert list(run.glob("csv/*/metrics.csv"))
    assert (run / "figures" / "confusion.png").is_file()


@pytest.mark.parametrize("hook", ["on_train_batch_start", "on_test_batch_start"])
def test_a_stopped_run_is_interrupted_and_says_so(composed: Compose, tmp_path: Path, hook: str) -> None:
    config = composed(*BRIEF, f"+callback.mine={{_target_: {HERE}.Stopped, hook: {hook}}}")
    with pytest.raises(SystemExit) as stop:
        train(config)
    assert stop.value.code == 143
    assert status_of(tmp_path / "runs" / "run").state == INTERRUPTED
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_one_that_is_stopped_while_it_draws_is_finished(composed: Compose, tmp_path: Path) -> None:
    config = composed(*SMALL, "logger=none", f"+callback.mine={{_target_: {HERE}.Stopped, hook: on_test_end}}")
    with pytest.raises(SystemExit) as stop:
        train(config)
    assert stop.value.code == 143
    assert status_of(tmp_path / "runs" / "run").state == FINISHED
    assert json.loads((tmp_path / "runs" / "run" / "run.json").read_text())["status"] == "finished"


def test_a_full_disk_fails_the_run_and_keeps_its_checkpoint(
    composed: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []

    def write(path: Path, *arguments: Any) -> None:
        if written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written.append(path)
        run_folder.write_bytes_atomically(path, *arguments)

    monkeypatch.setattr("qsense.runs.checkpoint_io.write_bytes_atomically", write)
    options = [*BRIEF, "trainer.max_steps=-1", "trainer.max_epochs=3"]
    with refused(ConfigError, "No space left", "last.ckpt", "runs=FOLDER"):
        train(composed(*options))
    run = tmp_path / "runs" / "run"
    assert status_of(run).state == FAILED
    assert read_checkpoint(run / "checkpoints" / "last.ckpt")["epoch"] == 0
    monkeypatch.undo()
    train(composed(*options))
    assert [file.name for file in (run / "checkpoints").iterdir()] == ["last.ckpt"]
    assert run_folder.result(run)["epochs"] == 3


@pytest.mark.parametrize("headline", [float("nan"), float("inf"), None])
def test_without_a_headline_a_run_is_not_finished(
    composed: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, headline: float | None
) -> None:
    monkeypatch.setattr("qsense.tasks.base.Task.results", lambda _: {"metrics": {"f1_sample": headline}})
    with refused(ConfigError, "f1_sample", "no result"):
        train(composed(*BRIEF))
    assert status_of(tmp_path / "runs" / "run").state == FAILED
    assert not (tmp_path / "runs" / "run" / "metrics.json").exists()


def test_an_empty_test_part_is_said(composed: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qsense.data.module.ExperimentData.test_dataloader", lambda _: [])
    with refused(ConfigError, "nothing was tested", "fold 0", "trainer.limit_test_batches=3"):
        train(composed(*BRIEF))
    assert not run_folder.finished(tmp_path / "runs" / "run")


def test_a_checkpoint_that_lightning_cannot_restore_is_one_sentence(composed: Compose, tmp_path: Path) -> None:
    train(composed(*BRIEF))
    run = tmp_path / "runs" / "run"
    (run / "metrics.json").unlink()
    file = run / "checkpoints" / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint(read_checkpoint(file) | {"optimizer_states": [{}]}, file)
    with refused(ConfigError, file, "Lightning", "anew"):
        train(composed(*BRIEF))
    assert status_of(run).state == FAILED
    assert torch.load(file, weights_only=True)
