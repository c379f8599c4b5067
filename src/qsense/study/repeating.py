"""The command that repeats a run, from what its folder recorded; nothing in it runs anybody's program.

Open it when a repeated run is not the same run.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from qsense.experiment.command_line.overrides import key_of, root_of
from qsense.experiment.defaults import ABSENT, OPTIONS, Difference
from qsense.experiment.errors import ConfigError
from qsense.experiment.trusted import check_override
from qsense.runs.folder import RECORD
from qsense.runs.words import some

MODULE = "qsense.train"
ROOT_KEYS = ("bits", "network_bits", "rounding", "seed", "fold", "init_from", "resume_from")
PLAIN = re.compile(r"[A-Za-z0-9_./+-]+")  # values that Hydra reads as they are


class Repeat(NamedTuple):
    """How a run is repeated.

    Args:
        line: to be pasted into a shell; empty where there is none.
        notes: what to know of it, sentences.
    """

    line: str
    notes: list[str]


def repeat(record: Mapping[str, Any], config: Mapping[str, Any], differing: Iterable[Difference] | None) -> Repeat:
    """The command that a run recorded; where it recorded none, one that its configuration makes.

    Args:
        record: its `run.json`.
        config: its `config.yaml`.
        differing: where that differs from the options that it chose; None: not known.
    """
    notes = []
    overrides = recorded(record)
    if overrides is None:
        if differing is None:
            return Repeat("", ["The run recorded no command, and its options are not those of this installation."])
        overrides, by_hand = configured(config, differing)
        notes.append("The run recorded no command: this one is made from its configuration.")
        if by_hand:
            notes.append(f"To be set by hand, from the configuration below: {some(by_hand)}.")
    kept, refused = [], []
    for override in overrides:
        if root_of(override) == "hydra":
            continue  # how it was launched
        try:
            check_override(Path(RECORD), override)
        except ConfigError:
            refused.append(key_of(override))
        else:
            kept.append(override)
    if not all(override.isprintable() for override in kept):
        return Repeat("", ["The command that the run recorded holds characters that no shell takes as they are."])
    if refused:
        notes.append(f"Left out, because these could run any program: {some(refused)}.")
    return Repeat(shlex.join(["qsense", "train", *kept]), notes)


def recorded(record: Mapping[str, Any]) -> list[str] | None:
    """The overrides of the command that a run recorded; None where it is none of qsense's."""
    command = record.get("command")
    if not isinstance(command, list) or not all(isinstance(word, str) for word in command):
        return None
    return command[command.index(MODULE) + 1 :] if MODULE in command[:3] else None


def configured(config: Mapping[str, Any], differing: Iterable[Difference]) -> tuple[list[str], list[str]]:
    """Overrides that make a recorded configuration, and the keys whose values no command line takes simply."""
    choices = config.get("choices") or {}
    overrides = [f"{group}={choices[group]}" for group in OPTIONS if choices.get(group)]
    overrides += [f"{key}={config[key]}" for key in ROOT_KEYS if config.get(key) is not None]
    by_hand = []
    for key, value, default in differing:
        text = "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        if PLAIN.fullmatch(text):
            overrides.append(f"{'+' * (default is ABSENT)}{key}={text}")
        else:
            by_hand.append(key)
    return overrides, by_hand
