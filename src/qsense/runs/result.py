"""A run's result: what makes it whole, how it is read and written, and where a damaged one goes.

Open it when `metrics.json` gets another field, or when a run that has one is not taken for finished.
"""

from __future__ import annotations

import json
import math
from functools import lru_cache
from pathlib import Path
from typing import Any

from qsense.runs.reading import read_text

LARGEST = 1 << 28  # bytes; a result of 10 000 classes has less than a hundredth of it
TEXT: tuple[type, ...] = (str,)
NOTHING = type(None)
# What every result has, in all schemas, and what it may be.
REQUIRED: dict[str, tuple[type, ...]] = {
    "monitor": TEXT, "metrics": (dict,), "dataset": TEXT, "seed": (int,), "fold": (int,), "num_folds": (int,),
    **dict.fromkeys(("task", "data", "quant", "model"), (str, NOTHING)),
}  # fmt: skip
# What some have, and others have not.
OPTIONAL: dict[str, tuple[type, ...]] = {
    "bits": (int, NOTHING), "network_bits": (int, NOTHING), "per_class": (dict, NOTHING), "quantizer": (dict, NOTHING),
    "cost": (dict, NOTHING), "sensing": (dict, NOTHING), "rates": (dict, NOTHING), "confusion": (list, NOTHING),
    "confusion_sample": (list, NOTHING), "statistics": (dict, NOTHING), "standardised": (dict, NOTHING),
    "white_balance": (dict, NOTHING), "groups": (dict, NOTHING),
}  # fmt: skip


class ResultError(ValueError):
    """No result, or one that is not whole; the message says what is wrong with it."""


def flaw(content: Any) -> str:
    """What is wrong with a result, in a few words; empty where it is whole.

    A metric is a finite number, or None where it has no value; the headline must have one.

    >>> flaw([]), flaw({"monitor": "f1"})
    ('it is a list and no mapping', "'metrics' is missing")
    """
    if not isinstance(content, dict):
        return f"it is a {type(content).__name__} and no mapping"
    for key, allowed in (REQUIRED | OPTIONAL).items():
        if key not in content:
            if key in REQUIRED:
                return f"'{key}' is missing"
        elif not isinstance(content[key], allowed) or isinstance(content[key], bool):
            return f"'{key}' is a {type(content[key]).__name__}"
    metrics, monitor = content["metrics"], content["monitor"]
    scores = {f"per_class.{metric}": values for metric, values in (content.get("per_class") or {}).items()}
    for division, groups in (content.get("groups") or {}).items():
        if not isinstance(groups, dict):
            return f"'groups.{division}' is a {type(groups).__name__}"
        scores |= {f"groups.{division}.{metric}": values for metric, values in groups.items()}
    for group, values in {"metrics": metrics, **scores}.items():
        if not isinstance(values, dict):
            return f"'{group}' is a {type(values).__name__}"
        wrong = [name for name, value in values.items() if value is not None and not _is_number(value)]
        if wrong:
            return f"'{group}.{wrong[0]}' is {values[wrong[0]]!r:.40} and no finite number"
    for group in ("quantizer", "standardised"):
        for name, values in (content.get(group) or {}).items():
            if not isinstance(values, list) or not all(value is None or _is_number(value) for value in values):
                return f"'{group}.{name}' is no list of finite numbers"
    if metrics.get(monitor) is None:
        return f"its headline '{monitor}' has no value"
    return ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def plain(content: Any) -> Any:
    """The same with None in place of every number that is not finite, which JSON has no word for.

    >>> plain({"f1": 0.5, "ap": float("nan"), "gamma": [float("inf")]})
    {'f1': 0.5, 'ap': None, 'gamma': [None]}
    """
    if isinstance(content, dict):
        return {key: plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [plain(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def read_result(file: Path) -> dict[str, Any]:
    """A whole result.

    Raises:
        FileNotFoundError: there is none.
        ResultError: it is damaged, or another program's; the message does not name the file.
    """
    try:
        size = file.stat().st_size
        if size > LARGEST:
            raise ResultError(f"it has {size / 1e6:.0f} MB, and no result is so large")
        content = json.loads(read_text(file, LARGEST), parse_constant=lambda _: None)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ResultError(f"it cannot be read: {error.strerror or error}") from error
    except RecursionError as error:
        raise ResultError("it is nested too deeply") from error
    except ResultError:
        raise
    except ValueError as error:
        raise ResultError(f"it is no JSON: {error}" if size else "it is empty") from error
    if problem := flaw(content):
        raise ResultError(problem)
    assert isinstance(content, dict)
    return content


def is_whole(file: Path) -> bool:
    """Whether a file is a whole result; looked into once, as long as the file stays the same."""
    try:
        facts = file.stat()
    except OSError:
        return False
    return _flaw_of(str(file), facts.st_mtime_ns, facts.st_size, facts.st_ino) == ""


def damage(file: Path) -> str:
    """What is wrong with a result that is there; empty where it is whole, or where there is none."""
    try:
        facts = file.lstat()
    except OSError:
        return ""
    return _flaw_of(str(file), facts.st_mtime_ns, facts.st_size, facts.st_ino)


@lru_cache(maxsize=1 << 16)
def _flaw_of(file: str, mtime_ns: int, size: int, inode: int) -> str:
    try:
        read_result(Path(file))
    except FileNotFoundError:
        return "it leads nowhere"
    except ResultError as error:
        return str(error)
    return ""


def set_aside(file: Path) -> Path:
    """Rename a damaged file, so that it is in nobody's way and not lost; returns its new name, one that is free."""
    names = (f"{file.name}.damaged{'' if number == 1 else f'-{number}'}" for number in range(1, 1000))
    free = next(path for name in names if not (path := file.with_name(name)).exists())
    return file.rename(free)
