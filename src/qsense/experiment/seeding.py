"""Every seed of a run, and of each of its epochs, from (seed, fold) alone."""

from __future__ import annotations

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer


def derive(seed: int, fold: int, *stream: int) -> int:
    """A 32-bit seed for a stream of randomness of run (seed, fold): nothing for its start, (epoch,) for an epoch.

    Reseeding at each epoch makes a run that resumes at an epoch's end bit-identical to one that never stopped, with no
    generator state to save.

    >>> derive(0, 0) != derive(0, 1) != derive(0, 0, 0)
    True
    """
    # The stream's length is part of it: SeedSequence takes trailing zeros for nothing.
    return int(np.random.SeedSequence([seed, fold, len(stream), *stream]).generate_state(1)[0])


class Reseed(Callback):
    """Seed torch at the start of each training epoch, so that a resumed run repeats an undisturbed one bit for bit.

    Several processes of one run draw different dropout masks: the rank is part of the seed.
    """

    def __init__(self, seed: int, fold: int) -> None:
        self.seed = seed
        self.fold = fold

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        torch.manual_seed(derive(self.seed, self.fold, trainer.current_epoch, trainer.global_rank))
