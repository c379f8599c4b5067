"""Which runs an audit has: a learned quantizer's, those of a grid of fixed curves, and baselines'.

Open it to change what an audit compares, or what it refuses.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qsense.experiment import signatures
from qsense.experiment.checks import signal_of_data
from qsense.experiment.command_line.overrides import Job, experiment_of, key_of, root_of
from qsense.experiment.compose import plain, stated, stated_by_options
from qsense.experiment.errors import ConfigError
from qsense.experiment.grids import sweeping
from qsense.experiment.grids.grid import plan
from qsense.experiment.trusted import named
from qsense.runs import folder as run_folder
from qsense.runs.layout import command_in_lines, width_of
from qsense.runs.settings import part_name
from qsense.runs.status import overview, seconds_left, status_of
from qsense.runs.words import duration
from qsense.study.audit.arms import Arm, Kind, arms

GAMMAS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)
MUS = (-0.1, 0.0, 0.1)  # in unit coordinates
EXAMPLES = 2000  # for the comparison of gradients
POWER = "Gamma"


@dataclass(frozen=True)
class Options:
    """What the command line says about the audit itself.

    Args:
        gammas: exponents of the fixed curves.
        mus: their centres, in unit coordinates; None: the default for signed signals.
        baselines: options of `quant` to show beside.
        gradients: examples for the comparison of gradients; 0 for none.
        out: folder for the files.
        dry_run: train nothing.
        overrides: all that is not about the audit, for `qsense.train`.
    """

    gammas: tuple[float, ...] = GAMMAS
    mus: tuple[float, ...] | None = None
    baselines: tuple[str, ...] = ()
    gradients: int = EXAMPLES
    out: Path = Path("audit")
    dry_run: bool = False
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Group:
    """Runs that one multirun trains.

    Args:
        kind: what they are in the audit.
        overrides: of `qsense.train … -m`.
        folders: where each run is or will be.
        parts: what its configuration names, and its runs may be built from: the user's own, too.
    """

    kind: Kind
    overrides: tuple[str, ...]
    folders: Mapping[Job, Path] = field(default_factory=dict)
    parts: tuple[str, ...] = ()


def plan_audit(asked: Options) -> list[Group]:
    """The multiruns of an audit with the folders of their runs, all checked; starts nothing.

    Raises:
        ConfigError: a run that cannot be, a quantizer that learns nothing, or more than one experiment at a time.
    """
    learned, config = plan(asked.overrides)
    varied = _varied(learned)
    if varied:
        raise ConfigError(
            f"{varied} has several values: an audit compares quantizers on one data set, task and number of bits. "
            "Give one value, and audit the others one by one"
        )
    _check_learns(config)
    groups = [Group("learned", asked.overrides, learned, tuple(named(config)))]
    grid = [f"quant.sensor.gamma={','.join(f'{gamma:g}' for gamma in asked.gammas)}"]
    if signal_of_data(config).bipolar:
        grid.append(f"quant.sensor.mu={','.join(f'{mu:g}' for mu in (MUS if asked.mus is None else asked.mus))}")
    elif asked.mus not in (None, (0.0,)):
        raise ConfigError("mus=…: this signal is unsigned, so its curves have no centre; leave mus out")
    network = [entry for entry in asked.overrides if key_of(entry).startswith("quant.network.")]
    fixed = _others(asked, config, _power_curves(config), ["quant.sensor.lr=0", *grid, *network])
    beside = [_others(asked, config, [f"quant={name}"], []) for name in asked.baselines]
    kinds: list[tuple[Kind, tuple[str, ...]]] = [("fixed", fixed), *(("baseline", own) for own in beside)]
    return groups + [Group(kind, overrides, plan(overrides)[0]) for kind, overrides in kinds]


def _varied(planned: Mapping[Job, Path]) -> str:
    """A key other than the quantizer's that has several values."""
    values: dict[str, set[str]] = {}
    for job in planned:
        for entry in job:
            values.setdefault(key_of(entry), set()).add(entry)
    free = ("seed", "fold", "quant")
    return next((key for key, entries in values.items() if len(entries) > 1 and root_of(key) not in free), "")


def _check_learns(config: Any) -> None:
    sensor = config.quant.sensor
    target = sensor._target_
    if "lr" not in (signatures.arguments(target) or {}):
        name = target.rpartition(".")[2]
        raise ConfigError(
            f"{name} learns nothing at the sensor, so there is nothing to audit (give it as baselines=… beside one "
            f"that does). Quantizers that learn: {', '.join(_learning())}"
        )
    if sensor.get("lr") == 0:
        raise ConfigError("quant.sensor.lr=0: this curve stays where it starts; the fixed ones come from gammas=…")


def _learning() -> Iterator[str]:
    for option, section in stated_by_options("quant").items():
        sensor = plain(section, resolve=False)["quant"].get("sensor") or {}
        if "lr" in (signatures.arguments(sensor.get("_target_", "")) or {}):
            yield option


def _power_curves(config: Any) -> tuple[str, ...]:
    """Overrides for the quantizer whose fixed curves are the grid: with the same quantizer of the network, if any."""
    taken = config.hydra.runtime.choices
    if config.quant.network is None:
        return ("quant=gamma",)
    if network := taken.get("quant/network"):
        return "quant=gamma", f"quant/network={network}"
    if part_name(config.quant.sensor._target_) == POWER:
        return (f"quant={taken.quant}",)
    raise ConfigError(
        f"{taken.quant} quantizes the network, too, and says no quant/network: there is no fixed γ curve beside that "
        "network. Audit the sensor's curve without it, or quant=gamma_fat"
    )


def _others(asked: Options, config: Any, quant: Sequence[str], own: Sequence[str]) -> tuple[str, ...]:
    """The same experiment with another quantizer, as its own file has it: what overrides or an experiment set at the
    learned one does not hold for this one."""
    kept = [entry for entry in asked.overrides if root_of(entry) != "quant"]
    keys = {key_of(entry) for entry in own}
    back = [entry for entry in restored(config.hydra.runtime.choices.experiment, quant) if key_of(entry) not in keys]
    return (*kept, *quant, *back, *own)


def restored(experiment: str | None, quant: Sequence[str]) -> list[str]:
    """Overrides that take back what an experiment sets at the sensor, for another quantizer than its own.

    Args:
        experiment: its option, if any.
        quant: overrides that choose the other quantizer.
    """
    if not experiment:
        return []
    default, changed = (
        plain(stated([*chosen, *quant], ["quant", "experiment"]).quant.sensor, resolve=False)
        for chosen in ([], [f"experiment={experiment}"])
    )
    added = [f"~quant.sensor.{key}" for key in changed if key not in default]
    return added + [f"quant.sensor.{key}={_text(value)}" for key, value in default.items() if changed[key] != value]


def _text(value: object) -> str:
    """A value as an override has it."""
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def train(groups: Sequence[Group]) -> bool:
    """Train what is not finished; whether all of it is now."""
    sound = True
    for group in groups:
        folders = list(group.folders.values())
        if all(map(run_folder.finished, folders)):
            continue
        command = ["python", "-m", "qsense.train", *group.overrides, "-m"]
        print(command_in_lines(command, width_of(sys.stderr)), file=sys.stderr)
        sound &= sweeping.complete(group.overrides, folders) == 0
    return sound


def describe(groups: Sequence[Group]) -> str:
    """How many runs there are, and how long those to do may take, by those that are finished."""
    lines = [f"{group.kind:9} {overview([status_of(folder) for folder in group.folders.values()])}" for group in groups]
    every = {folder: experiment_of(job) for group in groups for job, folder in group.folders.items()}
    waiting = sum(not run_folder.finished(folder) for folder in every)
    left = seconds_left(every)
    if waiting and left is None:
        lines.append(f"{waiting} runs to do; how long they take is known once one is finished")
    elif waiting:
        lines.append(f"{waiting} runs to do, about {duration(left or 0.0)} of one worker's time")
    return "\n".join(lines)


def collect(groups: Sequence[Group]) -> list[Arm]:
    """Every quantizer with its finished runs.

    Raises:
        ConfigError: the learned quantizer, or every fixed one, has none.
    """
    compared = [arm for group in groups for arm in arms(group.kind, group.folders)]
    for kind in ("learned", "fixed"):
        if not any(arm.runs for arm in compared if arm.kind == kind):
            folder = next(next(iter(group.folders.values())) for group in groups if group.kind == kind)
            raise ConfigError(
                f"no {kind} run is finished, so there is nothing to compare: {run_folder.FAILURE} in {folder} and "
                "beside it says why; the same command tries again"
            )
    return compared
