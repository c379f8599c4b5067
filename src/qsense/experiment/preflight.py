"""One batch of one run, before thousands are submitted."""

from __future__ import annotations

import logging
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qsense.experiment import errors
from qsense.experiment.command_line.overrides import key_of, root_of
from qsense.experiment.errors import ConfigError

log = logging.getLogger(__name__)

BRIEF = ("++trainer.max_epochs=1", "++trainer.max_steps=1", "++trainer.limit_train_batches=1",
         "++trainer.limit_val_batches=1", "++trainer.limit_test_batches=1",
         # Jobs are often submitted where there is no GPU.
         "++trainer.accelerator=auto", "++trainer.devices=1", "++trainer.strategy=auto")  # fmt: skip
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
    brief = {key_of(entry) for entry in BRIEF}
    kept = [each for each in overrides if root_of(each) not in NOT_TAKEN and key_of(each) not in brief]
    began = time.monotonic()
    log.info("preflight: one batch of %s", " ".join(overrides) or "the default run")
    where = [f"--config-dir={each.path}" for each in hydra.runtime.config_sources if each.provider == "command-line"]
    where += [each for each in hydra.overrides.hydra if key_of(each) == "hydra.searchpath"]
    own = {key: value for key, value in os.environ.items() if key != errors.RAISE}  # its errors are for reading
    with tempfile.TemporaryDirectory(prefix="qsense-preflight-") as folder:
        command = [sys.executable, "-m", "qsense.train", *where, *kept, *BRIEF, "logger=none", f"runs={folder}"]
        done = subprocess.run(
            command, env=own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        tracebacks = [file.read_text(encoding="utf-8") for file in Path(folder).glob("*/failed.txt")]
    if done.returncode:
        said = "".join(tracebacks) or done.stdout
        lines = "\n".join(f"  {line}" for line in said.strip().splitlines()[-TAIL:])
        raise ConfigError(
            "preflight: one batch of the first run failed, so nothing was started. It was\n"
            f"  python -m qsense.train {shlex.join(overrides)}\nand said, at the end,\n{lines}"
        )
    log.info("preflight: passed in %.0f s", time.monotonic() - began)
