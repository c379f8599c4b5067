"""What people type, and what W&B's agents pass on, as the words that Hydra reads.

Open it when a habit of another tool (`--bits=2`, `bits = 2`, `-m` in the middle) should be taken, or answered with the
way to write it here.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
from argparse import Action
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.types import Override, ValueType

from qsense.experiment.command_line.agents import of_agent, of_json, says
from qsense.experiment.command_line.overrides import key_of
from qsense.experiment.command_line.spelling import flatten, parse, spell
from qsense.experiment.compose import options as options_of
from qsense.experiment.compose import places
from qsense.experiment.errors import ConfigError
from qsense.experiment.schema import Config, config_folder
from qsense.experiment.trainer import BATCHES, INSTEAD
from qsense.runs.words import did_you_mean

SETTING = re.compile(r"[+~]{0,2}[A-Za-z_][\w./@$-]*\s*=|~")  # how a setting begins
SEVERAL = ("logger", "callback")  # groups of which a run takes several options at once
# What a group is where it is set to null: another option of it, or without it (None).
NULL = {"callback": "none", "logger": "none", "quant": "none", "quant/sensor": "none", "quant/network": "none",
        "sensing": None, "experiment": None}  # fmt: skip
NEEDED = ("data", "model", "task", "trainer")  # groups without which there is no experiment
NOTHING = ("null", "None", "{}")
OPENING, CLOSING = "[{(", "]})"
ASKED = {"dry_run": "run.dry_run", "preflight": "run.preflight"}  # what is asked about runs, by the last name alone


def understood(words: Sequence[str], multirun: bool = False) -> list[str]:
    """A command line as Hydra reads it: its options first, then settings.

    Args:
        words: as a shell, an agent or a notebook gives them.
        multirun: several values mean several runs, even without -m among the words.

    Raises:
        ConfigError: a word that can be meant in several ways, or in none; with the way to write each.
    """
    options, settings = _sorted(words)
    several = multirun or bool({"-m", "--multirun"} & set(options)) or "hydra.mode=MULTIRUN" in settings
    agents = of_agent()
    return [*options, *(each for word in _joined(settings) for each in _settings(word, several, agents))]


def _sorted(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Hydra's options with their values, and all other words with neither hyphens nor JSON."""
    known = {name: action for action in get_args_parser()._actions for name in action.option_strings}
    options: list[str] = []
    settings: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        action = known.get(name) or _abbreviated(name, known)
        if action is not None:
            options.append(word if name in known else word.replace(name, action.option_strings[0], 1))
            if (
                action.nargs != 0
                and not equals
                and rest
                and (action.nargs is None or rest[0] in (action.choices or ()))
            ):
                options.append(rest.pop(0))
        elif re.match(r"--?[A-Za-z_]", word):
            key = _key_of_flag(name, word, list(known))
            if not equals:
                follows = rest and not SETTING.match(rest[0]) and not re.match(r"--?[A-Za-z_]", rest[0])
                value = rest.pop(0) if follows else "true"
            settings.append(f"{key}={value}")
        elif word.startswith("{") or (word.endswith(".json") and Path(word).is_file()):
            settings += of_json(word)
        elif word != "--":
            settings.append(word)
    return options, settings


def _abbreviated(name: str, known: Mapping[str, Action]) -> Action | None:
    found = {id(known[each]): known[each] for each in known if name.startswith("--") and len(name) > 3
             and each.startswith(name)}  # fmt: skip
    return next(iter(found.values())) if len(found) == 1 else None


def _key_of_flag(name: str, word: str, known: Sequence[str]) -> str:
    """The key of `--key=value`."""
    key = name.lstrip("-")
    if key.replace("-", "_") in ASKED:
        return ASKED[key.replace("-", "_")]
    root = re.split(r"[./@]", key)[0]
    roots = [field.name for field in fields(Config)]
    if root in (*roots, "hydra"):
        return key
    where = places(key.replace("-", "_"))
    meant = f"; perhaps {' or '.join(where)} is meant: write {where[0]}=VALUE" if where else ""
    hint = did_you_mean(name, known) or did_you_mean(key, roots)
    raise ConfigError(f"{word}: there is no option {name}{hint}{meant}. Settings have no hyphens, as in bits=2")


def _joined(words: Sequence[str]) -> list[str]:
    """Settings that a shell has cut at spaces: `bits = 2`, `logger=[csv, wandb]`."""
    joined: list[str] = []
    for word in words:
        before = joined[-1] if joined else ""
        cut = before.endswith(("=", ",")) or sum(map(before.count, OPENING)) > sum(map(before.count, CLOSING))
        if before and (word.startswith("=") or (not SETTING.match(word) and (cut or word.startswith(",")))):
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def _settings(word: str, several: bool, agents: Mapping[str, Any]) -> list[str]:
    """One setting as Hydra takes it; most as they are."""
    if word in ASKED:
        word = f"{word}=true"
    key, equals, value = word.partition("=")
    if key.strip() in ASKED:
        key = ASKED[key.strip()]
        word = f"{key}={value.strip()}"
    if not equals and not word.startswith("~"):
        raise ConfigError(_no_setting(word))
    if key != key.strip():
        key, word = key.strip(), f"{key.strip()}={value.strip()}"
    if key_of(key) in agents and says(value, agents[key_of(key)]):
        prefix = key[: len(key) - len(key_of(key))]
        entries = flatten(key_of(key), agents[key_of(key)])
        return [as_meant(f"{prefix}{each}={spell(setting)}") for each, setting in entries]
    if value.startswith(("~/", "\\\\")) and not value.startswith("\\\\\\"):
        # As a shell has it; and a network share of Windows, whose first backslash would be Hydra's escape.
        word = f"{key}={spell(os.path.expanduser(value))}"  # noqa: PTH111 – a text
    word = as_meant(word)
    group, _, argument = key_of(key).partition(".")
    if group == "trainer" and argument in INSTEAD:
        raise ConfigError(f"{word}: trainer.{argument} is set by qsense; {INSTEAD[argument]}")
    if key_of(key) == "trainer.fast_dev_run":
        return _few_batches(word, value)
    setting = parse(word)
    if setting is None:
        word, setting = _mended(word)
    simple = setting.value_type == ValueType.SIMPLE_CHOICE_SWEEP
    if simple and key_of(key) in SEVERAL and not set(NOTHING) & set(value.split(",")):
        return [f"{key}=[{value}]"]
    if setting.is_sweep_override() and not several:
        raise ConfigError(_several_values(word, setting))
    return [word]


def as_meant(setting: str) -> str:
    """A setting that Hydra refuses although it means something.

    That is a group set to null (or {}, or Python's None), an option with the ending of its file, and a + before an
    argument of the Trainer, all of which conf/trainer names.

    Raises:
        ConfigError: null for what no experiment is without.

    >>> as_meant("callback=null"), as_meant("++experiment=null"), as_meant("+trainer.profiler=null")
    ('callback=none', '~experiment', '++trainer.profiler=null')
    """
    key, value = key_of(setting), setting.partition("=")[2].strip()
    if key in NEEDED and value in NOTHING:
        raise ConfigError(f"{setting}: no experiment is without; {key} is one of {', '.join(options_of(key))}")
    if key in NULL and value in NOTHING:
        return f"~{key}" if NULL[key] is None else f"{key}={NULL[key]}"
    if value.endswith((".yaml", ".yml")) and (config_folder() / key).is_dir():
        return f"{key}={value.rpartition('.')[0]}"
    return f"+{setting}" if re.match(r"\+trainer\.", setting) else setting


def _few_batches(word: str, value: str) -> list[str]:
    """Lightning's `fast_dev_run` as what it does; such a run has its own identity, as one of trainer=smoke has."""
    lowered = value.strip().lower()
    if lowered in ("false", "0", "null", "none"):
        return []
    if not (lowered == "true" or lowered.isdigit()):
        raise ConfigError(f"{word}: it must be true, false, or a number of batches; or take trainer=smoke")
    number = 1 if lowered == "true" else int(lowered)
    return [f"++trainer.{key}={number}" for key in BATCHES]


def _mended(word: str) -> tuple[str, Override]:
    """A setting that Hydra cannot read, with its value in quotes where it can only be a text."""
    key, equals, value = word.partition("=")
    mended = f"{key}={spell(value)}"
    if value.startswith(("[", "{")):
        try:
            mended = f"{key}={spell(ast.literal_eval(value))}"
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            pass
        else:
            if setting := parse(mended):
                return mended, setting
    setting = parse(mended)
    if not equals or setting is None:
        raise ConfigError(f"{word}: {key} is no key; a setting is key=value, as in quant.sensor.gamma=0.3")
    if value.rstrip().endswith(","):
        once = value.rstrip(", ")
        one, several = _shell(f"{key}={once}"), _shell(f"{key}={once},OTHER")
        raise ConfigError(f"{word} ends in a comma: write {one} for one value, {several} -m for a run of each")
    if "," in value or value.startswith(("[", "{", "(", "'", '"')):
        raise ConfigError(
            f"{word}: its brackets, quotes or commas do not match. If all of it is one text, write {_shell(mended)}"
        )
    return mended, setting


def _several_values(word: str, setting: Override) -> str:
    """How to write each of what several values without -m may mean."""
    key, _, value = word.partition("=")
    ways = [f"one run for each: {_shell(word)} -m"]
    if setting.value_type == ValueType.SIMPLE_CHOICE_SWEEP:
        ways += [f"one list: {_shell(f'{key}=[{value}]')}", f"one text: {_shell(f'{key}={spell(value)}')}"]
    return f"{word} has several values. Write, for " + "; for ".join(ways)


def _no_setting(word: str) -> str:
    """What may be meant by a word without an equals sign."""
    said = f"{word} is no setting: write key=value, as in bits=2"
    if colon := re.fullmatch(r"([A-Za-z_][\w./]*):(.+)", word):
        return f"{said}; here {_shell(f'{colon[1]}={colon[2]}')}"
    groups = [group for group in ("quant", "data", "model", "task", "experiment", "trainer", "logger")
              if word in options_of(group)]  # fmt: skip
    if groups:
        return f"{said}; here {' or '.join(f'{group}={word}' for group in groups)}"
    return f"{said}. A text with spaces stands in quotes, as in {shlex.quote('runs=my runs')}"


def _shell(setting: str) -> str:
    """A setting to be pasted into a shell."""
    return shlex.quote(setting)
