"""What `qsense design` is asked for, and how its command line is read.

Open it to add a key of the command's own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from qsense.experiment.command_line.habits import understood
from qsense.experiment.command_line.overrides import key_of
from qsense.experiment.command_line.own_keys import divide
from qsense.experiment.errors import ConfigError
from qsense.runs.escapes import one_line
from qsense.runs.words import entries
from qsense.study.budget import Budget
from qsense.study.writing import unusable

BITS, KEEP, MAX_LOSS = (1, 2, 3, 4), 4, 1.0
OWN = ("max_loss", "max_uW", "bits", "hours", "keep", "workers", "out", "dry_run")


@dataclass(frozen=True)
class Request:
    """Limits, what is tried, and the experiment that it is tried in.

    Args:
        max_loss: points of the score that may be lost against unquantized samples; None: the least loss is looked for.
        max_microwatts: power of radio and converter; None: no limit.
        bits: numbers of bits to try.
        hours: after how long the best answer so far is given; None: when the search has ended.
        keep: how many converters are trained of those that are compared, the best of the screening.
        workers: processes that train side by side; None: as many as there are cores, on a GPU one.
        out: folder for the answer and the search's own files.
        dry_run: train nothing.
        only: options of `quant` to choose from; empty: all that fit.
        overrides: the experiment, as for `qsense.train`.
    """

    max_loss: float | None = MAX_LOSS
    max_microwatts: float | None = None
    bits: tuple[int, ...] = BITS
    hours: float | None = None
    keep: int = KEEP
    workers: int | None = None
    out: Path = Path("design")
    dry_run: bool = False
    only: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()

    @property
    def budget(self) -> Budget:
        """The limits, as reports have them."""
        return Budget(self.max_loss, self.max_microwatts)


def read(arguments: Sequence[str]) -> Request:
    """Read the command line.

    Raises:
        ConfigError: an argument that is no key=value, or a value that its key does not allow.
    """
    given, overrides = divide(arguments, (*OWN, "quant"), "a design")
    for override in overrides:
        key = key_of(override.partition("=")[0])
        if key.startswith(("quant.", "quant/")) or key == "network_bits":
            raise ConfigError(
                f"{one_line(override)}: a design tries converters as their YAML files have them, beside a network in "
                "full precision; quant=lloyd_max,dpcm limits it to these. For settings of one: qsense train … -m"
            )
        if key.startswith(("hydra/launcher", "hydra.launcher", "hydra/sweeper", "hydra.sweeper")):
            raise ConfigError(
                f"{one_line(override)}: a design starts workers=N processes here; on further machines, start the same "
                "command with the same runs and out folders, and they share the work"
            )
    request = Request(
        max_loss=_max_loss(given),
        max_microwatts=_positive(given, "max_uW", "the most power of radio and converter in µW, a number above 0"),
        bits=_bits(given),
        hours=_positive(given, "hours", "how long it may take, a number of hours above 0"),
        keep=_count(given, "keep", KEEP, "how many converters are trained, the best of the screening"),
        workers=_count(given, "workers", 1, "how many runs are trained side by side") if "workers" in given else None,
        out=Path(given.get("out") or "design"),
        dry_run=_truth(given, "dry_run"),
        only=tuple(dict.fromkeys(entries(given.get("quant", "")))),
        overrides=tuple(understood(overrides, multirun=True)),
    )
    if reason := unusable(request.out):
        raise ConfigError(f"out={one_line(str(request.out))}: no file can be written there ({reason}); give a folder")
    return request


def _max_loss(given: Mapping[str, str]) -> float | None:
    """1 point, but where power alone is limited: then the least loss within it is looked for."""
    if "max_loss" not in given:
        return None if "max_uW" in given else MAX_LOSS
    value = _number(given["max_loss"])
    if value is None or value < 0:
        raise ConfigError(
            f"max_loss={given['max_loss']}: points of the score that may be lost against unquantized samples, a number "
            "from 0 on"
        )
    return value


def _positive(given: Mapping[str, str], key: str, what: str) -> float | None:
    if key not in given:
        return None
    value = _number(given[key])
    if value is None or value <= 0:
        raise ConfigError(f"{key}={given[key]}: {what}")
    return value


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _bits(given: Mapping[str, str]) -> tuple[int, ...]:
    if "bits" not in given:
        return BITS
    texts = entries(given["bits"])
    if not texts or not all(text.isdecimal() and 1 <= int(text) <= 16 for text in texts):
        raise ConfigError(f"bits={given['bits']}: whole numbers from 1 to 16, as in bits=1,2,3,4")
    return tuple(sorted({int(text) for text in texts}))


def _count(given: Mapping[str, str], key: str, default: int, what: str) -> int:
    text = given.get(key, str(default))
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(f"{key}={text}: {what}, a whole number from 1 on")
    return int(text)


def _truth(given: Mapping[str, str], key: str) -> bool:
    text = given.get(key, "false").lower()
    if text not in ("true", "false"):
        raise ConfigError(f"{key}={given[key]}: {key} must be true or false")
    return text == "true"
