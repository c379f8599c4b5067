"""Hydra's grid sweep, made resumable: only unfinished runs are launched, and a failing one stops no other."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig, open_dict, read_write

from qsense.experiment.checks import check, check_one_process
from qsense.experiment.errors import ConfigError
from qsense.experiment.identity import namer
from qsense.experiment.preflight import preflight
from qsense.runs import folder as run_folder
from qsense.runs.announcements import announced
from qsense.runs.next_steps import say_next
from qsense.runs.status import FAILED, FINISHED, KILLED, RUNNING, TO_DO, failures, overview, seconds_left, standing
from qsense.runs.words import duration

log = logging.getLogger(__name__)
Job = tuple[str, ...]
REPEATS = ("seed", "fold")  # axes that repeat one experiment


class ResumableSweeper(BasicSweeper):
    """Expand the grid, check all of it, launch what is not finished, report, and fail at the end if a run failed.

    Args:
        params: axes that the command line may override; a data set adds its folds.
        dry_run: only list what is finished, what failed and what would run, with an estimate of its time.
        preflight: train one batch of the first run before anything is launched.
    """

    def __init__(self, params: dict[str, str] | None = None, dry_run: bool = False, preflight: bool = False) -> None:
        super().__init__(None, params)
        self.dry_run = dry_run
        self.preflight = preflight

    def sweep(self, arguments: list[str]) -> Sequence[JobReturn]:
        """Run the sweep.

        Raises:
            ConfigError: a grid point cannot run, or its preflight failed (before anything is trained), or a run ended
                without a result (after all others ran).
        """
        folders = self.plan(arguments)
        waiting = {job: folder for job, folder in folders.items() if not run_folder.finished(folder)}
        self.tell(folders)
        if self.dry_run:
            say_next((("train", *(a for a in arguments if _key(a) != "run.dry_run"), "-m"), "train them"))
            return []
        if self.preflight and waiting:
            assert self.config is not None
            preflight(next(iter(waiting)), self.config.hydra)
        with ExitStack() as said:
            for parent in {folder.parent for folder in folders.values()}:
                said.enter_context(announced(parent, [f.name for f in folders.values() if f.parent == parent]))
            returns, stopped = self.launch_all(waiting)
        conclude(folders, returns, stopped)
        parents = dict.fromkeys(os.path.relpath(folder.parent) for folder in folders.values())
        say_next(
            (("report", *parents, "--html", "page"), "one page of all runs: tables, curves, scores against bits"),
            (("report", *parents, "--figure", "list"), "the papers' figures that they can draw"),
            (("export", os.path.relpath(next(iter(folders.values())))), "a learned ADC as tables, C and Verilog"),
        )
        return returns

    def launch_all(self, waiting: dict[Job, Path]) -> tuple[list[JobReturn], str]:
        """Launch the runs, and after a launcher gave up (joblib does when a worker is killed) those not begun, again.

        Returns:
            What the launcher gave back, and why it gave up, if it did.

        Raises:
            ConfigError: the launcher refuses; nothing was launched.
        """
        returns: list[JobReturn] = []
        stopped = ""
        while waiting:
            try:
                return [*returns, *self.launch(waiting)], stopped
            except ConfigError:
                raise
            except SystemExit as stop:  # of a worker that was told to stop; joblib hands it on
                if isinstance(self.launcher, BasicLauncher):
                    raise
                stopped = f"a worker was stopped (exit code {stop.code})"
                log.warning("the launcher gave up: %s", stopped)
            except Exception as error:
                stopped = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
                log.exception("the launcher gave up")
            left = {job: folder for job, folder in waiting.items() if standing(folder).state == TO_DO}
            if len(left) == len(waiting):  # it cannot start any
                break
            waiting = left
            if waiting:
                log.warning("going on with the %d runs that had not begun", len(waiting))
        return returns, stopped

    def tell(self, folders: dict[Job, Path]) -> None:
        """Say where the runs stand and how long the rest will take; of a dry run, each by itself."""
        every = [standing(folder) for folder in folders.values()]
        left = seconds_left({folder: _science(job) for job, folder in folders.items()})
        estimate = f" · about {duration(left)} of one worker's time" if left else ""
        log.info("%s%s", overview(every), estimate)
        if self.dry_run:
            for each in every:
                print(f"{each.state:<11}  {each.folder.name}" + f"  {each.reason}" * bool(each.reason))

    def plan(self, arguments: list[str]) -> dict[Job, Path]:
        """Every grid point with its run's folder; each has passed `check`, and none stands there twice."""
        jobs: dict[Path, Job] = {}
        repeats = [a for a in arguments if _key(a) in REPEATS]
        for point in self.expand([a for a in arguments if _key(a) not in REPEATS]):
            # An axis that the command line leaves open (fold, seed) is the data set's to fill, so `data=a,b` sweeps
            # the folds of each.
            params = self.compose(point).hydra.sweeper.params
            named = {_key(a) for a in arguments}
            open_axes = [f"{key}={value}" for key, value in params.items() if key not in named]
            again = [*repeats, *(a for a in open_axes if _key(a) in REPEATS)]
            for science in self.expand([*point, *(a for a in open_axes if _key(a) not in REPEATS)]):
                jobs |= self.repeat(science, self.expand(again))
        if len(jobs) > 1:
            check_one_process(self.compose(next(iter(jobs.values()))))
        return {job: folder for folder, job in jobs.items()}

    def repeat(self, science: Job, repeats: list[Job]) -> dict[Path, Job]:
        """One grid point at every seed and fold. Composing takes most of the time, so it is done once."""
        folders: dict[Path, Job] = {}
        config = self.compose((*science, *repeats[0]))
        checked: set[str] = set()
        name, parent = namer(config), Path(config.hydra.sweep.dir)
        for repeat in repeats:
            for override in repeat:
                value = override.partition("=")[2]
                config[_key(override)] = int(value) if value.lstrip("-").isdigit() else value
            if not checked.issuperset(repeat):  # each seed and each fold once, not each pair
                _set_output(config, parent / config.hydra.sweep.subdir)
                check(config)
                checked.update(repeat)
            folders[Path(os.path.abspath(parent / name()))] = (*science, *repeat)  # noqa: PTH100 – as Hydra writes it
        return folders

    def expand(self, arguments: Sequence[str]) -> list[Job]:
        """The grid over comma-separated and ranged values, in the order of a nested loop."""
        assert self.hydra_context is not None
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        (grid,) = self.split_arguments(parser.parse_overrides(list(arguments)), None)
        return [tuple(job) for job in grid]

    def compose(self, job: Job) -> DictConfig:
        """The configuration of one grid point, as its job will see it."""
        assert self.hydra_context is not None
        assert self.config is not None
        config = self.hydra_context.config_loader.load_sweep_config(self.config, list(job))
        _set_output(config, Path(config.hydra.sweep.dir) / config.hydra.sweep.subdir)
        return config

    def launch(self, jobs: dict[Job, Path]) -> list[JobReturn]:
        """Launch the runs: one by one in this process, telling what is left, or all at once through other launchers."""
        assert self.launcher is not None
        if not jobs:
            return []
        if not isinstance(self.launcher, BasicLauncher):
            return list(self.launcher.launch(list(jobs), initial_job_idx=0))
        returns: list[JobReturn] = []
        began = time.monotonic()
        for number, (job, folder) in enumerate(jobs.items()):
            each = (time.monotonic() - began) / max(number, 1)
            left = f" · about {duration(each * (len(jobs) - number))} left" if number else ""
            log.info("run %d of %d%s · %s", number + 1, len(jobs), left, folder.name)
            returns += self.launcher.launch([job], initial_job_idx=number)
        return returns


def conclude(folders: dict[Job, Path], returns: Iterable[JobReturn], stopped: str) -> None:
    """Print the table over the sweep's finished runs, then what became of the others.

    Args:
        folders: of all runs.
        returns: what the launcher gave back.
        stopped: why it gave up, if it did.
    """
    from qsense.commands.report import print_report, summarise

    begun = [folder for folder in folders.values() if (folder / run_folder.CONFIG).is_file()]
    if begun:
        print_report(summarise(begun))
    said = {frozenset(each.overrides or ()): _error(each) for each in returns if each.status != JobStatus.COMPLETED}
    every = []
    for job, folder in folders.items():
        each, reason = standing(folder), said.get(frozenset(job))
        if reason is not None and each.state not in (FINISHED, FAILED):
            # Refused on its machine, it has no folder; lost, its launcher knows before its heartbeat is silent.
            state = {TO_DO: FAILED, RUNNING: KILLED}.get(each.state, each.state)
            each = replace(each, state=state, reason=reason)
        every.append(each)
    elsewhere = sum(each.state == RUNNING for each in every)
    if elsewhere:
        log.warning("%d of %d runs are being trained by other processes", elsewhere, len(every))
    lost = [each for each in every if each.state not in (FINISHED, RUNNING)]
    if lost:
        lines = [f"{len(lost)} of {len(every)} runs did not finish; the same command goes on with them:"]
        lines += [f"the launcher gave up: {stopped}"] * bool(stopped)
        raise ConfigError("\n".join([*lines, failures(lost)]))


def _science(job: Job) -> Job:
    """What a run has in common with its other folds and seeds."""
    return tuple(override for override in job if _key(override) not in REPEATS)


def _error(returned: JobReturn) -> str:
    error = returned._return_value
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"


def _key(override: str) -> str:
    """The key of an override: `++seed=7` is about seed, too."""
    return override.partition("=")[0].lstrip("+~")


def _set_output(config: DictConfig, folder: Path) -> None:
    with read_write(config.hydra.runtime), open_dict(config.hydra.runtime):
        config.hydra.runtime.output_dir = str(folder.absolute())
    HydraConfig.instance().set_config(config)  # what `${hydra:…}` refers to
