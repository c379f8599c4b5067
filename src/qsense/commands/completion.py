"""Print what makes bash, zsh or fish complete commands, options and settings."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from qsense.commands._parser import Parser

SHELLS = ("bash", "zsh", "fish")


def parser() -> argparse.ArgumentParser:
    """The command line's arguments."""
    parser = Parser(
        prog="qsense completion",
        description="Print what makes a shell complete qsense's commands, options and settings. In the shell's start "
        'file: eval "$(qsense completion bash)" (or zsh), in fish: qsense completion fish | source',
    )
    parser.add_argument("shell", choices=SHELLS)
    return parser


def main(arguments: Sequence[str]) -> int:
    """Print the script."""
    options = parser().parse_args(arguments)

    from argcomplete.shell_integration import shellcode

    print(shellcode(["qsense"], shell=options.shell))
    return 0
