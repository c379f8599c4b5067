"""A sweep on Slurm whose jobs are killed, signalled, cancelled and preempted, and whose node dies: `make test-slurm`.

It starts the cluster (tests/engines/slurm.sh); on anybody else's, nothing here is run.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.engines.sweeps import LONG_S, SHORT, finished, printed, start, starts, wait_until, worker_of
from tests.refusal import assert_names

from qsense.runs.times import moment

CLUSTER = os.environ.get("QSENSE_TEST_SLURM", "")
pytestmark = [pytest.mark.engine, pytest.mark.skipif(not CLUSTER, reason="needs a cluster of its own: make test-slurm")]

OPTIONS = [*SHORT, "quant=linear", "fold=0", "trainer.max_epochs=60", "hydra/launcher=slurm", "hydra.launcher.mem_gb=1"]
RUN = f"{sys.executable} -u -m submitit"  # how the command of a job begins
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def sweep_in(tmp_path: Path) -> Iterator[Start]:
    """Start a sweep in the test's folder; at the end nothing of it is left, however the test ends."""
    started: list[subprocess.Popen[bytes]] = []

    def sweep(*arguments: str) -> subprocess.Popen[bytes]:
        started.append(start(tmp_path, *OPTIONS, *arguments))
        return started[-1]

    yield sweep
    for each in started:
        each.kill()
        each.wait()
    slurm("scancel", "--user", str(os.getuid()))


def slurm(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def run_of(folder: Path, seed: int) -> Path:
    """The run of a seed; before it has begun, a folder that there is not."""
    return next((folder / "runs").glob(f"*-seed{seed}-*"), folder / "not begun")


def trains(folder: Path, seed: int, number: int = 1) -> bool:
    """Has a run been started so often, and saved a checkpoint since?"""
    record, checkpoint = run_of(folder, seed) / "run.json", run_of(folder, seed) / "checkpoints" / "last.ckpt"
    if not (record.is_file() and checkpoint.is_file()):
        return False
    started = json.loads(record.read_text())["started"]
    last = moment(started[-1])
    return len(started) == number and last is not None and checkpoint.stat().st_mtime > last


def by_seed(of_runs: dict[str, int]) -> dict[int, int]:
    """The same, by the seeds that the runs' names tell."""
    return {int(name.partition("-seed")[2].partition("-")[0]): value for name, value in of_runs.items()}


def job_of(folder: Path, seed: int) -> str:
    """The job of a seed, of a sweep over seeds alone: its place in the array."""
    return f"{printed(folder).partition('submitted as Slurm job ')[2].partition(';')[0]}_{seed}"


def processes(command: str) -> Iterator[int]:
    """Processes of this cluster whose command begins so."""
    ours = f"SLURM_CONF={CLUSTER}/slurm.conf"
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = " ".join((folder / "cmdline").read_text().split("\0"))
            if words.startswith(command) and ours in (folder / "environ").read_text().split("\0"):
                yield int(folder.name)
        except (OSError, UnicodeDecodeError):  # it has ended, or is none of ours
            continue


def test_a_sweep_outlives_its_jobs(tmp_path: Path, sweep_in: Start) -> None:
    killed, signalled, requeued, cancelled, undisturbed = range(5)
    sweep = sweep_in("seed=0,1,2,3,4")

    def until_it_trains(seed: int, number: int = 1) -> None:
        wait_until(lambda: trains(tmp_path, seed, number), tmp_path, sweep, LONG_S)

    until_it_trains(killed)
    worker = worker_of(run_of(tmp_path, killed))
    assert worker
    os.kill(worker, signal.SIGKILL)
    until_it_trains(signalled)
    slurm("scancel", "--signal=USR2", job_of(tmp_path, signalled))  # what comes before the walltime
    until_it_trains(requeued)
    slurm("scontrol", "requeue", job_of(tmp_path, requeued))
    until_it_trains(cancelled)
    slurm("scancel", job_of(tmp_path, cancelled))

    assert sweep.wait(LONG_S) == 1, printed(tmp_path)
    assert by_seed(finished(tmp_path)).keys() == {killed, signalled, requeued, undisturbed}, printed(tmp_path)
    assert by_seed(starts(tmp_path)) == {killed: 2, signalled: 2, requeued: 2, cancelled: 1, undisturbed: 1}
    for seed in (killed, signalled, requeued):
        assert "resuming from" in (run_of(tmp_path, seed) / "train.log").read_text()
    assert_names(printed(tmp_path), "1 of 5", "CANCELLED")

    job = job_of(tmp_path, cancelled)
    assert_names(printed(tmp_path), "FAILED", f"{tmp_path}/runs/.slurm/{job}/{job}_0_log.out")
    states = slurm("sacct", "-X", "-n", "-P", "--duplicates", "--format=State", "-j", job_of(tmp_path, killed))
    assert states.split() == ["REQUEUED", "COMPLETED"]

    before = finished(tmp_path)
    sweep = sweep_in("seed=0,1,2,3,4")  # the same command once more
    until_it_trains(cancelled, 2)
    slurm("sbatch", "--partition=urgent", "--nodes=2", "--exclusive", "--output=/dev/null", "--wrap=sleep 1")
    assert sweep.wait(LONG_S) == 0, printed(tmp_path)
    assert "5 runs: 4 finished, 1 interrupted" in printed(tmp_path)
    assert by_seed(starts(tmp_path)) == {killed: 2, signalled: 2, requeued: 2, cancelled: 3, undisturbed: 1}
    assert len(finished(tmp_path)) == 5
    assert before.items() < finished(tmp_path).items()  # none was trained again


def test_a_refusal_of_slurm_is_shown_in_its_words(tmp_path: Path, sweep_in: Start) -> None:
    sweep = sweep_in("seed=0,1", "hydra.launcher.partition=nosuch")
    assert sweep.wait(LONG_S) == 1
    assert_names(printed(tmp_path), "invalid partition specified: nosuch", "hydra.launcher.partition")

    assert "Traceback" not in printed(tmp_path)
    assert not starts(tmp_path)


def test_a_run_outlives_its_node(tmp_path: Path, sweep_in: Start) -> None:
    sweep = sweep_in("seed=0")
    wait_until(lambda: trains(tmp_path, 0), tmp_path, sweep, LONG_S)
    node = slurm("squeue", "--noheader", "--format=%N").strip()
    daemon = int(Path(CLUSTER, f"slurmd-{node}.pid").read_text())
    for process in (daemon, *processes("slurmstepd"), *processes(RUN), *processes(f"/bin/bash {CLUSTER}/spool")):
        os.kill(process, signal.SIGKILL)
    assert sweep.wait(LONG_S) == 0, printed(tmp_path)
    assert by_seed(starts(tmp_path)) == {0: 2}
    assert "NODE_FAIL" in slurm("sacct", "-X", "-n", "-P", "--duplicates", "--format=State")
    assert "resuming from" in (run_of(tmp_path, 0) / "train.log").read_text()
