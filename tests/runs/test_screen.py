"""What the log shows on the screen: above a live bar, never into it, and nothing of it twice."""

from __future__ import annotations

import io
import logging
import sys
import warnings
from typing import Any

import pytest
from rich.console import Console
from rich.progress import Progress

from qsense.runs import screen
from qsense.runs.screen import IN_LOG, PROGRESS, Screen, takes_bars, warnings_logged


def record(message: str, level: int = logging.INFO, **extra: Any) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": message, "levelno": level, "levelname": logging.getLevelName(level), **extra})


def test_lines_go_to_whatever_is_stdout_when_they_come(capsys: pytest.CaptureFixture[str]) -> None:
    handler = Screen()
    handler.handle(record("epoch 1/2", **PROGRESS))
    handler.handle(record("for the file", **IN_LOG))
    handler.handle(record("no room", logging.WARNING))
    Screen("stderr").handle(record("aside"))
    said = capsys.readouterr()
    assert [line.split(" ", 1)[1] for line in said.out.splitlines()] == ["epoch 1/2", "warning: no room"]
    assert said.err.endswith(" aside\n")


def test_a_live_bar_keeps_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(sys, "stdout", terminal)
    handler = Screen()
    with Progress(console=Console(file=terminal, force_terminal=True, width=40)) as bar:
        bar.add_task("training")
        handler.handle(record("what the bar shows", **PROGRESS))
        handler.handle(record("something else"))
    assert "what the bar shows" not in terminal.getvalue()
    assert "something else\n" in terminal.getvalue()


def test_workers_that_share_a_screen_show_warnings_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(screen, "is_shared", lambda: True)
    Screen().handle(record("a line"))
    Screen().handle(record("no room", logging.WARNING))
    assert capsys.readouterr().out.endswith("warning: no room\n")
    assert not takes_bars()


@pytest.mark.parametrize(
    ("terminal", "kind", "takes"), [(True, "xterm", True), (False, "xterm", False), (True, "dumb", False)]
)
def test_bars_are_for_terminals(monkeypatch: pytest.MonkeyPatch, terminal: bool, kind: str, takes: bool) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)
    monkeypatch.setenv("TERM", kind)
    assert takes_bars() == takes


def test_warnings_are_lines_of_the_log_for_a_while(caplog: pytest.LogCaptureFixture) -> None:
    before = warnings.showwarning
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        show = warnings.showwarning
        with warnings_logged():
            warnings.warn("at 1 bit\nnothing moves", stacklevel=1)
        assert warnings.showwarning is show
    assert warnings.showwarning is before
    assert caplog.messages == ["at 1 bit\\nnothing moves"]
