"""A grid point of a sweep: every fold (and seed) of an experiment, and their mean as one W&B run."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from qsense.experiment import errors
from qsense.experiment.command_line.overrides import Job
from qsense.experiment.grids.grid import plan
from qsense.experiment.grids.sweeping import complete, is_free
from qsense.experiment.identity import resolved
from qsense.runs import folder as run_folder
from qsense.runs.lock import claim
from qsense.runs.mishaps import EXIT_CODE, forget, noted, tolerated

if TYPE_CHECKING:
    from qsense.runs.loggers import RunWandbLogger


def train_grid_point(overrides: Sequence[str]) -> int:
    """Train what is not finished, and log the mean over all; returns the exit code, 0 once every run is finished, and 3
    where they are and the mean could not be logged.

    A single run that nobody has trained or trains is the grid point itself: this process becomes `qsense.train`.

    Raises:
        ConfigError: the grid point cannot run; nothing was started.
    """
    forget()
    planned, config = plan(overrides)
    folders = list(planned.values())
    if len(folders) == 1 and is_free(folders[0]):
        os.environ.pop(errors.RAISE, None)
        os.execv(sys.executable, [sys.executable, "-m", "qsense.train", *next(iter(planned))])
    logger = None
    with tolerated("W&B's run of the mean"):
        logger = mean_logger(planned, config)
    if logger is None:
        return complete(overrides, folders) or EXIT_CODE * noted()
    from qsense.runs.loggers import close

    code = 1
    with claim(Path(logger.save_dir or ".")):  # so that nobody takes it for all there will be
        try:
            failure = complete(overrides, folders, partial(log_progress, logger, len(folders)))
            if not failure:
                with tolerated("W&B's run of the mean"):
                    log_mean(logger, [run_folder.result(folder) for folder in folders])
            code = failure
        finally:
            close([logger], failed=code != 0)
    return code or EXIT_CODE * noted()


def mean_logger(jobs: Iterable[Job], config: DictConfig) -> RunWandbLogger | None:
    """The W&B run of the mean, in the group of its folds, with what they have in common; None without such a logger."""
    node = (config.logger or {}).get("wandb")
    if not node:
        return None
    own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    parameters = cast(dict[str, Any], OmegaConf.to_container(resolved(own, config.hydra)))
    seeds = sorted({entry for job in jobs for entry in job if entry.startswith("seed=")})
    for repeated in ["fold", "seed"] if len(seeds) > 1 else ["fold"]:
        del parameters[repeated]
    name = node.name or "-".join([node.group, *(seed.replace("=", "") for seed in seeds)])
    # Below a dot, where no report looks for runs.
    all_means = Path(config.runs).absolute() / ".folds"
    all_means.mkdir(parents=True, exist_ok=True)
    folder = tempfile.mkdtemp(prefix=f"{name}-", dir=all_means)
    logger: RunWandbLogger = instantiate(node, name=name, save_dir=folder, job_type="mean", _convert_="all")
    logger.log_hyperparams({**parameters, "git_revision": run_folder.git_revision()})
    return logger


def log_progress(logger: RunWandbLogger, total: int, results: Sequence[dict[str, Any]]) -> None:
    """How many runs are finished, and the mean over these."""
    logger.experiment.log({"folds/finished": len(results), "folds/of": total, **mean("folds/", results)})


def log_mean(logger: RunWandbLogger, results: Sequence[dict[str, Any]]) -> None:
    """The mean over all runs by the names that a single run gives its figures, and a table of the runs."""
    logger.experiment.log({"folds/finished": len(results), **mean("", results)})
    columns = ["seed", "fold", *results[0]["metrics"], "run"]
    rows = [[result[name] if name in result else result["metrics"][name] for name in columns] for result in results]
    logger.log_table("folds/runs", columns=columns, data=rows)


def mean(prefix: str, results: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Means over runs, {prefix + name: mean}; with no prefix also the standard deviation over them, folds/std/….

    >>> mean("", [{"metrics": {"f1": 0.4}}, {"metrics": {"f1": 0.6}}])
    {'test/f1': 0.5, 'folds/std/f1': 0.09999999999999998}
    """
    from qsense.runs.loggers import figures

    values_of: dict[str, list[float]] = defaultdict(list)
    for result in results:
        for name, value in figures(result).items():
            values_of[name].append(value)
    means = {prefix + name: statistics.fmean(values) for name, values in values_of.items()}
    spread = {
        name.replace("test/", "folds/std/"): statistics.pstdev(values)
        for name, values in values_of.items()
        if name.startswith("test/") and not prefix
    }
    return means | spread
