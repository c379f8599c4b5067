"""What makes a run the one it is, and the names that follow from it."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, cast

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from qsense.data.cache import default_folder, fingerprint
from qsense.experiment.compose import compose
from qsense.experiment.place import check_runs
from qsense.experiment.signatures import definition
from qsense.runs.folder import SCHEMA
from qsense.runs.settings import GROUPS, NOT_DECISIVE, bits_of, count_devices, decisive, processes

REPEATED = re.compile(r"\$\{(seed|fold)\b")
LOOK_S = 10.0  # for how long at least files are taken to be the same


def identity(config: DictConfig) -> dict[str, Any]:
    """All that makes a run the one it is: what decides its numbers, its data's bytes, and how qsense uses them.

    Parts count by stable names (`settings.part_name`) and not by the modules they lie in. The code's revision is
    recorded and not part of it; `runs.SCHEMA` is raised where a change moves results.
    """
    plain = {group: _plain(config[group]) for group in GROUPS if config[group] is not None}
    # The platform's own callbacks only show; they name folders, which are not known before a run has begun.
    others = [name for name in config.callback or {} if name not in NOT_DECISIVE["callback"]]
    plain["callback"] = {name: _plain(config.callback[name]) for name in others}
    plain |= {"init_from": config.init_from, "resume_from": config.resume_from, "processes": count_processes(config)}
    return {
        "schema": SCHEMA,
        "fingerprint": data_fingerprint(config),
        "seed": config.seed,
        "fold": config.fold,
        **decisive(plain),
    }


def _plain(node: Any) -> Any:
    """Resolved, and parts by the modules that define them, whichever module hands them on."""
    if OmegaConf.is_config(node):
        node = OmegaConf.to_container(node, resolve=True)
    if isinstance(node, dict):
        return {key: definition(value) if key == "_target_" else _plain(value) for key, value in node.items()}
    return [_plain(value) for value in node] if isinstance(node, list) else node


def count_processes(config: DictConfig) -> int:
    """How many processes share a step's batch; asks torch only where that depends on this machine's GPUs."""
    trainer = OmegaConf.to_container(config.trainer, resolve=True) or {}
    assert isinstance(trainer, dict)
    if count_devices(trainer.get("devices")) is None and trainer.get("accelerator") != "cpu":
        from torch import accelerator

        trainer["devices"] = accelerator.device_count() or 1
    return processes({"trainer": trainer})


def run_id(config: DictConfig) -> str:
    """Ten hexadecimal digits of the SHA-256 over a run's identity."""
    return _digest(identity(config))


def _digest(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def data_fingerprint(config: DictConfig) -> str | None:
    """SHA-256 over a configuration's data, or None where there are none that can be read (`check` tells why)."""
    node = json.dumps(OmegaConf.to_container(config.data.dataset, resolve=True), sort_keys=True)
    began = time.monotonic()
    if node not in _looked_at or began > _looked_at[node][1]:
        found = _fingerprint(node, Path(config.data.get("cache") or default_folder()).expanduser())
        now = time.monotonic()
        _looked_at[node] = found, now + max(LOOK_S, 50 * (now - began))
    return _looked_at[node][0]


# Thousands of runs are planned in a row; a look at a million files should not be taken for each.
_looked_at: dict[str, tuple[str | None, float]] = {}


def _fingerprint(dataset: str, cache: Path) -> str | None:
    try:
        built = instantiate(json.loads(dataset), _convert_="all")
        built.check()
        return fingerprint(built, cache)
    except Exception:  # whatever a wrong argument or a damaged file raises: a run's name is no place to answer it
        return None


def choices(hydra: DictConfig) -> dict[str, Any]:
    """Which option of each group Hydra took, for tables and names: {"quant": "gamma", "data": "sbhar", …}."""
    taken = hydra.runtime.choices
    found = {group: taken.get(group) for group in ("task", "data", "model", "quant", "experiment")}
    return found | {"quant": _quantizers(taken, str(hydra.runtime.config_sources))}


def _quantizers(taken: DictConfig, sources: str) -> str | None:
    """The option of `quant`; where another sensor or network quantizer was taken than its own, the pair's name.

    That is `quantile_fat`, or `quantile` beside a network in full precision: where there is an option of `quant` for
    the pair, its name.
    """
    option: str | None
    option, sensor, network = (taken.get(group) for group in ("quant", "quant/sensor", "quant/network"))
    pair = "_".join(name for name in (sensor, network) if name not in (None, "none")) or "none"
    if None in (option, sensor, network) or pair == option or (sensor, network) == _own_pair(option, sources):
        return None if option is None else str(option)
    return pair


@cache
def _own_pair(option: str, sources: str) -> tuple[str, str]:
    """The sensor and the network quantizer that an option of `quant` names, read from these sources."""
    taken = compose([f"quant={option}"]).hydra.runtime.choices
    return taken["quant/sensor"], taken["quant/network"]


def resolved(config: DictConfig, hydra_config: Any) -> DictConfig:
    """The configuration with every interpolation resolved, and which option of each group was taken."""
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    dataset = plain["data"]["dataset"]
    if "root" in dataset:  # absolute, so that the run can be evaluated from any folder
        dataset["root"] = str(Path(dataset["root"]).absolute())
    return OmegaConf.create({**plain, "choices": choices(hydra_config), "processes": count_processes(config)})


def run_name(_root_: DictConfig) -> str:
    """A run's folder: readable first, identity last, as in `sbhar-gamma-2bit-fold03-seed0-1a2b3c4d5e`.

    Without bits where nothing is quantized: `quant=none` is the same run at any number of them.
    """
    return _named(_root_, _readable(_root_, choices(_root_.hydra)), identity(_root_))


def run_folder(_root_: DictConfig) -> str:
    """`${run_folder:}`: where Hydra makes a single run's folder.

    Raises:
        ConfigError: nothing can be written there.
    """
    check_runs(_root_.runs)
    folder = f"{_root_.runs}/{run_name(_root_)}"
    check_runs(folder)
    return folder


def _named(config: DictConfig, readable: list[str], own: dict[str, Any]) -> str:
    return "-".join([*readable, f"fold{config.fold:>02}", f"seed{config.seed}", _digest(own)])


def refers_to_repeats(config: DictConfig) -> bool:
    """Whether anything in a configuration, but for Hydra's own, changes with the seed or the fold."""
    written = OmegaConf.to_container(config, resolve=False)
    assert isinstance(written, dict)
    return REPEATED.search(str({key: value for key, value in written.items() if key != "hydra"})) is not None


def namer(config: DictConfig) -> Callable[[], str]:
    """What names a configuration's run in a sweep, however its seed and fold are changed afterwards.

    Resolving a configuration takes milliseconds, which thousands of seeds and folds need not pay one by one: where
    nothing that decides a run's numbers refers to them, only these two change in its identity.
    """
    subdir = OmegaConf.to_container(config.hydra.sweep, resolve=False)
    if not isinstance(subdir, dict) or subdir["subdir"] != "${run_name:}" or refers_to_repeats(config):
        return lambda: str(config.hydra.sweep.subdir)
    alike, readable = identity(config), _readable(config, choices(config.hydra))
    return lambda: _named(config, readable, {**alike, "seed": config.seed, "fold": config.fold})


def cell_name(_root_: DictConfig) -> str:
    """What the folds and seeds of one experiment have in common, as in `sbhar-gamma-2bit-6a7b8c9d0e`."""
    alike = {key: value for key, value in identity(_root_).items() if key not in ("seed", "fold")}
    taken = choices(cast(DictConfig, HydraConfig.get()))
    return "-".join([*_readable(_root_, taken), _digest(alike)])


def _readable(config: DictConfig, taken: dict[str, Any]) -> list[str]:
    sensor, network = bits_of(config)
    bits = [f"{sensor}bit"] * bool(sensor) + [f"net{network}bit"] * bool(network)
    return [str(taken["data"]), str(taken["quant"]), *bits]


OmegaConf.register_new_resolver("run_name", run_name, replace=True)
OmegaConf.register_new_resolver("run_folder", run_folder, replace=True)
OmegaConf.register_new_resolver("cell_name", cell_name, replace=True)
