"""Train and test one run with its trainer, callbacks and loggers, and hand its result on before they hear of it.

Open it to change what `metrics.json` holds, or in which order a run's parts are built and closed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from hydra.types import RunMode
from hydra.utils import instantiate
from lightning import Trainer
from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import Callback, ProgressBar
from lightning.pytorch.plugins import CheckpointIO
from omegaconf import DictConfig, OmegaConf

from qsense.callbacks.cost import CostTable, cost_of
from qsense.callbacks.progress import EpochLines
from qsense.callbacks.rates import rates_of
from qsense.callbacks.sensing import sensing_of
from qsense.data.module import ExperimentData
from qsense.experiment.compose import plain
from qsense.experiment.identity import choices, resolved, run_id
from qsense.experiment.seeding import Reseed
from qsense.runs import folder as run_folder
from qsense.runs.checkpoint_io import AtomicCheckpointIO, check_resumable, sound_checkpoint
from qsense.runs.checkpoints import CHECKPOINT, CheckpointError, checkpoint
from qsense.runs.loggers import close, log_result, that_open
from qsense.runs.mishaps import in_a_line, tolerated
from qsense.runs.result import ResultError
from qsense.runs.screen import IN_LOG
from qsense.runs.settings import bits_of
from qsense.tasks.base import Task

log = logging.getLogger(__name__)
Result = dict[str, Any]


class Recorder(Callback):
    """Hands a run's result on as soon as it is tested, before any other callback draws or uploads.

    Args:
        result_of: from trainer, task and data to the result.
        keep: takes it, in the first process alone.
    """

    def __init__(self, result_of: Callable[[Trainer, Task, ExperimentData], Result], keep: Callable[[Result], None]):
        self.result_of = result_of
        self.keep = keep
        self.result: Result | None = None
        self.began = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.began = True

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, Task)
        self.result = self.result_of(trainer, pl_module, trainer.datamodule)  # type: ignore[attr-defined]
        if trainer.is_global_zero:
            self.keep(self.result)


def fit_and_test(
    config: DictConfig,
    data: ExperimentData,
    task: Task,
    hydra_config: Any,
    folder: Path,
    keep: Callable[[Result], None],
    closing: ExitStack,
) -> Result:
    """Train and test with whatever trainer, callbacks and loggers were configured; resume where a checkpoint stands.

    Args:
        config: of the run.
        data: of `build(config)`; `task` likewise.
        task: is trained.
        hydra_config: Hydra's own.
        folder: the run's.
        keep: records the result; called once, before loggers, pictures and other callbacks hear of it.
        closing: closes the loggers when it ends, as failed where an exception ends it.

    Raises:
        ResultError: nothing was tested, or the headline has no value.
        CheckpointError: a checkpoint cannot be written.
    """
    data.prepare_data()  # now, so that unusable data is answered before loggers and trainer start
    data.setup("fit")
    task.calibrate(data)
    loggers = that_open(parts(config.logger))
    several = OmegaConf.select(hydra_config, "mode") == RunMode.MULTIRUN
    said = IN_LOG if several else None  # of a sweep's runs, the sweep tells
    closing.push(lambda kind, error, trace: close(loggers, failed=kind is not None, said=said))
    callbacks = parts(config.callback)
    for table in callbacks:
        if isinstance(table, CostTable):  # of a sweep's runs the first shows it
            table.show = not OmegaConf.select(hydra_config, "job.num")
    recorder = Recorder(lambda *tested: result_of(config, hydra_config, *tested), keep)
    make_trainer = instantiate(config.trainer, _partial_=True, _convert_="all")
    trainer: Trainer = make_trainer(
        callbacks=[Reseed(config.seed, config.fold), recorder, *with_lines(callbacks)],
        logger=loggers or False,
        default_root_dir=str(folder),
        enable_progress_bar=any(isinstance(callback, ProgressBar) for callback in callbacks),
        plugins=with_atomic_checkpoints(make_trainer.keywords.get("plugins")),
    )
    if trainer.is_global_zero:
        run_folder.use(folder, torch.get_num_threads(), gpu_name(trainer.strategy.root_device))
    if loggers:
        parameters = {**plain(resolved(config, hydra_config)), "git_revision": run_folder.git_revision()}
        for logger in loggers:
            logger.log_hyperparams(parameters)
    latest = sound_checkpoint(folder, task.state_dict())
    if latest:
        log.info("resuming from %s", latest)
    elif config.resume_from and (latest := checkpoint(Path(config.resume_from).expanduser())):
        check_resumable(latest, task.state_dict())
        log.info(
            "going on from %s; a schedule that spreads over all epochs (a cosine, say) goes on as that of "
            "trainer.max_epochs=%s does at this epoch",
            latest,
            config.trainer.max_epochs,
        )
    try:
        trainer.fit(task, datamodule=data, ckpt_path=latest, weights_only=True)
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        if latest is None or recorder.began:
            raise
        raise CheckpointError(
            f"training cannot go on from {latest}, which another version of torch or Lightning may have written "
            f"({in_a_line(error)}): move it elsewhere, and the same command starts anew"
        ) from error
    if not checkpoint(folder):  # nothing was trained, or there is no checkpoint callback
        trainer.save_checkpoint(folder / CHECKPOINT)
    trainer.test(task, datamodule=data, verbose=False)
    if recorder.result is None:
        raise ResultError(
            f"nothing was tested, so the run has no result: is fold {config.fold}'s test part empty, or smaller than "
            f"trainer.limit_test_batches={config.trainer.get('limit_test_batches', 1.0)} takes?"
        )
    log_result(loggers, recorder.result)
    return recorder.result


def gpu_name(device: torch.device) -> str | None:
    """The model of the GPU that a process trains on; None on a processor.

    >>> gpu_name(torch.device("cpu")) is None
    True
    """
    if device.type == "cpu":
        return None
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def with_lines(callbacks: list[Callback]) -> list[Callback]:
    """The run's callbacks, with one that logs a line per epoch where none of them does."""
    said = any(isinstance(callback, EpochLines) for callback in callbacks)
    return callbacks if said else [*callbacks, EpochLines()]


def with_atomic_checkpoints(plugins: Any) -> list[Any]:
    """The trainer's plugins, with ours for checkpoints where the user has none for them."""
    own = list(plugins) if isinstance(plugins, list | tuple) else [plugins] * (plugins is not None)
    return own if any(isinstance(plugin, CheckpointIO) for plugin in own) else [*own, AtomicCheckpointIO()]


def result_of(config: DictConfig, hydra_config: Any, trainer: Trainer, task: Task, data: ExperimentData) -> Result:
    """What a tested run records in `metrics.json`."""
    sensor_bits, network_bits = bits_of(config)
    prices: Result = {}
    with tolerated("counting what the network costs"):
        prices["cost"] = cost_of(task, data).totals()
    with tolerated("counting what the sensor's codes need"):
        if (rates := rates_of(task, data)) is not None:
            prices["rates"] = rates
    if config.sensing:
        with tolerated("the model of what sensing costs"):
            prices["sensing"] = sensing_of(task, data, instantiate(config.sensing), prices.get("rates"))
    return {
        "schema": run_folder.SCHEMA,
        "run": run_id(config),
        **choices(hydra_config),
        "dataset": data.dataset.name,
        "bits": sensor_bits,
        "network_bits": network_bits,
        "seed": config.seed,
        "fold": config.fold,
        "num_folds": data.num_folds,
        "monitor": task.monitor,
        "mode": task.mode,
        **task.results(),
        "quantizer": task.sensor.trajectory(),
        **({"white_balance": task.white_balance.record()} if task.white_balance is not None else {}),
        **({"standardised": task.standardise.record()} if task.standardise is not None else {}),
        **prices,
        "statistics": data.statistics,
        # Not `current_epoch`: of a run that is resumed after its last step, Lightning would count one too few.
        "epochs": trainer.fit_loop.epoch_progress.current.processed,  # type: ignore[attr-defined]
        "steps": trainer.global_step,
    }


def parts(node: DictConfig | None) -> list[Any]:
    """The built parts of a group that takes several (callbacks, loggers), without those set to null."""
    return [instantiate(part, _convert_="all") for part in (node or {}).values() if part]
