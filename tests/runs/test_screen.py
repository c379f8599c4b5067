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


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_lines_are_as_long_as_it_is_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Progress stays on one line and loses facts, but for the last; in a file it has all of them."""
    epoch = "epoch 100/100 · loss 0.512 · val f1 51.2 % · γ 0.403 · μ -0.006 · 12.3 s/epoch · 12 min left"
    words = "box number 7 of frame 12 reaches beyond the frame by 13 pixels and is cut there, as are 24 others"
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    Screen().handle(record(epoch, **PROGRESS))
    Screen().handle(record(words, logging.WARNING))
    first, *others = terminal.getvalue().splitlines()
    assert len(first) <= 80
    assert first.endswith("γ 0.403 · 12 min left")
    assert len(others) == 2
    assert max(map(len, others)) <= 80
    assert " ".join(" ".join(others).split()[1:]) == f"warning: {words}"
    assert others[1].startswith(" " * 9)
    monkeypatch.setattr(sys, "stdout", file := io.StringIO())
    Screen().handle(record(epoch, **PROGRESS))
    assert file.getvalue().endswith(f" {epoch}\n")


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
