"""Flags, numbers, ids and names as tools write them into annotations: read by what they mean, or recognised as nothing.

Open it when a tool writes an id or a flag in yet another way.
"""

from __future__ import annotations

import math
import re
from typing import Any

YES = frozenset({"1", "true", "yes", "y", "t"})
NO = frozenset({"", "0", "false", "no", "n", "f", "none", "null", "unspecified"})
WHOLE = re.compile(r"-?[1-9][0-9]{0,99}|0")
LONGEST = 60  # characters of a value in a message

Id = int | str


def flag(value: Any) -> bool | None:
    """What a flag means, written as a truth value, a number or text; None where it is neither yes nor no.

    >>> [flag(value) for value in (1, "0", "false", "True", None, 0.0, "maybe", 2)]
    [True, False, False, True, False, False, None, None]
    """
    if value is None:
        return False
    if isinstance(value, str):
        text = value.strip().lower()
        value = number(text) if text not in YES | NO else text in YES
    if isinstance(value, bool | int | float) and value in (0, 1):
        return bool(value)
    return None


def number(value: Any) -> float:
    """A number, also one that is written as text; NaN for anything else.

    >>> number(640), number("640"), number(" 1.5 "), number("wide"), number(True), number(None)
    (640.0, 640.0, 1.5, nan, nan, nan)
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return math.nan
    try:
        return float(value)
    except ValueError:
        return math.nan
    except OverflowError:  # a whole number beyond all floats
        return math.inf


def whole(value: Any, most: int = 10**9) -> int | None:
    """A whole number of 1 … `most`, also as 640.0 or "640"; None for anything else.

    >>> whole(640), whole("640.0"), whole(640.5), whole(0)
    (640, 640, None, None)
    """
    found = number(value)
    return int(found) if 1 <= found <= most and found.is_integer() else None


def id_of(value: Any) -> Id | None:
    """What an id is known by: a whole number however it is written (7, 7.0, "7"), or else its text; None for no id.

    >>> id_of(7), id_of(7.0), id_of("7"), id_of("007"), id_of(-1), id_of(2**70) == 2**70, id_of(1.5), id_of(None)
    (7, 7, 7, '007', -1, True, '1.5', None)
    """
    if type(value) is int:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return int(value) if value.is_integer() else str(value)
    if isinstance(value, str):
        return int(value) if WHOLE.fullmatch(value) else value
    return None


def id_order(value: Id) -> tuple[bool, Id]:
    """Sorts ids: whole numbers by their size, then texts.

    >>> sorted([3, "b", -1, "a"], key=id_order)
    [-1, 3, 'a', 'b']
    """
    return isinstance(value, str), value


def printable(text: str) -> str:
    """Text in a message: on one line, whatever is in it.

    >>> printable("γ b"), printable("a\\nb")
    ('γ b', 'a\\\\nb')
    """
    return text if text.isprintable() else ascii(text)[1:-1]


def show(value: Any) -> str:
    """A value in a message: one line, not too long, with whatever cannot be printed escaped.

    >>> show("a\\nb"), show(7)
    ("'a\\\\nb'", '7')
    """
    try:
        text = ascii(value) if not str(value).isprintable() else repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits, or lists within lists
        text = f"a long {type(value).__name__}"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
