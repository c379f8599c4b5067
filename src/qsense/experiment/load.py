"""A finished run's data, task and trainer, from its own configuration: where evaluation and freezing start."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig, OmegaConf

from qsense.runs import folder as run_folder

if TYPE_CHECKING:
    from lightning import Trainer

    from qsense.data.module import ExperimentData
    from qsense.tasks.base import Task


@dataclass(frozen=True)
class Rebuilt:
    """A run as it ended.

    Args:
        data: its data module.
        task: its task; the weights come with `checkpoint`.
        trainer: its trainer, without loggers and callbacks.
        checkpoint: its last checkpoint.
    """

    data: ExperimentData
    task: Task
    trainer: Trainer
    checkpoint: Path


def rebuild(run: Path, root: str | None = None, accelerator: str = "cpu") -> Rebuilt:
    """Build a finished run anew.

    Args:
        run: the run's folder.
        root: where the data lies now, if not where it lay then.
        accelerator: Lightning's name of the device.

    Raises:
        FileNotFoundError: no run, an unfinished one, one without its checkpoint, or data that is not there.
        ValueError: a damaged run, or data that it cannot use.
        ConfigError: a part that refuses its arguments.
    """
    run_folder.result(run)
    checkpoint = run_folder.checkpoint(run)
    if checkpoint is None:
        raise FileNotFoundError(
            f"{run / run_folder.CHECKPOINT} is missing: there are no weights to rebuild the run from"
        )
    config = OmegaConf.load(run / run_folder.CONFIG)
    assert isinstance(config, DictConfig)
    config.init_from = None  # the checkpoint holds the weights
    if "weights" in config.model:
        config.model.weights = None
    if root is not None:
        if "root" not in config.data.dataset:
            raise ValueError(f"--root: {config.data.dataset._target_} is computed and reads no folder")
        config.data.dataset.root = root

    from hydra.utils import instantiate

    from qsense.experiment.build import build

    data, task = build(config)
    trainer = instantiate(config.trainer, accelerator=accelerator, _partial_=True, _convert_="all")(
        logger=False, enable_checkpointing=False
    )
    return Rebuilt(data, task, trainer, checkpoint)
