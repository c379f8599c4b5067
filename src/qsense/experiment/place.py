"""A folder for runs is refused before Hydra makes it, where nothing can be written."""

from __future__ import annotations

from pathlib import Path

from qsense.experiment.errors import ConfigError
from qsense.runs.writable import unusable


def check_runs(runs: str) -> None:
    """Refuse a folder for runs where none can be kept.

    Raises:
        ConfigError: it is empty text, no folder, or cannot be written.
    """
    if not runs.strip():
        raise ConfigError("runs= is empty: name a folder for results, as in runs=runs")
    if reason := unusable(Path(runs)):
        raise ConfigError(
            f"runs={runs:.200} cannot be used ({reason}): make room or make it writable, or choose another folder "
            "with runs=FOLDER"
        )
