"""The processes of a design on this machine: started, watched, and stopped with the command.

Open it to change what the screen shows meanwhile.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from qsense.design.estimate import left
from qsense.design.plan import Design
from qsense.design.worker import LOG, log_into
from qsense.experiment.errors import RAISE, ConfigError
from qsense.runs.escapes import one_line

LOOK_S, SAY_S = 0.5, 60.0
DATE = len("2026-11-28 ")  # of a line in the log, which a screen does without
ERROR = "error: "  # how the process says what is wrong


def train_all(design: Design, arguments: Sequence[str], deadline: float | None) -> None:
    """Let processes work on a design until it is done or the time is over, and show what they log.

    Args:
        design: what is looked for.
        arguments: the command's, for each process to read.
        deadline: in seconds since 1970.

    Raises:
        ConfigError: no process could go on; with the end of what one said.
    """
    log = log_into(design.request.out)
    design.state.mkdir(parents=True, exist_ok=True)
    logs = [design.state / f"worker{number}.log" for number in range(design.workers)]
    seen, said, last = (design.request.out / LOG).stat().st_size, time.monotonic(), ""
    with started(logs, [f"{deadline or ''}", *arguments]) as crew:
        while any(worker.poll() is None for worker in crew):
            time.sleep(LOOK_S)
            if time.monotonic() - said > SAY_S and (now := left(design, deadline)) != last:
                said, last = time.monotonic(), now
                log.info("%s", now)
            seen = show(design.request.out / LOG, seen)
    show(design.request.out / LOG, seen)
    codes = [worker.returncode for worker in crew]
    if all(codes):
        raise ConfigError(f"{last_words(logs[0])} ({one_line(str(logs[0]))})")


@contextmanager
def started(logs: Sequence[Path], arguments: Sequence[str]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """A process for each log, which end at the end, by Ctrl-C and with a batch system's SIGTERM."""
    environment = {key: value for key, value in os.environ.items() if key != RAISE}
    command = [sys.executable, "-m", "qsense.design.worker", *arguments]
    with ExitStack() as closing:
        crew = []
        for log in logs:
            file = closing.enter_context(log.open("ab"))
            crew.append(subprocess.Popen(command, env=environment, stdout=file, stderr=subprocess.STDOUT))
        before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
        try:
            yield crew
        finally:
            signal.signal(signal.SIGTERM, before)
            for worker in crew:
                if worker.poll() is None:
                    worker.terminate()
            for worker in crew:
                worker.wait()


def last_words(log: Path) -> str:
    """What ended a process: its error, or the last line that it wrote.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "worker0.log"
    >>> _ = file.write_text("training\\nerror: no room\\nmake some\\n")
    >>> last_words(file)
    'no room make some'
    """
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith(ERROR)]
    text = " ".join(lines[starts[-1] :]) if starts else " ".join(lines[-1:]) or "stopped"
    return one_line(text.removeprefix(ERROR))


def show(file: Path, seen: int) -> int:
    """Print what a log has beyond so many bytes, whole lines; returns how many were seen."""
    with file.open("rb") as log:
        log.seek(seen)
        new, line, _ = log.read().rpartition(b"\n")
    for text in new.decode("utf-8", "replace").splitlines():
        print(one_line(text[DATE:]), flush=True)
    return seen + len(new) + len(line)
