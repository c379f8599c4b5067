"""Train the grid of a W&B sweep file without W&B, such as a paper's table.

qsense sweep gamma_quant_table2 data=sbhar
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from qsense.commands import train
from qsense.commands._parser import Parser
from qsense.experiment.command_line.overrides import key_of
from qsense.experiment.completion import OverridesCompleter
from qsense.runs.layout import command_in_lines, to_stderr, width_of
from qsense.runs.next_steps import say_next


def parser() -> argparse.ArgumentParser:
    """The command line's arguments."""
    parser = Parser(
        prog="qsense sweep",
        description="The grid of a W&B sweep file as `python -m qsense.train … -m`: finished runs are skipped, "
        "interrupted ones resumed.",
    )
    sweep = parser.add_argument("sweep", nargs="?", help="a sweep's name, or a file; none: list those that qsense has")
    sweep.completer = names  # type: ignore[attr-defined]
    overrides = parser.add_argument(
        "overrides", nargs=argparse.REMAINDER, metavar="key=value",
        help="replaces the file's of the same key (data=sbhar seed=0), or is added to it (run.dry_run=true)",
    )  # fmt: skip
    overrides.completer = OverridesCompleter()  # type: ignore[attr-defined]
    parser.add_argument("--list", action="store_true", help="list the sweeps that qsense has")
    return parser


def names(**_: object) -> list[str]:
    """The sweeps that qsense has, for completion."""
    from qsense.experiment.grids.sweep_files import packaged

    return list(packaged())


def arguments(file: Path, own: Sequence[str]) -> list[str]:
    """Arguments of `qsense.train` for the grid of a file, those of `own` in place of the file's of the same key.

    Raises:
        ConfigError: the file is no grid, or sets more than options and plain values.
    """
    from qsense.experiment.grids.sweep_files import read_sweep
    from qsense.experiment.trusted import check_override

    mine = {key_of(argument) for argument in own if "=" in argument}
    sweep = read_sweep(file)
    for note in sweep.notes:
        to_stderr(f"note: {note}")
    its = [entry for entry in sweep.overrides() if key_of(entry) not in mine]
    for entry in its:
        check_override(file, entry)
    return [*its, *own, "-m"]


def main(given: Sequence[str]) -> int:
    """List the sweeps, or become `qsense.train` with the arguments of one."""
    options = parser().parse_args(given)

    from qsense.experiment.command_line.habits import understood
    from qsense.experiment.grids.sweep_files import find_sweep, packaged

    if options.list or options.sweep is None:
        for name, title in packaged().items():
            print(f"{name:<27}{title}")
        say_next((("sweep", "gamma_quant_table2", "run.dry_run=true"), "what it would train, and how long that takes"))
        return 0
    own = arguments(find_sweep(options.sweep), understood(options.overrides, multirun=True))
    print(command_in_lines(["python", "-m", "qsense.train", *own], width_of(sys.stderr)), file=sys.stderr)
    return train.main(own)
