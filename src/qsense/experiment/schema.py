"""The root schema of every configuration, and where its YAML files are."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf


@dataclass
class Caution:
    """What to do before training: `run.dry_run` (true or all) only tells, `run.preflight` first tries one batch."""

    dry_run: Any = False
    preflight: bool | None = None


@dataclass
class Config:
    """The root of every configuration; a key that is not here is a mistake.

    `bits`, `rounding`, `seed` and `fold` are checked by `checks.py`, whose messages name the allowed range.
    """

    bits: Any = 4
    network_bits: Any = 4
    rounding: Any = "round"
    seed: Any = 0
    fold: Any = 0
    runs: str = "runs"
    init_from: str | None = None
    resume_from: str | None = None
    threads: int | None = None
    figures: Any = "png"
    run: Caution = field(default_factory=Caution)
    quant: Any = None
    data: Any = None
    model: Any = None
    task: Any = None
    trainer: Any = None
    sensing: Any = None
    callback: dict[str, Any] | None = field(default_factory=dict)
    logger: dict[str, Any] | None = field(default_factory=dict)


ConfigStore.instance().store(name="schema", node=Config)


def if_sensor_quantized(then: Any, otherwise: Any, *, _root_: DictConfig) -> Any:
    """`${if_sensor_quantized:THEN,OTHERWISE}`: what a network quantizer takes where the sensor is quantized, too.

    It looks at the sensor that the configuration has in the end, so that any pair of the two means what it should.
    """
    sensor = _root_.quant.sensor
    return then if OmegaConf.is_dict(sensor) and sensor.get("bits") else otherwise


OmegaConf.register_new_resolver("if_sensor_quantized", if_sensor_quantized, replace=True)


def config_folder() -> Path:
    """The folder of YAML files."""
    return beside_package("conf")


def beside_package(name: str) -> Path:
    """A folder of files that belong to qsense: inside the installed package, or at the top of a checkout."""
    package = Path(__file__).parents[1]
    packaged = package / name
    return packaged if packaged.is_dir() else package.parents[1] / name
