"""Runs as tasks of Ray, on this machine or on a cluster; one that Ray cannot save stops no other."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, configure_log, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from qsense.experiment.errors import ConfigError

log = logging.getLogger(__name__)


class RayClusterLauncher(Launcher):
    """Hand every run to Ray, and wait for all.

    There is a launcher for Ray among Hydra's plugins. It gives up the whole sweep with the first run that Ray has lost,
    makes runs' folders wherever `ray start` was called, and excludes the releases of cloudpickle that joblib needs.

    Args:
        ray: `init`, the arguments of `ray.init`, and `remote`, those of `ray.remote`.
    """

    def __init__(self, ray: DictConfig) -> None:
        self.ray = ray
        self.config: DictConfig | None = None
        self.hydra_context: HydraContext | None = None
        self.task_function: TaskFunction | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """See the base class.

        Raises:
            ConfigError: Ray is not installed.
        """
        if find_spec("ray") is None:
            raise ConfigError("hydra/launcher=ray needs Ray, which is not installed: pip install 'qsense[ray]'")
        self.config, self.hydra_context, self.task_function = config, hydra_context, task_function

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run the jobs; returns how each ended, in their order.

        Raises:
            ConfigError: there is no such cluster, or it lets nobody in.
        """
        import ray

        assert self.config is not None
        assert self.hydra_context is not None
        assert self.task_function is not None
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        self.connect()
        run = ray.remote(**_plain(self.ray.remote))(run_in_folder)
        jobs = {}
        for number, overrides in enumerate(job_overrides, initial_job_idx):
            config = self.compose(number, overrides)
            jobs[run.remote(self.hydra_context, self.task_function, config, Singleton.get_state())] = config
        log.info("%d runs handed to Ray; each logs in its folder", len(jobs))
        returned: dict[Any, JobReturn] = {}
        waiting = list(jobs)
        while waiting:
            (ended,), waiting = ray.wait(waiting)
            returned[ended] = outcome(ended, jobs[ended])
            if returned[ended].status != JobStatus.COMPLETED:  # the sweep tells of the others
                log.warning("%s failed", jobs[ended].hydra.sweep.subdir)
        return [returned[job] for job in jobs]

    def connect(self) -> None:
        """Connect to the cluster, or start a Ray of this machine alone."""
        import ray

        if ray.is_initialized():
            return
        try:
            ray.init(**_plain(self.ray.init))
        except (ConnectionError, ray.exceptions.RayError) as error:
            raise ConfigError(
                f"no Ray at hydra.launcher.ray.init.address={self.ray.init.address} lets this process in "
                f"({type(error).__name__}). Does `ray status --address=…` find it? Has `ray start` there said that it "
                "uses tokens? Then set RAY_AUTH_MODE=token and its RAY_AUTH_TOKEN here, too"
            ) from error

    def compose(self, number: int, overrides: Sequence[str]) -> DictConfig:
        """A job's configuration."""
        assert self.hydra_context is not None
        assert self.config is not None
        config = self.hydra_context.config_loader.load_sweep_config(self.config, list(overrides))
        with open_dict(config):
            config.hydra.job.id, config.hydra.job.num = f"ray_{number}", number
            config.hydra.runtime.output_dir = str(Path(config.hydra.sweep.dir, config.hydra.sweep.subdir).absolute())
        return config


def run_in_folder(
    hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig, state: dict[Any, Any]
) -> JobReturn:
    """One job, in a process of Ray's, which starts where `ray start` was called: `runs` and `data` are elsewhere."""
    os.chdir(config.hydra.runtime.cwd)
    setup_globals()
    Singleton.set_state(state)
    HydraConfig.instance().set_config(config)
    return run_job(
        hydra_context=hydra_context, task_function=task_function, config=config,
        job_dir_key="hydra.sweep.dir", job_subdir_key="hydra.sweep.subdir",
    )  # fmt: skip


def outcome(job: Any, config: DictConfig) -> JobReturn:
    """What a job returned; of one that Ray has lost, why."""
    import ray

    try:
        return cast(JobReturn, ray.get(job))
    except ray.exceptions.RayError as error:
        overrides = list(config.hydra.overrides.task)
        lost = JobReturn(overrides=overrides, cfg=config, hydra_cfg=config, status=JobStatus.FAILED)
        # Its process or node died once too often; or, with a cause, it could not start there.
        lost.return_value = getattr(error, "cause", None) or error
        return lost


def _plain(arguments: DictConfig) -> dict[str, Any]:
    return cast(dict[str, Any], OmegaConf.to_container(arguments, resolve=True))
