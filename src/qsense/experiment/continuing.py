"""`resume_from`: train a finished run for longer, if that is what it would be; known before torch is imported.

Open it to see which settings may differ from those of the run that is gone on from.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from qsense.experiment import recorded
from qsense.experiment.compose import plain
from qsense.experiment.errors import ConfigError
from qsense.experiment.identity import count_processes, data_fingerprint
from qsense.runs import folder as run_folder
from qsense.runs.checkpoints import CHECKPOINT, CheckpointError, checkpoint, verify
from qsense.runs.result import ResultError
from qsense.runs.settings import GROUPS, decisive

KEY = "resume_from"
HOW_LONG = {f"trainer.{key}" for key in ("max_epochs", "max_steps", "max_time", "min_epochs", "min_steps")}
SAME = ("seed", "fold")  # beside the parts
MOST = 4  # differences that are told


def check_start(key: str, source: str) -> None:
    """Refuse what no weights can be taken from.

    Args:
        key: of the configuration that names it.
        source: a run's folder, or a file of weights, which is looked into when the network is there.

    Raises:
        ConfigError: nothing is there, a folder without a whole checkpoint, or a damaged file.
    """
    file = Path(source).expanduser()
    if not file.exists():
        missing = file / CHECKPOINT
        raise ConfigError(
            f"{key}={source}: there is no such file, and no {missing}; name a trained run's folder or a file"
        ) from FileNotFoundError(str(file))
    if file.is_dir():
        check_checkpoint(key, source)
    elif zipfile.is_zipfile(file):  # older files are bare pickles, without checksums
        try:
            verify(file)
        except CheckpointError as error:
            raise ConfigError(f"{key}={source}: {error}; fetch it again") from error


def check_checkpoint(key: str, run: str) -> None:
    """Refuse a run's folder without a whole checkpoint.

    Args:
        key: of the configuration that names it.
        run: the folder.

    Raises:
        ConfigError: it has none, or a damaged one.
    """
    file = checkpoint(Path(run).expanduser())
    if file is None:
        raise ConfigError(f"{key}={run}: there is no {Path(run) / CHECKPOINT}; name the folder of a trained run")
    try:
        verify(file)
    except CheckpointError as error:
        raise ConfigError(f"{key}={run}: {error}; name another run, or train that one again") from error


def check_resume_from(config: DictConfig) -> None:
    """Refuse to go on from a run that this one does not continue.

    Raises:
        ConfigError: it is not finished, was made of other parts or data, or has been trained for as long already.
    """
    if not config.resume_from:
        return
    run, asked = Path(config.resume_from).expanduser(), f"{KEY}={config.resume_from}"
    if config.init_from:
        raise ConfigError(
            f"{asked}, init_from={config.init_from}: a run starts from one of them, set the other to null"
        )
    check_checkpoint(KEY, config.resume_from)
    try:
        result = run_folder.result(run)
        written = recorded.read(run / run_folder.CONFIG)
        there, here = (_flat(decisive(each) | {key: each[key] for key in SAME}) for each in (written, _plain(config)))
    except (FileNotFoundError, ResultError) as error:
        raise ConfigError(f"{asked}: {error}; the command that trained it goes on with one that is not") from error
    except (AttributeError, ConfigError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{asked}: its {run_folder.CONFIG} is damaged ({type(error).__name__}: {error})") from error
    differ = [
        f"{key}={here.get(key, '(not set)')}, there {there.get(key, '(not set)')}"
        for key in sorted(there.keys() | here.keys())
        if there.get(key) != here.get(key) and key not in (*HOW_LONG, KEY, "init_from")
    ]
    if differ:
        more = f"; and {len(differ) - MOST} more" if len(differ) > MOST else ""
        raise ConfigError(
            f"{asked} trains the same for longer, so only how long may differ, and these do: "
            f"{'; '.join(differ[:MOST])}{more}. Give what that run had, or take its weights alone: init_from={run}"
        )
    data, before = data_fingerprint(config), run_folder.fingerprint(run)
    if None not in (data, before) and data != before:
        raise ConfigError(f"{asked}: its data were others (data_fingerprint in {run / run_folder.RECORD})")
    for limit, done in (("max_epochs", result.get("epochs", 0)), ("max_steps", result.get("steps", 0))):
        wanted = config.trainer.get(limit)
        if wanted is not None and 0 <= wanted <= done:
            raise ConfigError(
                f"{asked}: it has {done} {limit.removeprefix('max_')}, and trainer.{limit}={wanted} leaves nothing to "
                f"train; set trainer.{limit} to how many there are to be in all"
            )


def _plain(config: DictConfig) -> dict[str, Any]:
    """As a run records it, as far as it decides numbers; the platform's own callbacks do not."""
    parts = {key: config[key] for key in (*GROUPS, "callback", *SAME)}
    found = {key: plain(part) if OmegaConf.is_config(part) else part for key, part in parts.items()}
    return {**found, "processes": count_processes(config)}


def _flat(node: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """By dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in node.items():
        name = f"{path}.{key}" if path else str(key)
        flat |= _flat(value, name) if isinstance(value, Mapping) else {name: value}
    return flat
