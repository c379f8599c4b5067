"""Upload W&B runs that were logged offline; what is uploaded already is left out, and nothing is ever deleted.

qsense sync runs
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from qsense.runs.offline import find, upload


def main() -> None:
    """The command line; the exit code is 1 where something could not be uploaded."""
    parser = argparse.ArgumentParser(prog="qsense sync", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("folders", nargs="*", type=Path, default=[Path("runs")], help="runs, or folders of them")
    parser.add_argument("--project", help="W&B project, if not the one that the runs name")
    parser.add_argument("--entity", help="W&B user or team, if not the one that the runs name")
    parser.add_argument("--dry-run", action="store_true", help="only list what would be uploaded")
    arguments = parser.parse_args()
    try:
        found = find(arguments.folders)
    except FileNotFoundError as error:
        sys.exit(f"error: {error}")
    for path in found.running:
        print(f"still running, left for later: {path}")
    if arguments.dry_run:
        for path in found.waiting:
            print(f"to upload: {path}")
    elif found.waiting:
        from qsense.runs.loggers import why_unreachable

        if reason := why_unreachable():
            sys.exit(f"error: {reason}; {len(found.waiting)} offline runs wait for it")
    chosen = {"--project": arguments.project, "--entity": arguments.entity}
    options = [part for key, value in chosen.items() if value for part in (key, value)]
    failed = [] if arguments.dry_run else upload(found.waiting, options)
    for path in failed:
        print(f"not uploaded: {path}")
    sent = 0 if arguments.dry_run else len(found.waiting) - len(failed)
    print(f"{sent} uploaded, {len(found.uploaded)} uploaded before, {len(found.running)} still running", end="")
    print(f", {len(failed)} failed: the same command tries them again" if failed else "")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
