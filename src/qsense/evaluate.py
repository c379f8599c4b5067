"""Rebuild a finished run from its own configuration and test it again: `python -m qsense.evaluate RUN`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from qsense import runs


def evaluate(run: Path, root: str | None = None, accelerator: str = "cpu") -> dict[str, Any]:
    """What a finished run measures now, in the form of `metrics.json`'s own part from the task.

    Args:
        run: the run's folder.
        root: where the data lies now, if not where it lay then.
        accelerator: Lightning's name of the device.

    Raises:
        FileNotFoundError: no run, an unfinished one, or one without its checkpoint.
    """
    runs.result(run)
    checkpoint = runs.checkpoint(run)
    if checkpoint is None:
        raise FileNotFoundError(
            f"{run / runs.CHECKPOINT} is missing: the run was trained without a checkpoint callback"
        )
    config = OmegaConf.load(run / runs.CONFIG)
    assert isinstance(config, DictConfig)
    if root is not None:
        config.data.dataset.root = root

    from hydra.utils import instantiate
    from lightning import Trainer

    from qsense.build import build
    from qsense.train import quieten

    quieten()
    data, task = build(config)
    trainer: Trainer = instantiate(config.trainer, accelerator=accelerator, _partial_=True, _convert_="all")(
        logger=False, enable_checkpointing=False
    )
    trainer.test(task, datamodule=data, ckpt_path=checkpoint, weights_only=True, verbose=False)
    return task.results()


def main() -> None:
    """Print each metric then and now; exit with 1 where they differ."""
    parser = argparse.ArgumentParser(prog="python -m qsense.evaluate", description=__doc__)
    parser.add_argument("run", type=Path, help="folder of a finished run (holds metrics.json)")
    parser.add_argument("--root", help="where the data lies now, if not where the run found it")
    parser.add_argument("--accelerator", default="cpu", help="cpu (default), gpu, …")
    options = parser.parse_args()
    try:
        then = runs.result(options.run)
        now = evaluate(options.run, options.root, options.accelerator)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f"error: {error}")
    print(f"{then['dataset']} · {then['quant']} · {then['bits']} bits · fold {then['fold']} · seed {then['seed']}")
    print(f"{'metric':<20}{'recorded':>14}{'now':>14}")
    for name, value in then["metrics"].items():
        print(f"{name:<20}{value:>14.6f}{now['metrics'][name]:>14.6f}")
    if all(now[part] == then[part] for part in now):
        print("reproduced exactly")
    else:
        sys.exit("not reproduced exactly: other hardware, thread count, library version, or data than the run had")


if __name__ == "__main__":
    main()
