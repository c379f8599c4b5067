"""Train a learned quantizer beside a grid of fixed curves: does learning find the best?

qsense audit data=sbhar bits=2 quant=gamma gammas=0.2,0.3,0.4,0.6,1 mus=-0.1,0,0.1 baselines=linear,log
"""

from __future__ import annotations

import argparse
import difflib
import logging
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from qsense.commands import folds
from qsense.experiment import signatures
from qsense.experiment.checks import signal_of_data
from qsense.experiment.completion import OverridesCompleter
from qsense.experiment.compose import plain, stated, stated_by_options
from qsense.experiment.errors import ConfigError
from qsense.experiment.overrides import key_of, root_of
from qsense.experiment.schema import Config
from qsense.runs import folder as run_folder
from qsense.runs.next_steps import say_next
from qsense.runs.settings import part_name
from qsense.runs.status import overview, seconds_left, standing
from qsense.runs.words import duration
from qsense.study.arms import Arm, Job, Kind, arms, science

GAMMAS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)
MUS = (-0.1, 0.0, 0.1)  # in unit coordinates
WINDOWS = 2000
POWER = "Gamma"
OWN = ("gammas", "mus", "baselines", "gradients", "out", "dry_run")

log = logging.getLogger(__name__)

DESCRIPTION = f"""Trains a learned sensor quantizer (quant=…, any override; several values make several of them) beside
a grid of fixed γ curves, over every fold and seed of `qsense.train … -m`, and says whether learning reached the grid's
best within the noise of seeds. Then compares the gradients of every estimator (quant.sensor.surrogate) with finite
differences of the loss of a trained network. Runs are ordinary ones: finished ones are used, interrupted ones resumed.

  gammas=0.2,0.4,…   exponents of the fixed curves (default: {",".join(f"{gamma:g}" for gamma in GAMMAS)})
  mus=-0.1,0,0.1     their centres, for signed signals (default: {",".join(f"{mu:g}" for mu in MUS)})
  baselines=linear,log  quantizers to show beside them (default: none)
  gradients={WINDOWS}     examples for the comparison of gradients; 0: none (default: {WINDOWS})
  out=audit          folder for audit.md, audit.csv, audit.json, audit.png, gradients.png (default: ./audit)
  dry_run=true       only say what is finished, what would run, and how long it may take"""


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
    gradients: int = WINDOWS
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


def options(arguments: Sequence[str]) -> Options:
    """Read the command line.

    Raises:
        ConfigError: an argument that is no key=value, or a value that its key does not allow.
    """
    given: dict[str, str] = {}
    overrides = []
    for argument in arguments:
        key, is_one, value = argument.partition("=")
        if not is_one and not argument.startswith("~"):
            raise ConfigError(f"{argument}: an audit takes key=value; its own keys are {', '.join(OWN)}")
        if key in OWN:
            given[key] = value
            continue
        close = difflib.get_close_matches(key, OWN, n=1)
        if close and key not in [each.name for each in fields(Config)]:
            raise ConfigError(f"unknown key {key} (did you mean {close[0]}?); an audit's own keys are {', '.join(OWN)}")
        overrides.append(argument)
    gammas = _numbers(given, "gammas", "exponents of fixed curves, positive numbers as in gammas=0.2,0.4,0.7", 0.0)
    mus = _numbers(given, "mus", "centres of fixed curves, numbers from -1 to 1 as in mus=-0.1,0,0.1", -1.0, 1.0)
    examples = given.get("gradients", str(WINDOWS))
    if not examples.isdecimal():
        raise ConfigError(f"gradients={examples}: a number of examples, 0 for no comparison of gradients")
    dry_run = given.get("dry_run", "false").lower()
    if dry_run not in ("true", "false"):
        raise ConfigError(f"dry_run={given['dry_run']}: dry_run must be true or false")
    return Options(
        gammas or GAMMAS,
        mus,
        tuple(filter(None, given.get("baselines", "").strip("[]").split(","))),
        int(examples),
        Path(given.get("out") or "audit"),
        dry_run == "true",
        tuple(overrides),
    )


def _numbers(
    given: Mapping[str, str], key: str, what: str, low: float, high: float = float("inf")
) -> tuple[float, ...] | None:
    if key not in given:
        return None
    try:
        numbers = tuple(float(text) for text in given[key].strip("[]").split(","))
    except ValueError:
        numbers = ()
    if not numbers or not all(low <= number <= high and (key == "mus" or 0 < number < high) for number in numbers):
        raise ConfigError(f"{key}={given[key]}: {what}")
    return tuple(dict.fromkeys(numbers))


def plan(asked: Options) -> list[Group]:
    """The multiruns of an audit with the folders of their runs, all checked; starts nothing.

    Raises:
        ConfigError: a run that cannot be, a quantizer that learns nothing, or more than one experiment at a time.
    """
    learned, config = folds.plan(asked.overrides)
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
    network = [entry for entry in asked.overrides if key_of(entry).startswith("quant.network.")]
    fixed = _others(asked, config, _power_curves(config), ["quant.sensor.lr=0", *grid, *network])
    beside = [_others(asked, config, [f"quant={name}"], []) for name in asked.baselines]
    kinds: list[tuple[Kind, tuple[str, ...]]] = [("fixed", fixed), *(("baseline", own) for own in beside)]
    return groups + [Group(kind, overrides, folds.plan(overrides)[0]) for kind, overrides in kinds]


def _varied(planned: Mapping[Job, Path]) -> str:
    """A key other than the quantizer's that has several values."""
    values: dict[str, set[str]] = {}
    for job in planned:
        for entry in job:
            values.setdefault(key_of(entry), set()).add(entry)
    free = ("seed", "fold", "quant")
    return next((key for key, found in values.items() if len(found) > 1 and root_of(key) not in free), "")


def _check_learns(config: DictConfig) -> None:
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
    for option, said in stated_by_options("quant").items():
        target = OmegaConf.select(said, "quant.sensor._target_", default="")
        if "lr" in (signatures.arguments(target) or {}):
            yield option


def _power_curves(config: DictConfig) -> tuple[str, ...]:
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


def _others(asked: Options, config: DictConfig, quant: Sequence[str], own: Sequence[str]) -> tuple[str, ...]:
    """The same experiment with another quantizer, as its own file has it: what was said about the learned one is not
    about this one, be it said in overrides or in an experiment."""
    kept = [entry for entry in asked.overrides if root_of(entry) != "quant"]
    said = {key_of(entry) for entry in own}
    restored = [entry for entry in _restored(config, quant) if key_of(entry) not in said]
    return (*kept, *quant, *restored, *own)


def _restored(config: DictConfig, quant: Sequence[str]) -> list[str]:
    """Overrides that take back what an experiment sets at the sensor."""
    experiment = config.hydra.runtime.choices.experiment
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
        print("python -m qsense.train", shlex.join([*group.overrides, "-m"]), file=sys.stderr)
        sound &= folds.complete(group.overrides, folders, None) == 0
    return sound


def describe(groups: Sequence[Group]) -> str:
    """How many runs there are, and how long those to do may take, by those that are finished."""
    lines = [f"{group.kind:9} {overview([standing(folder) for folder in group.folders.values()])}" for group in groups]
    every = {folder: science(job) for group in groups for job, folder in group.folders.items()}
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
    found = [arm for group in groups for arm in arms(group.kind, group.folders)]
    for kind in ("learned", "fixed"):
        if not any(arm.runs for arm in found if arm.kind == kind):
            folder = next(next(iter(group.folders.values())) for group in groups if group.kind == kind)
            raise ConfigError(
                f"no {kind} run is finished, so there is nothing to compare: {run_folder.FAILURE} in {folder} and "
                "beside it says why; the same command tries again"
            )
    return found


def audit(arguments: Sequence[str]) -> int:
    """Train, compare, write; returns the exit code, 0 once every run is finished.

    Raises:
        ConfigError: it cannot be done; nothing was started.
    """
    asked = options(arguments)
    groups = plan(asked)
    print(describe(groups))
    if asked.dry_run:
        say_next((("audit", *(entry for entry in arguments if key_of(entry) != "dry_run")), "train and compare them"))
        return 0
    sound = train(groups)
    found = collect(groups)

    from qsense.study.audit_files import write_audit
    from qsense.study.audited import compare, lines, with_slopes

    audited = compare(found)
    if asked.gradients:
        audited = with_slopes(audited, asked.gradients)
    print("\n".join(lines(audited)))
    written = write_audit(audited, asked.out)
    print(f"\nWritten to {asked.out}: {', '.join(file.name for file in written)}")
    if not sound:
        print("error: not every run is finished; the same command runs only those again", file=sys.stderr)
    runs = next(iter(groups[0].folders.values())).parent
    say_next((("report", runs, "--html", "page"), "all these runs on a page"))
    return 0 if sound else 1


def parser() -> argparse.ArgumentParser:
    """The command line's arguments."""
    parser = argparse.ArgumentParser(
        prog="qsense audit", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words = parser.add_argument("words", nargs="*", metavar="key=value", help="of the audit, or as of `qsense train`")
    words.completer = OverridesCompleter(OWN)  # type: ignore[attr-defined]
    return parser


def main(arguments: Sequence[str]) -> int:
    """Audit one quantizer."""
    return audit(parser().parse_args(arguments).words)
