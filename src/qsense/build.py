"""From a resolved configuration to a data module and a task: the same for training, evaluation and export."""

from __future__ import annotations

from typing import Any

import torch
from hydra.utils import instantiate
from lightning import seed_everything
from omegaconf import DictConfig

from qsense.config import ConfigError
from qsense.data.module import ExperimentData
from qsense.seeding import derive
from qsense.tasks.base import Task


def build(config: DictConfig) -> tuple[ExperimentData, Task]:
    """Build an experiment's four objects; the network's initial weights depend on (seed, fold) alone.

    Raises:
        ConfigError: a part refused its arguments; its message says why.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    seed_everything(derive(config.seed, config.fold), verbose=False)
    try:
        # Built objects are handed to partials: as arguments of `instantiate` they would be copied into configurations.
        data: ExperimentData = _partial(config.data)(fold=config.fold, seed=config.seed)
        sensor = _partial(config.quant.sensor)(signal=data.signal)
        make_task = _partial(config.task)
        facts = {
            fact: getattr(data.signal, fact) if hasattr(data.signal, fact) else getattr(data, fact)
            for fact in make_task.func.network_facts
        }
        network = _partial(config.model)(**facts)
        task: Task = make_task(network=network, sensor=sensor, class_names=data.class_names)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    return data, task


def _partial(node: DictConfig) -> Any:
    return instantiate(node, _partial_=True, _convert_="all")
