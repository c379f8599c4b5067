"""Where a session is shown: on a terminal, as lines, on a page, in a file.

Open it to add a way; what they show is in `view.py`, `words.py` and `page.py`.
"""

from __future__ import annotations

import shutil
import sys
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.text import Text

from qsense.runs.escapes import one_line
from qsense.runs.folder import write_atomically
from qsense.runs.layout import sentence, to_stderr
from qsense.stream.keep import Keeper
from qsense.stream.page import page
from qsense.stream.session import Session, Window
from qsense.stream.view import screen
from qsense.stream.words import as_json, as_line, summary

DRAWN_S, WRITTEN_S = 0.1, 1.0  # between two screens, and two pages
MOST_SAID = 12  # notices that a page shows, the last ones


class Shown(Protocol):
    """A way of showing a session; each method is called in turn."""

    every_s: float  # between two calls of `draw`

    def say(self, text: str) -> None:
        """A notice."""

    def window(self, window: Window, session: Session) -> None:
        """A window has ended."""

    def draw(self, session: Session) -> None:
        """Some time has passed."""

    def end(self, session: Session) -> None:
        """Nothing more comes."""


class Lines:
    """A line for each window on stdout, notices and summary on stderr.

    Args:
        jsonl: JSON Lines for a program, with the summary as the last one.
    """

    every_s = DRAWN_S

    def __init__(self, jsonl: bool = False) -> None:
        self.jsonl = jsonl

    def say(self, text: str) -> None:
        to_stderr(f"note: {one_line(text)}")

    def window(self, window: Window, session: Session) -> None:
        print((as_json if self.jsonl else as_line)(window, session.facts))

    def draw(self, session: Session) -> None:
        sys.stdout.flush()

    def end(self, session: Session) -> None:
        if self.jsonl:
            import json

            print(json.dumps({"summary": session.summary()}, allow_nan=False))
        for line in summary(session):
            print(sentence(line, shutil.get_terminal_size().columns, hanging="  "), file=sys.stderr)


class Terminal:
    """A screen that is drawn anew; it stays when the session ends.

    Args:
        console: None: that of this process.
    """

    every_s = DRAWN_S

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console()
        self.live = Live(console=self.console, auto_refresh=False, vertical_overflow="crop")
        self.said: deque[str] = deque(maxlen=2)
        self.started = False

    def say(self, text: str) -> None:
        self.said.append(text)

    def window(self, window: Window, session: Session) -> None:
        """It is drawn with all others."""

    def draw(self, session: Session) -> None:
        if not self.started:
            self.started = True
            self.live.start()
        self.live.update(self._screen(session), refresh=True)

    def _screen(self, session: Session) -> Text:
        return screen(session, self.console.width, self.console.height, list(self.said))

    def end(self, session: Session) -> None:
        self.draw(session)
        self.live.stop()
        shown = self._screen(session).plain.splitlines()
        for line in summary(session):
            if line not in shown:
                self.console.out(sentence(line, self.console.width), highlight=False)


class Page:
    """A page, written anew every second.

    Args:
        path: of the file.
    """

    every_s = WRITTEN_S

    def __init__(self, path: Path) -> None:
        self.path = path
        self.said: deque[str] = deque(maxlen=MOST_SAID)

    def say(self, text: str) -> None:
        self.said.append(text)

    def window(self, window: Window, session: Session) -> None:
        """It is drawn with all others."""

    def draw(self, session: Session) -> None:
        self._write(session, running=True)

    def end(self, session: Session) -> None:
        self._write(session, running=False)
        print(f"{one_line(str(self.path))} shows this session", file=sys.stderr)

    def _write(self, session: Session, running: bool) -> None:
        write_atomically(self.path, page(session, list(self.said), running))


class Record:
    """What arrives, kept in a file.

    Args:
        keeper: writes it.
        path: of the file.
    """

    every_s = WRITTEN_S

    def __init__(self, keeper: Keeper, path: Path) -> None:
        self.keeper, self.path = keeper, path

    def say(self, text: str) -> None:
        """It is no sample."""

    def window(self, window: Window, session: Session) -> None:
        self.keeper.take(session)

    def draw(self, session: Session) -> None:
        self.keeper.take(session)
        self.keeper.flush()

    def end(self, session: Session) -> None:
        self.keeper.take(session)
        self.keeper.close()
        if session.pushed:
            print(f"{one_line(str(self.path))} holds {session.pushed:,} samples", file=sys.stderr)


def show(ways: Sequence[Shown], session: Session, window: Window | None, drawn: list[float]) -> None:
    """Tell each way what is new, and let it draw where that is due."""
    for text in session.notices:
        for way in ways:
            way.say(text)
    session.notices.clear()
    now = session.now()
    for place, way in enumerate(ways):
        if window is not None:
            way.window(window, session)
        if now - drawn[place] >= way.every_s:
            drawn[place] = now
            way.draw(session)
