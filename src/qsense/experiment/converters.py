"""Every converter that a configuration could have in place of its own: the options of quant/sensor.

Open it where something tries all of them, as `qsense design` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from qsense.experiment.checks import misfit
from qsense.experiment.compose import options, stated_by_options
from qsense.experiment.errors import ConfigError
from qsense.metrics.sensing import SensingModel
from qsense.signal import Signal


@dataclass(frozen=True)
class Converter:
    """An option of quant/sensor at some number of bits.

    Args:
        option: its name.
        choice: overrides that take it, beside a network in full precision.
        settings: its arguments with `_target_`, resolved.
        misfit: why it cannot be here, in a line; empty where it can.
    """

    option: str
    choice: tuple[str, ...]
    settings: Mapping[str, Any]
    misfit: str


def converters(config: DictConfig, bits: int, signal: Signal) -> list[Converter]:
    """The options that quantize, in the order of their names.

    Args:
        config: has passed `check`; its `rounding` holds for all.
        bits: of the converter.
        signal: of its data.
    """
    presets, found = options("quant"), []
    for option, said in stated_by_options("quant/sensor").items():
        root = OmegaConf.merge({"bits": bits, "rounding": config.rounding}, said)
        try:
            settings = OmegaConf.to_container(root.quant.sensor, resolve=True)
        except OmegaConfBaseException:  # a user's own, which refers to keys that are not here
            continue
        if isinstance(settings, dict) and "bits" in settings:
            pair = (f"quant={option}",) if option in presets else (f"quant/sensor={option}", "quant/network=none")
            plain = {str(key): value for key, value in settings.items()}
            found.append(Converter(option, pair, plain, misfit(config, plain, signal)))
    return found


def sensing_model(config: DictConfig) -> SensingModel:
    """The model of what sensing costs, with the configuration's constants.

    Raises:
        ConfigError: the configuration has none.
    """
    if config.sensing is None:
        raise ConfigError("~sensing: power is told by the model of conf/sensing: leave sensing=ble in")
    model: SensingModel = instantiate(config.sensing)
    return model


def build_sensor(settings: Mapping[str, Any], signal: Signal) -> Any:
    """A converter from its settings.

    Raises:
        ValueError: it refuses them.
    """
    return instantiate(OmegaConf.create(dict(settings)), _partial_=True, _convert_="all")(signal=signal)
