"""What a command says at its end: which commands come next.

Open it to change how they look; which they are is said by each command.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence

from qsense.runs.escapes import one_line

MOST = 3
PART = "QSENSE_PART"  # set where this process is a part of another command, which itself says what comes next


def say_next(*steps: tuple[Sequence[object], str]) -> None:
    """Print the first three of some commands with what each is good for, to be pasted into a shell.

    They go to stderr: what a command prints on stdout may be read by a program.

    Args:
        steps: words of a command after `qsense`, and what it does.
    """
    if os.environ.get(PART):
        return
    lines = [(f"qsense {shlex.join(map(str, words))}", what) for words, what in steps[:MOST]]
    width = max((len(line) for line, _ in lines), default=0)
    for number, (line, what) in enumerate(lines):
        print(f"{'     ' if number else 'next:'} {line:<{width}}  # {one_line(what)}", file=sys.stderr)
