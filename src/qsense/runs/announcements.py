"""What running sweeps are about to do, so that a report knows of runs that have not begun."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from qsense.runs import folder as run_folder
from qsense.runs.lock import alive, claim
from qsense.runs.reading import read_json
from qsense.runs.status import TO_DO, status_of

FOLDER = ".sweeps"  # below a dot, where no report looks for runs
PLAN = "plan.json"
MOST_PLAN = 1 << 26  # bytes
DAY_S = 86400.0


@contextmanager
def announced(folder: Path, names: Sequence[str]) -> Iterator[None]:
    """Say, for as long as this lasts, that these runs are to be in a folder; each sweep has a file of its own.

    Args:
        folder: of the runs.
        names: of the runs' own folders in it.
    """
    for leftover in folder.glob(f".*{run_folder.TEMPORARY}"):
        with suppress(OSError):
            if time.time() - leftover.stat().st_mtime > DAY_S:  # what a report was writing when it was killed
                leftover.unlink()
    for old in folder.glob(f"{FOLDER}/*/"):
        if not alive(old):  # of a sweep that was killed
            shutil.rmtree(old, ignore_errors=True)
    plan = folder / FOLDER / uuid.uuid4().hex
    try:
        with claim(plan):
            run_folder.write_json(plan / PLAN, list(names))
            yield
    finally:
        shutil.rmtree(plan, ignore_errors=True)
        with suppress(OSError):  # not empty: another sweep's is there
            plan.parent.rmdir()


def not_begun(folder: Path) -> list[str]:
    """Names of runs that sweeps at work on a folder have yet to begin."""
    names: dict[str, None] = {}
    for file in sorted(folder.glob(f"{FOLDER}/*/{PLAN}")):
        if alive(file.parent):
            with suppress(OSError, ValueError):
                plan = read_json(file, MOST_PLAN)
                named = [name for name in plan if _is_name(name)] if isinstance(plan, list) else []
                names |= dict.fromkeys(named)
    return [name for name in names if status_of(folder / name).state == TO_DO]


def _is_name(name: object) -> bool:
    """Whether it can be a run's folder beside the plan, and leads nowhere else."""
    return isinstance(name, str) and name.isprintable() and not set(name) & set("/\\") and name not in ("", ".", "..")
