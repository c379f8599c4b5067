"""Run folders whose averages are known by hand, for all tests of the report: a real run's, with other values."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from qsense.experiment.compose import compose, options, plain
from qsense.metrics.sensing import SensingModel

REAL = Path(__file__).parent / "study" / "runs"  # by schema; `python -m qsense.train quant=gamma bits=2` wrote them
FOLDS = 4


@cache
def real(file: str, schema: int = 3) -> Any:
    """What a real run wrote: "config.yaml", "metrics.json" or "run.json"."""
    text = (REAL / f"schema{schema}" / file).read_text()
    return yaml.safe_load(text) if file.endswith(".yaml") else json.loads(text)


@cache
def known(group: str) -> frozenset[str]:
    """The options of a group of configurations."""
    return frozenset(options(group))


@cache
def section(group: str, option: str) -> Any:
    """One group of a composed configuration, as a run records it."""
    return plain(compose([f"{group}={option}"])[group])


def config_of(quant: str, bits: int | None, data: str, seed: int, fold: int) -> dict[str, Any]:
    """The configuration of a run that differs from the real one in these; an unknown name is a user's own part."""
    config: dict[str, Any] = copy.deepcopy(real("config.yaml"))
    config |= {"seed": seed, "fold": fold}
    config["choices"] |= {"quant": quant, "data": data, "model": "deepconvlstm"}
    if quant != "gamma":
        if quant in known("quant"):
            config["quant"] = copy.deepcopy(section("quant", quant))
        else:
            config["quant"]["sensor"]["_target_"] = f"mine.{quant}.Quantizer"
    if data in known("data"):
        config["data"] = copy.deepcopy(section("data", data))
    else:
        config["data"]["dataset"]["_target_"] = f"mine.{data}.Recordings"
    config["trainer"]["max_epochs"] = 30
    sensor, network = config["quant"]["sensor"], config["quant"]["network"]
    if bits is not None:
        config["bits"] = bits
        (sensor if "bits" in sensor else network)["bits"] = bits
    if "gamma" in sensor:
        sensor["gamma"] = 0.4
    return config


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
    rates: dict[str, Any] | None = None,
    **changes: dict[str, Any],
) -> Path:
    """A run's folder as training leaves it; `score=None`: interrupted. `changes` go into the configuration."""
    folder = root / (name or f"{data}-{quant}-{bits}bit-fold{fold:02d}-seed{seed}-{len(list(root.glob('*')))}")
    folder.mkdir(parents=True)
    config = config_of(quant, bits, data, seed, fold)
    parts = {**config, "sensor": config["quant"]["sensor"], "network": config["quant"]["network"]}
    parts["datamodule"] = config["data"]
    for group, values in changes.items():
        parts[group].update(values)
    write_config(folder, config)
    state = "failed" if failure and score is None else "interrupted" if score is None else "finished"
    (folder / "run.json").write_text(json.dumps({"status": state, "started": [0.0, 1.0]}))  # resumed: of unknown length
    if failure:
        (folder / "failed.txt").write_text(failure)
    if score is not None:
        result = real("metrics.json") | {
            **config["choices"],
            "dataset": data.upper(),
            "bits": config["quant"]["sensor"].get("bits"),
            "network_bits": (config["quant"]["network"] or {}).get("bits"),
            "seed": seed,
            "fold": fold,
            "num_folds": FOLDS,
            "monitor": monitor,
            "metrics": {monitor: score, "f1_window": score / 2, "loss": 2 * score},
            "quantizer": {"gamma": [0.25, 0.5], "mu": [0.0, 0.125]},
            "cost": cost,
            "sensing": sensing,
            "rates": rates,
        }
        # Nobody counted what is None, and the real run's scores by class are not this one's.
        unknown = (key for key in ("cost", "sensing", "rates") if result[key] is None)
        absent = {"per_class", "confusion_sample", *unknown}
        (folder / "metrics.json").write_text(json.dumps({key: result[key] for key in result if key not in absent}))
    return folder


def read_config(folder: Path) -> dict[str, Any]:
    """A run's configuration."""
    config: dict[str, Any] = yaml.load((folder / "config.yaml").read_text(), _Loader)
    return config


def write_config(folder: Path, config: dict[str, Any]) -> None:
    """Write a run's configuration."""
    (folder / "config.yaml").write_text(yaml.dump(config, Dumper=_Dumper, sort_keys=False))


_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # a thousand runs in a second


def sensing(
    bits: int | None,
    values_per_s: float = 600.0,
    entropy: float | None = None,
    lossless: float | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """What a run records of its sensor by the model's constants, some of them changed."""
    constants = {key: value for key, value in real("config.yaml")["sensing"].items() if key != "_target_"}
    return SensingModel(**{**constants, **changes}).compare(
        values_per_s, bits or 0, None, entropy=entropy, lossless=lossless
    )


def rates(bits: int | None, entropy: float, lossless: float) -> dict[str, Any]:
    """What a run records of its codes, those of a sensor of three channels."""
    lossless_rate = {"bits": lossless, "channels": [lossless] * 3}
    if bits is None:
        return {"basis": "bound", "lossless": lossless_rate}
    contexts = [{"length": 0, "bits": [entropy] * 3}]
    return {"nominal": float(bits), "contexts": contexts, "entropy": entropy, "lossless": lossless_rate}


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
