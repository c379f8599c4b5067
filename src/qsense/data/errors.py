"""What is wrong with data: bad input, input that is not there, arguments out of their range.

Open it when a message about data or its arguments should change.
"""

from __future__ import annotations


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
