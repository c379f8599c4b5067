"""Train every fold of an experiment, and log their mean as one W&B run.

qsense folds data=sbhar quant=gamma bits=2 seed=0 'logger=[csv,wandb]'
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hydra._internal.callbacks import Callbacks
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, RunMode
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from qsense.experiment import errors
from qsense.experiment.completion import OverridesCompleter
from qsense.experiment.compose import ROOT, hydra
from qsense.experiment.overrides import key_of
from qsense.runs import folder as run_folder
from qsense.runs.lock import ClaimedError, claim
from qsense.runs.next_steps import PART, say_next
from qsense.train import resolved, train

if TYPE_CHECKING:
    from hydra_plugins.qsense_sweeper import Job, ResumableSweeper
    from qsense.runs.loggers import RunWandbLogger

# What makes the next W&B run of a process the agent's own. Only one run may be: that of the mean.
AGENT = ("WANDB_RUN_ID", "WANDB_SWEEP_ID", "WANDB_SWEEP_PARAM_PATH")
LOOK_S = 2.0  # seconds between two looks at what is finished

log = logging.getLogger(__name__)


def plan(overrides: Sequence[str]) -> tuple[dict[Job, Path], DictConfig]:
    """The runs of `qsense.train … -m` with their folders, checked, and the first one's configuration; starts nothing.

    Raises:
        ConfigError: one of them cannot run.
    """
    with hydra() as loader:
        config = loader.load_configuration(ROOT, list(overrides), RunMode.MULTIRUN)
        sweeper = Plugins.instance().instantiate_sweeper(
            config=config, hydra_context=HydraContext(loader, Callbacks(config)), task_function=train
        )
        ours = cast("ResumableSweeper", sweeper)
        # As written: an interpolation in a value (init_from=…/fold${fold}) is for each run to resolve, as under `-m`.
        folders = ours.plan(cast(list[str], OmegaConf.to_container(config.hydra.overrides.task, resolve=False)))
        return folders, ours.compose(next(iter(folders)))


def grid_point(overrides: Sequence[str]) -> int:
    """Train what is not finished, and log the mean over all; returns the exit code, 0 once every run is finished.

    A single run that nobody has trained or trains is the grid point itself: this process becomes `qsense.train`.

    Raises:
        ConfigError: the grid point cannot run; nothing was started.
    """
    folders, config = plan(overrides)
    (job, *others), (folder, *_) = folders, folders.values()
    if not others and free(folder):
        os.environ.pop(errors.RAISE, None)
        os.execv(sys.executable, [sys.executable, "-m", "qsense.train", *job])
    logger = mean_logger(folders, config)
    if logger is None:
        return complete(overrides, list(folders.values()), None)
    from qsense.runs.loggers import close

    code = 1
    with claim(Path(logger.save_dir or ".")):  # so that nobody takes it for all there will be
        try:
            code = complete(overrides, list(folders.values()), logger)
        finally:
            close([logger], failed=code != 0)
    return code


def free(folder: Path) -> bool:
    """Whether a run is neither finished nor being trained by another process."""
    try:
        with claim(folder):
            return not run_folder.finished(folder)
    except ClaimedError:
        return False


def complete(overrides: Sequence[str], folders: Sequence[Path], logger: RunWandbLogger | None) -> int:
    """Train until every run is finished, perhaps by other processes, and log the mean; a failure's exit code, or 0."""
    told = False
    while waiting := [folder for folder in folders if not run_folder.finished(folder)]:
        if any(map(free, waiting)):
            code = train_folds(overrides, folders, logger)
            left = [folder for folder in waiting if not run_folder.finished(folder)]
            if code and left:
                return code
            if len(left) == len(waiting) and all(map(free, left)):  # or this would go on for ever
                raise RuntimeError(f"qsense.train says that all is finished, and {left[0]} is not: it trained others")
        else:
            if not told:
                log.warning("%d of %d runs are left to other processes: waiting for them", len(waiting), len(folders))
                told = True
            time.sleep(LOOK_S)
    if logger:
        log_mean(logger, [run_folder.result(folder) for folder in folders])
    return 0


def train_folds(overrides: Sequence[str], folders: Sequence[Path], logger: RunWandbLogger | None) -> int:
    """`qsense.train … -m` in a process of its own, whose runs are none of the agent's; its exit code."""
    environment = {key: value for key, value in os.environ.items() if key not in (*AGENT, errors.RAISE)}
    environment[PART] = "folds"
    child = subprocess.Popen([sys.executable, "-m", "qsense.train", *overrides, "-m"], env=environment)
    known = -1
    with passing_on(child):
        while child.poll() is None:
            done = [run_folder.result(folder) for folder in folders if run_folder.finished(folder)]
            if logger and len(done) != known:
                known = len(done)
                logger.experiment.log({"folds/finished": known, "folds/of": len(folders), **mean("folds/", done)})
            time.sleep(LOOK_S)
    code = child.returncode
    return code if code >= 0 else 128 - code


@contextmanager
def passing_on(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Within it, a SIGTERM to this process (an agent stops the run) goes to the child, which ends in good order."""
    before = signal.signal(signal.SIGTERM, lambda number, frame: child.send_signal(number))
    # A Ctrl-C reaches the child by itself.
    interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGINT, interrupt)


def mean_logger(folders: dict[Job, Path], config: DictConfig) -> RunWandbLogger | None:
    """The W&B run of the mean, in the group of its folds, with what they have in common; None without such a logger."""
    node = (config.logger or {}).get("wandb")
    if not node:
        return None
    own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    parameters = cast(dict[str, Any], OmegaConf.to_container(resolved(own, config.hydra)))
    seeds = sorted({entry for job in folders for entry in job if entry.startswith("seed=")})
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

    found: dict[str, list[float]] = defaultdict(list)
    for result in results:
        for name, value in figures(result).items():
            found[name].append(value)
    means = {prefix + name: statistics.fmean(values) for name, values in found.items()}
    spread = {
        name.replace("test/", "folds/std/"): statistics.pstdev(values)
        for name, values in found.items()
        if name.startswith("test/") and not prefix
    }
    return means | spread


def parser() -> argparse.ArgumentParser:
    """The command line's arguments."""
    parser = argparse.ArgumentParser(
        prog="qsense folds",
        description="Train what `python -m qsense.train … -m` would (every fold, and every seed that is left open), "
        "and log the mean over all as one W&B run, where there is a logger for it. It is the command of "
        "sweeps/*.yaml, and what W&B's agents run.",
    )
    overrides = parser.add_argument("overrides", nargs="*", metavar="key=value", help="as of `qsense train`")
    overrides.completer = OverridesCompleter()  # type: ignore[attr-defined]
    return parser


def main(arguments: Sequence[str]) -> int:
    """Train one grid point."""
    overrides = parser().parse_args(arguments).overrides
    code = grid_point(overrides)
    if code == 0:
        (runs,) = [entry.partition("=")[2] for entry in overrides if key_of(entry) == "runs"][-1:] or ["runs"]
        say_next((("report", runs), "these runs as tables"), (("report", runs, "--html", "page"), "one page of them"))
    return code
