"""What a run says of its progress: in its log, and by a bar that fits a terminal of 80 columns."""

from __future__ import annotations

import io
import re
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning import Trainer
from rich.console import Console

from qsense.callbacks import progress
from qsense.callbacks.progress import Bar, EpochLines, epoch_of, epochs
from qsense.data.series.module import HARDataModule
from qsense.models.deepconvlstm import DeepConvLSTM
from qsense.quant.sensor.gamma import Gamma
from qsense.tasks.har import HARTask

LINE = re.compile(
    r"epoch (\d)/2 · loss \d\.\d{3} · val f1 \d+\.\d % · γ 0\.\d{3} · μ -?0\.\d{3} · \d+\.\d s/epoch( · \d+ s left)?"
)


def har(data: HARDataModule) -> HARTask:
    network = DeepConvLSTM(data.signal.channels, data.window, data.num_classes, filters=4, hidden=8)
    return HARTask(network, Gamma(data.signal, bits=2), data.class_names)


def trained(data: HARDataModule, callback: EpochLines) -> None:
    trainer = Trainer(
        accelerator="cpu", max_epochs=2, limit_train_batches=4, limit_val_batches=2, limit_test_batches=2, logger=False,
        enable_checkpointing=False, enable_model_summary=False, callbacks=[callback],
        enable_progress_bar=isinstance(callback, Bar),
    )  # fmt: skip
    task = har(data)
    trainer.fit(task, datamodule=data)
    trainer.test(task, datamodule=data, verbose=False)


def test_each_epoch_is_a_line_of_the_log(activities: HARDataModule, caplog: pytest.LogCaptureFixture) -> None:
    trained(activities, EpochLines())
    lines = [record.getMessage() for record in caplog.records if record.name == "qsense.progress"]
    assert [match[1] for line in lines if (match := LINE.fullmatch(line))] == ["1", "2"], lines


def test_the_bar_fits_80_columns_with_all_that_it_shows(
    activities: HARDataModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(progress, "takes_bars", lambda: True)
    monkeypatch.setattr(progress, "Console", partial(Console, file=terminal, force_terminal=True, width=80))
    monkeypatch.setattr(progress, "REDRAWN_S", 0.0)
    trained(activities, Bar())
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "\n", terminal.getvalue().replace("\r", "\n")).splitlines()
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.getvalue())
    assert all(len(line) <= 80 for line in text.replace("\r", "\n").splitlines())
    assert "v_num" not in text
    assert any("testing" in line for line in shown)
    last = [line for line in re.split(r"[\r\n]", text) if line.startswith("epoch 2/2")][-1]
    assert re.search(r"━ +100 %  loss \d\.\d+  f1 \d+\.\d %  γ 0\.\d+  μ -?0\.\d+", last)


def test_with_leave_each_epochs_line_stays(activities: HARDataModule, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(progress, "takes_bars", lambda: True)
    monkeypatch.setattr(progress, "Console", partial(Console, file=terminal, force_terminal=True, width=100))
    trained(activities, Bar(leave=True))
    assert len(LINE.findall(terminal.getvalue())) == 2


def fake(**changes: Any) -> Any:
    settings = {"max_epochs": 30, "max_steps": -1, "num_training_batches": 10, "accumulate_grad_batches": 1}
    return SimpleNamespace(**{**settings, "current_epoch": 2, "is_global_zero": True, **changes})


@pytest.mark.parametrize(
    ("settings", "count", "text"),
    [
        ({}, 30, "epoch 3/30"),
        ({"max_steps": 45}, 4.5, "epoch 3/5"),
        ({"max_epochs": -1, "max_steps": 45, "accumulate_grad_batches": 2}, 9, "epoch 3/9"),
        ({"max_epochs": -1}, float("inf"), "epoch 3"),
    ],
)
def test_epochs_are_counted_from_one(settings: dict[str, Any], count: float, text: str) -> None:
    assert epochs(fake(**settings)) == count
    assert epoch_of(fake(**settings)) == text


def test_long_epochs_and_tests_are_heard_of(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr("qsense.runs.progress.time", SimpleNamespace(monotonic=lambda: clock.now))
    trainer, module = (
        fake(progress_bar_metrics={"val/map": 0.25}, num_test_batches=[8], accumulate_grad_batches=2),
        torch,
    )
    lines: Any = EpochLines()
    lines.on_train_epoch_start(trainer, module)
    clock.now = 40.0
    lines.on_train_batch_end(trainer, module, {"loss": torch.tensor(0.5)}, None, 0)  # half of a step's loss
    lines.on_test_epoch_start(trainer, module)
    clock.now = 80.0
    lines.on_test_batch_end(trainer, module, None, None, 1)
    # An epoch takes 400 s, and 27.9 are to come.
    first, second = caplog.messages
    assert first == "epoch 3/30 · 10 % · loss 1.000 · val map 25.0 % · 3.1 h left"
    assert second == "testing · 25 % · 2 min left"
