"""The command `qsense`, also as `python -m qsense`: lists its subcommands, starts one, prints errors.

A subcommand is a file of `commands/` and nothing else: the first line of its docstring is its line in the list,
`parser()` its arguments, `main(arguments)` what it does; that returns the exit code, and raises what is wrong.
"""

from __future__ import annotations

import importlib
import os
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qsense import __version__

COMPLETING = "_ARGCOMPLETE"  # set by a shell that asks for completions

COLUMN = 16  # in which a subcommand's help begins
HELP = """usage: qsense COMMAND …

Sensors that digitise only what the task needs: learn where a sensor's few
levels should lie.

commands:
{commands}

options:
  -h, --help    this help; of one command: qsense COMMAND --help
  --version     the version

To complete commands, options and settings by the Tab key, add a line to the
shell's start file:
  bash   eval "$(qsense completion bash)"
  zsh    eval "$(qsense completion zsh)"
  fish   qsense completion fish | source"""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    if COMPLETING in os.environ:
        complete()
    name, *rest = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if name in ("-h", "--help"):
        print(HELP.format(commands="\n".join(listed(each, line) for each, line in commands().items())))
        return 0
    if name == "--version":
        print(f"qsense {__version__}")
        return 0
    if name not in commands():
        from qsense.runs.layout import to_stderr
        from qsense.runs.words import did_you_mean

        hint = did_you_mean(name, list(commands()))
        message = f"error: there is no command {name}{hint}: use one of {', '.join(commands())}"
        to_stderr(message)
        return 2
    import logging

    from qsense.runs.screen import Screen

    logging.basicConfig(handlers=[Screen("stderr")])
    try:
        code: int = command(name).main(rest)
    except Exception as error:
        from qsense.experiment import errors
        from qsense.runs.layout import to_stderr

        expected = isinstance(error, errors.EXPECTED) and not isinstance(error, BrokenPipeError)
        if os.environ.get(errors.RAISE) == "1" or not expected:
            raise
        to_stderr(f"error: {errors.explain(error)}")
        return 1
    return code


def commands() -> dict[str, str]:
    """Every subcommand with its line of help; read from the files, as importing them takes longer."""
    files = sorted((Path(__file__).parent / "commands").glob("[a-z]*.py"))
    return {file.stem: file.open(encoding="utf-8").readline().strip('". \n') for file in files}


def listed(name: str, line: str) -> str:
    """A subcommand and its line of help, in lines for a terminal of 80 columns."""
    return textwrap.fill(line, 79, initial_indent=f"  {name:<{COLUMN - 2}}", subsequent_indent=" " * COLUMN)


def command(name: str) -> Any:
    """The module of a subcommand."""
    return importlib.import_module(f"qsense.commands.{name}")


def complete() -> None:
    """Answer a shell that asks for completions, and exit; it asks by argcomplete's protocol."""
    import argparse

    import argcomplete

    parser = argparse.ArgumentParser(prog="qsense")
    parser.add_argument("--version", action="store_true")
    choices = parser.add_subparsers()
    typed = os.environ["COMP_LINE"].split()[1:2]
    for name, line in commands().items():
        own = [command(name).parser()] if [name] == typed else []
        choices.add_parser(name, help=line, parents=own, add_help=False, conflict_handler="resolve")
    argcomplete.autocomplete(parser, append_space=False)


def entry_point() -> int:
    """`main` for a shell: a reader that closes the pipe early, as `head` does, ends the command in silence."""
    try:
        code = main()
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python's own flush at exit would complain
        return 1
    except KeyboardInterrupt:
        from qsense.experiment import errors
        from qsense.runs.layout import to_stderr

        if os.environ.get(errors.RAISE) == "1":
            raise
        to_stderr("interrupted")
        return errors.INTERRUPTED
    return code


if __name__ == "__main__":
    sys.exit(entry_point())
