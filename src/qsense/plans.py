"""What running sweeps are about to do, so that a report knows of runs that have not begun."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from qsense import runs
from qsense.claims import ClaimedError, alive, claim

FOLDER = ".sweeps"  # below a dot, where no report looks for runs
PLAN = "plan.json"


@contextmanager
def announced(folder: Path, names: Sequence[str]) -> Iterator[None]:
    """Say, for as long as this lasts, that these runs are to be in a folder; each sweep has a file of its own.

    Args:
        folder: of the runs.
        names: of the runs' own folders in it.
    """
    plan = folder / FOLDER / hashlib.sha256("\n".join(names).encode()).hexdigest()[:10]
    with ExitStack() as held:
        with suppress(ClaimedError):  # the same sweep, started twice, says it once
            held.enter_context(claim(plan))
            runs.write_json(plan / PLAN, list(names))
        yield


def not_begun(folder: Path) -> list[str]:
    """Names of runs that sweeps at work on a folder have yet to begin."""
    found: dict[str, None] = {}
    for file in sorted(folder.glob(f"{FOLDER}/*/{PLAN}")):
        if alive(file.parent):
            with suppress(OSError, ValueError):
                found |= dict.fromkeys(json.loads(file.read_text(encoding="utf-8")))
    return [name for name in found if not (folder / name / runs.CONFIG).is_file()]
