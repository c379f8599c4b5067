"""What Lightning's Trainer takes, known without importing it: so that a wrong value is answered before data is read.

Open it when a release of Lightning takes other values. Types are read from Lightning's source, by `signatures`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from qsense.experiment.errors import ConfigError
from qsense.experiment.signatures import definition
from qsense.runs.words import did_you_mean

TRAINER = "lightning.pytorch.trainer.trainer.Trainer"
# The keys of a run of a few batches, as conf/trainer/smoke.yaml sets them.
BATCHES = ("max_steps", "limit_train_batches", "limit_val_batches", "limit_test_batches")
# Arguments that the platform itself gives, each with where its user sets them.
INSTEAD = {
    "logger": "loggers are a group of their own: logger=none, logger=csv, logger=[csv,wandb]",
    "callbacks": "callbacks are a group of their own: callback=none, callback.figures=null, +callback.mine._target_=…",
    "default_root_dir": "a run's folder is set by runs=FOLDER",
    "enable_progress_bar": "the progress bar is a callback: callback.progress=null",
    "enable_checkpointing": "the checkpoint is a callback: callback.checkpoint=null",
    "barebones": "it would leave a run without metrics: take logger=none callback=none",
}
LEAST = {
    "max_epochs": -1, "min_epochs": 0, "max_steps": -1, "min_steps": 0, "num_nodes": 1, "num_sanity_val_steps": -1,
    "check_val_every_n_epoch": 1, "log_every_n_steps": 0, "accumulate_grad_batches": 1, "gradient_clip_val": 0,
    "reload_dataloaders_every_n_epochs": 0,
}  # fmt: skip
# A fraction, or a number of batches: 1.0 is all of them, and 1 is one.
PARTIAL = ("limit_train_batches", "limit_val_batches", "limit_test_batches", "limit_predict_batches",
           "overfit_batches", "val_check_interval")  # fmt: skip
DDP = ("ddp", "ddp_spawn", "ddp_fork", "ddp_notebook")
CHOICES: dict[str, tuple[str, ...]] = {
    "accelerator": ("auto", "cpu", "gpu", "cuda", "mps", "tpu"),
    "strategy": (
        "auto", *DDP, *(f"{each}_find_unused_parameters_{flag}" for each in DDP for flag in ("false", "true")),
        "fsdp", "fsdp_cpu_offload", "deepspeed", "deepspeed_stage_1", "deepspeed_stage_2", "deepspeed_stage_2_offload",
        "deepspeed_stage_3", "deepspeed_stage_3_offload", "deepspeed_stage_3_offload_nvme", "xla", "xla_debug",
    ),
    "profiler": ("simple", "advanced", "pytorch", "xla"),
    "gradient_clip_algorithm": ("norm", "value"),
}  # fmt: skip
DURATION = re.compile(r"\d+:\d{1,2}:\d{1,2}:\d{1,2}")


def check_trainer(trainer: Mapping[str, Any]) -> None:
    """Refuse values that Lightning would refuse, or with which there would be no result.

    Args:
        trainer: resolved; its arguments have the right types.

    Raises:
        ConfigError: with what is allowed.
    """
    if definition(str(trainer.get("_target_"))) != TRAINER:
        return
    for key, value in trainer.items():
        if value is None or isinstance(value, Mapping):  # Lightning's default; or a part of its own class
            continue
        said = f"trainer.{key}={value}"
        if key in CHOICES and (allowed := CHOICES[key]) and str(value).lower() not in allowed:
            hint = did_you_mean(str(value), allowed)
            short = [each for each in allowed if "_unused_" not in each]  # of ddp's many
            raise ConfigError(f"{said}{hint}: it must be one of {', '.join(short)}")
        if key in LEAST and value < LEAST[key]:
            raise ConfigError(f"{said}: it must be at least {LEAST[key]}{', which is no limit' * (LEAST[key] == -1)}")
        if (
            key in PARTIAL
            and isinstance(value, int | float)
            and not (0 <= value <= 1 or (value > 1 and value % 1 == 0))
        ):
            raise ConfigError(f"{said}: it must be a fraction from 0.0 to 1.0, or a whole number of batches")
        if key in ("max_time", "val_check_interval") and isinstance(value, str) and not DURATION.fullmatch(value):
            raise ConfigError(
                f"{said}: a duration is DAYS:HOURS:MINUTES:SECONDS, as in 'trainer.{key}=\"00:12:00:00\"'"
            )
    _check_combinations(trainer)
    _check_devices(trainer.get("devices", "auto"), trainer.get("accelerator"))


def _check_combinations(trainer: Mapping[str, Any]) -> None:
    if trainer.get("fast_dev_run"):
        raise ConfigError(
            f"trainer.fast_dev_run={trainer['fast_dev_run']}: it would be recorded as a whole run's result; "
            "take trainer=smoke, a few batches that have a name of their own"
        )
    if trainer.get("limit_test_batches") == 0:
        raise ConfigError(
            f"trainer.limit_test_batches={trainer['limit_test_batches']}: without a test there is no result; for a "
            "short one: trainer.limit_test_batches=1"
        )
    if trainer.get("max_epochs") == -1 and trainer.get("max_steps") in (None, -1) and trainer.get("max_time") is None:
        raise ConfigError(
            "trainer.max_epochs=-1 never ends: set trainer.max_epochs to a number of epochs, or trainer.max_steps or "
            "trainer.max_time beside it"
        )
    if trainer.get("check_val_every_n_epoch", 1) is None and not isinstance(
        trainer.get("val_check_interval"), int | str
    ):
        raise ConfigError(
            "trainer.check_val_every_n_epoch=null counts batches and not epochs: set trainer.val_check_interval to a "
            "whole number of batches"
        )
    if isinstance(trainer.get("max_time"), int | float):
        raise ConfigError(f"trainer.max_time={trainer['max_time']}: a duration is DAYS:HOURS:MINUTES:SECONDS")
    if isinstance(trainer.get("plugins"), str | int | float):
        raise ConfigError(f"trainer.plugins={trainer['plugins']}: a plugin is a mapping with _target_")


def _check_devices(devices: Any, accelerator: Any) -> None:
    """Is it a number of devices, or are they listed, and can this kind of machine have the accelerator?"""
    said = f"trainer.devices={devices}"
    if accelerator == "mps" and sys.platform != "darwin":
        raise ConfigError(
            "trainer.accelerator=mps: that is Apple's GPU, which this machine has not; take cpu, gpu or auto"
        )
    text = str(devices)
    if isinstance(devices, str) and "," in devices:
        devices = [int(each) if each.strip().isdigit() else each for each in devices.split(",") if each.strip()]
    if isinstance(devices, Sequence) and not isinstance(devices, str):
        indices = [each for each in devices if type(each) is int and each >= 0]
        if not devices or len(set(indices)) < len(devices):
            raise ConfigError(f"{said}: a list of devices names each by its number, from 0, once")
        if accelerator == "cpu":
            raise ConfigError(
                f"{said}: processors have no numbers; with trainer.accelerator=cpu it is how many processes"
            )
    elif text != "auto" and not (text.isdigit() and int(text) > 0) and (text != "-1" or accelerator == "cpu"):
        raise ConfigError(f"{said}: it must be a whole number from 1, a list as in [0,1], auto, or -1 for all GPUs")


def check_machine(trainer: Mapping[str, Any]) -> None:
    """Refuse an accelerator that this machine has not; for the process that is to train, as it imports torch.

    Raises:
        ConfigError: with what there is.
    """
    accelerator = trainer.get("accelerator")
    if accelerator not in ("gpu", "cuda", "mps"):
        return
    import torch

    found = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    there = max(found.values()) if accelerator == "gpu" else found[str(accelerator)]
    if not there:
        raise ConfigError(
            f"trainer.accelerator={accelerator}: torch finds no such device on this machine. Take trainer=cpu, or look "
            "at the driver, CUDA_VISIBLE_DEVICES and whether this torch was built for that GPU"
        )
    devices = trainer.get("devices")
    if type(devices) is int and devices > there:
        raise ConfigError(f"trainer.devices={devices}: this machine has {there}")
