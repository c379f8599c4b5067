"""Make every epoch's randomness depend on (seed, fold, epoch) alone."""

from __future__ import annotations

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from qsense.seeding import derive


class Reseed(Callback):
    """Seed torch at the start of each training epoch, so that a resumed run repeats an undisturbed one bit for bit.

    Several processes of one run draw different dropout masks: the rank is part of the seed.
    """

    def __init__(self, seed: int, fold: int) -> None:
        self.seed = seed
        self.fold = fold

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        torch.manual_seed(derive(self.seed, self.fold, trainer.current_epoch, trainer.global_rank))
