"""From a resolved configuration to a data module and a task: the same for training, evaluation and export."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from hydra.utils import instantiate
from lightning import seed_everything
from omegaconf import DictConfig

from qsense.data.module import ExperimentData
from qsense.experiment.errors import ConfigError
from qsense.experiment.seeding import derive
from qsense.models.weights import read_state
from qsense.quant.network.released import in_our_names
from qsense.quant.network.transfer import load_weights
from qsense.runs.checkpoint_io import read_checkpoint
from qsense.runs.checkpoints import CHECKPOINT, checkpoint
from qsense.runs.settings import pretrained
from qsense.tasks.base import Task

log = logging.getLogger(__name__)


def build(config: DictConfig) -> tuple[ExperimentData, Task]:
    """Build an experiment's four objects; the network's initial weights depend on (seed, fold) alone.

    Raises:
        ConfigError: a part refused its arguments; its message says why.
    """
    quieten()
    if config.threads:
        torch.set_num_threads(config.threads)
    seed_everything(derive(config.seed, config.fold), verbose=False)
    try:
        # Built objects are handed to partials: as arguments of `instantiate` they would be copied into configurations.
        data: ExperimentData = _partial(config.data)(fold=config.fold, seed=config.seed)
        sensor = _partial(config.quant.sensor)(signal=data.signal)
        data.whole = sensor.wants_recordings
        make_task = _partial(config.task)
        network = _partial(config.model)(**_facts(data, make_task.func.network_facts))
        network_quantizer = instantiate(config.quant.network, _convert_="all")
        if network_quantizer is not None:
            network_quantizer.apply(network)
        facts = _facts(data, make_task.func.task_facts)
        own_scale = bool(config.task.get("standardise") and pretrained(config))
        if own_scale:
            facts["standardise"] = False
        task: Task = make_task(network=network, sensor=sensor, network_quantizer=network_quantizer, **facts)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    if own_scale:
        log.info("task.standardise: not applied, as the network's pretrained weights expect their own scale")
    if config.init_from:
        start_from(task, Path(config.init_from).expanduser())
    return data, task


def _facts(data: ExperimentData, names: Iterable[str]) -> dict[str, Any]:
    """What a part is told about the data: facts of its signal or of the data module itself."""
    return {name: getattr(data.signal if hasattr(data.signal, name) else data, name) for name in names}


def start_from(task: Task, source: Path) -> None:
    """Take over a network's weights and clipping ranges, whatever quantized it and at however many bits.

    Args:
        task: whose network is filled.
        source: a finished run's folder, or a file with the state of a network: a published one, such as FAT's.

    Raises:
        ConfigError: the checkpoint or file is damaged or no such thing, or not one of its tensors fits.
    """
    try:
        if source.is_file():
            state = read_state(str(source), "init_from")
            transfer = load_weights(task.network, in_our_names(state, task.network.state_dict()))
        else:
            state = read_checkpoint(checkpoint(source) or source / CHECKPOINT)["state_dict"]
            transfer = load_weights(task.network, state, prefix="network.")
    except ValueError as error:
        raise ConfigError(f"init_from={source}: {error}") from error
    log.info("init_from=%s: %s", source, transfer)
    if (was := "standardise.mean" in state) != (task.standardise is not None):
        log.warning(
            "init_from=%s: its network was trained %s, and this run says task.standardise=%s: its weights get inputs "
            "of another scale",
            source,
            "on its own scale" if source.is_file() else f"with task.standardise={str(was).lower()}",
            str(not was).lower(),
        )


def _partial(node: DictConfig) -> Any:
    return instantiate(node, _partial_=True, _convert_="all")


def quieten() -> None:
    """Leave the screen to the progress bar: no banners, no advice on loader processes (a batch takes microseconds).

    Importing Lightning sets its loggers' levels, so call this afterwards.
    """
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", ".*does not have many workers.*")
    warnings.filterwarnings("ignore", ".*exists and is not empty.*")
    warnings.filterwarnings("ignore", ".*Total length of .* across ranks is zero.*")  # nothing is held out
    warnings.filterwarnings("ignore", ".*recommended to use .self.log.*sync_dist=True.*")  # the scores synchronise
    warnings.filterwarnings("ignore", ".*The dirpath has changed from.*")  # a run that was moved, or is gone on from
    warnings.filterwarnings("ignore", ".*callbacks used to create the checkpoint need to be provided.*")
    warnings.filterwarnings("ignore", ".*`srun` command is available.*")  # a cluster's launcher starts our jobs
    warnings.filterwarnings("ignore", ".*smaller than the logging interval.*")  # of a small data set; epochs are logged
    warnings.filterwarnings("ignore", ".*LeafSpec.*is deprecated.*")
