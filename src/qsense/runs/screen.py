"""What log lines look like on the screen, and which of them are shown there: a live bar is left alone.

Open it to change the form of a line, or when something is printed into a progress bar.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import shutil
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from rich.file_proxy import FileProxy

from qsense.runs.escapes import one_line
from qsense.runs.layout import as_facts, in_lines

# `extra` of records that say again, in a log, what a bar shows; and of those that are for a run's log alone.
PROGRESS, IN_LOG = {"progress": True}, {"in_log": True}
TIME = "%H:%M:%S"

log = logging.getLogger(__name__)


def is_shared() -> bool:
    """Whether this process is one of several workers that print to one screen, as joblib's are."""
    return multiprocessing.current_process().name != "MainProcess"


def takes_bars() -> bool:
    """Whether there is a terminal that one process has for itself: elsewhere a bar would be a heap of control codes."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and not is_shared()


class Screen(logging.StreamHandler[TextIO]):
    """Log records to whatever is stdout when they come: above a live bar, which stands in for stdout while it is drawn.

    Progress is not said twice, and of workers that share the screen only warnings are shown; a run's `train.log` has
    all of it. On a terminal lines are as long as it is wide: progress loses facts, and all else goes on below.

    Args:
        output: "stdout", or "stderr" where a program may read the other.
    """

    def __init__(self, output: str = "stdout") -> None:
        logging.Handler.__init__(self)
        self.output = output
        self.setFormatter(Line())

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        stream: TextIO = getattr(sys, self.output)
        return stream

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        if not self.stream.isatty() or record.exc_info:
            return text
        if getattr(record, "progress", False):
            return as_facts(text, shutil.get_terminal_size().columns)
        return in_lines(text, hanging=" " * len("00:00:00 "))

    def filter(self, record: logging.LogRecord) -> bool:
        if getattr(record, "in_log", False) or (record.levelno < logging.WARNING and is_shared()):
            return False
        if getattr(record, "progress", False) and isinstance(self.stream, FileProxy):
            return False
        return bool(super().filter(record))


@contextmanager
def warnings_logged() -> Iterator[None]:
    """Within it, Python's warnings are log records of one line, without the place in somebody's code."""

    def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        log.warning("%s", one_line(str(message)))

    before, warnings.showwarning = warnings.showwarning, show
    try:
        yield
    finally:
        warnings.showwarning = before


class Line(logging.Formatter):
    """The time, the level from "warning" on, and the message.

    >>> record = logging.LogRecord("", logging.WARNING, "", 0, "no room", None, None)
    >>> Line().format(record)[8:]
    ' warning: no room'
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(message)s", TIME)

    def formatMessage(self, record: logging.LogRecord) -> str:
        if record.levelno >= logging.WARNING:
            record.message = f"{record.levelname.lower()}: {record.message}"
        return super().formatMessage(record)
