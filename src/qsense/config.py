"""The root schema, a run's identity, and every check that can be made before torch is imported."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml
from hydra.core.config_store import ConfigStore
from hydra.errors import CompactHydraException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from qsense import static
from qsense.data.recordings import DataError, signal_of
from qsense.runs import GROUPS, NOT_SCIENCE


class ConfigError(CompactHydraException):
    """A configuration that cannot run; shown as its message alone, without a traceback."""


@dataclass
class Config:
    """The root of every configuration; a key that is not here is a mistake.

    `bits`, `seed` and `fold` are checked by `check`, whose messages name the allowed range.
    """

    bits: Any = 4
    seed: Any = 0
    fold: Any = 0
    runs: str = "runs"
    threads: int | None = None
    quant: Any = None
    data: Any = None
    model: Any = None
    task: Any = None
    trainer: Any = None
    callback: dict[str, Any] = field(default_factory=dict)
    logger: dict[str, Any] = field(default_factory=dict)


ConfigStore.instance().store(name="schema", node=Config)


def config_folder() -> Path:
    """The folder of YAML files: inside the installed package, or at the top of a checkout."""
    package = Path(__file__).parent
    packaged = package / "conf"
    return packaged if packaged.is_dir() else package.parents[1] / "conf"


# ---------------------------------------------------------------------------------------------------------- identity


def science(config: DictConfig) -> dict[str, Any]:
    """The resolved part of a configuration that decides a run's numbers: no paths, devices, loggers or launchers.

    `bits` is left out because it acts through the quantizer alone: `quant=none` is one run at any number of bits.
    """

    def strip(node: Any, dropped: set[str]) -> Any:
        if isinstance(node, dict):
            return {key: strip(value, dropped) for key, value in node.items() if key not in dropped}
        return node

    plain = {key: OmegaConf.to_container(config[key], resolve=True) for key in GROUPS if config[key] is not None}
    kept = {key: strip(value, NOT_SCIENCE.get(key, set())) for key, value in plain.items()}
    return {"seed": config.seed, "fold": config.fold, **kept}


def run_id(config: DictConfig) -> str:
    """Ten hexadecimal digits of the SHA-256 over the scientific configuration: a run's identity."""
    text = json.dumps(science(config), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def choices(hydra: DictConfig) -> dict[str, Any]:
    """Which option of each group Hydra took, for tables and names: {"quant": "gamma", "data": "sbhar", …}."""
    taken = hydra.runtime.choices
    return {group: taken.get(group) for group in ("task", "data", "model", "quant", "experiment")}


def run_name(_root_: DictConfig) -> str:
    """A run's folder: readable first, identity last, as in `sbhar-gamma-2bit-fold03-seed0-1a2b3c4d5e`.

    Without bits where the quantizer has none: `quant=none` is the same run at any number of them.
    """
    taken = choices(_root_.hydra)
    bits = [f"{_root_.bits}bit"] if digitises(_root_) else []
    name = [taken["data"], taken["quant"], *bits, f"fold{_root_.fold:>02}", f"seed{_root_.seed}", run_id(_root_)]
    return "-".join(map(str, name))


def digitises(config: DictConfig) -> bool:
    """Whether the sensor is quantized at all."""
    return "bits" in (config.quant.sensor or {})


OmegaConf.register_new_resolver("run_name", run_name, replace=True)


# ------------------------------------------------------------------------------------------------------------ checks


def check(config: DictConfig) -> None:
    """Refuse a configuration that cannot run, in about a second and before torch is imported.

    Raises:
        ConfigError: what is wrong, where, and what is allowed.
    """
    _check_root(config)
    _check_model(config)
    for path, part in _parts(config):
        _check_arguments(path, part)
    _check_data(config)


def _check_root(config: DictConfig) -> None:
    allowed = [f.name for f in fields(Config)]
    for key in config:
        if key not in allowed and key != "hydra":
            raise ConfigError(
                f"unknown key '{key!s}'{_close(str(key), allowed)}; the root keys are {', '.join(allowed)}"
            )
    for key, low, high, what in (
        ("bits", 1, 16, "a whole number from 1 to 16: the sensor's ADC has 2^bits levels"),
        ("seed", 0, 2**32 - 1, "a whole number from 0 to 4294967295"),
        ("fold", 0, None, "a whole number from 0 to the data set's number of folds − 1"),
    ):
        value = config[key]
        if not isinstance(value, int) or isinstance(value, bool) or value < low or (high is not None and value > high):
            raise ConfigError(f"{key}={value}: {key} must be {what}")


def _parts(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every part (a mapping with `_target_`) of a configuration with its dotted path, outer parts first."""
    if isinstance(node, DictConfig):
        plain = {key: _resolved(node, str(key), path) for key in node if key != "hydra"}
        yield from _parts(plain, path)
    elif isinstance(node, dict):
        if "_target_" in node:
            yield path, node
        for key, value in node.items():
            yield from _parts(value, f"{path}.{key}" if path else str(key))


def _resolved(node: DictConfig, key: str, path: str) -> Any:
    value = node[key]
    if OmegaConf.is_config(value):
        return OmegaConf.to_container(value, resolve=True)
    return value


def _check_arguments(path: str, part: dict[str, Any]) -> None:
    target = part["_target_"]
    known = static.arguments(target)
    if known is None:  # a class whose source does not tell; instantiate will
        return
    name = target.rpartition(".")[2]
    for key, value in part.items():
        if key.startswith("_"):
            continue
        if key not in known:
            raise ConfigError(
                f"unknown argument {path}.{key}{_close(key, list(known))}; {name} takes {', '.join(known)}"
            )
        if value == "???":
            raise ConfigError(f"{path}.{key} is missing: set {path}.{key}=…  ({known[key]})")
        if not known[key].accepts(value):
            raise ConfigError(f"{path}.{key}={value!r} is of the wrong type: {name} takes {key}: {known[key]}")


def _check_model(config: DictConfig) -> None:
    facts = static.constant(config.task._target_, "network_facts")
    if facts is None or _misfit(config.model._target_, facts) is None:
        return
    fitting = []
    for file in sorted((config_folder() / "model").glob("*.yaml")):
        target = (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("_target_", "")
        if target and _misfit(target, facts) is None:
            fitting.append(file.stem)
    raise ConfigError(
        f"model {config.model._target_} does not fit task {config.task._target_.rpartition('.')[2]}: "
        f"{_misfit(config.model._target_, facts)}. Models that fit: {', '.join(fitting)}"
    )


def _misfit(target: str, facts: tuple[str, ...]) -> str | None:
    """Why a network cannot be built from a task's facts, or None where it can (or the source does not tell)."""
    known = static.arguments(target)
    if known is None:
        top = target.partition(".")[0]
        return None if find_spec(top) else f"there is no package '{top}'"
    refused = [fact for fact in facts if fact not in known]
    return f"it is built from {', '.join(facts)} but takes no {', '.join(refused)}" if refused else None


def _check_data(config: DictConfig) -> None:
    """Is the data there, has it that fold, and does the quantizer know its range? Reads no samples."""
    if "dataset" not in config.data:
        return
    try:
        dataset = instantiate(config.data.dataset)
        dataset.check()
        if not config.fold < dataset.num_folds:
            raise ConfigError(
                f"fold={config.fold}: {dataset.name} has {dataset.num_folds} folds, 0 to {dataset.num_folds - 1}"
            )
        signal = signal_of(dataset, config.data.get("normalise", "none"))
    except (DataError, FileNotFoundError, ValueError) as error:
        raise ConfigError(str(error)) from error
    if digitises(config) and signal.low is None:
        raise ConfigError(
            f"{config.quant.sensor._target_.rpartition('.')[2]} needs the signal's range, and {dataset.name} states "
            f"none: set data.dataset.range=[low,high] in {signal.unit}, or data.normalise=dataset to use the data's own"
        )


def _close(word: str, known: list[str]) -> str:
    match = difflib.get_close_matches(word, known, n=1)
    return f" (did you mean {match[0]}?)" if match else ""
