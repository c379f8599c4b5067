"""Hydra's command line with errors that name what is allowed."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields

from hydra.errors import CompactHydraException, MissingConfigException
from omegaconf import DictConfig
from omegaconf.errors import InterpolationResolutionError, OmegaConfBaseException

from qsense.experiment.compose import options, places
from qsense.experiment.schema import Config
from qsense.runs.layout import in_lines, to_stderr, width_of
from qsense.runs.words import did_you_mean

# What brings the launchers of other packages, on which those of conf/hydra/launcher rest.
EXTRAS = {"joblib": "parallel", "submitit_slurm": "slurm"}
# Hydra's words for what is wrong in a YAML file.
IN_FILE = re.compile(r"In '(?P<file>[^']+)': \w+ raised while composing config:\s+(?P<what>[^\n]+)")
NOT_IMPORTED = re.compile(r"Error locating target '(?P<target>[^']+)'")
KEY_IN_FILE = re.compile(r"Key '(?P<key>[^']+)' (is )?not in .*\s+full_key: (?P<where>\S+)")
RAISE = "HYDRA_FULL_ERROR"  # with it, Hydra hands its exceptions on instead of printing them

INTERRUPTED = 128 + signal.SIGINT  # what a shell expects of a process that Ctrl-C has ended

_explaining: list[bool] = []  # while `run` is at work


class ConfigError(CompactHydraException):
    """A configuration that cannot run; shown as its message alone, without a traceback."""


# What a command may raise, and the user mends: shown without a traceback. Errors of data are among the last two.
EXPECTED = (CompactHydraException, OmegaConfBaseException, OSError, ValueError)


def run(application: Callable[[], object]) -> None:
    """Run a Hydra application; what is wrong with its configuration is said in a few lines, and the exit code is 1.

    With HYDRA_FULL_ERROR=1 in the environment, everything is left to Hydra.
    """
    if os.environ.get(RAISE) == "1":
        application()
        return
    os.environ[RAISE] = "1"
    _explaining.append(True)
    try:
        application()
    except (CompactHydraException, OmegaConfBaseException) as error:
        sys.exit(in_lines(f"error: {explain(error)}", width_of(sys.stderr)))
    except KeyboardInterrupt:  # between runs, or before one has begun: `train` says by itself which run it interrupts
        to_stderr("interrupted: the same command goes on with what is not finished")
        sys.exit(INTERRUPTED)
    finally:
        _explaining.pop()
        os.environ.pop(RAISE, None)


@contextmanager
def explained() -> Iterator[None]:
    """Within it a single run goes on: what is wrong with its configuration ends the process with what `run` would say
    of it, before Hydra writes a line of its own that repeats the command. Without effect outside `run`."""
    try:
        yield
    except (CompactHydraException, OmegaConfBaseException) as error:
        if not _explaining:
            raise
        sys.exit(in_lines(f"error: {explain(error)}", width_of(sys.stderr)))


def explain(error: BaseException) -> str:
    """The error's message; of Hydra's, with the names that would have been allowed."""
    cause = error.__cause__
    if isinstance(error, InterpolationResolutionError):
        inner: BaseException | None = error
        while isinstance(inner, InterpolationResolutionError):
            inner = inner.__cause__ or inner.__context__
        if isinstance(inner, ConfigError):  # of a resolver of ours
            return str(inner)
    lines = [str(error)]
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, name = error.missing_cfg_file.rpartition("/")
        if group == "hydra/launcher" and name in EXTRAS:
            return f"this launcher needs packages that are not installed: pip install 'qsense[{EXTRAS[name]}]'"
        allowed = list(error.options or options(group))
        lines = [f"there is no {group}={name}{did_you_mean(name, allowed)}", _allowed(allowed)]
    elif isinstance(cause, OmegaConfBaseException) and cause.key is not None:
        lines = [str(cause.msg or cause).splitlines()[0], f"where: {cause.full_key}"]
        if "'None'" in lines[0]:
            lines.append(f"Python's None is null: {cause.full_key}=null")
        parent = cause.parent_node
        known = [str(key) for key in parent.keys()] if isinstance(parent, DictConfig) else []  # noqa: SIM118 – may be null
        if known and cause.key not in known:
            hint = did_you_mean(str(cause.key), known)
            elsewhere = "" if hint else _elsewhere(str(cause.key))
            lines = [f"unknown key {cause.full_key}{hint}{elsewhere}", _allowed(known)]
    elif found := NOT_IMPORTED.match(str(error)):
        where = str(error).partition("full_key: ")[2].strip() or "a part"
        first = error
        while first.__cause__ is not None:
            first = first.__cause__
        lines = [f"{where}._target_={found['target']} cannot be imported: {type(first).__name__}: {first}"]
    elif found := IN_FILE.search(str(error)):
        lines = [f"{found['file']}.yaml: {found['what']}"]
        if key := KEY_IN_FILE.search(str(error)):
            roots = [field.name for field in fields(Config)]
            hint = did_you_mean(key["key"], roots) or _elsewhere(key["key"])
            lines = [f"{found['file']}.yaml: unknown key {key['where']}{hint}"]
            lines += [_allowed(roots)] * (key["where"] == key["key"])
    return "\n".join(lines)


def _elsewhere(key: str) -> str:
    """Where a key of that name stands."""
    where = places(re.split(r"[./]", key)[-1])
    return f"; {' or '.join(where)} is one" if where else ""


def _allowed(names: list[str]) -> str:
    return f"allowed: {', '.join(sorted(names))}"
