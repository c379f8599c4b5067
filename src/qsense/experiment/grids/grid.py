"""A command line with several values per key → its runs: each composed, checked and with its folder; none is started.

Open it to see which seeds and folds a sweep has.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from hydra._internal.callbacks import Callbacks
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_loader import ConfigLoader
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from qsense.experiment.checks import check, check_one_process, check_repeat, folds
from qsense.experiment.command_line.habits import as_meant
from qsense.experiment.command_line.overrides import REPEATS, Job, key_of
from qsense.experiment.compose import ROOT, hydra
from qsense.experiment.errors import ConfigError
from qsense.experiment.identity import namer, refers_to_repeats, run_id
from qsense.experiment.place import check_runs


@dataclass(frozen=True)
class Grid:
    """Composes the runs of a sweep.

    Args:
        loader: Hydra's.
        config: of the sweep itself.
    """

    loader: ConfigLoader
    config: DictConfig
    usable: set[str] = field(default_factory=set, init=False)  # folders for runs that have been tried
    kept: dict[Job, DictConfig] = field(default_factory=dict, init=False)  # of first runs

    def plan(self, arguments: Sequence[str]) -> dict[Job, Path]:
        """Every grid point with its run's folder; each has passed `check`, and none stands there twice."""
        jobs: dict[Path, Job] = {}
        repeats = [a for a in arguments if key_of(a) in REPEATS]
        for point in self.expand([a for a in arguments if key_of(a) not in REPEATS]):
            # An axis that the command line leaves open (fold, seed) is the data set's to fill, so `data=a,b` sweeps
            # the folds of each.
            config = self.compose(point)
            params = config.hydra.sweeper.params
            named = {key_of(a) for a in arguments}
            open_axes = [f"{key}={value}" for key, value in params.items() if key not in named]
            again = [*repeats, *(a for a in open_axes if key_of(a) in REPEATS)]
            for experiment in self.expand([*point, *(a for a in open_axes if key_of(a) not in REPEATS)]):
                known = config if experiment == point else None
                for folder, job in self.repeat(experiment, self.expand(again), known).items():
                    self.refuse_another(job, jobs.get(folder, job), folder)
                    jobs[folder] = job
        if len(jobs) > 1:
            check_one_process(self.first(jobs.values()))
        return {job: folder for folder, job in jobs.items()}

    def repeat(self, experiment: Job, repeats: Sequence[Job], composed: DictConfig | None = None) -> dict[Path, Job]:
        """One experiment at every seed and fold. Composing and checking take most of the time, so it is done once.

        Args:
            experiment: what does not repeat.
            repeats: every seed and fold, as overrides.
            composed: the experiment's configuration, where it is there already.
        """
        folders: dict[Path, Job] = {}
        if not self.names_runs():
            for repeat in repeats:
                job = (*experiment, *repeat)
                config = self.compose(job)
                check(config)
                folder = Path(os.path.abspath(self.folder(config)))  # noqa: PTH100 – as below
                self.refuse_another(job, folders.setdefault(folder, job), folder)
            return folders
        config = self.compose((*experiment, *repeats[0])) if composed is None else composed
        checked: set[str] = set()
        num_folds = None if refers_to_repeats(config) else folds(config)
        if config.runs not in self.usable:
            check_runs(config.runs)
            self.usable.add(config.runs)
        name, parent = namer(config), Path(config.hydra.sweep.dir)
        for repeat in repeats:
            for override in repeat:
                value = override.partition("=")[2]
                config[key_of(override)] = int(value) if value.lstrip("-").isdigit() else value
            if not checked.issuperset(repeat):  # each seed and each fold once, not each pair
                if checked and num_folds is not None:
                    check_repeat(config, num_folds)
                else:
                    _set_output(config, parent / config.hydra.sweep.subdir)
                    check(config)
                checked.update(repeat)
            folders[Path(os.path.abspath(parent / name()))] = (*experiment, *repeat)  # noqa: PTH100 – as Hydra writes it
        return folders

    def names_runs(self) -> bool:
        """Whether runs have qsense's own names; by another name of the user's, each is to be composed by itself."""
        return self.subdir() == "${run_name:}"

    def subdir(self) -> str:
        """How the runs' folders are to be named, as written."""
        sweep = OmegaConf.to_container(self.config.hydra.sweep, resolve=False)
        assert isinstance(sweep, dict)
        return str(sweep["subdir"])

    def folder(self, config: DictConfig) -> Path:
        """Where a run lies.

        Raises:
            ConfigError: its name cannot be told before it runs.
        """
        try:
            return Path(config.hydra.sweep.dir, config.hydra.sweep.subdir)
        except OmegaConfBaseException:
            raise ConfigError(
                f"hydra.sweep.subdir={self.subdir()}: a "
                "run's folder must be known before it runs, so that a finished one is found again; take the default, "
                "${run_name:}, or ${hydra.job.override_dirname}"
            ) from None

    def refuse_another(self, job: Job, first: Job, folder: Path) -> None:
        """Refuse two different runs in one folder.

        Raises:
            ConfigError: with both.
        """
        if job == first or self.names_runs() or run_id(self.compose(job)) == run_id(self.compose(first)):
            return
        raise ConfigError(
            f"hydra.sweep.subdir gives two runs one folder, {folder}: {' '.join(first)} and {' '.join(job)}. Take the "
            "default, ${run_name:}, or a name with all that differs, as ${hydra.job.override_dirname}"
        )

    def expand(self, arguments: Sequence[str]) -> list[Job]:
        """The grid over comma-separated and ranged values, in the order of a nested loop."""
        overrides = OverridesParser.create(config_loader=self.loader).parse_overrides(list(arguments))
        (points,) = BasicSweeper.split_arguments(overrides, None)
        return list(dict.fromkeys(tuple(map(as_meant, point)) for point in points))

    def first(self, jobs: Iterable[Job]) -> DictConfig:
        """The configuration of the first of several runs, composed once."""
        job = next(iter(jobs))
        if job not in self.kept:
            self.kept[job] = self.compose(job)
        return self.kept[job]

    def compose(self, job: Job) -> DictConfig:
        """The configuration of one run, as its job will see it."""
        config = self.loader.load_sweep_config(self.config, list(job))
        _set_output(config, self.folder(config))
        return config


def plan(overrides: Sequence[str]) -> tuple[dict[Job, Path], DictConfig]:
    """The runs of `qsense.train … -m` with their folders, checked, and the first one's configuration; starts nothing.

    Raises:
        ConfigError: one of them cannot run, or the launcher cannot be had.
    """
    with hydra() as loader:
        config = loader.load_configuration(ROOT, list(overrides), RunMode.MULTIRUN)
        # A launcher whose package is missing says so when it is made.
        context = HydraContext(loader, Callbacks(config))
        Plugins.instance().instantiate_launcher(hydra_context=context, task_function=print, config=config)
        grid = Grid(loader, config)
        # As written: an interpolation in a value (init_from=…/fold${fold}) is for each run to resolve, as under `-m`.
        folders = grid.plan(cast(list[str], OmegaConf.to_container(config.hydra.overrides.task, resolve=False)))
        return folders, grid.first(folders)


def _set_output(config: DictConfig, folder: Path) -> None:
    with read_write(config.hydra.runtime), open_dict(config.hydra.runtime):
        config.hydra.runtime.output_dir = str(folder.absolute())
    HydraConfig.instance().set_config(config)  # what `${hydra:…}` refers to
