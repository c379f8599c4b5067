"""One batch of one run, before thousands are submitted; and a few timed ones, to say how long these take."""

from __future__ import annotations

import json
import logging
import math
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from qsense.experiment import errors
from qsense.experiment.command_line.overrides import key_of, root_of
from qsense.experiment.errors import ConfigError
from qsense.runs import folder as run_folder

log = logging.getLogger(__name__)

# Jobs are often submitted where there is no GPU.
HERE = ("++trainer.accelerator=auto", "++trainer.devices=1", "++trainer.strategy=auto")
BRIEF = ("++trainer.max_epochs=1", "++trainer.max_steps=1", "++trainer.limit_train_batches=1",
         "++trainer.limit_val_batches=1", "++trainer.limit_test_batches=1", *HERE)  # fmt: skip
TIMED = ("++trainer.max_epochs=1", "++trainer.max_steps=-1", "++trainer.limit_train_batches=8",
         "++trainer.limit_val_batches=4", "++trainer.limit_test_batches=4", *HERE,
         "+callback.stopwatch._target_=qsense.callbacks.stopwatch.Stopwatch")  # fmt: skip
TIMES = "times.json"
NOT_TAKEN = ("logger", "run", "runs", "resume_from")  # keys of the run that its trial has no use for
TAIL = 20  # lines of what a failed trial said


def preflight(overrides: Sequence[str], hydra: Any) -> None:
    """Train, validate and test one batch of a run, in a process and a folder of its own that leave nothing behind.

    It runs here and on one device (a GPU where this machine has one), whatever the run's own trainer and launcher say.

    Args:
        overrides: the run's arguments.
        hydra: Hydra's own configuration, which knows where the command's YAML files are.

    Raises:
        ConfigError: it failed; with the end of what it said.
    """
    began = time.monotonic()
    log.info("preflight: one batch of %s", " ".join(overrides) or "the default run")
    with tempfile.TemporaryDirectory(prefix="qsense-preflight-") as folder:
        try_out(overrides, hydra, BRIEF, Path(folder))
    log.info("preflight: passed in %.0f s", time.monotonic() - began)


def timed(overrides: Sequence[str], hydra: Any, config: DictConfig) -> float:
    """About how many seconds a run takes on this machine, by a few of its batches; see `preflight`.

    Args:
        overrides: the run's arguments.
        hydra: see `preflight`.
        config: the run's configuration.

    Raises:
        ConfigError: they failed.
    """
    with tempfile.TemporaryDirectory(prefix="qsense-preflight-") as folder:
        times = Path(folder) / TIMES
        run = try_out(overrides, hydra, (*TIMED, f"+callback.stopwatch.file={times}"), Path(folder))
        measured = json.loads(times.read_text(encoding="utf-8"))
        whole = run_folder.seconds(run) or 0.0
    seconds: float = whole - measured["spent_s"] + seconds_of(config.trainer, measured)
    return seconds


def seconds_of(trainer: Any, measured: dict[str, Any]) -> float:
    """How long all epochs and the test of a run take.

    Args:
        trainer: the run's settings of the trainer.
        measured: {part: {"batches": of all data, "seconds": of one}}; see `Stopwatch`.

    >>> part = {"batches": 10, "seconds": 1.0}
    >>> seconds_of({"max_epochs": 3, "limit_test_batches": 2}, {"train": part, "val": part, "test": part})
    62.0
    """

    def batches(part: str) -> int:
        there: int = measured[part]["batches"]
        limit: float = trainer.get(f"limit_{part}_batches", 1.0)
        return min(there, limit) if isinstance(limit, int) else math.ceil(there * limit)

    def seconds(part: str) -> float:
        return float(batches(part) * measured[part]["seconds"])

    steps = max(1, batches("train") / trainer.get("accumulate_grad_batches", 1))
    limits = trainer.get("max_epochs"), (trainer.get("max_steps") or -1) / steps
    epochs = min((limit for limit in limits if limit is not None and limit >= 0), default=1.0)
    each = seconds("train") + seconds("val") / (trainer.get("check_val_every_n_epoch") or 1)
    return float(epochs * each + seconds("test"))


def try_out(overrides: Sequence[str], hydra: Any, settings: Sequence[str], folder: Path) -> Path:
    """Run a run with other settings in a process of its own, and in a folder; returns its own folder in that.

    Raises:
        ConfigError: it failed; with the end of what it said.
    """
    brief = {key_of(entry) for entry in settings}
    kept = [each for each in overrides if root_of(each) not in NOT_TAKEN and key_of(each) not in brief]
    where = [f"--config-dir={each.path}" for each in hydra.runtime.config_sources if each.provider == "command-line"]
    where += [each for each in hydra.overrides.hydra if key_of(each) == "hydra.searchpath"]
    own = {key: value for key, value in os.environ.items() if key != errors.RAISE}  # its errors are for reading
    command = [sys.executable, "-m", "qsense.train", *where, *kept, *settings, "logger=none", f"runs={folder}"]
    done = subprocess.run(command, env=own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        tracebacks = [file.read_text(encoding="utf-8") for file in folder.glob("*/failed.txt")]
        said = "".join(tracebacks) or done.stdout
        lines = "\n".join(f"  {line}" for line in said.strip().splitlines()[-TAIL:])
        raise ConfigError(
            "preflight: one batch of the first run failed, so nothing was started. It was\n"
            f"  python -m qsense.train {shlex.join(overrides)}\nand said, at the end,\n{lines}"
        )
    return next(file.parent for file in folder.glob(f"*/{run_folder.RESULT}"))
