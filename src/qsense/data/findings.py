"""What was found in unknown files, before it is data: lines, guesses, problems; a report of 80 columns; lines of YAML.

Open it to change how the report of `qsense data check` looks.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qsense.runs.escapes import one_line
from qsense.runs.layout import FIXED

SURE, GUESS = " ", "?"
WIDTH = 80
TOPIC = 11


@dataclass(frozen=True)
class Line:
    """One thing that was found: what about, whether it is a guess, and what it is."""

    topic: str
    mark: str
    text: str


@dataclass
class Findings:
    """What files hold.

    Args:
        arguments: of the data set that reads them.
        lines: what was found, in the order of a report.
        problems: what would keep the data from training, each with how to mend it.
    """

    arguments: dict[str, Any] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def say(self, topic: str, text: str, mark: str = SURE) -> None:
        """Add a line."""
        self.lines.append(Line(topic, mark, text))


def report(found: Findings, how: str = "an option states what it is (--help)") -> str:
    """What was found; a ? marks a guess, a ! what keeps the data from training.

    Args:
        found: to be told.
        how: what to do about a guess.
    """
    lines = []
    for line in found.lines:
        lines += _wrapped(line.topic, line.mark, line.text)
    if any(line.mark == GUESS for line in found.lines):
        lines += ["", f"? is a guess: {how}"]
    for problem in found.problems:
        for number, part in enumerate(problem.splitlines()):
            lines += _wrapped("" if number else "to mend", " " if number else "!", part.strip())
    return "\n".join(lines)


def counted(number: int, noun: str) -> str:
    """
    >>> counted(1, "gap"), counted(2, "gap")
    ('1 gap', '2 gaps')
    """
    return f"{number} {noun}{'s' * (number != 1)}"


def size_of(count: int) -> str:
    """
    >>> size_of(900), size_of(3_400_000), size_of(3_200_000_000)
    ('0.9 kB', '3.4 MB', '3.2 GB')
    """
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1e3:.1f} kB"


def _wrapped(topic: str, mark: str, text: str) -> list[str]:
    lines = textwrap.wrap(
        FIXED.join(map(one_line, text.split(FIXED))),
        WIDTH,
        initial_indent=f"{topic:<{TOPIC}}{mark} ",
        subsequent_indent=" " * (TOPIC + 2),
        break_on_hyphens=False,
    )
    return [line.replace(FIXED, " ") for line in lines]


def entry(indent: int, key: str, value: Any, comment: str) -> str:
    """A line of a YAML file, its comment behind it, or above it where there is no room."""
    text = f"{' ' * indent}{key}: {_scalar(value)}"
    if comment and len(text) > 60:
        return f"{' ' * indent}# {key}: {comment}\n{text}"
    return f"{text:<32} # {comment}" if comment else text


def _scalar(value: Any) -> str:
    """A value in YAML's flow style; texts quoted where that is safer, and never taken for an interpolation.

    >>> _scalar("walk"), _scalar("1"), _scalar(["NULL", None]), _scalar({"x": 2}), _scalar("${a}")
    ('walk', '"1"', '["NULL", null]', '{x: 2}', '"\\\\\\\\${a}"')
    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(key)}: {_scalar(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_scalar(each) for each in value) + "]"
    if isinstance(value, str):
        words = {"y", "n", "yes", "no", "true", "false", "on", "off", "null", "nan", "inf"}
        if (
            value.isascii()
            and value.replace("_", "a").isalnum()
            and not value[0].isdigit()
            and value.lower() not in words
        ):
            return value
        return json.dumps(value.replace("${", "\\${"), ensure_ascii=False)
    return json.dumps(value)
