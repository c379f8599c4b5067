"""Train one run, or with `-m` a sweep of them: compose → check → build → fit → test → record.

python -m qsense.train quant=gamma bits=2 -m
"""

from __future__ import annotations

import logging
import os
import warnings
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from qsense import runs
from qsense.config import ConfigError, check, choices, config_folder, run_id
from qsense.data.recordings import DataError

log = logging.getLogger(__name__)


def train(config: DictConfig) -> float:
    """One run: its headline metric, from its result if it is finished, else by training it from where it stands."""
    hydra_config = HydraConfig.get()
    folder = Path(hydra_config.runtime.output_dir)
    check(config)
    if runs.finished(folder):
        log.info("already finished: %s (delete the folder to train it again)", folder)
        return headline(runs.result(folder))
    # Lightning starts this command again for each further device (ddp); one of them keeps the record.
    recorder = os.environ.get("LOCAL_RANK", "0") == "0"
    if recorder:
        overrides = list(hydra_config.overrides.task)
        runs.start(folder, OmegaConf.to_yaml(resolved(config, hydra_config)), overrides)
    try:
        result = fit_and_test(config, hydra_config, folder)
    except Exception as error:
        if recorder:
            runs.fail(folder)
        if isinstance(error, DataError):
            raise ConfigError(str(error)) from error
        raise
    if recorder:
        runs.finish(folder, result)
    log.info("%s %.4f · %s", result["monitor"], headline(result), folder)
    return headline(result)


def fit_and_test(config: DictConfig, hydra_config: Any, folder: Path) -> dict[str, Any]:
    """Train and test with whatever trainer, callbacks and loggers were configured; resume where a checkpoint stands."""
    from lightning import Trainer
    from lightning.pytorch.callbacks import ProgressBar

    from qsense.build import build
    from qsense.callbacks.reseed import Reseed
    from qsense.loggers import close

    quieten()
    data, task = build(config)
    data.prepare_data()  # now, so that unusable data is answered before loggers and trainer start
    data.setup("fit")
    loggers = [instantiate(node, _convert_="all") for node in config.logger.values() if node]
    failed = True
    try:
        callbacks = [instantiate(node, _convert_="all") for node in config.callback.values() if node]
        trainer: Trainer = instantiate(config.trainer, _partial_=True, _convert_="all")(
            callbacks=[Reseed(config.seed, config.fold), *callbacks],
            logger=loggers or False,
            default_root_dir=str(folder),
            enable_progress_bar=any(isinstance(callback, ProgressBar) for callback in callbacks),
        )
        parameters = resolved(config, hydra_config)
        for logger in loggers:
            logger.log_hyperparams({**OmegaConf.to_container(parameters), "git_revision": runs.git_revision()})  # type: ignore[dict-item]
        checkpoint = runs.checkpoint(folder)
        if checkpoint:
            log.info("resuming from %s", checkpoint)
        trainer.fit(task, datamodule=data, ckpt_path=checkpoint, weights_only=True)
        trainer.test(task, datamodule=data, verbose=False)
        failed = False
    finally:
        close(loggers, failed)
    return {
        "schema": 1,
        "run": run_id(config),
        **choices(hydra_config),
        "dataset": data.dataset.name,
        "bits": task.sensor.bits or None,
        "seed": config.seed,
        "fold": config.fold,
        "num_folds": data.num_folds,
        "monitor": task.monitor,
        "mode": task.mode,
        **task.results(),
        "quantizer": task.sensor.trajectory(),
        "statistics": data.statistics,
        "epochs": trainer.current_epoch,
        "steps": trainer.global_step,
    }


def resolved(config: DictConfig, hydra_config: Any) -> DictConfig:
    """The configuration with every interpolation resolved, and which option of each group was taken."""
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    return OmegaConf.create({**plain, "choices": choices(hydra_config)})


def headline(result: dict[str, Any]) -> float:
    """The result's monitored metric."""
    return float(result["metrics"][result["monitor"]])


def quieten() -> None:
    """Leave the screen to the progress bar: no banners, no advice on loader processes (a batch takes microseconds).

    Importing Lightning sets its loggers' levels, so call this afterwards.
    """
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", ".*does not have many workers.*")
    warnings.filterwarnings("ignore", ".*exists and is not empty.*")
    warnings.filterwarnings("ignore", ".*recommended to use .self.log.*sync_dist=True.*")  # the scores synchronise
    warnings.filterwarnings("ignore", ".*LeafSpec.*is deprecated.*")


main = hydra.main(version_base="1.3", config_path=str(config_folder()), config_name="train")(train)

if __name__ == "__main__":
    # Under its own name, so that launchers which start other processes can pickle the function by reference.
    from qsense.train import main as named_main

    named_main()
