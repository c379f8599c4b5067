"""What a run's folder may name. It is data, perhaps somebody else's, and building from it runs nobody's program.

A part is trusted if a YAML file of qsense's own `conf/` states it, if it is a class of the room that holds its group's
parts, if Lightning offers it where one of Lightning's belongs, or if whoever sits at this installation names it
(`--allow`). All that is decided by names and source text: what is refused is never imported.

Open it when a command refuses a run's `config.yaml`, or when a new group of parts needs a room.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from qsense.experiment import recorded
from qsense.experiment.command_line.overrides import key_of, root_of
from qsense.experiment.errors import ConfigError
from qsense.experiment.recorded import Entry, walk
from qsense.experiment.schema import config_folder
from qsense.experiment.signatures import definition, find
from qsense.runs.words import some

TARGET = "_target_"
# Where the classes of each group's parts lie; a part's arguments may name the same group's.
ROOMS: dict[str, tuple[str, ...]] = {
    "quant.sensor": ("quant/sensor",),
    "quant.network": ("quant/network",),
    "data": ("data",),
    "model": ("models",),
    "task": ("tasks",),
    "callback": ("callbacks", "metrics/sensing.py"),
    "logger": ("runs/loggers.py",),
    "sensing": ("metrics/sensing.py",),
}
LIGHTNING = {  # by place, the module of lightning.pytorch whose classes may be named there
    "trainer": "trainer",
    "trainer.callbacks": "callbacks",
    "trainer.logger": "loggers",
    "trainer.profiler": "profilers",
    "trainer.strategy": "strategies",
    "callback": "callbacks",
    "logger": "loggers",
}
BUILT = ("data", "quant.sensor", "model", "task", "trainer")  # without which there is no run
UNMADE = ("_partial_", "_recursive_")  # Hydra's words for a part that is handed on before it is made
NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")  # of a thing in a module
# In a sweep's value: a resolver, also one whose name is looked up itself, as in ${${x}:HOME}.
ASKS = re.compile(r"\$\{[^}]*(:|\$\{)")
PATHS = ("runs", "init_from")  # of the root's keys, those that are no groups


def read(file: Path, allow: Sequence[str] = ()) -> DictConfig:
    """A recorded configuration, every part of which may be built; qsense's own by where their code lies today.

    Its texts are texts: a channel may be called `${HOME}`, and nothing is looked up.

    Args:
        file: a run's `config.yaml`.
        allow: modules, or single names in them, that may be built from, too: those of whoever calls.

    Raises:
        FileNotFoundError: there is no such file.
        ConfigError: it names anything else, or is no run's configuration; nothing was imported.
    """
    content = recorded.read(file)
    if isinstance(content, dict):
        content.pop("hydra", None)  # how it was started: nothing is built from that
    values = list(walk(content))
    places = _check_targets(file, values, [_checked(name) for name in allow])
    recorded.check_values(file, values)
    for part in BUILT:
        node: Any = content
        for key in part.split("."):
            node = node.get(key) if isinstance(node, dict) else None
        if not isinstance(node, dict) or TARGET not in node:
            raise ConfigError(f"{file}: {part} has no {TARGET}, so this is no run's configuration")
    return recorded.as_config(content, places)


def named(config: DictConfig) -> list[str]:
    """All parts that a composed configuration names: its own command line's."""
    return list(dict.fromkeys(target for _, target in _targets(config)))


def to_allow(config: DictConfig) -> list[str]:
    """What a command must be told to `--allow` to build from such a run; empty where qsense offers all of it."""
    return list(dict.fromkeys(_module(target) for path, target in _targets(config) if not _today(path, target)))


def _targets(config: DictConfig) -> list[tuple[tuple[str, ...], str]]:
    own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    places = [path for path, _ in walk(OmegaConf.to_container(own, resolve=False)) if path and path[-1] == TARGET]
    return [(path, str(OmegaConf.select(own, ".".join(path)))) for path in places]


def check_override(file: Path, override: str) -> None:
    """Refuse what a sweep file, which is data as well, may not set: options of groups and plain values are allowed.

    Raises:
        ConfigError: it names a program, a folder of YAML files or one outside `conf/`, what Hydra itself does, or
            something of this machine.
    """
    key, value = key_of(override), override.partition("=")[2]
    outside = "." not in key and key not in PATHS and ".." in re.split(r"[/,\[\]() '\"]", value)
    hydras = root_of(override) == "hydra" and key not in ("hydra/launcher", "hydra/sweeper")
    if TARGET in override or override.startswith("-") or hydras or outside or ASKS.search(override):
        raise ConfigError(
            f"{file} sets {override}: a sweep file sets options of groups and plain values, and this could run any "
            "program. If you trust it, give it on the command line, after the file"
        )


# ----------------------------------------------------------------------------------------------------------- the checks


def _check_targets(file: Path, values: Sequence[Entry], allow: Sequence[str]) -> dict[tuple[str, ...], str]:
    """Where each part lies today, by its place in the configuration."""
    places: dict[tuple[str, ...], str] = {}
    refused: dict[tuple[str, ...], Any] = {}
    for path, value in values:
        if path and path[-1] == TARGET:
            known = isinstance(value, str) and NAME.fullmatch(value)
            place = None if not known else value if _allowed(value, allow) else _today(path, value)
            if place is None:
                refused[path] = value
            else:
                places[path] = place
    if not refused:
        _check_named(file, values, {path[:-1] for path, target in places.items() if not _allowed(target, allow)})
        return places
    entries = some([f"{'.'.join(path)}={target}" for path, target in refused.items()])
    modules = list(dict.fromkeys(_module(target) for target in refused.values() if _may_be_own(target)))
    advice = "look at who gave you this folder"
    if modules:
        words = " ".join(f"--allow {module}" for module in modules)
        advice = f"if it is code of your own, or that you trust, add {words} (in Python: allow={modules})"
    raise ConfigError(
        f"{file} names {entries}: not among the parts that this installation of qsense offers there. Nothing of it was "
        f"imported or run; {advice}"
    )


def _check_named(file: Path, values: Iterable[Entry], parts: Collection[tuple[str, ...]]) -> None:
    """Arguments by name alone: by place they would reach what `load` sets by name. And a part is made whole."""
    for path, _ in values:
        whole = ".".join(path[:-1]) in (*BUILT, "data.dataset", "quant.network")
        if path and path[:-1] in parts and (path[-1] == "_args_" or (whole and path[-1] in UNMADE)):
            raise ConfigError(f"{file}: {'.'.join(path)}: a run records arguments by name, and this file was changed")


def _today(path: Sequence[str], target: str) -> str | None:
    """Where a part of qsense's or Lightning's lies, for its group; None where there is no such part.

    An older run may name modules that have moved: qsense's parts keep their class's name.
    """
    group = _group(path)
    stated = _stated().get(group, frozenset())
    if target in stated:
        return target
    if target.startswith("qsense."):
        classes = _classes(group)
        if target in classes:
            return target
        name = target.rpartition(".")[2]
        return next((place for place in (*sorted(stated), *classes) if place.rpartition(".")[2] == name), None)
    if target.startswith("lightning."):
        return target if target in _lightnings(group) or definition(target) in _lightnings(group) else None
    return None


def _group(path: Sequence[str]) -> str:
    """The group of parts, or the argument of the trainer, that a place in a configuration belongs to."""
    two = ".".join(path[:2])
    return two if two in ROOMS or two in LIGHTNING else path[0]


def _allowed(target: str, allow: Sequence[str]) -> bool:
    """Whether the user named it, or the module that defines it: a module's imports are not its own."""
    if target in allow:
        return True
    place = definition(target) if find(target) else ""
    return any(target.startswith(f"{name}.") and place.startswith(f"{name}.") for name in allow)


def _module(target: str) -> str:
    """What to allow for a part: the module that defines it, or the part alone where its source does not tell."""
    return definition(target).rpartition(".")[0] if find(target) else target


def _may_be_own(target: Any) -> bool:
    """Whether it may be somebody's own part: not Python's, nor anything of qsense's or of Hydra's that is no part."""
    if not isinstance(target, str) or not NAME.fullmatch(target):
        return False
    return target.partition(".")[0] not in {*sys.stdlib_module_names, "qsense", "hydra"}


def _checked(name: str) -> str:
    if not all(part.isidentifier() for part in name.split(".")):
        raise ConfigError(f"allow={name}: name a module, as in --allow mylab.adc, or a class in it")
    return name


# ------------------------------------------------------------------------------------------------------ what is offered


@cache
def _stated() -> Mapping[str, frozenset[str]]:
    """By group, every target that qsense's own YAML files state."""
    found: dict[str, set[str]] = {}
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for file in sorted(config_folder().rglob("*.yaml")):
        text = file.read_text(encoding="utf-8")
        package = () if "# @package _global_" in text else file.relative_to(config_folder()).parent.parts
        for path, value in walk(yaml.load(text, loader), package):
            if path and path[-1] == TARGET:
                found.setdefault(_group(path), set()).add(value)
    return {group: frozenset(targets) for group, targets in found.items()}


@cache
def _classes(group: str) -> tuple[str, ...]:
    """The public classes of a group's rooms, read from their source."""
    package = Path(__file__).parents[1]
    found = []
    for room in ROOMS.get(group, ()):
        place = package / room
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            module = ".".join(("qsense", *file.relative_to(package).with_suffix("").parts))
            nodes = ast.parse(file.read_text(encoding="utf-8")).body
            names = [node.name for node in nodes if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]
            found += [f"{module}.{name}" for name in names]
    return tuple(found)


@cache
def _lightnings(group: str) -> frozenset[str]:
    """Lightning's classes of a group, by the module that hands them on and by those that define them."""
    spec, module = find_spec("lightning"), LIGHTNING.get(group)
    if module is None or spec is None or spec.origin is None:
        return frozenset()
    tree = ast.parse((Path(spec.origin).parent / "pytorch" / module / "__init__.py").read_text(encoding="utf-8"))
    exported = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    found = {f"lightning.pytorch.{module}.{name}" for names in exported for name in names if name[0].isupper()}
    return frozenset(found | {definition(each) for each in found})
