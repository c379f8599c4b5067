"""One process of a design: python -m qsense.design.worker DEADLINE key=value …

Open it to see how a process that works in the background ends: when its work is done, at the deadline, or when the
command that started it is gone.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from qsense.design.plan import plan_design
from qsense.design.request import read
from qsense.design.work import work
from qsense.experiment.errors import EXPECTED, explain
from qsense.runs.next_steps import PART
from qsense.runs.orphans import end_with_parent

LOG = "design.log"


def main(deadline: str, *arguments: str) -> None:
    """Work until the design is done; the deadline is in seconds since 1970, or empty."""
    os.environ[PART] = "qsense design"
    end_with_parent()
    request = read(arguments)
    log_into(request.out)
    try:
        work(plan_design(request), float(deadline) if deadline else None)
    except EXPECTED as error:
        sys.exit(f"error: {explain(error)}")


def log_into(out: Path) -> logging.Logger:
    """The design's log, which its processes share: a line is written at once."""
    out.mkdir(parents=True, exist_ok=True)
    log = logging.getLogger("qsense.design")
    handler = logging.FileHandler(out / LOG, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", "%Y-%m-%d %H:%M:%S"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False  # the command shows the file
    return log


if __name__ == "__main__":
    main(*sys.argv[1:])
