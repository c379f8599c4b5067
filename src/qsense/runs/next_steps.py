"""What a command says at its end: which commands come next.

Open it to change how they look; which they are is said by each command.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Sequence

from qsense.runs.escapes import one_line
from qsense.runs.layout import command_in_lines, sentence, width_of

MOST = 3
START = "next:"
MAKE = "make"  # the one program that is no command of qsense
BELOW = " " * 8  # before what is said below a command
PART = "QSENSE_PART"  # set where this process is a part of another command, which itself says what comes next


def say_next(*steps: tuple[Sequence[object], str]) -> None:
    """Print the first three of some commands with what each is good for, to be pasted into a shell.

    They go to stderr: what a command prints on stdout may be read by a program. What a command is good for stands
    beside it, as a comment, or below where the screen is too narrow for one of them; a command that is wider than the
    terminal goes on below, after a backslash.

    Args:
        steps: words of a command after `qsense` (or from `make` on), and what it does.
    """
    if os.environ.get(PART):
        return
    commands = [(words if words[0] == MAKE else ("qsense", *words), what) for words, what in steps[:MOST]]
    lines = [(list(map(str, words)), shlex.join(map(str, words)), one_line(what)) for words, what in commands]
    width = max((len(line) for _, line, _ in lines), default=0)
    columns = shutil.get_terminal_size().columns
    beside = all(len(f"{START} {line:<{width}}  # {what}") <= columns for _, line, what in lines)
    for number, (words, line, what) in enumerate(lines):
        start = f"{'' if number else START:<{len(START)}} "
        if beside:
            print(f"{start}{line:<{width}}  # {what}", file=sys.stderr)
        else:
            whole = command_in_lines(words, width_of(sys.stderr), " " * len(start), start)
            print(whole, sentence(f"# {what}", columns, BELOW, f"{BELOW}# "), sep="\n", file=sys.stderr)
