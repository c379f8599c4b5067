"""Overrides of a command line, `key=value`, taken apart."""

from __future__ import annotations


def key_of(override: str) -> str:
    """
    >>> key_of("++trainer.max_epochs=3")
    'trainer.max_epochs'
    """
    return override.partition("=")[0].lstrip("+~")


def root_of(override: str) -> str:
    """The key's first name.

    >>> root_of("++trainer.max_epochs=3"), root_of("quant/sensor=log")
    ('trainer', 'quant')
    """
    return key_of(override).partition(".")[0].partition("/")[0]
