"""Made-up run folders whose averages are known by hand, for all tests of the report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from qsense.experiment.schema import config_folder
from qsense.metrics.sensing import SensingModel

FOLDS = 4


def make_run(
    root: Path,
    score: float | None = 0.5,
    quant: str = "gamma",
    bits: int | None = 2,
    data: str = "sbhar",
    seed: int = 0,
    fold: int = 0,
    name: str = "",
    monitor: str = "f1_sample",
    failure: str = "",
    cost: dict[str, Any] | None = None,
    sensing: dict[str, Any] | None = None,
    **changes: dict[str, Any],
) -> Path:
    """A run's folder as training leaves it; `score=None`: not finished. `changes` go into the configuration."""
    folder = root / (name or f"{data}-{quant}-{bits}bit-fold{fold:02d}-seed{seed}-{len(list(root.glob('*')))}")
    folder.mkdir(parents=True)
    choices = {"task": "har", "data": data, "model": "deepconvlstm", "quant": quant, "experiment": None}
    config: dict[str, Any] = {
        "bits": bits,
        "seed": seed,
        "fold": fold,
        "runs": str(root),
        "quant": {"sensor": {"_target_": f"qsense.quant.sensor.{quant}", "bits": bits, "gamma": 0.4}, "network": None},
        "data": {"dataset": {"name": data, "root": "/somewhere"}, "normalise": "dataset", "cache": "/a/cache"},
        "model": {"filters": 64},
        "task": {"lr": 1e-4},
        "trainer": {"accelerator": "cpu", "max_epochs": 30},
        "logger": {"csv": {"save_dir": str(folder)}},
        "choices": choices,
    }
    if quant == "none":
        config["quant"]["sensor"] = {"_target_": "qsense.quant.sensor.identity"}
    for group, values in changes.items():
        part = {**config, "sensor": config["quant"]["sensor"], "datamodule": config["data"]}[group]
        part.update(values)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    if failure:
        (folder / "failed.txt").write_text(failure)
    if score is not None:
        result = {
            "schema": 1,
            **choices,
            "dataset": data.upper(),
            "bits": bits,
            "seed": seed,
            "fold": fold,
            "num_folds": FOLDS,
            "monitor": monitor,
            "mode": "max",
            "metrics": {monitor: score, "f1_window": score / 2, "loss": 2 * score},
            "quantizer": {"gamma": [0.25, 0.5], "mu": [0.0, 0.125]},
        }
        if cost is not None:
            result["cost"] = cost
        if sensing is not None:
            result["sensing"] = sensing
        (folder / "metrics.json").write_text(json.dumps(result))
    return folder


def sensing(bits: int | None, values_per_s: float = 600.0, **changes: Any) -> dict[str, Any]:
    """What a run records of its sensor by the model's constants, some of them changed."""
    constants = yaml.safe_load((config_folder() / "sensing" / "ble.yaml").read_text()) | changes
    model = SensingModel(**{name: value for name, value in constants.items() if name != "_target_"})
    return model.compare(values_per_s, bits or 0, None)


def make_cell(root: Path, score: Callable[[int, int], float], seeds: int = 3, folds: int = FOLDS, **kind: Any) -> None:
    for seed in range(seeds):
        for fold in range(folds):
            make_run(root, score(seed, fold), seed=seed, fold=fold, **kind)


def by_seed(*means: float) -> Callable[[int, int], float]:
    """Scores around one mean per seed: −0.06, −0.02, 0.02, 0.06 over the four folds."""
    return lambda seed, fold: means[seed] + 0.04 * (fold - 1.5)


def running(folder: Path) -> Path:
    """Make a run that is not finished look as if a process of another machine were at work on it."""
    (folder / "run.json").write_text(json.dumps({"status": "running", "started": [0]}))
    (folder / ".heartbeat").write_text(json.dumps({"owner": "1", "machine": "another:1", "pid": 1, "beat": 3}))
    return folder
