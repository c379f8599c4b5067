"""Hydra's grid sweep, made resumable: only unfinished runs are launched, and a failing one stops no other."""

from __future__ import annotations

import logging
import os
import shlex
import sys
from collections.abc import Iterable, Sequence
from functools import partial

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.utils import JobReturn
from omegaconf import OmegaConf

from qsense.experiment.command_line.overrides import Job, experiment_of, key_of, root_of
from qsense.experiment.grids.dry_run import cache_room, estimate, print_plan
from qsense.experiment.grids.grid import Grid
from qsense.experiment.grids.sweeping import conclude, launch_all, mishaps, tell, unfinished
from qsense.experiment.preflight import preflight, timed
from qsense.experiment.signatures import constant
from qsense.experiment.trainer import check_machine
from qsense.runs import folder as run_folder
from qsense.runs.mishaps import EXIT_CODE, forget, noted, tolerated
from qsense.runs.next_steps import say_next
from qsense.runs.status import overview, status_of

FRAMES_BY = ("data", "quant", "task", "experiment")  # what decides which frames are converted, and how

log = logging.getLogger(__name__)


class ResumableSweeper(BasicSweeper):
    """Expand the grid, check all of it, launch what is not finished, report, and fail at the end if a run failed.

    Args:
        params: axes that the command line may override; a data set adds its folds.
        dry_run: only count what is finished, what failed and what would run, with an estimate of its time; "all":
            list each run, too.
        preflight: train one batch of the first run before anything is launched; None: none, but a dry run times a few
            batches where no run is finished; False: not even then.
    """

    def __init__(
        self, params: dict[str, str] | None = None, dry_run: bool | str = False, preflight: bool | None = None
    ) -> None:
        super().__init__(None, params)
        self.dry_run = dry_run
        self.preflight = preflight

    def sweep(self, arguments: list[str]) -> Sequence[JobReturn]:
        """Run the sweep.

        Raises:
            ConfigError: a grid point cannot run, or its preflight failed (before anything is trained), or a run ended
                without a result (after all others ran).
            SystemExit: all have a result, and some lost something beside it.
        """
        assert self.hydra_context is not None
        assert self.config is not None
        assert self.launcher is not None
        forget()
        grid = Grid(self.hydra_context.config_loader, self.config)
        folders = grid.plan(arguments)
        if self.dry_run:
            print_plan(folders, one_by_one=self.dry_run == "all")
            log.info("%s", overview([status_of(folder) for folder in folders.values()]))
            unconverted = self.tell_room(grid, folders)
            if unconverted:
                log.info("how long a run takes is not timed, as that would convert the frames first")
            untimed = self.preflight is False or unconverted > 0
            if left := estimate(folders, None if untimed else partial(self.time, grid)):
                log.info("%s", left)
            settings = OmegaConf.to_container(self.config.hydra.overrides.hydra, resolve=False)
            assert isinstance(settings, list)
            given = [*map(str, settings), *arguments]
            own = [entry for entry in given if key_of(entry) not in ("run.dry_run", "hydra.mode")]
            say_next((("train", *own, "-m"), "train them"))
            return []
        tell(folders)
        waiting = unfinished(folders)
        if waiting and isinstance(self.launcher, BasicLauncher):  # others have machines of their own
            check_machine(grid.compose(next(iter(waiting))).trainer)
        if waiting and self.preflight:
            self.tell_room(grid, waiting)  # its own process says nothing before its end
            preflight(next(iter(waiting)), self.config.hydra)
        returns, stopped = launch_all(self.launcher, folders)

        with tolerated("the report"):
            from qsense.study.screen import print_report
            from qsense.study.summary import summarise

            if begun := [folder for folder in folders.values() if (folder / run_folder.CONFIG).is_file()]:
                print_report(summarise(begun))
        conclude(folders, returns, stopped)
        parents = dict.fromkeys(os.path.relpath(folder.parent) for folder in folders.values())
        if offline := sum(any(folder.glob("wandb/offline-run-*/")) for folder in folders.values()):
            print(f"W&B: {offline} runs are logged offline; upload them by: qsense sync {shlex.join(parents)}")
        converters = [folder for folder in folders.values() if (folder / "adc.json").is_file()]
        say_next(
            (("report", *parents, "--html", "page"), "one page of all runs: tables, curves, scores against bits"),
            (("report", *parents, "--figure", "list"), "the papers' figures that they can draw"),
            *((("export", os.path.relpath(folder)), "its ADC as tables, C and Verilog") for folder in converters[:1]),
        )
        lost = mishaps(waiting.values())
        if lost:
            print(lost, file=sys.stderr)
        if lost or noted():
            sys.exit(EXIT_CODE)
        return returns

    def tell_room(self, grid: Grid, jobs: Iterable[Job]) -> int:
        """Say what converted frames take, and return how many have yet to be converted."""
        by_parts = {tuple(entry for entry in job if root_of(entry) in FRAMES_BY): job for job in jobs}
        configs = {}
        for job in by_parts.values():
            config = grid.compose(job)
            memory = constant(config.quant.sensor._target_, "wants_recordings")
            configs[OmegaConf.to_yaml(config.data, resolve=True), memory] = config
        rooms = dict(cache_room(config) for config in configs.values())
        for room in filter(None, rooms):
            log.info("%s", room)
        return sum(rooms.values())

    def time(self, grid: Grid, job: Job) -> float:
        """About how many seconds a run takes, by a few of its batches."""
        assert self.config is not None
        shown = [entry for entry in experiment_of(job) if root_of(entry) not in ("run", "runs")]
        log.info("no such run is finished: timing a few batches of %s", " ".join(shown) or "the default run")
        return timed(job, self.config.hydra, grid.compose(job))
