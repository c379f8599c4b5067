"""What a command says at its end: which commands come next.

Open it to change how they look; which they are is said by each command.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Sequence

from rich.cells import cell_len

from qsense.runs.escapes import one_line

MOST = 3
PART = "QSENSE_PART"  # set where this process is a part of another command, which itself says what comes next


def say_next(*steps: tuple[Sequence[object], str]) -> None:
    """Print the first three of some commands with what each is good for, to be pasted into a shell.

    They go to stderr: what a command prints on stdout may be read by a program. Where a line would be wider than the
    screen, what the commands are good for stands below them.

    Args:
        steps: words of a command after `qsense`, and what it does.
    """
    if os.environ.get(PART):
        return
    lines = [(f"qsense {shlex.join(map(str, words))}", one_line(what)) for words, what in steps[:MOST]]
    width = max((cell_len(line) for line, _ in lines), default=0)
    beside = all(6 + width + 4 + cell_len(what) <= screen_width() for _, what in lines)
    for number, (line, what) in enumerate(lines):
        between = " " * (width - cell_len(line) + 2) if beside else "\n        "
        print(f"{'     ' if number else 'next:'} {line}{between}# {what}", file=sys.stderr)


def screen_width() -> int:
    """Columns of the screen; as many as a line takes where there is none."""
    return shutil.get_terminal_size().columns if sys.stderr.isatty() else sys.maxsize
