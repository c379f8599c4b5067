"""A command's own keys apart from the settings of its experiment: `qsense audit` and `qsense design`.

Open it when another command takes keys of its own beside overrides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from qsense.experiment.errors import ConfigError
from qsense.experiment.schema import Config
from qsense.runs.words import did_you_mean


def divide(arguments: Sequence[str], own: Sequence[str], command: str) -> tuple[dict[str, str], list[str]]:
    """The values of a command's own keys, and its overrides.

    >>> divide(["out=here", "quant=gamma", "~callback"], ["out"], "an audit")
    ({'out': 'here'}, ['quant=gamma', '~callback'])

    Args:
        arguments: key=value each, or ~key.
        own: the command's own keys.
        command: what takes them, in words.

    Raises:
        ConfigError: an argument is neither, or its key is one of neither the command nor an experiment.
    """
    known = ", ".join(own)
    given: dict[str, str] = {}
    overrides = []
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals and not argument.startswith("~"):
            raise ConfigError(f"{argument}: {command} takes key=value; its own keys are {known}")
        if key == "run.dry_run" and "dry_run" in own:  # as `qsense train` is asked
            key = "dry_run"
        if key in own:
            given[key] = value
        elif key.isidentifier() and key not in ("experiment", *(field.name for field in fields(Config))):
            raise ConfigError(f"unknown key {key}{did_you_mean(key, own)}; the own keys of {command} are {known}")
        else:
            overrides.append(argument)
    return given, overrides
