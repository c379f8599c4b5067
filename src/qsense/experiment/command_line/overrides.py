"""Overrides of a command line, `key=value`, and the runs that they describe."""

from __future__ import annotations

Job = tuple[str, ...]  # the overrides of one run
REPEATS = ("seed", "fold")  # keys that repeat one experiment


def key_of(override: str) -> str:
    """
    >>> key_of("++trainer.max_epochs=3"), key_of("~callback.adc")
    ('trainer.max_epochs', 'callback.adc')
    """
    return override.partition("=")[0].lstrip("+~")


def experiment_of(job: Job) -> Job:
    """What a run has in common with its other seeds and folds.

    >>> experiment_of(("bits=2", "quant=gamma", "++seed=0", "fold=3"))
    ('bits=2', 'quant=gamma')
    """
    return tuple(override for override in job if key_of(override) not in REPEATS)


def root_of(override: str) -> str:
    """The key's first name.

    >>> root_of("++trainer.max_epochs=3"), root_of("quant/sensor=log")
    ('trainer', 'quant')
    """
    return key_of(override).partition(".")[0].partition("/")[0]
