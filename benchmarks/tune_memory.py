"""Tune a converter with memory for its task: leak, slope, moves of the step, `alike`, and how far levels lie apart.

    python benchmarks/tune_memory.py experiment=one_bit quant=adpcm bits=1 --trials 40
    python benchmarks/tune_memory.py experiment=one_bit quant=adpcm bits=1 --confirm 2

Three groups of subjects, so that nothing is chosen by what it is judged on. A network is trained on unquantized
samples of the first group; for each candidate, tables are placed by that group, the network learns on for `--epochs`
short epochs behind it, and is scored on the second group (`--tune`). Optuna chooses candidates, the shipped one first;
its journal (`--journal`) is resumed by the same command. With `--confirm n` the n best and the shipped one are trained
as the experiment says, from the start, on the first group, and tested on the third (`--folds`), which no candidate has
seen; differences and their 95 % intervals over subjects are shown.

A candidate's score has noise of its own: the mean of `--repeats` scorings, which differ in their random numbers alone.

Seen on SBHAR with experiment=one_bit, sample-wise macro-F1 (shipped: leak 6, slope 0, moves or levels of least squared
error). In the search most settings lie within its noise; what it likes best, trained anew with three seeds and tested
on other subjects, never beats the shipped setting by more than noise, and once it loses. So defaults stay.

                  search           best of it                                    − shipped, confirmed
    adpcm 1 bit   .449 … .474      leak 8, slope 2 (+.003 in search)             +.005 ± .010
    adpcm 2 bits  .489 … .502      leak 0, slope 3, moves -1, 6 (+.006)          +.004 ± .014
    dpcm  2 bits  .482 … .496      leak 2, slope 1, levels × 1.07 (+.004)        −.018 ± .013
"""

from __future__ import annotations

import argparse
import copy
import json
import logging
import statistics
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import optuna
import torch
from hydra.utils import get_class, instantiate
from lightning import Trainer
from omegaconf import DictConfig, OmegaConf
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from rich.console import Console
from rich.table import Table
from scipy import stats  # type: ignore[import-untyped]

from qsense.data.cache import digest
from qsense.data.series.batch import WindowDataset
from qsense.data.series.module import HARDataModule
from qsense.data.series.prepared import prepared
from qsense.data.series.windows import index_windows
from qsense.experiment.build import build
from qsense.experiment.compose import compose
from qsense.experiment.seeding import Reseed
from qsense.metrics.f1 import HARScore
from qsense.quant.sensor.memory.adpcm import ADPCM, FACTORS
from qsense.quant.sensor.memory.base import MemoryConverter
from qsense.quant.sensor.memory.dpcm import DPCM
from qsense.quant.sensor.memory.steps import MOVES
from qsense.tasks.base import Task

Candidate = dict[str, Any]
SHIPPED: dict[type, Candidate] = {ADPCM: {"moves": "fitted", "alike": 2}, DPCM: {"spread": 1.0}}


class Split(HARDataModule):
    """Trains on subjects that neither tune nor confirm, and tests on one of these groups.

    `normalise=train` leaves the extremes of the first tested subject alone out.

    Args:
        test: subjects to test on.
        spare: subjects that are neither trained nor tested on.
    """

    def __init__(self, test: Sequence[int], spare: Sequence[int], **settings: Any) -> None:
        super().__init__(**settings)
        self.test, self.others = test, [*test, *spare]

    def divide(self) -> tuple[dict[str, WindowDataset], dict[str, Any]]:
        arrays = prepared(self.dataset, self.cache)
        index = index_windows(arrays["bounds"], self.window, self.stride)
        subject = arrays["subject"][index.recording]
        low, high = self._extremes(arrays)
        train, test = (
            WindowDataset(arrays, index, use, self.window, self.stride, low, high)
            for use in (~np.isin(subject, self.others), np.isin(subject, self.test))
        )
        self.class_weights = self._weights(np.bincount(train.y, minlength=self.num_classes))
        return {"train": train, "validation": test, "test": test}, {}

    def _places(self, held_out: bool) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        arrays = prepared(self.dataset, self.cache)
        lengths = np.diff(arrays["bounds"])
        chosen = np.isin(arrays["subject"], self.test) if held_out else ~np.isin(arrays["subject"], self.others)
        return np.flatnonzero(np.repeat(chosen, lengths)), np.concatenate([[0], np.cumsum(lengths[chosen])])

    def fit(self, converter: MemoryConverter) -> None:
        converter.fit_recordings(*self.training_recordings())  # the cache knows folds alone, and these are none


# A candidate ----------------------------------------------------------------------------------------------------------


def candidate(trial: optuna.Trial | optuna.trial.FixedTrial, kind: type[MemoryConverter], bits: int) -> Candidate:
    """What Optuna proposes."""
    found: Candidate = {
        "leak": trial.suggest_categorical("leak", [0, 2, 3, 4, 5, 6, 8]),
        "slope": trial.suggest_categorical("slope", [0, 1, 2, 3]),
    }
    if issubclass(kind, ADPCM):
        if trial.suggest_categorical("moves", ["fitted", "chosen"]) == "chosen":
            found["fall"] = trial.suggest_categorical("fall", list(FACTORS))
            found["rise"] = trial.suggest_categorical("rise", list(FACTORS))
        if bits == 1:
            found["alike"] = trial.suggest_categorical("alike", [2, 3])
    else:
        found["spread"] = trial.suggest_float("spread", 0.7, 1.4)
    return found


def divided(config: DictConfig, test: Sequence[int], spare: Sequence[int]) -> DictConfig:
    """The configuration with other groups of subjects."""
    config = copy.deepcopy(config)
    OmegaConf.set_struct(config, False)
    config.data.update(_target_=f"{__name__}.Split", test=list(test), spare=list(spare))
    config.fold = test[0]
    return config


def configured(config: DictConfig, chosen: Candidate) -> DictConfig:
    """The configuration with a candidate's settings."""
    config = copy.deepcopy(config)
    sensor, bits = config.quant.sensor, int(config.bits)
    for key in {"leak", "slope", "alike"} & chosen.keys():
        sensor[key] = chosen[key]
    if "fall" in chosen:
        sensor.moves = [move * (chosen["fall"] if move < 0 else chosen["rise"]) for move in MOVES[bits]]
    return config


def place(task: Task, data: HARDataModule, spread: float = 1.0) -> None:
    """Place the sensor's tables by training recordings, levels `spread` times as far from 0, and the map behind it."""
    task.calibrate(data)
    if spread != 1 and isinstance(task.sensor, DPCM):
        levels = task.sensor.residual_levels
        levels.copy_((levels.double() * spread).round().int())
        data.convert(task.sensor)
        if task.standardise is not None:
            task.standardise.fit(task.delivered(data))


def noise_ratio(task: Task, data: HARDataModule) -> float:
    """Signal-to-noise ratio in dB, mean of the axes, over all recordings that train."""
    x, bounds = data.training_recordings()
    assert isinstance(task.sensor, MemoryConverter)
    error = task.sensor.convert(x, bounds).values - x
    return float((10 * np.log10(x.var(0) / (error**2).mean(0))).mean())


def built(config: DictConfig) -> tuple[HARDataModule, Task]:
    """Data that are read, and a task whose sensor is not placed yet."""
    data, task = build(config)
    assert isinstance(data, HARDataModule)
    data.prepare_data()
    data.setup("fit")
    return data, task


# Training and scoring -------------------------------------------------------------------------------------------------


def fit(config: DictConfig, task: Task, data: HARDataModule, epochs: int) -> None:
    """Train as the experiment says, for so many epochs."""
    make = instantiate(config.trainer, _partial_=True, _convert_="all")
    trainer: Trainer = make(
        max_epochs=epochs,
        callbacks=[Reseed(config.seed, config.fold)],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
    )
    trainer.fit(task, datamodule=data)


@torch.no_grad()
def scores(task: Task, data: HARDataModule) -> list[float]:
    """Macro-F1 over samples of each subject that is tested."""
    part: WindowDataset = data.part("test")
    subject = prepared(data.dataset, data.cache)["subject"][part.recording]
    task.eval()
    found = []
    for one in np.unique(subject):
        score = HARScore(data.class_names)
        for some in np.array_split(np.flatnonzero(subject == one), 4):
            x, y, covered = part.__getitems__(some)
            score.update(task(x), y, covered)
        found.append(float(score.compute()["f1_sample"]))
    return found


class Screen:
    """Scores candidates behind one network, trained once on unquantized samples and kept beside the journal."""

    def __init__(self, config: DictConfig, epochs: int, file: Path):
        self.config, self.epochs = config, epochs
        if not file.exists():
            unquantized = copy.deepcopy(config)
            unquantized.quant.sensor = {"_target_": "qsense.quant.sensor.identity.Identity"}
            data, task = built(unquantized)
            place(task, data)
            fit(unquantized, task, data, config.trainer.max_epochs)
            print(f"unquantized: {mean(scores(task, data)):.4f}", flush=True)
            torch.save(task.network.state_dict(), file)
        self.network = torch.load(file, weights_only=True)

    def placed(self, chosen: Candidate, seed: int) -> tuple[DictConfig, Task, HARDataModule]:
        """A candidate with its tables, before the network has learned behind it."""
        config = configured(self.config, chosen)
        config.task.lr = config.task.lr * config.task.lr_factor  # as in the last epochs of training
        config.seed = seed
        data, task = built(config)
        place(task, data, chosen.get("spread", 1.0))
        task.network.load_state_dict(self.network)
        return config, task, data

    def score(self, chosen: Candidate, seed: int) -> float:
        """Mean of the tuning subjects' scores."""
        config, task, data = self.placed(chosen, seed)
        fit(config, task, data, self.epochs)
        return mean(scores(task, data))


def trained(config: DictConfig, chosen: Candidate, seed: int) -> list[float]:
    """Score of each tested subject behind a candidate, trained as the experiment says."""
    config = configured(config, chosen)
    config.seed = seed
    data, task = built(config)
    place(task, data, chosen.get("spread", 1.0))
    fit(config, task, data, config.trainer.max_epochs)
    return scores(task, data)


def confirm(study: optuna.Study, config: DictConfig, count: int, seeds: int) -> None:
    """Train the shipped candidate and the best; what was trained before is kept with the study."""
    kind, bits = get_class(config.quant.sensor._target_), int(config.bits)
    shipped = complete(study)[0]
    ranked = sorted(complete(study)[1:], key=lambda trial: -(trial.value or 0))
    known: dict[str, list[float]] = dict(study.user_attrs.get("confirmed", {}))
    table = Table(title=f"{kind.__name__}, {bits} bits: subjects {list(config.data.test)} × {seeds} seeds")
    for heading in ("candidate", "dB", "in search", "score", "− shipped", "95 %", "by seed"):
        table.add_column(heading)
    reference: list[list[float]] = []
    for trial in [shipped, *ranked[:count]]:
        chosen = candidate(optuna.trial.FixedTrial(trial.params), kind, bits)
        for seed in range(seeds):
            key = json.dumps([chosen, seed])
            if key not in known:
                known[key] = trained(config, chosen, seed)
                study.set_user_attr("confirmed", known)
                print(f"seed {seed} {mean(known[key]):.4f} {chosen}", flush=True)
        found = [known[json.dumps([chosen, seed])] for seed in range(seeds)]
        reference = reference or found
        differences = np.subtract(found, reference)
        by_subject = differences.mean(0)
        half = stats.t.ppf(0.975, len(by_subject) - 1) * by_subject.std(ddof=1) / len(by_subject) ** 0.5
        table.add_row(
            ", ".join(f"{key}={value:.3g}" for key, value in chosen.items()),
            f"{trial.user_attrs['dB']:.1f}",
            f"{trial.value:.4f}",
            f"{np.mean(found):.4f}",
            f"{by_subject.mean():+.4f}",
            f"±{half:.4f}",
            " ".join(f"{one:+.3f}" for one in differences.mean(1)),
        )
    Console(width=120).print(table)


def complete(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Scored candidates, the shipped one first."""
    return study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.COMPLETE])


def mean(values: Sequence[float]) -> float:
    return statistics.fmean(values)


def search(
    study: optuna.Study, screen: Screen, kind: type[MemoryConverter], repeats: int, margin: float, trials: int
) -> None:
    """Score candidates, the shipped one first; those whose noise is far above its own are left out."""
    bits = int(screen.config.bits)

    def objective(trial: optuna.Trial) -> float:
        chosen = candidate(trial, kind, bits)
        for other in complete(study):
            if other.params == trial.params:  # proposed again: nothing new to learn
                raise optuna.TrialPruned
        _, task, data = screen.placed(chosen, seed=0)
        decibels = noise_ratio(task, data)
        trial.set_user_attr("dB", decibels)
        if (known := complete(study)) and decibels < known[0].user_attrs["dB"] - margin:
            raise optuna.TrialPruned
        values = [screen.score(chosen, seed) for seed in range(repeats)]
        trial.set_user_attr("repeats", values)
        print(f"{trial.number:3} {mean(values):.4f} {decibels:5.2f} dB {chosen}", flush=True)
        return mean(values)

    study.optimize(objective, n_trials=trials)


def main(line: Sequence[str] | None = None) -> None:
    """Search, or confirm what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--trials", type=int, default=0, help="candidates to score now")
    parser.add_argument("--confirm", type=int, default=0, metavar="N", help="train the N best, and the shipped one")
    parser.add_argument("--tune", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="subjects to score candidates on")
    parser.add_argument("--folds", type=int, nargs="+", default=[5, 10, 15, 20, 25, 29], help="subjects to confirm on")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each that is confirmed")
    parser.add_argument("--epochs", type=int, default=1, help="short epochs behind each candidate")
    parser.add_argument("--repeats", type=int, default=2, help="scorings of a candidate, with other random numbers")
    parser.add_argument(
        "--margin", type=float, default=3.0, help="dB below the shipped candidate that are still scored"
    )
    parser.add_argument("--journal", type=Path, default=Path("tuned"), help="folder of what was tried")
    arguments, overrides = parser.parse_known_args(line)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    arguments.journal.mkdir(parents=True, exist_ok=True)
    config = compose([*overrides, "callback=none", "logger=none"])
    kind, tune, folds = get_class(config.quant.sensor._target_), arguments.tune, arguments.folds
    parts = [OmegaConf.to_container(config[part], resolve=True) for part in ("data", "task", "model", "trainer")]
    setting = digest(parts, config.seed, tune, folds)[:8]  # what scores depend on beside the candidate
    storage = JournalStorage(JournalFileBackend(str(arguments.journal / "journal.log")))
    study = optuna.create_study(
        storage=storage,
        study_name=f"{kind.__name__}, {config.bits} bits, {setting}-{arguments.epochs}-{arguments.repeats}",
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=0, multivariate=True, group=True),
        load_if_exists=True,
    )
    if not study.trials:
        study.enqueue_trial({**SHIPPED[kind], "leak": config.quant.sensor.leak, "slope": config.quant.sensor.slope})
    if arguments.trials:
        screen = Screen(divided(config, tune, folds), arguments.epochs, arguments.journal / f"network-{setting}.pt")
        search(study, screen, kind, arguments.repeats, arguments.margin, arguments.trials)
    if arguments.confirm:
        confirm(study, divided(config, folds, tune), arguments.confirm, arguments.seeds)


if __name__ == "__main__":
    logging.getLogger("qsense").setLevel(logging.ERROR)  # of this process alone: a test that calls main keeps its own
    main()
