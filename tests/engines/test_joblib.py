"""Runs side by side on one machine: each on its share of the cores, and a killed worker costs one more start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import joblib
import pytest
from tests.engines import sweeps
from tests.engines.sweeps import LONG_S, SHORT, environment, finished, printed

from qsense.experiment.schema import config_folder

THREADS = """
import hydra
import qsense.experiment.identity
from pathlib import Path

@hydra.main(version_base="1.3", config_path={folder!r}, config_name="train")
def count(config):
    import torch
    Path(f"threads-{{config.seed}}").write_text(str(torch.get_num_threads()))

count()
"""


@pytest.mark.slow
def test_each_worker_takes_its_share_of_the_cores(tmp_path: Path) -> None:
    (tmp_path / "count.py").write_text(THREADS.format(folder=str(config_folder())))
    free = {key: value for key, value in environment(tmp_path).items() if not key.endswith("_NUM_THREADS")}
    line = [sys.executable, "count.py", "-m", "hydra/sweeper=basic", "hydra/launcher=workers", "seed=0,1"]
    line += ["hydra.launcher.n_jobs=2"]
    subprocess.run(line, cwd=tmp_path, env=free, check=True, capture_output=True, timeout=120)
    share = max(joblib.cpu_count() // 2, 1)  # torch alone would take all of them, in each of the two
    assert [int((tmp_path / f"threads-{seed}").read_text()) for seed in (0, 1)] == [share, share]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the worker is found by Linux's /proc")
@pytest.mark.parametrize(
    ("number", "gave_up"), [(signal.SIGKILL, "TerminatedWorkerError"), (signal.SIGTERM, "a worker was stopped")]
)
def test_a_killed_worker_costs_one_more_start(tmp_path: Path, number: signal.Signals, gave_up: str) -> None:
    options = [*SHORT, "trainer.max_epochs=15", "seed=0,1,2", "fold=0,1"]
    options += ["hydra/launcher=workers", "hydra.launcher.n_jobs=2"]
    sweep = sweeps.start(tmp_path, *options)
    # At a moment when there is something of each kind: finished runs, and one between two checkpoints, soon after its
    # start.
    sweeps.wait_until(lambda: bool(finished(tmp_path) and sweeps.begun_lately(tmp_path)), tmp_path, sweep, LONG_S)
    victim = sweeps.begun_lately(tmp_path)[0]
    worker = sweeps.worker_of(victim)
    assert worker is not None, printed(tmp_path)
    os.kill(worker, number)
    assert sweep.wait(LONG_S) == 1
    said = printed(tmp_path)
    assert f"the launcher gave up: {gave_up}" in said
    assert "did not finish; the same command goes on with them" in said
    assert victim.name in said.rpartition("the launcher gave up")[2]  # the table of failures

    before = finished(tmp_path)
    assert len(before) >= 4, "those that had not begun are trained all the same"
    assert victim.name not in before
    again = sweeps.start(tmp_path, *options)
    assert again.wait(LONG_S) == 0, printed(tmp_path)
    after = finished(tmp_path)
    assert len(after) == 6
    assert after.items() >= before.items()  # not trained again
    begun = sweeps.starts(tmp_path)
    assert all(begun[name] == 1 for name in before)
    assert begun[victim.name] == 2
    assert f"resuming from {victim}" in (victim / "train.log").read_text()
