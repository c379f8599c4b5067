"""W&B runs that were logged offline: which are to be uploaded, and their upload. Nothing is ever deleted."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from qsense.runs.escapes import one_line
from qsense.runs.lock import alive

BATCH = 50  # runs that one `wandb sync` uploads, several at a time


@dataclass
class Offline:
    """Attempts at runs that W&B logged offline, each a folder of its own with an identity of its own.

    Args:
        waiting: to be uploaded.
        uploaded: uploaded before; `wandb sync` leaves a mark beside what it has sent.
        running: still being written; half of a run must not be taken for all of it.
    """

    waiting: list[Path] = field(default_factory=list)
    uploaded: list[Path] = field(default_factory=list)
    running: list[Path] = field(default_factory=list)


def find(folders: Sequence[Path]) -> Offline:
    """Every offline attempt below some folders, sorted by what is to be done with it.

    Raises:
        FileNotFoundError: one of the folders does not exist.
    """
    attempts = Offline()
    for folder in folders:
        if not folder.is_dir():
            raise FileNotFoundError(f"{one_line(str(folder))} is not a folder: give run folders, or folders of them")
        for attempt in sorted(folder.rglob("offline-run-*")):
            if attempt.is_symlink() or not list(attempt.glob("run-*.wandb")):  # W&B's own link to the latest
                continue
            if is_uploaded(attempt):
                attempts.uploaded.append(attempt)
            else:
                run = attempt.parents[1]  # <run>/wandb/<attempt>
                (attempts.running if alive(run) else attempts.waiting).append(attempt)
    return attempts


def is_uploaded(attempt: Path) -> bool:
    """Whether `wandb sync` has sent all of an attempt."""
    return bool(list(attempt.glob("run-*.wandb.synced")))


def upload(attempts: Sequence[Path], options: Sequence[str] = ()) -> list[Path]:
    """Upload attempts by W&B's own command; returns those that did not arrive whole."""
    environment = {key: value for key, value in os.environ.items() if key != "WANDB_MODE"}
    for start in range(0, len(attempts), BATCH):
        batch = map(str, attempts[start : start + BATCH])
        subprocess.run([sys.executable, "-m", "wandb", "sync", *options, *batch], env=environment, check=False)
    return [attempt for attempt in attempts if not is_uploaded(attempt)]
