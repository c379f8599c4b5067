"""Run a W&B sweep file as a Hydra multirun, without W&B: the same runs that its agents would do.

qsense sweep sweeps/gamma_quant_table2.yaml data=sbhar
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from qsense import train
from qsense.experiment.errors import ConfigError
from qsense.experiment.overrides import key_of
from qsense.experiment.sweep_files import read_sweep

USAGE = """usage: qsense sweep FILE [key=value …]

The grid of a W&B sweep file as `python -m qsense.train … -m`: finished runs are skipped, interrupted ones resumed.
An argument replaces the file's of the same key (data=sbhar seed=0), or is added to it (run.dry_run=true)."""


def arguments(file: Path, own: list[str]) -> list[str]:
    """Arguments of `qsense.train` for the grid of a file, those of `own` in place of the file's of the same key.

    Raises:
        ConfigError: the file is no grid.
    """
    mine = {key_of(argument) for argument in own if "=" in argument}
    return [*(entry for entry in read_sweep(file).overrides() if key_of(entry) not in mine), *own, "-m"]


def main() -> None:
    """The command line."""
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        print(USAGE)
        sys.exit(len(sys.argv) < 2)
    try:
        sys.argv[1:] = arguments(Path(sys.argv[1]), sys.argv[2:])
    except ConfigError as error:
        sys.exit(f"error: {error}")
    print("python -m qsense.train", shlex.join(sys.argv[1:]), file=sys.stderr)
    train.main()


if __name__ == "__main__":
    main()
