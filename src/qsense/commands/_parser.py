"""The argument parser of every command: a mistyped option or choice is answered by the name that is probably meant.

Open it to change what a command says of words that it does not know.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any, NoReturn

from qsense.runs.layout import in_lines, width_of
from qsense.runs.words import did_you_mean

UNKNOWN = "unrecognized arguments: "  # how argparse begins to say so


class Parser(argparse.ArgumentParser):
    """`argparse.ArgumentParser`, with hints, and messages that fit the screen."""

    def error(self, message: str) -> NoReturn:
        if message.startswith(UNKNOWN):
            words = message.removeprefix(UNKNOWN).split()
            options = list(self._option_string_actions)
            hints = [did_you_mean(word.partition("=")[0], options if word[0] == "-" else []) for word in words]
            message = UNKNOWN + " ".join(word + hint for word, hint in zip(words, hints, strict=True))
        self.print_usage(sys.stderr)
        self.exit(2, in_lines(f"{self.prog}: error: {message}", width_of(sys.stderr)) + "\n")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            choices = [str(choice) for choice in action.choices]
            hint = did_you_mean(str(value), choices)
            raise argparse.ArgumentError(action, f"there is no {value}{hint}: choose from {', '.join(choices)}")
