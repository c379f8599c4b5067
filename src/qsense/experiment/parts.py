"""Each part of a configuration against what its own class takes, read from the source.

Open it to change how a missing, unknown or ill-typed argument is answered.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from omegaconf import DictConfig, OmegaConf

from qsense.experiment import signatures
from qsense.experiment.command_line.meant import value_meant
from qsense.experiment.errors import ConfigError
from qsense.experiment.trainer import INSTEAD
from qsense.runs.words import did_you_mean


def parts_of(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every part (a mapping with `_target_`) of a configuration with its dotted path, outer parts first."""
    if isinstance(node, DictConfig):
        plain = {key: _resolved(node, str(key), path) for key in node if key != "hydra"}
        yield from parts_of(plain, path)
    elif isinstance(node, dict):
        if "_target_" in node:
            yield path, node
        for key, value in node.items():
            yield from parts_of(value, f"{path}.{key}" if path else str(key))


def _resolved(node: DictConfig, key: str, path: str) -> Any:
    value = node[key]
    if OmegaConf.is_config(value):
        return OmegaConf.to_container(value, resolve=True)
    return value


def check_importable(path: str, target: str) -> None:
    """Is there a module of a part's code? It may be a file of the user's own.

    Raises:
        ConfigError: there is none.
    """
    if not importable(target):
        top = target.partition(".")[0]
        raise ConfigError(
            f"{path}._target_={target}: there is no module '{top}'. If it is a file of your own, put its folder on "
            f"PYTHONPATH, as in PYTHONPATH=. for a {top}.py here; else install its package"
        )


def importable(target: str) -> bool:
    """Whether the package or file is there that a `_target_` lies in."""
    return find_spec(target.partition(".")[0]) is not None


def check_arguments(path: str, part: dict[str, Any]) -> None:
    """Has a part all arguments that its class needs, no others, and of the right types?

    Raises:
        ConfigError: it has not, or its code is not there.
    """
    target = part["_target_"]
    check_importable(path, target)
    known = signatures.arguments(target)
    if known is None:  # a class whose source does not tell; instantiate will
        return
    name = target.rpartition(".")[2]
    missing: list[str] = []
    for key, value in part.items():
        if key.startswith("_"):
            continue
        if path == "trainer" and key in INSTEAD:
            raise ConfigError(f"trainer.{key} is set by qsense: {INSTEAD[key]}")
        if key not in known:
            raise ConfigError(
                f"unknown argument {path}.{key}{did_you_mean(key, list(known))}; {name} takes {', '.join(known)}"
            )
        if value == "???":
            missing.append(key)
        elif not known[key].accepts(value):
            hint = value_meant(f"{path}.{key}", value, known[key])
            raise ConfigError(f"{path}.{key}={value!r} is not allowed{hint}: {name} takes {key}: {known[key]}")
    if missing:
        told = "\n".join(f"  {path}.{key}=…  ({known[key]})" for key in missing)
        verb = "are" if len(missing) > 1 else "is"
        raise ConfigError(f"{', '.join(f'{path}.{key}' for key in missing)} {verb} missing: set\n{told}")
