"""How long a batch takes, and how many there are: what a dry run estimates a sweep's time by.

Open it when the estimate is far off on a kind of machine.
"""

from __future__ import annotations

import json
import statistics
import time
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from qsense.runs.folder import write_atomically


class Stopwatch(Callback):
    """Write what was measured to a file, as JSON: {part: {"batches", "seconds"}} of train, val and test, and "spent_s".

    Seconds are the median of one batch, its loading included, without the first one, which warms up; the batches are
    all that the data have, whatever the trainer's limits; `spent_s` is how long those of this run took.

    Args:
        file: is written after the test.
    """

    def __init__(self, file: str) -> None:
        self.file = Path(file)
        self.moments: dict[str, list[float]] = defaultdict(list)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._note("train", pl_module)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        self._note("train", pl_module)

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._note("val", pl_module)

    def on_validation_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        self._note("val", pl_module)

    def on_test_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._note("test", pl_module)

    def on_test_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        self._note("test", pl_module)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        loaders = {"train": data.train_dataloader(), "val": data.val_dataloader(), "test": data.test_dataloader()}
        found: dict[str, Any] = {"spent_s": sum(each[-1] - each[0] for each in self.moments.values())}
        for part, loader in loaders.items():
            moments = self.moments[part]
            between = [later - earlier for earlier, later in pairwise(moments)]
            seconds = statistics.median(between[1:] or between or [0.0])
            found[part] = {"batches": len(loader), "seconds": seconds}
        write_atomically(self.file, json.dumps(found))

    def _note(self, part: str, module: LightningModule) -> None:
        if module.device.type != "cpu":
            torch.accelerator.synchronize()
        self.moments[part].append(time.monotonic())
