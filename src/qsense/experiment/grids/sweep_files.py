"""A W&B sweep file as a list of runs: the one source of a table's grid, for agents and for Hydra alike."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from omegaconf._utils import get_yaml_loader

from qsense.experiment.command_line.overrides import key_of
from qsense.experiment.command_line.spelling import spell
from qsense.experiment.errors import ConfigError
from qsense.experiment.schema import beside_package, config_folder
from qsense.runs.words import did_you_mean

VALUES = ("value", "values", "min", "max", "distribution", "parameters", "probabilities")  # of a parameter of a grid
COUNTED = ("categorical", "constant", "int_uniform")  # distributions whose values can be listed
LARGEST = 100_000  # points of a grid, of which each is a folder and minutes of training
KEY = re.compile(r"[+~-]{0,2}[\w$][\w./@$-]*", re.ASCII)


@dataclass(frozen=True)
class SweepFile:
    """What a file of `sweeps/` says.

    Args:
        path: the file.
        fixed: `key=value` entries of its command, the same for every grid point.
        axes: values of every parameter, in the file's order.
        notes: what of the file holds for W&B's agents alone, in sentences.
    """

    path: Path
    fixed: tuple[str, ...]
    axes: dict[str, list[Any]]
    notes: tuple[str, ...] = ()

    def points(self) -> list[tuple[str, ...]]:
        """Every grid point as the arguments that W&B's agent gives in place of `${args_no_hyphens}`."""
        axes = [[f"{key}={spell(value)}" for value in values] for key, values in self.axes.items()]
        return list(itertools.product(*axes))

    def overrides(self) -> list[str]:
        """The whole grid as arguments of `qsense.train -m`; loggers are not part of it."""
        axes = [f"{key}={_axis(values)}" for key, values in self.axes.items()]
        return [*(entry for entry in self.fixed if key_of(entry) != "logger"), *axes]


def _axis(values: list[Any]) -> str:
    """A single value, too, as a choice: Hydra sets plain ones first, in the part that an axis has yet to choose.

    Hydra's `choice(…)` takes neither null nor quotes; a value twice is one for it, too.
    """
    spelled = [spell(value) for value in values]
    if len(spelled) > 1:
        return ",".join(spelled)
    return f"{spelled[0]},{spelled[0]}" if values[0] is None or '"' in spelled[0] else f"choice({spelled[0]})"


def packaged() -> dict[str, str]:
    """The sweep files that qsense has, by name, each with its first comment line."""
    files = sorted(beside_package("sweeps").glob("*.yaml"))
    return {file.stem: file.open(encoding="utf-8").readline().strip("# \n") for file in files}


def find_sweep(sweep: str) -> Path:
    """A sweep file by its path, or one of qsense's by its name.

    Raises:
        ConfigError: there is neither such a file nor such a name.
    """
    if "/" in sweep or sweep.endswith((".yaml", ".yml")):
        return Path(sweep)
    known = packaged()
    if sweep not in known:
        raise ConfigError(
            f"there is no sweep {sweep}{did_you_mean(sweep, list(known))}: name a file, or one of {', '.join(known)}"
        )
    return beside_package("sweeps") / f"{sweep}.yaml"


def read_sweep(path: Path) -> SweepFile:
    """Read a W&B sweep file whose runs can be listed.

    Its values are read by the rules of all YAML files here: 1e-3 is a number, '1e-3' a text.

    Raises:
        ConfigError: no such file, no sweep, a value that no run can be given, or one whose grid points W&B draws
            (`method: bayes` or `random`).
    """
    content = _content(path)
    if content["method"] != "grid":
        raise ConfigError(
            f"{path}: method {content['method']} draws its points one after another, so there is no list of runs; "
            f"start it with `wandb sweep {path}` and `wandb agent`, or make it `method: grid`"
        )
    axes = _axes(path, content["parameters"])
    cap, size = content.get("run_cap"), math.prod(map(len, axes.values()))
    if isinstance(cap, int) and cap < size:
        raise ConfigError(
            f"{path}: run_cap: {cap} is less than the grid's {size} points, and which of them are meant it does not "
            "say: give its parameters fewer values, or take run_cap out"
        )
    if size > LARGEST:
        raise ConfigError(f"{path}: its grid has {size} points, more than the {LARGEST} that can be listed: give its "
                          "parameters fewer values")  # fmt: skip
    notes = []
    if content.get("early_terminate"):
        notes.append(f"{path}: early_terminate is for W&B's agents alone; here every run is trained to its end")
    command = [str(entry) for entry in content.get("command") or []]
    fixed = tuple(entry for entry in command if "=" in entry and not entry.startswith("$"))
    return SweepFile(path, fixed, axes, tuple(notes))


def _content(path: Path) -> dict[str, Any]:
    """The file, with `method` and `parameters`."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=get_yaml_loader())
    except FileNotFoundError as error:
        raise ConfigError(f"there is no {path}; sweeps are YAML files like those of sweeps/") from error
    except RecursionError as error:
        raise ConfigError(f"{path} cannot be read: it is nested too deeply") from error
    except Exception as error:  # a tag that does not fit its value, as `!!int x`, raises whatever it leads to
        raise ConfigError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict) or not {"method", "parameters"} <= content.keys():
        here = f"; here are {', '.join(map(str, content))}" if isinstance(content, dict) else ""
        raise ConfigError(f"{path} is no W&B sweep: it needs `method` and `parameters`{here}")
    if not isinstance(content["parameters"], dict) or not content["parameters"]:
        raise ConfigError(
            f"{path}: `parameters` must be a mapping from parameters to values, as in `bits: {{values: [2, 4]}}`"
        )
    if not isinstance(content.get("command") or [], list):
        raise ConfigError(f"{path}: `command` must be a list of words, as in those of sweeps/")
    return content


def _axes(path: Path, parameters: dict[Any, Any], parent: str = "") -> dict[str, list[Any]]:
    """The values of every parameter by its key; W&B's nested parameters by dotted ones, or by a group's path."""
    axes: dict[str, list[Any]] = {}
    for name, spec in parameters.items():
        key = f"{parent}{name}"
        if not KEY.fullmatch(key):
            raise ConfigError(f"{path}: {key!r} is no key of a configuration")
        if isinstance(spec, dict) and isinstance(spec.get("parameters"), dict):
            nested = _axes(path, spec["parameters"], f"{key}.")
        else:
            values = _values(path, key, spec)
            group = key.replace(".", "/")
            takes_option = parent and (config_folder() / group).is_dir() and all(isinstance(v, str) for v in values)
            nested = {group if takes_option else key: values}
        if twice := sorted(axes.keys() & nested.keys()):
            raise ConfigError(f"{path}: parameter {twice[0]} stands there twice")
        axes |= nested
    return axes


def _values(path: Path, key: str, spec: Any) -> list[Any]:
    """A parameter's values, by W&B's rules for a grid: `value`, `values`, or whole numbers from `min` to `max`."""
    where = f"{path}: parameter {key}"
    if not isinstance(spec, dict):
        name = "values" if isinstance(spec, list) else "value"
        raise ConfigError(f"{where} of a grid needs `value`, `values`, or `min` and `max`: {key}: {{{name}: {spec}}}")
    for name in spec:
        if name not in VALUES and "distribution" not in spec:
            raise ConfigError(f"{where}: unknown {name}{did_you_mean(str(name), list(VALUES))}; it takes `value`, "
                              "`values`, or whole numbers `min` and `max`")  # fmt: skip
    distribution = spec.get("distribution")
    if distribution not in (None, *COUNTED):
        raise ConfigError(
            f"{where}: {distribution} draws one value after another, so a grid cannot list them: write `values: […]`"
        )
    if "value" in spec and "values" in spec:
        raise ConfigError(f"{where} has both `value` and `values`: leave one of them")
    if "values" in spec:
        values = spec["values"]
        if not isinstance(values, list) or not values:
            raise ConfigError(f"{where}: values: {values} must be a list of one or more, as in `values: [2, 4]`")
    elif "value" in spec:
        values = [spec["value"]]
    else:
        low, high = spec.get("min"), spec.get("max")
        if type(low) is not int or type(high) is not int or low > high:
            raise ConfigError(
                f"{where} of a grid needs `value`, `values`, or whole numbers `min` and `max`; here are {low}, {high}"
            )
        if high - low >= LARGEST:
            raise ConfigError(f"{where}: {low} … {high} are more than the {LARGEST} values that can be listed")
        values = list(range(low, high + 1))
    try:
        return list({spell(value): value for value in values}.values())  # each once
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error
