"""Runs as jobs of a Slurm cluster: submitit's launcher, with a wait that ends whatever becomes of a job."""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from qsense.experiment.errors import ConfigError

try:
    from hydra_plugins.hydra_submitit_launcher.submitit_launcher import SlurmLauncher
except ImportError:  # without the extra; Hydra then misses `submitit_slurm`, on which the YAML rests, before this
    SlurmLauncher = Launcher

if TYPE_CHECKING:
    from submitit import SlurmExecutor, SlurmJob

log = logging.getLogger(__name__)

POLL_S = (1.0, 30.0)  # seconds between two looks at the queue: at first, and after long
GRACE_S = 15.0  # seconds that a result may take to appear on a shared file system after its job has left the queue
TELL_S = 60.0  # seconds between two lines about the queue
ARRAY_SIZE = 1000  # jobs of one array where the cluster does not say; Slurm's own default allows 1001

# The batch script's last act. Submitit queues a run again that heard its signal; this one that did not live to: killed
# (137: kill -9, out of memory), signalled before it listened (140), or ended by the SIGTERM that comes first where
# preemption has a grace time (143). A job that somebody cancels or queues again is no longer RUNNING here.
REQUEUE = """\
queue_again() {
  ended=$?
  job=${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}${SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}
  case $ended in 137 | 140 | 143)
    [ $((SLURM_RESTART_COUNT)) -lt %d ] && [ "$(squeue --noheader --jobs=$job --format=%%T)" = RUNNING ] &&
      scontrol requeue $job
  esac
}
trap queue_again EXIT"""


class JobLostError(RuntimeError):
    """A run without a result: its job was refused, cancelled, or killed more often than it may be queued again."""


class ClusterLauncher(SlurmLauncher):  # type: ignore[misc]
    """Submit runs as job arrays, wait for all, and tell how each ended.

    How a job is run, checkpointed and queued again at its walltime is submitit's. Its wait is not used: it gives up at
    the first lost job, and without Slurm's accounting never ends. This one asks `squeue`, and a job that is no longer
    queued and left no result is a failed run among the others.
    """

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take over what is to be run.

        Raises:
            ConfigError: this machine has no Slurm, so that nothing could be submitted.
        """
        missing = [program for program in ("sbatch", "srun", "squeue") if shutil.which(program) is None]
        if missing:
            raise ConfigError(
                f"hydra/launcher=slurm: there is no {', '.join(missing)} on this machine. Start the same command where "
                "jobs are submitted (a login node), or take hydra/launcher=workers for several runs side by side here"
            )
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Submit the runs and wait until none of them is queued any more; returns how each ended, in their order.

        Raises:
            ConfigError: Slurm refuses all of them (a partition or account that there is not, more than a node has).
        """
        jobs, refusal = self.submit(job_overrides, initial_job_idx)
        if not jobs:
            raise ConfigError(
                f"Slurm refuses the jobs: {refusal}. Look at hydra.launcher.partition, account, qos, gres, mem_gb, "
                "timeout_min; conf/hydra/launcher/slurm.yaml says what each asks for"
            )
        returns = {index: self.lost(job_overrides[index], refusal) for index in range(len(jobs), len(job_overrides))}
        try:
            for index in finished(jobs):
                done = returns[index] = self.outcome(jobs[index], job_overrides[index])
                if done.status != JobStatus.COMPLETED:  # the sweep tells of the others
                    log.warning("%s FAILED, see %s", folder_of(done).name, jobs[index].paths.stdout)
        except KeyboardInterrupt:
            log.warning("no longer waiting; the jobs go on. To end them: scancel %s", arrays_of(jobs))
            raise
        return [returns[index] for index in range(len(job_overrides))]

    def submit(self, job_overrides: Sequence[Sequence[str]], first: int) -> tuple[list[SlurmJob[JobReturn]], str]:
        """Submit the runs in as few arrays as the cluster allows; the jobs, and why they are fewer than runs, if so."""
        size = array_size()
        arrays = [job_overrides[start : start + size] for start in range(0, len(job_overrides), size)]
        executor = self.executor(len(arrays))
        jobs: list[SlurmJob[JobReturn]] = []
        refusal = ""
        for array in arrays:
            calls = [
                (list(overrides), "hydra.sweep.dir", number, str(number), Singleton.get_state())
                for number, overrides in enumerate(array, first + len(jobs))
            ]
            try:
                jobs += cast("list[SlurmJob[JobReturn]]", executor.map_array(self, *zip(*calls, strict=True)))
            except RuntimeError as error:  # submitit's, around sbatch's words
                refusal = "; ".join(re.findall(r"sbatch: error: (.+)", str(error)) or [str(error)])
                break
        if jobs:
            where = executor.folder.parent
            log.info("%d runs submitted as Slurm job %s; what they print is in %s", len(jobs), arrays_of(jobs), where)
        return jobs, refusal

    def executor(self, arrays: int) -> SlurmExecutor:
        """Submitit's, with the launcher's parameters; all arrays together run as many jobs as one may."""
        import submitit

        given = {key: value for key, value in self.params.items() if value is not None}
        limit = given.pop("max_num_timeout")
        executor = submitit.SlurmExecutor(given.pop("submitit_folder"), max_num_timeout=limit)
        given["array_parallelism"] = max(1, given["array_parallelism"] // arrays)
        given["setup"] = [REQUEUE % limit, *given.get("setup", [])]
        executor.update_parameters(**executor._convert_parameters(given))
        return executor

    def outcome(self, job: SlurmJob[JobReturn], overrides: Sequence[str]) -> JobReturn:
        """What a job that is no longer queued returned, or a failed run where it returned nothing."""
        try:
            how, content = job._get_outcome_and_result() if job.paths.result_pickle.is_file() else ("none", "")
        except Exception as error:  # whatever unpickling raises: damaged, or written by other versions of packages
            how, content = "error", f"its result cannot be read: {type(error).__name__}: {error}"
        if how == "success":
            return cast(JobReturn, content)
        if how == "error":
            return self.lost(overrides, content.strip().splitlines()[-1])
        query = ("--allocations", "--noheader", "--parsable2", "--format=State", "--jobs", job.job_id)
        return self.lost(overrides, f"left no result; Slurm says {said('sacct', *query) or 'nothing about it'}")

    def lost(self, overrides: Sequence[str], why: str) -> JobReturn:
        """A failed run, of which nothing came back."""
        config = self.composed(overrides)
        return JobReturn(
            overrides=list(overrides),
            cfg=config,
            hydra_cfg=config,
            status=JobStatus.FAILED,
            _return_value=JobLostError(why),
        )

    def composed(self, overrides: Sequence[str]) -> DictConfig:
        """The configuration of a run, with its folder, as its job composes it."""
        assert self.hydra_context is not None
        config: DictConfig = self.hydra_context.config_loader.load_sweep_config(self.config, list(overrides))
        with read_write(config.hydra.runtime), open_dict(config.hydra.runtime):
            config.hydra.runtime.output_dir = str((Path(config.hydra.sweep.dir) / config.hydra.sweep.subdir).absolute())
        return config


def folder_of(done: JobReturn) -> Path:
    """The run's folder."""
    return Path(OmegaConf.select(cast(DictConfig, done.hydra_cfg), "hydra.runtime.output_dir"))


def arrays_of(jobs: Sequence[SlurmJob[Any]]) -> str:
    """The numbers of the arrays, as `scancel` takes them."""
    return " ".join(dict.fromkeys(job.job_id.partition("_")[0] for job in jobs))


def finished(jobs: Sequence[SlurmJob[Any]]) -> Iterator[int]:
    """The index of each job once it has left the queue and its result is there, or has had the time to be."""
    waiting = dict(enumerate(jobs))
    gone: dict[int, float] = {}
    began = told = time.monotonic()
    while waiting:
        # Less often, the longer it takes: a cluster's controller serves many.
        time.sleep(min(max(POLL_S[0], (time.monotonic() - began) / 20), POLL_S[1]))
        now = time.monotonic()
        queued = queue()
        if queued is None:
            states = Counter({"squeue does not answer": len(waiting)})
        else:
            for index, job in list(waiting.items()):
                if job.job_id in queued:
                    gone.pop(index, None)  # it was queued again
                elif job.paths.result_pickle.is_file() or now - gone.setdefault(index, now) > GRACE_S:
                    del waiting[index]
                    yield index
            states = Counter(queued.get(job.job_id, "ending") for job in waiting.values())
        if waiting and now - told > TELL_S:
            told = now
            log.info("%d of %d left: %s", len(waiting), len(jobs), ", ".join(f"{n} {how}" for how, n in states.items()))


def queue() -> dict[str, str] | None:
    """The state of each of this user's jobs in the queue, and why it waits; None where Slurm does not answer."""
    listed = said("squeue", "--all", "--user", str(os.getuid()), "--noheader", "--array", "--format=%i %T %r")
    if listed is None:
        return None
    lines = ((*line.split(maxsplit=2), "None")[:3] for line in listed.splitlines())
    return {job: state.lower() if why == "None" else f"{state.lower()} ({why})" for job, state, why in lines}


def array_size() -> int:
    """How many jobs one array may have on this cluster."""
    match = re.search(r"MaxArraySize\s*=\s*(\d+)", said("scontrol", "show", "config") or "")
    return max(1, int(match.group(1)) - 1) if match else ARRAY_SIZE


def said(*command: str) -> str | None:
    """What a command of Slurm prints; None where it fails, as any does while the controller is away."""
    # A user's SQUEUE_STATES and the like would hide jobs.
    own = {key: value for key, value in os.environ.items() if not key.startswith("SQUEUE_")}
    try:
        return subprocess.run(command, env=own, capture_output=True, text=True, timeout=60, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
