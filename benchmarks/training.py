"""What Lightning and qsense cost: one training epoch through them against a bare PyTorch loop of the same step.

    python benchmarks/training.py [--data sbhar] [--quick]

Both train the same network from the same weights on the same batches, in one process and on one thread, alternating;
the ratios are of medians, of the clock's seconds and of the processor's, which other programs disturb less.
`--data sbhar` needs QSENSE_DATA; the built-in data are the default.
"""

from __future__ import annotations

import argparse
import copy
import logging
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from lightning import LightningDataModule
from omegaconf import DictConfig, open_dict, read_write

from qsense.experiment.build import build
from qsense.experiment.schema import config_folder
from qsense.experiment.seeding import Reseed
from qsense.tasks.base import Task

Seconds = tuple[float, float]


def now() -> Seconds:
    """Seconds of the clock and of this process on the processor."""
    return time.perf_counter(), time.process_time()


def since(began: Seconds) -> Seconds:
    """Seconds since then, likewise."""
    clock, processor = now()
    return clock - began[0], processor - began[1]


def through_qsense(config: DictConfig, data: LightningDataModule, task: Task) -> Seconds:
    """Seconds for one epoch as `qsense.train` runs it: callbacks, loggers, checkpoint; no validation."""
    with tempfile.TemporaryDirectory() as folder:
        with read_write(config.hydra.runtime), open_dict(config.hydra.runtime):
            config.hydra.runtime.output_dir = folder
        HydraConfig.instance().set_config(config)
        callbacks = [
            instantiate(node)
            for name, node in config.callback.items()
            if name in ("checkpoint", "trajectory", "progress")
        ]
        loggers = [instantiate(node) for node in config.logger.values()]
        trainer = instantiate(config.trainer, _partial_=True)(
            callbacks=[Reseed(config.seed, config.fold), *callbacks], logger=loggers, default_root_dir=folder
        )
        began = now()
        trainer.fit(task, datamodule=data)
        return since(began)


def bare(data: LightningDataModule, task: Task) -> Seconds:
    """Seconds for one epoch of the same steps with nothing around them."""
    recipe = task.configure_optimizers()
    assert isinstance(recipe, dict)
    optimizer = recipe["optimizer"]
    task.train()
    task.class_weights = data.class_weights  # type: ignore[attr-defined]
    batches = data.train_dataloader()
    began = now()
    for batch in batches:
        optimizer.zero_grad()
        loss = task.loss(task(batch.x), batch.y)  # type: ignore[operator]
        loss.backward()
        optimizer.step()
        task.sensor.clamp_()
    return since(began)


def main() -> None:
    """Alternate, and print medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="synthetic_imu")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one round of a few steps, to see that it runs")
    options = parser.parse_args()
    torch.set_num_threads(1)
    overrides = [f"data={options.data}", "bits=2", "trainer.max_epochs=1", "trainer.limit_val_batches=0"]
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        config = compose("train", overrides, return_hydra_config=True)
    with open_dict(config):
        config.hydra.runtime.output_dir = str(Path(tempfile.gettempdir()))
        if options.quick:
            config.data.batch_size = 2000
    HydraConfig.instance().set_config(config)
    data, task = build(config)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    data.prepare_data()
    data.setup("fit")
    fresh = copy.deepcopy(task.state_dict())
    seconds: dict[str, list[Seconds]] = {"bare": [], "qsense": []}
    for number in range(1 if options.quick else options.rounds + 1):
        for kind in seconds:
            task.load_state_dict(fresh)
            torch.manual_seed(0)
            took = bare(data, task) if kind == "bare" else through_qsense(config, data, task)
            if number or options.quick:  # the first round warms up
                seconds[kind].append(took)
    steps = len(data.train_dataloader())
    print(f"\none epoch of {options.data}: {steps} steps of {config.data.batch_size} windows, one thread")
    print(f"{'':<12}{'clock':>10}{'processor':>12}")
    medians = {}
    for kind, values in seconds.items():
        medians[kind] = [statistics.median(column) for column in zip(*values, strict=True)]
        print(f"{kind:<12}{medians[kind][0]:>8.2f} s{medians[kind][1]:>10.2f} s")
    ratios = [through / alone for through, alone in zip(medians["qsense"], medians["bare"], strict=True)]
    print(f"{'ratio':<12}{ratios[0]:>10.3f}{ratios[1]:>12.3f}")
    print("What limits it: the convolutions' forward and backward; batches, logging and callbacks are the rest.")


if __name__ == "__main__":
    main()
