"""Which runs an audit has: a learned quantizer's, those of a grid of fixed curves, and baselines'.

Open it to change what an audit compares, or what it refuses.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from qsense.experiment import signatures, sweeping
from qsense.experiment.checks import signal_of_data
from qsense.experiment.errors import ConfigError
from qsense.experiment.grid import plan
from qsense.experiment.overrides import Job, experiment_of, key_of
from qsense.experiment.schema import config_folder
from qsense.runs import folder as run_folder
from qsense.runs.settings import part_name
from qsense.runs.status import overview, seconds_left, status_of
from qsense.runs.words import duration
from qsense.study.arms import Arm, Kind, arms

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
    """

    kind: Kind
    overrides: tuple[str, ...]
    folders: Mapping[Job, Path] = field(default_factory=dict)


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
    groups = [Group("learned", asked.overrides, learned)]
    grid = [f"quant.sensor.gamma={','.join(f'{gamma:g}' for gamma in asked.gammas)}"]
    if signal_of_data(config).bipolar:
        grid.append(f"quant.sensor.mu={','.join(f'{mu:g}' for mu in (MUS if asked.mus is None else asked.mus))}")
    elif asked.mus not in (None, (0.0,)):
        raise ConfigError("mus=…: this signal is unsigned, so its curves have no centre; leave mus out")
    fixed = _others(asked, config, _power_option(config), ["quant.sensor.lr=0", *grid])
    beside = [_others(asked, config, name, []) for name in asked.baselines]
    kinds: list[tuple[Kind, tuple[str, ...]]] = [("fixed", fixed), *(("baseline", own) for own in beside)]
    return groups + [Group(kind, overrides, plan(overrides)[0]) for kind, overrides in kinds]


def _varied(planned: Mapping[Job, Path]) -> str:
    """A key other than the quantizer's that has several values."""
    values: dict[str, set[str]] = {}
    for job in planned:
        for entry in job:
            values.setdefault(key_of(entry), set()).add(entry)
    free = ("seed", "fold", "quant")
    return next((key for key, entries in values.items() if len(entries) > 1 and key.partition(".")[0] not in free), "")


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
    for file in sorted((config_folder() / "quant").glob("*.yaml")):
        sensor = yaml.safe_load(file.read_text(encoding="utf-8")).get("sensor") or {}
        if "lr" in (signatures.arguments(sensor.get("_target_", "")) or {}):
            yield file.stem


def _power_option(config: Any) -> str:
    """The option of `quant` whose fixed curves are the grid: with the same quantizer of the network, if any."""
    if config.quant.network is None:
        return "gamma"
    if part_name(config.quant.sensor._target_) == POWER:
        return str(config.hydra.runtime.choices.quant)
    raise ConfigError(
        f"{config.hydra.runtime.choices.quant} quantizes the network, too, and there is no fixed γ curve beside that "
        "network: audit the sensor's curve without it, or quant=gamma_fat"
    )


def _others(asked: Options, config: Any, quant: str, own: Sequence[str]) -> tuple[str, ...]:
    """The same experiment with another quantizer, as its own file has it: what overrides or an experiment set at the
    learned one does not hold for this one."""
    kept = [entry for entry in asked.overrides if key_of(entry).partition(".")[0] != "quant"]
    restored = _restored(config, quant)
    keys = {key_of(entry) for entry in own}
    return (*kept, f"quant={quant}", *(entry for entry in restored if key_of(entry) not in keys), *own)


def _restored(config: Any, quant: str) -> list[str]:
    """Overrides that take back what an experiment sets at the sensor."""
    experiment = config.hydra.runtime.choices.experiment
    if not experiment:
        return []
    set_there: Any = yaml.safe_load((config_folder() / "experiment" / f"{experiment}.yaml").read_text(encoding="utf-8"))
    changed = ((set_there.get("quant") or {}).get("sensor") or {}).keys()
    file = config_folder() / "quant" / f"{quant}.yaml"
    default = (yaml.safe_load(file.read_text(encoding="utf-8")).get("sensor") or {}) if file.is_file() else {}
    back = []
    for key in changed:
        if key not in default:
            back.append(f"~quant.sensor.{key}")
        elif not isinstance(default[key], str) or "${" not in default[key]:
            value = default[key]
            back.append(f"quant.sensor.{key}={'null' if value is None else str(value).lower()}")
    return back


def train(groups: Sequence[Group]) -> bool:
    """Train what is not finished; whether all of it is now."""
    sound = True
    for group in groups:
        folders = list(group.folders.values())
        if all(map(run_folder.finished, folders)):
            continue
        print("python -m qsense.train", shlex.join([*group.overrides, "-m"]), file=sys.stderr)
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
