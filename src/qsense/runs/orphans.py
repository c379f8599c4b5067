"""A process that works for another one ends when that is gone, however it ended: nobody else would stop it.

Open it when a worker goes on after its sweep or its design was killed.
"""

from __future__ import annotations

import os
import signal
import threading
import time

LOOK_S = 1.0
GRACE_S = 20.0  # in which a run ends in good order, with its loggers
CODE = 128 + signal.SIGTERM

_watched, _orphan = threading.Event(), threading.Event()


def end_with_parent() -> None:
    """From here on this process is stopped, as by a batch system, once the process that started it is gone: a run that
    is trained notes that it can be resumed. To be called at the start of each piece of work: an orphan begins none."""
    if _orphan.is_set():
        os._exit(CODE)
    if not _watched.is_set():
        _watched.set()
        threading.Thread(target=_watch, args=(os.getppid(),), name="parent", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_S)
    _orphan.set()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)  # joblib's worker takes a run's SystemExit for a result, and would wait for the next run
    os._exit(CODE)
