"""Rebuild a finished run from its own configuration and test it again: `qsense evaluate RUN`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from qsense.experiment.errors import ConfigError
from qsense.experiment.load import rebuild
from qsense.runs import folder as run_folder
from qsense.study.run import quantizer_name


def evaluate(run: Path, root: str | None = None, accelerator: str = "cpu") -> dict[str, Any]:
    """What a finished run measures now, in the form of the task's part of `metrics.json`.

    Args:
        run: the run's folder.
        root: where the data lies now, if not where it lay then.
        accelerator: Lightning's name of the device.

    Raises:
        FileNotFoundError: no run, an unfinished one, or one without its checkpoint.
    """
    again = rebuild(run, root, accelerator)
    again.trainer.test(again.task, datamodule=again.data, ckpt_path=again.checkpoint, weights_only=True, verbose=False)
    return again.task.results()


def main() -> None:
    """Print each metric then and now; exit with 1 where they differ."""
    parser = argparse.ArgumentParser(prog="qsense evaluate", description=__doc__)
    parser.add_argument("run", type=Path, help="folder of a finished run (holds metrics.json)")
    parser.add_argument("--root", help="where the data lies now, if not where the run found it")
    parser.add_argument("--accelerator", default="cpu", help="cpu (default), gpu, …")
    options = parser.parse_args()
    try:
        then = run_folder.result(options.run)
        now = evaluate(options.run, options.root, options.accelerator)
    except (FileNotFoundError, ValueError, ConfigError) as error:
        sys.exit(f"error: {error}")
    name = quantizer_name(then["quant"], then["bits"], then["network_bits"])
    print(f"{then['dataset']} · {name} · fold {then['fold']} · seed {then['seed']}")
    print(f"{'metric':<20}{'recorded':>14}{'now':>14}")
    for name, value in then["metrics"].items():
        print(f"{name:<20}{value:>14.6f}{now['metrics'][name]:>14.6f}")
    if all(now[part] == then[part] for part in now):
        print("reproduced exactly")
    else:
        sys.exit("not reproduced exactly: other hardware, thread count, library version, or data than the run had")


if __name__ == "__main__":
    main()
