"""`hydra/launcher=slurm` without Slurm: what it refuses, when it stops waiting, and what its batch script queues again.

On a real cluster: tests/engines/test_slurm.py.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf
from tests.refusal import assert_names, refused

from hydra_plugins import qsense_slurm
from hydra_plugins.qsense_slurm import REQUEUE, ClusterLauncher, finished
from qsense.experiment.errors import ConfigError

if TYPE_CHECKING:
    from tests.conftest import Command

submitit = pytest.importorskip("submitit", reason="needs the extra: pip install 'qsense[slurm]'")


def test_a_machine_without_slurm_is_refused_at_once(light_command: Command, tmp_path: Path) -> None:
    done = light_command("qsense.train", "-m", "hydra/launcher=slurm", "seed=0", PATH=str(tmp_path))
    assert done.code == 1
    assert_names(done.err, "sbatch, srun, squeue")

    assert "Traceback" not in done.err
    assert not done.heavy
    assert not (tmp_path / "runs").exists()


def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    hidden = (
        "import sys; sys.modules['hydra_plugins.hydra_submitit_launcher'] = None; import qsense.train as t; t.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", hidden, "-m", "hydra/launcher=slurm"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.strip().endswith("pip install 'qsense[slurm]'")
    assert "Traceback" not in done.stderr


class Queue:
    """What `squeue` answers, one after the other; the last for ever."""

    def __init__(self, *answers: dict[str, str] | None) -> None:
        self.answers = list(answers)

    def __call__(self) -> dict[str, str] | None:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qsense_slurm, "POLL_S", (0.01, 0.01))
    monkeypatch.setattr(qsense_slurm, "GRACE_S", 0.05)


def jobs_in(folder: Path, *ids: str) -> list[Any]:
    jobs = [submitit.SlurmJob(folder=folder / "%j", job_id=job) for job in ids]
    for job in jobs:
        job.paths.folder.mkdir()
    return jobs


def test_waiting_ends_whatever_becomes_of_a_job(tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = jobs_in(tmp_path, "7_0", "7_1", "7_2")
    jobs[1].paths.result_pickle.touch()
    both, last = {"7_0": "running", "7_2": "pending"}, {"7_2": "running"}
    # While the controller is away, nobody has left the queue; 7_0 is gone for a moment, as it is queued again.
    monkeypatch.setattr(qsense_slurm, "queue", Queue(None, both, last, both, last, *[last] * 20, {}))
    assert list(finished(jobs)) == [1, 0, 2]


def test_the_queue_is_told_from_time_to_time(
    tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answers = ["7_0 PENDING Resources\n7_1 RUNNING None\n8 RUNNING None", "7_1 RUNNING None", ""]
    monkeypatch.setattr(qsense_slurm, "TELL_S", 0.0)
    monkeypatch.setattr(qsense_slurm, "said", lambda *command: answers.pop(0) if len(answers) > 1 else answers[0])
    jobs = jobs_in(tmp_path, "7_0", "7_1")
    jobs[0].paths.result_pickle.touch()
    with caplog.at_level("INFO"):
        assert list(finished(jobs)) == [0, 1]
    assert_names(caplog.text, "2 of 2", "1 pending (Resources)", "1 running")
    assert_names(caplog.text, "1 of 2", "1 running")


class FakeLauncher(ClusterLauncher):
    """One whose runs' folders are named by their overrides."""

    def composed(self, overrides: Sequence[str]) -> Any:
        return OmegaConf.create({"hydra": {"runtime": {"output_dir": "/runs/" + "-".join(overrides)}}})


def test_a_result_that_cannot_be_read_is_one_failed_run(tmp_path: Path) -> None:
    (job,) = jobs_in(tmp_path, "7_0")
    job.paths.result_pickle.write_bytes(b"half a pick")
    done = FakeLauncher().outcome(job, ["seed=0"])
    assert done.status == JobStatus.FAILED
    assert str(done._return_value).startswith("its result cannot be read: UnpicklingError")


def test_what_slurm_refuses_hides_nothing_that_it_took(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Executor:
        folder = tmp_path / "%j"
        arrays: list[int] = []  # noqa: RUF012

        def map_array(self, function: Any, overrides: Any, *others: Any) -> list[Any]:
            if len(self.arrays) == room:
                raise RuntimeError("stderr: sbatch: error: Job violates accounting/QOS policy")
            self.arrays.append(len(overrides))
            return jobs_in(tmp_path, *(f"{len(self.arrays)}_{n}" for n in range(len(overrides))))

    monkeypatch.setattr(qsense_slurm, "array_size", lambda: 2)
    monkeypatch.setattr(FakeLauncher, "executor", lambda self, arrays: Executor())
    monkeypatch.setattr(qsense_slurm, "finished", lambda jobs: range(len(jobs)))
    done = OmegaConf.create({"hydra": {"runtime": {"output_dir": "/runs/done"}}})
    returned = JobReturn(status=JobStatus.COMPLETED, hydra_cfg=done)
    monkeypatch.setattr(FakeLauncher, "outcome", lambda self, job, overrides: returned)
    runs = [[f"seed={seed}"] for seed in range(5)]
    room = 2
    states = [each.status for each in FakeLauncher().launch(runs, 0)]
    assert states == [JobStatus.COMPLETED] * 4 + [JobStatus.FAILED]
    assert Executor.arrays == [2, 2]
    room, Executor.arrays[:] = 0, []
    with refused(ConfigError, "Job violates accounting/QOS policy", "hydra.launcher.partition", "account"):
        FakeLauncher().launch(runs, 0)


@pytest.mark.parametrize(
    ("code", "state", "restarts", "again"),
    [
        (137, "RUNNING", "", True),  # kill -9, out of memory
        (140, "RUNNING", "1", True),  # the signal, before submitit listens
        (143, "RUNNING", "2", True),  # preemption's SIGTERM
        (137, "RUNNING", "3", False),  # often enough
        (143, "COMPLETING", "", False),  # cancelled
        (255, "RUNNING", "", False),  # submitit has queued it again itself
        (1, "RUNNING", "", False),  # its own failure
        (0, "RUNNING", "", False),
    ],
)
@pytest.mark.parametrize("array", [True, False])
def test_what_the_batch_script_queues_again(
    tmp_path: Path, code: int, state: str, restarts: str, again: bool, array: bool
) -> None:
    for name, line in {"squeue": f"echo {state}", "scontrol": 'echo "$@"'}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o755)
    variables = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": "9"}
    variables |= {"SLURM_ARRAY_JOB_ID": "8", "SLURM_ARRAY_TASK_ID": "1"} if array else {}
    variables |= {"SLURM_RESTART_COUNT": restarts} if restarts else {}
    bash = shutil.which("bash")
    assert bash
    done = subprocess.run(
        [bash, "-c", f"{REQUEUE % 3}\n(exit {code})"], env=variables, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == code
    assert done.stdout == (f"requeue {'8_1' if array else '9'}\n" if again else "")
    assert not done.stderr
