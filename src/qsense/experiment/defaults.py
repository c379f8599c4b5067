"""What a run would have been configured as if its user had chosen options alone, and where the run differs from that.

Open it to change which differences a run's page shows first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from qsense.experiment.compose import compose, options, plain
from qsense.experiment.trusted import TARGET
from qsense.runs.settings import GROUPS

SECTIONS = (*GROUPS, "sensing")  # of a configuration, those whose keys are compared
OPTIONS = ("experiment", "task", "data", "model", "quant")  # in the order in which a command names them
FOLLOWS = re.compile(r"\$\{([\w.]+)\}")  # a value that is another key's
ABSENT = object()


class Difference(NamedTuple):
    """A key whose value is not its option's.

    Args:
        key: dotted.
        value: the run's.
        default: the option's; `ABSENT` where the option has no such key.
    """

    key: str
    value: Any
    default: Any


def differences(config: Mapping[str, Any]) -> list[Difference] | None:
    """Where a recorded configuration differs from the options that it chose; None where these are not of `conf/`.

    Values that are looked up on the machine of a run, such as folders of data, are left out.

    Args:
        config: as `config.yaml` records it.
    """
    choices = config.get("choices")
    choices = choices if isinstance(choices, Mapping) else {}
    chosen = {group: choices.get(group) for group in OPTIONS}
    known = all(name is None or (isinstance(name, str) and name in _options(group)) for group, name in chosen.items())
    if not known or not chosen["task"]:
        return None
    quant = chosen.pop("quant")
    sections = _sections(tuple(f"{group}={name}" for group, name in chosen.items() if name))
    quantizer = _sections((f"quant={quant}",)) if quant else sections
    if sections is None or quantizer is None:
        return None
    found = []
    for section in SECTIONS:
        stated = dict(_flat((quantizer if section == "quant" else sections).get(section), section))
        for key, value in _flat(config.get(section), section):
            default = _followed(stated.get(key, ABSENT), config)
            looked_up = isinstance(default, str) and "${" in default
            if not (looked_up or default == value or _same_part(key, value, default)):
                found.append(Difference(key, value, default))
    return found


@cache
def _options(group: str) -> frozenset[str]:
    return frozenset(options(group))


@cache
def _sections(overrides: tuple[str, ...]) -> Mapping[str, Any] | None:
    """What some options compose to, nothing resolved; None where they do not compose."""
    try:
        config = compose(overrides)
        return {section: plain(config, resolve=False).get(section) for section in SECTIONS}
    except (HydraException, OmegaConfBaseException, YAMLError):
        return None


def _flat(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every value below a node, by its dotted key; lists are values."""
    if isinstance(node, Mapping) and node:
        for key, value in node.items():
            yield from _flat(value, f"{path}.{key}")
    else:
        yield path, node


def _followed(value: Any, config: Mapping[str, Any]) -> Any:
    """A default, or what the run set the key to that it follows, as in `${bits}`."""
    if not (isinstance(value, str) and (link := FOLLOWS.fullmatch(value))):
        return value
    node: Any = config
    for name in link[1].split("."):
        if not isinstance(node, Mapping) or name not in node:
            return value
        node = node[name]
    return node


def _same_part(key: str, value: Any, default: Any) -> bool:
    """Parts count by their class's name: a class may have moved since the run."""
    if not key.endswith(TARGET):
        return False
    return str(value).rpartition(".")[2] == str(default).rpartition(".")[2]
