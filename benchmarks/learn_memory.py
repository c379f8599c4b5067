"""Levels of a DPCM learned with the network, by gradients through its recursion, beside fitted ones.

    python benchmarks/learn_memory.py experiment=one_bit quant=dpcm bits=2 --folds 5 15 25
    python benchmarks/learn_memory.py experiment=one_bit quant=dpcm bits=2 --check

A decoded value is v_t = p_t + L[k_t], code k_t that of the residual x_t − p_t. With a straight-through estimator the
quantized residual follows the residual: ∂v_t/∂p_t = 1 − 1 = 0, so a level moves a value only where the value's own
code is that level's: ∂v_t/∂L_j = 1 if k_t = j, else 0. What later predictions make of it, the sender corrects. So there
is no recursion to unroll: the gradient of a level adds up the loss's gradients by code. With the squared error as loss
it vanishes where each level is the mean of its residuals, as in Lloyd-Max.

At each epoch the levels are rounded to integers and all recordings are encoded anew. Thresholds stay half way between
levels. `--check` compares the gradient with finite differences of the true loss, all recordings encoded anew for each.

Seen on SBHAR with experiment=one_bit at 2 bits: the gradient is right (cosine with finite differences 0.83 at the
fitted levels, 0.79 at 1.3 times those), and levels move by up to 0.4 mean levels, but nothing is won: learned − fitted
macro-F1 on folds 0, 2, 5, 7, 10, 15, 20, 25 is −.003 ± .025 (median +.005; from −.070 to +.024). So it is no part of
the converter.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from hydra.utils import instantiate
from lightning.pytorch import Callback, LightningModule, Trainer
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from qsense.data.series.module import HARDataModule
from qsense.experiment.build import build
from qsense.experiment.compose import compose
from qsense.experiment.seeding import Reseed
from qsense.quant.sensor.memory.dpcm import DPCM, _apart
from qsense.tasks.base import Task


class LearnedDPCM(DPCM):
    """DPCM whose levels move by `shift`, in units of each channel's mean level; samples carry their codes with them.

    Args:
        lr: of the shifts.
    """

    def __init__(self, *arguments: Any, lr: float = 1e-3, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.lr = lr
        self.shift = nn.Parameter(torch.zeros(self.rows, 1 << self.bits))

    def place(self, counts: Any, bounds: Any) -> None:
        super().place(counts, bounds)
        self.fitted = self.residual_levels.double()
        self.unit = self.fitted.abs().mean(1, keepdim=True)

    @torch.no_grad()
    def round_levels(self) -> None:
        """Levels of the present shifts, as integers."""
        for row, levels in enumerate(self.fitted + self.shift.double() * self.unit):
            self.residual_levels[row] = torch.from_numpy(_apart(np.sort(levels.round().numpy())))

    def forward(self, x: Tensor, condition: Sequence[int] | None = None) -> Tensor:
        """Values [..., channels] of samples [..., values and codes of all channels]."""
        values, codes = x.split(self.rows, dim=-1)
        assert self.signal.low is not None
        assert self.signal.high is not None
        scale = (self.signal.high - self.signal.low) / (self.white - self.black) / (1 << (16 - self.native_bits))
        levels = self.shift * (self.unit * scale).float()
        moved = (levels - levels.detach())[torch.arange(self.rows), codes.long()]  # nothing but its gradient
        return torch.add(values, moved)

    def parameter_groups(self, lr: float) -> list[dict[str, Any]]:
        return [{"params": [self.shift], "lr": self.lr, "weight_decay": 0.0}]


class CodedData(HARDataModule):
    """Windows hold values and codes."""

    def fit(self, converter: Any) -> None:
        converter.fit_recordings(*self.training_recordings())  # tables of the cache would not say where levels began

    def _deliver(self) -> None:
        for part in self._parts.values():
            part.delivered = np.concatenate([self.stream.values, self.stream.codes.astype(np.float32)], axis=1)


class Encode(Callback):
    """Encodes all recordings anew at each epoch."""

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, Task)
        encode(pl_module, trainer.datamodule)  # type: ignore[attr-defined]

    on_train_end = on_train_epoch_start


def encode(task: Task, data: HARDataModule) -> None:
    """Round the levels, and convert all recordings by them."""
    assert isinstance(task.sensor, LearnedDPCM)
    task.sensor.round_levels()
    data.convert(task.sensor)


def built(config: DictConfig, fold: int, lr: float) -> tuple[HARDataModule, Task]:
    """An experiment on one fold, its levels fitted; with lr 0 they stay so."""
    config.fold = fold
    config.data._target_ = f"{__name__}.CodedData"
    config.quant.sensor.update(_target_=f"{__name__}.LearnedDPCM", lr=lr)
    data, task = build(config)
    assert isinstance(data, HARDataModule)
    data.prepare_data()
    data.setup("fit")
    task.calibrate(data)
    return data, task


def trained(config: DictConfig, fold: int, lr: float, epochs: int) -> tuple[HARDataModule, Task, Trainer]:
    """An experiment on one fold, trained as its recipe says."""
    data, task = built(config, fold, lr)
    callbacks = [Reseed(config.seed, fold), Encode()]
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    make = instantiate(config.trainer, _partial_=True, _convert_="all")
    trainer: Trainer = make(max_epochs=epochs, callbacks=callbacks, **quiet)
    trainer.fit(task, datamodule=data)
    return data, task.eval(), trainer


def loss(task: Task, data: HARDataModule, every: int) -> Tensor:
    """Mean loss over every n-th training window, all recordings encoded by the present levels; adds up gradients."""
    encode(task, data)
    part = data.part("train")
    total = torch.zeros(())
    chosen = np.arange(0, len(part), every)
    for some in np.array_split(chosen, max(1, len(chosen) // 1000)):
        share = task.objective(part.__getitems__(some)) * (len(some) / len(chosen))
        if share.requires_grad:
            share.backward()
        total += share.detach()
    return total


def check(config: DictConfig, fold: int, step: float, every: int) -> None:
    """Print the gradient of each shift beside the finite difference of the true loss, and their cosine."""
    data, task, _ = trained(config, fold, lr=0.0, epochs=3)
    sensor = task.sensor
    assert isinstance(sensor, LearnedDPCM)
    shift = sensor.shift
    for parameter in task.network.parameters():
        parameter.requires_grad_(False)
    for spread in (1.0, 1.3):  # at the fitted levels, and away from them
        with torch.no_grad():
            shift.copy_((spread - 1) * (sensor.fitted / sensor.unit))
        shift.grad = None
        loss(task, data, every)
        assert shift.grad is not None
        gradient, difference = shift.grad.clone(), torch.zeros_like(shift)
        with torch.no_grad():
            for place in np.ndindex(*shift.shape):
                at = []
                for side in (step, -step):
                    shift[place] += side
                    at.append(loss(task, data, every))
                    shift[place] -= side
                difference[place] = (at[0] - at[1]) / (2 * step)
        cosine = cosine_similarity(gradient.flatten(), difference.flatten(), dim=0)
        print(f"levels × {spread}: cosine {cosine:.3f}\n  gradient   {rows(gradient)}\n  difference {rows(difference)}")


def rows(table: Tensor) -> str:
    return "  ".join("[" + " ".join(f"{value:+.4f}" for value in row) + "]" for row in table.tolist())


def main() -> None:
    """Train beside fitted levels, or check the gradient."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--folds", type=int, nargs="+", default=[5, 15, 25])
    parser.add_argument("--lr", type=float, nargs="+", default=[0.0, 1e-3], help="of the levels; 0: they stay fitted")
    parser.add_argument("--check", action="store_true", help="compare with finite differences instead")
    parser.add_argument("--step", type=float, default=0.1, help="of the finite differences, in mean levels")
    parser.add_argument("--every", type=int, default=4, help="windows: one of so many counts in them")
    arguments, overrides = parser.parse_known_args()
    config = compose([*overrides, "callback=none", "logger=none"])
    OmegaConf.set_struct(config, False)
    if arguments.check:
        check(config, arguments.folds[0], arguments.step, arguments.every)
        return
    for fold in arguments.folds:
        for lr in arguments.lr:
            data, task, trainer = trained(config, fold, lr, config.trainer.max_epochs)
            trainer.test(task, datamodule=data, verbose=False)
            found = task.results()["metrics"][task.monitor]
            assert isinstance(task.sensor, LearnedDPCM)
            print(f"fold {fold:2} lr {lr:g}: {found:.4f}, moved by {rows(task.sensor.shift)}", flush=True)


if __name__ == "__main__":
    logging.getLogger("qsense").setLevel(logging.ERROR)
    main()
