"""What is wrong with data: bad input, input that is not there, arguments out of their range.

Open it when a message about data or its arguments should change.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

MOST_LISTED = 20  # lines of a message: a screen


class DataError(ValueError):
    """Bad input; the message names the file, the row where there is one, and what to do."""


class DataMissingError(FileNotFoundError):
    """Data that is not there; the message says where it was looked for, how to get it and how to point at it."""


def require_at_least(least: float, **arguments: float) -> None:
    """Refuse arguments that are smaller than `least`.

    Raises:
        ValueError: the first of them, with its value and what is allowed.

    >>> require_at_least(1, batch_size=0)
    Traceback (most recent call last):
    ValueError: batch_size=0 must be at least 1
    """
    for name, value in arguments.items():
        if value < least:
            raise ValueError(f"{name}={value} must be at least {least}")


def listed(lines: Iterable[str], total: int, most: int = MOST_LISTED) -> str:
    """Lines below a message, indented, as many as a screen shows, and how many more there are.

    Args:
        lines: the first ones, or all of them.
        total: how many there are.
        most: how many to show.

    >>> print("Wrong:" + listed(["a", "b", "c"], total=3, most=2))
    Wrong:
      a
      b
      … and 1 more
    """
    shown = list(islice(lines, most))
    more = [f"… and {total - len(shown)} more"] if total > len(shown) else []
    return "".join(f"\n  {line}" for line in [*shown, *more])
