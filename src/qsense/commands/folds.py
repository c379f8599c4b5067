"""Train every fold of an experiment and report their mean as one W&B run: a grid point of a sweep.

qsense folds data=sbhar quant=gamma bits=2 seed=0 'logger=[csv,wandb]'
"""

from __future__ import annotations

from qsense.experiment import errors
from qsense.experiment.grid_point import train_grid_point

USAGE = """usage: qsense folds [key=value …]

Train what `python -m qsense.train … -m` would (every fold, and every seed that is left open), and log the mean over all
as one W&B run, where there is a logger for it. It is the command of sweeps/*.yaml, and what W&B's agents run."""


def main() -> None:
    """The command line."""
    errors.command(USAGE, train_grid_point)


if __name__ == "__main__":
    main()
