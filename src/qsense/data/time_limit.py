"""A limit for what may take for ever in C code, such as a regular expression of a user's own.

Open it when something must end that no loop of ours can look at.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """End what is within it after so long, in the main thread and where there are signals of timers (not on Windows);
    elsewhere it goes on.

    Raises:
        TimeoutError: it took longer.

    >>> import re
    >>> with time_limit(0.1):
    ...     re.search("(a+)+$", 40 * "a" + "b")
    Traceback (most recent call last):
      ...
    TimeoutError: longer than 0.1 s
    """

    def stop(number: int, frame: object) -> NoReturn:
        raise TimeoutError(f"longer than {seconds:g} s")

    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.signal(signal.SIGALRM, stop)
    other = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *other)
        signal.signal(signal.SIGALRM, handler)
