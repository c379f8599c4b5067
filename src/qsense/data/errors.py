"""What is wrong with data: bad input, and input that is not there."""

from __future__ import annotations


class DataError(ValueError):
    """Bad input; the message names the file, the row where there is one, and what to do."""


class DataMissingError(FileNotFoundError):
    """Data that is not there; the message says where it was looked for, how to get it and how to point at it."""
