"""Workers end with the process that started them, even where that was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SWEEP = """
import os, signal, sys, time
from pathlib import Path
from joblib import Parallel, delayed

def work(file):
    from qsense.runs import orphans
    orphans.LOOK_S, orphans.GRACE_S = 0.1, 3.0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # as in a run that is trained
    orphans.end_with_parent()
    with Path(file).open("a") as lines:
        lines.write(f"{os.getpid()}\\n")
    time.sleep(60)

Parallel(n_jobs=2)(delayed(work)(sys.argv[1]) for _ in range(6))
"""


def alive(process: int) -> bool:
    """Whether a process is at work; one that has ended and that nobody waits for is not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked at in /proc")
def test_workers_end_with_a_sweep_that_is_killed(tmp_path: Path) -> None:
    pytest.importorskip("joblib")
    started = tmp_path / "started"
    program = tmp_path / "sweep.py"
    program.write_text(SWEEP)
    sweep = subprocess.Popen([sys.executable, program, started])
    try:
        deadline = time.monotonic() + 60
        while not started.exists() or len(started.read_text().split()) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        os.kill(sweep.pid, signal.SIGKILL)
        sweep.wait()
    workers = [int(each) for each in started.read_text().split()]
    deadline = time.monotonic() + 20
    while any(map(alive, workers)):
        assert time.monotonic() < deadline, "workers go on"
        time.sleep(0.1)
    assert len(started.read_text().split()) == 2, "an orphan has begun other work"
