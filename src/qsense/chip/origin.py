"""Where an export comes from: the few lines that stand at the head of each of its files; and which numbers it is."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qsense import __version__
from qsense.runs import folder as run_folder
from qsense.runs.dates import minute


def revision(numbers: Any) -> str:
    """Eight digits that tell converters apart: those of the same numbers have the same.

    Args:
        numbers: all that a converter is made of, ready for JSON.
    """
    return hashlib.sha256(json.dumps(numbers, sort_keys=True).encode()).hexdigest()[:8]


@dataclass(frozen=True)
class Origin:
    """A finished run, as far as its files tell of it.

    Args:
        run: the run's folder name.
        result: its `metrics.json`.
        record: its `run.json`; empty where that is lost.
    """

    run: str
    result: dict[str, Any]
    record: dict[str, Any]

    @property
    def simulated(self) -> bool:
        """Whether its data was computed and not measured."""
        stated = self.result.get("statistics", {}).get("simulated", False)
        return bool(stated) or str(self.result["data"]).startswith("synthetic")

    @property
    def dataset(self) -> str:
        """The data set's name, which says if it was simulated."""
        name = str(self.result["dataset"])
        return f"{name} (simulated)" if self.simulated and "simulated" not in name else name

    @property
    def score(self) -> float:
        """The run's headline metric."""
        return float(self.result["metrics"][self.result["monitor"]])

    @property
    def revision(self) -> str:
        """The commit that the run was trained at."""
        return str(self.record.get("git_revision") or "unknown")

    @property
    def ended(self) -> str:
        """When the run ended, to the minute; empty where nobody knows."""
        return minute(self.record.get("ended"))

    def lines(self) -> list[str]:
        """What each file says of its origin."""
        result = self.result
        fold = f"fold {result['fold']} of {result['num_folds']}, seed {result['seed']}"
        return [
            f"run {self.run}",
            f"data {self.dataset}, {fold}; {result['monitor']} {self.score:.4f}",
            f"trained at git {self.revision}; exported by qsense {__version__}",
        ]


def origin(run: Path) -> Origin:
    """Read a finished run's origin.

    Raises:
        FileNotFoundError: the run is not finished.
        ValueError: its result is damaged.
    """
    return Origin(run.resolve().name, run_folder.result(run), run_folder.record(run))
