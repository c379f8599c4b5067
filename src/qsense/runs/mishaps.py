"""What goes wrong beside a run's result, with a tracker, a picture or a table: a warning, and not the end of the run.

Open it to see what becomes of an error in a logger or in a figure.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from qsense.runs.escapes import one_line

FILE = "mishaps.txt"  # in the run's folder, only where there were any
EXIT_CODE = 3  # of a sweep whose runs are all finished, and some of which have lost something beside their results

log = logging.getLogger(__name__)
_noted: dict[str, str] = {}  # what failed, with the traceback; of the run that this process is at, if it is at one
_runs: list[Path] = []  # that one


@contextmanager
def tolerated(what: str) -> Iterator[None]:
    """Go on after an error within: it is noted, with one warning for each `what` of a run.

    Args:
        what: what cannot be had, as in "the picture transfer".
    """
    try:
        yield
    except Exception as error:
        note(what, error)


def note(what: str, error: Exception) -> None:
    """Note what failed beside a run's result, and warn of it, in a run once."""
    if _runs and what in _noted:
        return
    _noted[what] = "".join(traceback.format_exception(error))
    log.warning("%s failed, and the run goes on without: %s", what, in_a_line(error))


def in_a_line(error: object) -> str:
    """An exception's class and the first line of its message, to be shown.

    >>> in_a_line(ValueError("no\\nmore"))
    'ValueError: no'
    """
    return one_line(f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}")


@contextmanager
def noting(run: Path) -> Iterator[None]:
    """Within it a run is trained: what goes wrong beside its result is kept in its folder, and nothing of before."""
    _noted.clear()
    _runs.append(run)
    with suppress(OSError):
        (run / FILE).unlink(missing_ok=True)
    try:
        yield
    finally:
        _runs.remove(run)
        if _noted:
            text = "\n".join(f"{what} failed\n{trace}" for what, trace in _noted.items())
            with suppress(OSError):  # what was lost is on the screen, too
                (run / FILE).write_text(text, encoding="utf-8")
        _noted.clear()


def has_mishaps(run: Path) -> bool:
    """Whether something was lost beside a run's result, when it was last trained."""
    return (run / FILE).is_file()


def forget() -> None:
    """Begin anew: what a process has noted before is no part of the sweep that it begins."""
    _noted.clear()


def noted() -> bool:
    """Whether something has failed in this process beside its result, and is not yet in the folder of a run."""
    return bool(_noted)
