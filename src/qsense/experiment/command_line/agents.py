"""The values that W&B's agents pass on: as JSON, or in Python's spelling with a file that tells what they are."""

from __future__ import annotations

import ast
import json
import os
from pathlib import Path
from typing import Any

import yaml
from omegaconf._utils import get_yaml_loader

from qsense.experiment.command_line.spelling import flatten, spell
from qsense.experiment.errors import ConfigError

AGENT_FILE = "WANDB_SWEEP_PARAM_PATH"  # set by the agent: a file with the parameters of the run


def of_json(word: str) -> list[str]:
    """The settings of W&B's `${args_json}` or `${args_json_file}`."""
    try:
        found = json.loads(word if word.startswith("{") else Path(word).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{word}: this is no JSON ({error}); a setting is key=value, as in bits=2") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{word}: this JSON is no mapping from keys to values")
    return [f"{key}={spell(value)}" for name, each in found.items() for key, value in flatten(name, each)]


def of_agent() -> dict[str, Any]:
    """The parameters of the run that a W&B agent has started; none without an agent."""
    try:
        content = yaml.load(Path(os.environ[AGENT_FILE]).read_text(encoding="utf-8"), Loader=get_yaml_loader())
    except (KeyError, OSError, yaml.YAMLError):
        return {}
    given = content if isinstance(content, dict) else {}
    return {str(key): each["value"] for key, each in given.items() if isinstance(each, dict) and "value" in each}


def says(text: str, value: Any) -> bool:
    """Whether a text is Python's spelling of a value, which W&B's agent gives."""
    if text == str(value):
        return True
    try:
        return bool(ast.literal_eval(text) == value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return False
