"""How far long work is: a bar on a terminal, and elsewhere a line now and then, with the time that is left.

Open it to change how often a log hears of work that goes on; what training says is in `callbacks/progress.py`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from qsense.runs.screen import PROGRESS, takes_bars
from qsense.runs.words import duration

FIRST_S, LONGEST_S = 30.0, 600.0  # until the first line, and between two lines at most

# Progress is to be heard wherever anything is: of commands that say warnings alone, too.
log = logging.getLogger("qsense.progress")
log.setLevel(logging.INFO)


class Due:
    """When a log is to hear of long work: after half a minute, then after ever longer times, up to ten minutes."""

    def __init__(self) -> None:
        self.wait, self.next = FIRST_S, time.monotonic() + FIRST_S

    def __call__(self) -> bool:
        """Whether it is time; then the next time is later."""
        now = time.monotonic()
        if now < self.next:
            return False
        self.wait = min(2 * self.wait, LONGEST_S)
        self.next = now + self.wait
        return True


@contextmanager
def stepping(what: str, total: int) -> Iterator[Callable[[], None]]:
    """Within it, work of `total` equal steps goes on; yields what is to be called after each.

    Args:
        what: is being done, such as "testing with lost packets".
        total: number of steps.
    """
    from rich.progress import Progress

    began, due, done = time.monotonic(), Due(), 0
    with Progress(transient=True, disable=not takes_bars()) as bar:
        task = bar.add_task(what, total=total)

        def step() -> None:
            nonlocal done
            done += 1
            bar.advance(task)
            if due() and done < total:
                left = (time.monotonic() - began) / done * (total - done)
                log.info("%s: %d of %d · %s left", what, done, total, duration(left), extra=PROGRESS)

        yield step
