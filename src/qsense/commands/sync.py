"""Upload W&B runs that were logged offline.

What is uploaded already is left out, and nothing is ever deleted.

qsense sync runs
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from qsense.commands._parser import Parser
from qsense.runs.escapes import one_line
from qsense.runs.next_steps import say_next
from qsense.runs.offline import find, upload


def parser() -> argparse.ArgumentParser:
    """The command line's arguments."""
    parser = Parser(
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
        print(f"still running, left for later: {one_line(str(path))}")
    if given.dry_run:
        for path in found.waiting:
            print(f"to upload: {one_line(str(path))}")
    elif found.waiting:
        from qsense.runs.loggers import why_unreachable

        if reason := why_unreachable():
            raise ConnectionError(f"{reason}; {len(found.waiting)} offline runs wait for it")
    chosen = {"--project": given.project, "--entity": given.entity}
    options = [part for key, value in chosen.items() if value for part in (key, value)]
    failed = [] if given.dry_run else upload(found.waiting, options)
    for path in failed:
        print(f"not uploaded: {one_line(str(path))}")
    sent = 0 if given.dry_run else len(found.waiting) - len(failed)
    print(f"{sent} uploaded, {len(found.uploaded)} uploaded before, {len(found.running)} still running", end="")
    print(f", {len(failed)} failed: the same command tries them again" if failed else "")
    if found.waiting and given.dry_run:
        say_next((("sync", *given.folders), "upload them"))
    else:
        say_next((("report", *given.folders), "the same runs as tables"))
    return int(bool(failed))
