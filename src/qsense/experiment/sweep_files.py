"""A W&B sweep file as a list of runs: the one source of a table's grid, for agents and for Hydra alike."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from qsense.experiment.errors import ConfigError
from qsense.experiment.overrides import key_of
from qsense.experiment.schema import beside_package
from qsense.runs.words import did_you_mean


@dataclass(frozen=True)
class SweepFile:
    """What a file of `sweeps/` says.

    Args:
        path: the file.
        fixed: `key=value` entries of its command, the same for every grid point.
        axes: values of every parameter, in the file's order.
    """

    path: Path
    fixed: tuple[str, ...]
    axes: dict[str, list[Any]]

    def points(self) -> list[tuple[str, ...]]:
        """Every grid point as the arguments that W&B's agent gives in place of `${args_no_hyphens}`."""
        axes = [[f"{key}={value}" for value in values] for key, values in self.axes.items()]
        return list(itertools.product(*axes))

    def overrides(self) -> list[str]:
        """The whole grid as arguments of `qsense.train -m`; loggers are not part of it."""
        axes = [f"{key}={_axis(values)}" for key, values in self.axes.items()]
        return [*(entry for entry in self.fixed if key_of(entry) != "logger"), *axes]


def _axis(values: list[Any]) -> str:
    """A single value, too, as a choice: Hydra sets plain ones first, in the part that an axis has yet to choose."""
    return ",".join(map(str, values)) if len(values) > 1 else f"choice({values[0]})"


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

    Raises:
        ConfigError: no such file, no sweep, or one whose grid points W&B draws (`method: bayes` or `random`).
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"there is no {path}; sweeps are YAML files like those of sweeps/") from error
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("parameters"), dict):
        raise ConfigError(f"{path} is no W&B sweep: it needs `method` and `parameters`")
    if content.get("method") != "grid":
        raise ConfigError(
            f"{path}: method {content.get('method')} draws its points one after another, so there is no list of runs; "
            f"start it with `wandb sweep {path}` and `wandb agent`, or make it `method: grid`"
        )
    axes = {str(key): _values(path, str(key), spec) for key, spec in content["parameters"].items()}
    command = [str(entry) for entry in content.get("command", [])]
    return SweepFile(path, tuple(entry for entry in command if "=" in entry and not entry.startswith("$")), axes)


def _values(path: Path, key: str, spec: Any) -> list[Any]:
    """A parameter's values, by W&B's rules for a grid: `value`, `values`, or whole numbers from `min` to `max`."""
    spec = spec if isinstance(spec, dict) else {}
    if "values" in spec:
        return list(spec["values"])
    if "value" in spec:
        return [spec["value"]]
    low, high = spec.get("min"), spec.get("max")
    if isinstance(low, int) and isinstance(high, int) and spec.get("distribution", "int_uniform") == "int_uniform":
        return list(range(low, high + 1))
    raise ConfigError(f"{path}: parameter {key} of a grid needs `value`, `values`, or whole numbers `min` and `max`")
