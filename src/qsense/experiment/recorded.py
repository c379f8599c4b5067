"""A run's `config.yaml` as the plain values that it records: nothing in it is an object or is looked up.

Open it when a recorded configuration cannot be read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf._utils import get_yaml_loader  # whose numbers are those that were written: 1e-4 is none to YAML 1.1

from qsense.experiment.errors import ConfigError
from qsense.runs.reading import read_text

Place = tuple[str, ...]
Entry = tuple[Place, Any]  # a value with its place

DEEPEST, MOST = 30, 100_000  # levels and values of a configuration; an alias that holds itself has no end
LOOKED_UP = re.compile(r"\$\{[^}]*:")  # as ${oc.env:NAME}, which would tell what this machine keeps to itself


def read(file: Path) -> Any:
    """What the file says, as dictionaries, lists and values.

    Raises:
        FileNotFoundError: there is no such file.
        ConfigError: it is no regular file, no YAML, or has no end.
    """
    try:
        content = yaml.load(read_text(file), get_yaml_loader())
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{file} is missing: without it nobody knows how the run was built; bring it back, or train the run again"
        ) from error
    except RecursionError as error:
        raise ConfigError(f"{file} cannot be read: it is nested too deeply") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = "" if mark is None else f" in line {mark.line + 1}"
        raise ConfigError(f"{file} cannot be read: it is no YAML{where} ({error.problem})") from error
    except Exception as error:  # a tag that does not fit its value, as `!!int x`, raises whatever it leads to
        raise ConfigError(f"{file} cannot be read: {str(error) or type(error).__name__}") from error
    for count, (place, _) in enumerate(walk(content)):
        if count > MOST or len(place) >= DEEPEST:
            raise ConfigError(f"{file} cannot be read: it has too many values, or too many levels, to be a run's")
    return content


def walk(node: Any, place: Place = ()) -> Iterator[Entry]:
    """Every value with its place, mappings and lists before what they hold."""
    waiting: list[Entry] = [(place, node)]
    while waiting:
        place, value = waiting.pop()
        yield place, value
        inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        waiting += [((*place, str(key)), each) for key, each in inner][::-1]


def check_values(file: Path, values: Iterable[Entry]) -> None:
    """Refuse objects of YAML's, and whatever would be looked up on this machine.

    Raises:
        ConfigError: the first of these, with its place.
    """
    for place, value in values:
        if not (value is None or isinstance(value, dict | list | str | int | float)):
            raise ConfigError(
                f"{file}: {'.'.join(place)} is a {type(value).__name__}: a run records plain values alone"
            )
        if isinstance(value, str) and LOOKED_UP.search(value):
            raise ConfigError(
                f"{file}: {'.'.join(place)}={value} asks for something of this machine; a run records values alone, so "
                "this file was changed: write the value itself"
            )


def as_config(content: Any, instead: Mapping[Place, str]) -> DictConfig:
    """The same for OmegaConf, where a text stays as it is: a channel may be called `${HOME}`.

    Args:
        content: as read.
        instead: texts that others take the place of.
    """
    config = OmegaConf.create(_literal(content, instead))
    assert isinstance(config, DictConfig)
    return config


def for_instantiate(config: DictConfig) -> DictConfig:
    """The same for Hydra's `instantiate`, which resolves a configuration, and then each value that it hands on."""
    return as_config(_literal(OmegaConf.to_container(config, resolve=True), {}), {})


def _literal(node: Any, instead: Mapping[Place, str], place: Place = ()) -> Any:
    if isinstance(node, dict):
        return {key: _literal(value, instead, (*place, str(key))) for key, value in node.items()}
    if isinstance(node, list):
        return [_literal(value, instead, (*place, str(index))) for index, value in enumerate(node)]
    if isinstance(node, str):
        return re.sub(r"(\\*)\$\{", r"\1\1\\${", instead.get(place, node))
    return node
