"""When recorded samples are due, and the clock that is waited by.

Open it to change how a file is played.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from qsense.stream.events import Event, Quiet, Sample

LONGEST_WAIT_S = 0.1  # after which the screen may be drawn anew


class Clock:
    """The clock of this machine; tests have one of their own."""

    def now(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


def paced(events: Iterable[Event], speed: float | None, clock: Clock) -> Iterator[Event]:
    """Events, each sample when it is due; what is late comes at once, and what follows keeps its distance to it.

    Args:
        events: of a source; samples without a due time come as they come.
        speed: how many times as fast as they were recorded; None: as fast as possible.
        clock: to wait by.
    """
    start: float | None = None
    for event in events:
        if speed is not None and isinstance(event, Sample) and event.due is not None:
            start = clock.now() - event.due / speed if start is None else start
            while (wait := start + event.due / speed - clock.now()) > 0:
                clock.sleep(min(wait, LONGEST_WAIT_S))
                if wait > LONGEST_WAIT_S:
                    yield Quiet()
            if wait < -1.0:  # slower than the data: what is late is not caught up with
                start -= wait
        yield event
