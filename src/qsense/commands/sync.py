"""Upload W&B runs that were logged offline.

What is uploaded already is left out, and nothing is ever deleted.

qsense sync runs
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from qsense.runs.lock import ClaimedError, claim
from qsense.runs.next_steps import say_next

BATCH = 50  # runs that one `wandb sync` uploads, several at a time


@dataclass
class Offline:
    """Attempts at runs that W&B logged offline, each a folder of its own with an identity of its own.

    Args:
        waiting: to be uploaded.
        uploaded: uploaded before; `wandb sync` leaves a mark beside what it has sent.
        running: still being written.
    """

    waiting: list[Path] = field(default_factory=list)
    uploaded: list[Path] = field(default_factory=list)
    running: list[Path] = field(default_factory=list)


def find(folders: Sequence[Path]) -> Offline:
    """Every offline attempt below some folders, sorted by what is to be done with it.

    Raises:
        FileNotFoundError: one of the folders does not exist.
    """
    found = Offline()
    for folder in folders:
        if not folder.is_dir():
            raise FileNotFoundError(f"{folder} is not a folder: give run folders, or folders of them")
        for attempt in sorted(folder.rglob("offline-run-*")):
            if attempt.is_symlink() or not list(attempt.glob("run-*.wandb")):  # W&B's own link to the latest
                continue
            part = found.uploaded if is_uploaded(attempt) else found.running if is_open(attempt) else found.waiting
            part.append(attempt)
    return found


def is_uploaded(attempt: Path) -> bool:
    """Whether `wandb sync` has sent all of an attempt."""
    return bool(list(attempt.glob("run-*.wandb.synced")))


def is_open(attempt: Path) -> bool:
    """Whether a process is still writing to it: half of a run must not be taken for all of it."""
    run = attempt.parents[1]  # <run>/wandb/<attempt>
    if not (run / ".lock").is_file():
        return False
    try:
        with claim(run):
            return False
    except ClaimedError:
        return True


def upload(attempts: Sequence[Path], options: Sequence[str] = ()) -> list[Path]:
    """Upload attempts by W&B's own command, and say which of them did not arrive whole."""
    environment = {key: value for key, value in os.environ.items() if key != "WANDB_MODE"}
    for start in range(0, len(attempts), BATCH):
        batch = map(str, attempts[start : start + BATCH])
        subprocess.run([sys.executable, "-m", "wandb", "sync", *options, *batch], env=environment, check=False)
    return [attempt for attempt in attempts if not is_uploaded(attempt)]


def parser() -> argparse.ArgumentParser:
    """The command line's arguments."""
    parser = argparse.ArgumentParser(
        prog="qsense sync",
        description="Upload W&B runs that were logged offline. What is uploaded already is left out, and nothing is "
        "ever deleted.",
    )
    parser.add_argument("folders", nargs="*", type=Path, default=[Path("runs")], help="runs, or folders of them")
    parser.add_argument("--project", help="W&B project, if not the one that the runs name")
    parser.add_argument("--entity", help="W&B user or team, if not the one that the runs name")
    parser.add_argument("--dry-run", action="store_true", help="only list what would be uploaded")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Upload, and count; returns 1 where something could not be uploaded."""
    given = parser().parse_args(arguments)
    found = find(given.folders)
    for path in found.running:
        print(f"still running, left for later: {path}")
    if given.dry_run:
        for path in found.waiting:
            print(f"to upload: {path}")
    elif found.waiting:
        from qsense.runs.loggers import why_unreachable

        if reason := why_unreachable():
            raise ConnectionError(f"{reason}; {len(found.waiting)} offline runs wait for it")
    chosen = {"--project": given.project, "--entity": given.entity}
    options = [part for key, value in chosen.items() if value for part in (key, value)]
    failed = [] if given.dry_run else upload(found.waiting, options)
    for path in failed:
        print(f"not uploaded: {path}")
    sent = 0 if given.dry_run else len(found.waiting) - len(failed)
    print(f"{sent} uploaded, {len(found.uploaded)} uploaded before, {len(found.running)} still running", end="")
    print(f", {len(failed)} failed: the same command tries them again" if failed else "")
    if found.waiting and given.dry_run:
        say_next((("sync", *given.folders), "upload them"))
    else:
        say_next((("report", *given.folders), "the same runs as tables"))
    return int(bool(failed))
