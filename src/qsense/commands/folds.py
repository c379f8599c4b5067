"""Train every fold of an experiment, and log their mean as one W&B run.

qsense folds data=sbhar quant=gamma bits=2 seed=0 'logger=[csv,wandb]'
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from qsense.commands._parser import Parser
from qsense.experiment.command_line.overrides import key_of
from qsense.experiment.completion import OverridesCompleter
from qsense.runs.next_steps import say_next


def parser() -> argparse.ArgumentParser:
    """The command line's arguments."""
    parser = Parser(
        prog="qsense folds",
        description="Train what `python -m qsense.train … -m` would (every fold, and every seed that is left open), "
        "and log the mean over all as one W&B run, where there is a logger for it. It is the command of "
        "sweeps/*.yaml, and what W&B's agents run.",
    )
    overrides = parser.add_argument("overrides", nargs="*", metavar="key=value", help="as of `qsense train`")
    overrides.completer = OverridesCompleter()  # type: ignore[attr-defined]
    return parser


def main(arguments: Sequence[str]) -> int:
    """Train one grid point."""
    from qsense.experiment.command_line.habits import understood
    from qsense.experiment.grids.grid_point import train_grid_point

    words = [word for word in understood(arguments, multirun=True) if word not in ("-m", "--multirun")]
    overrides = parser().parse_args(words).overrides

    code = train_grid_point(overrides)
    if code == 0:
        (runs,) = [entry.partition("=")[2] for entry in overrides if key_of(entry) == "runs"][-1:] or ["runs"]
        say_next((("report", runs), "these runs as tables"), (("report", runs, "--html", "page"), "one page of them"))
    return code
