"""Every check of a configuration that can be made before torch is imported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict

from qsense.data.errors import DataError
from qsense.data.series.dataset import signal_of
from qsense.experiment import compose, signatures
from qsense.experiment.command_line.meant import runs_meant
from qsense.experiment.command_line.overrides import key_of
from qsense.experiment.compose import stated_by_options
from qsense.experiment.continuing import check_resume_from, check_start
from qsense.experiment.errors import ConfigError
from qsense.experiment.parts import check_arguments, check_importable, importable, parts_of
from qsense.experiment.schema import Config
from qsense.experiment.trainer import check_trainer
from qsense.quant.network.integer.needs import misfits
from qsense.quant.sensor.memory import settings as memory
from qsense.runs.settings import FORMATS, bits_of, count_devices, pretrained
from qsense.runs.words import did_you_mean
from qsense.signal import Signal


def check(config: DictConfig) -> None:
    """Refuse a configuration that cannot run, in about a second and before torch is imported.

    Raises:
        ConfigError: what is wrong, where, and what is allowed.
    """
    _check_root(config)
    _check_shape(config)
    _check_kind(config)
    _check_memory_kind(config)
    _check_model(config)
    _check_frozen(config)
    _check_integers(config)
    for path, part in parts_of(config):
        check_arguments(path, part)
    check_trainer(compose.plain(config.trainer))
    _check_sensing(config)
    _check_data(config)
    check_resume_from(config)


def without_effect(config: DictConfig, overrides: Iterable[str]) -> str:
    """Numbers of bits that somebody typed and nothing goes by, in words; empty where there are none. They are allowed:
    in a grid of bits `quant=none` is one run, and so is a published format of a fixed number.

    Args:
        config: has passed `check`.
        overrides: as typed.
    """
    sensor, network = bits_of(config)
    taken = {"bits": (sensor, network), "network_bits": (network,)}
    typed = dict.fromkeys(key for key in map(key_of, overrides) if key in taken)
    unused = [f"{key}={config[key]}" for key in typed if config[key] not in taken[key]]
    if not unused:
        return ""
    name, key = config.quant.sensor._target_.rpartition(".")[2], "quant.sensor.bits"
    parts = [f"{name} has {key}={sensor}"] * (sensor is not None)
    parts += [f"the network has {network}"] * (network is not None)
    verb = "has" if len(unused) == 1 else "have"
    return f"{', '.join(unused)} {verb} no effect: {', '.join(parts) or 'nothing is quantized'}"


def check_repeat(config: DictConfig, num_folds: int) -> None:
    """What of `check` is left where a configuration that has passed it gets another seed or fold.

    Args:
        config: nothing in it refers to its seed or fold.
        num_folds: of its data set.

    Raises:
        ConfigError: as `check`.
    """
    _check_root(config)
    if not config.fold < num_folds:
        _check_data(config)  # which says so
    check_resume_from(config)


def check_one_process(config: DictConfig) -> None:
    """Refuse several devices for each run of a sweep.

    Lightning starts the processes of the other devices with this process's own command line: they sweep, too, and wait
    for each other for ever once they are out of step, as after a failed run.

    Raises:
        ConfigError: a run takes more than one device, or may.
    """
    trainer = config.trainer
    devices, nodes = trainer.get("devices", "auto"), trainer.get("num_nodes", 1)
    if nodes == 1 and _one_device(devices, trainer.get("accelerator", "auto")):
        return
    raise ConfigError(
        f"trainer.devices={devices}, trainer.num_nodes={nodes}: no launcher can start several processes for each "
        "run of a sweep. Set trainer.devices=1 and let runs go side by side (hydra/launcher=workers on this machine, "
        "slurm or ray on a cluster), or start each run by a command of its own, without -m"
    )


def _one_device(devices: Any, accelerator: str) -> bool:
    """Whether Lightning takes this for a single device: 1, "1", [3], "3," or, on a CPU, "auto"."""
    count = count_devices(OmegaConf.to_container(devices) if OmegaConf.is_list(devices) else devices)
    return count == 1 or (str(devices) == "auto" and accelerator == "cpu")


def _check_root(config: DictConfig) -> None:
    if config.run.dry_run not in (True, False, "all"):
        raise ConfigError(f"run.dry_run={config.run.dry_run}: it must be true (counts), all (each run, too) or false")
    allowed = [f.name for f in fields(Config)]
    for key in config:
        if key not in allowed and key != "hydra":
            raise ConfigError(
                f"unknown key '{key!s}'{did_you_mean(str(key), allowed)}; the root keys are {', '.join(allowed)}"
            )
    for key, low, high, what in (
        ("bits", 1, 16, "a whole number from 1 to 16: the sensor's ADC has 2^bits levels"),
        ("network_bits", 1, 16, "a whole number from 1 to 16: bits of weights and activations"),
        ("seed", 0, 2**32 - 1, "a whole number from 0 to 4294967295"),
        ("fold", 0, None, "a whole number from 0 to the data set's number of folds − 1"),
    ):
        value = config[key]
        if not isinstance(value, int) or isinstance(value, bool) or value < low or (high is not None and value > high):
            text = repr(value) if str(value).lstrip("-").isdigit() else str(value)  # "2" is a text
            raise ConfigError(f"{key}={text}: {key} must be {what}{runs_meant(key, value)}")
    if config.rounding not in ("round", "floor"):
        raise ConfigError(f"rounding={config.rounding}: rounding must be round (half up) or floor")
    if config.threads is not None and config.threads < 1:
        raise ConfigError(f"threads={config.threads}: threads must be at least 1, or null for as many as torch takes")
    wanted = [config.figures] if isinstance(config.figures, str) else config.figures
    if not isinstance(wanted, list | ListConfig) or any(form not in FORMATS for form in wanted):
        raise ConfigError(
            f"figures={config.figures}: figures must be {', '.join(FORMATS)} or a list of these, such as [pdf,svg]"
        )
    if config.init_from:
        check_start("init_from", config.init_from)


def _check_shape(config: DictConfig) -> None:
    """Is every entry in its place: two slots in `quant`, parts with a `_target_` in `callback` and `logger`?"""
    for key in config.quant:
        if key not in ("sensor", "network"):
            raise ConfigError(
                f"unknown key quant.{key}{did_you_mean(str(key), ['sensor', 'network'])}; quant has sensor, network"
            )
    for slot in ("sensor", "network"):
        if slot not in config.quant:
            raise ConfigError(f"quant.{slot} is missing: take quant/{slot}=none, or another option of that group")
        if isinstance(config.quant[slot], str):
            raise ConfigError(
                f"quant.{slot} has no _target_: to take an option of that name, write quant/{slot}={config.quant[slot]}"
            )
    for path, node in (
        ("quant.sensor", config.quant.sensor),
        ("quant.network", config.quant.network),
        *((f"callback.{name}", node) for name, node in (config.callback or {}).items()),
        *((f"logger.{name}", node) for name, node in (config.logger or {}).items()),
    ):
        if node is not None and not (OmegaConf.is_dict(node) and "_target_" in node):
            raise ConfigError(f"{path} has no _target_: it is no part; name one of its group, or set it to null")
    if config.quant.sensor is None:
        raise ConfigError("quant.sensor=null: a sensor that is not quantized is an Identity, as in quant=none")


def _check_kind(config: DictConfig) -> None:
    """Does the task work on this kind of data?"""
    takes, gives = (
        signatures.constant(config.task._target_, "takes"),
        signatures.constant(config.data._target_, "gives"),
    )
    if None in (takes, gives) or takes == gives:
        return
    fitting = [name for name, target in _targets("data") if signatures.constant(target, "gives") == takes]
    raise ConfigError(
        f"data {config.data._target_.rpartition('.')[2]} does not fit task {config.task._target_.rpartition('.')[2]}: "
        f"it gives {gives}, and the task takes {takes}. Data that fit: {', '.join(fitting)}"
    )


def _check_memory_kind(config: DictConfig) -> None:
    """Does the data give what a converter with memory goes by, whole recordings or rows of frames?"""
    gives, takes = signatures.constant(config.data._target_, "gives"), _takes(config.quant.sensor._target_)
    if gives is None or takes in (None, gives):
        return
    fitting = [name for name, target in _targets("quant/sensor") if _takes(target) in (None, gives)]
    raise ConfigError(
        f"quant.sensor {config.quant.sensor._target_.rpartition('.')[2]} does not fit data "
        f"{config.data._target_.rpartition('.')[2]}: it gives {gives}, and the converter's memory goes by {takes}. "
        f"Options of quant/sensor that fit: {', '.join(fitting)}"
    )


def _takes(sensor: str) -> str | None:
    """What a converter with memory goes by, "series" or "frames"; None for one without."""
    takes = signatures.constant(sensor, "takes") if signatures.constant(sensor, "wants_recordings") else None
    return None if takes is None else str(takes)


def _check_model(config: DictConfig) -> None:
    facts = signatures.constant(config.task._target_, "network_facts")
    check_importable("model", config.model._target_)
    if facts is None or _misfit(config.model._target_, facts) is None:
        return
    fitting = [name for name, target in _targets("model") if _misfit(target, facts) is None]
    raise ConfigError(
        f"model {config.model._target_} does not fit task {config.task._target_.rpartition('.')[2]}: "
        f"{_misfit(config.model._target_, facts)}. Models that fit: {', '.join(fitting)}"
    )


def _check_frozen(config: DictConfig) -> None:
    """Have stages that stay as they are been trained?"""
    stages = config.model.get("frozen_stages", -1)
    model = OmegaConf.to_container(config.model, resolve=True)
    trained = pretrained({"model": model}) or config.init_from or config.resume_from
    if isinstance(stages, int) and stages >= 0 and not trained:
        raise ConfigError(
            f"model.frozen_stages={stages} with model.pretrained=null and model.weights=null: these stages would stay "
            "random. Set pretrained, weights or init_from=RUN, or model.frozen_stages=-1 to train all"
        )


def _check_integers(config: DictConfig) -> None:
    """Where a network is computed in integers, do they cover it? What a function returns is known once it is built."""
    network, model = config.quant.network, config.model._target_
    if network is None or network.get("arithmetic") != "integer":
        return
    for key, value, needed in misfits(network):
        raise ConfigError(f"quant.network.{key}={value}: with arithmetic=integer it must be {needed}")
    if signatures.has_method(model, "chain") is False:
        fitting = [name for name, target in _targets("model") if signatures.has_method(target, "chain")]
        raise ConfigError(
            f"arithmetic=integer: {model} has no chain() of convolutions along time, an LSTM or a pool, and a "
            f"classifier. Models that fit: {', '.join(fitting)}; or set quant.network.arithmetic=float"
        )


def _targets(group: str) -> Iterator[tuple[str, str]]:
    """Every option of a group that names a class, with that class."""
    for option, said in stated_by_options(group).items():
        target = OmegaConf.select(said, f"{group.replace('/', '.')}._target_")
        if target:
            yield option, target


def _misfit(target: str, facts: tuple[str, ...]) -> str | None:
    """Why a network cannot be built from a task's facts, or None where it can (or the source does not tell)."""
    known = signatures.arguments(target)
    if known is None:
        return None if importable(target) else "its module is not there"
    refused = [fact for fact in facts if fact not in known]
    return f"it is built from {', '.join(facts)} but takes no {', '.join(refused)}" if refused else None


def _check_sensing(config: DictConfig) -> None:
    """Are the constants of the sensing model possible ones?"""
    if config.sensing is None:
        return
    try:
        instantiate(config.sensing, _partial_=True)()  # a partial, as below
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _check_data(config: DictConfig) -> None:
    """Is the data there, has it that fold, and does the quantizer know its range? Reads no samples."""
    try:
        dataset = _dataset(config)
        dataset.check()
        if not config.fold < dataset.num_folds:
            raise ConfigError(
                f"fold={config.fold}: {dataset.name} has {dataset.num_folds} folds, 0 to {dataset.num_folds - 1}"
            )
        signal = signal_of_data(config)
    except (DataError, FileNotFoundError, ValueError) as error:
        raise ConfigError(str(error)) from error
    _check_converter(config, signal, dataset.name)


def misfit(config: DictConfig, sensor: Mapping[str, Any], signal: Signal) -> str:
    """Why a configuration cannot have another converter, in a line; empty where it can.

    Args:
        config: has passed `check`.
        sensor: in place of its `quant.sensor`; resolved.
        signal: `signal_of_data(config)`.
    """
    other = OmegaConf.masked_copy(config, ["data", "quant"])
    with open_dict(other):
        other.quant = {"sensor": dict(sensor), "network": None}
    try:
        _check_memory_kind(other)
        check_arguments("quant.sensor", dict(sensor))
        _check_converter(other, signal, config.data.dataset._target_.rpartition(".")[2])
    except ConfigError as error:
        return str(error)
    return ""


def _check_converter(config: DictConfig, signal: Signal, dataset: str) -> None:
    """Is the range known that a converter's levels divide, and can one with memory be built?"""
    if bits_of(config)[0] and signal.low is None:
        raise ConfigError(
            f"{config.quant.sensor._target_.rpartition('.')[2]} needs the signal's range, and {dataset} states "
            f"none: set data.dataset.range=[low,high] in {signal.unit}, or data.normalise=dataset to use the data's own"
        )
    _check_memory(config, signal)


def _check_memory(config: DictConfig, signal: Signal) -> None:
    """Can a converter with memory be built with its settings?"""
    sensor, most_bits = config.quant.sensor, signatures.constant(config.quant.sensor._target_, "most_bits")
    takes = _takes(sensor._target_)
    if takes is None or most_bits is None:
        return
    settings = {key: sensor[key] for key in memory.Settings.__annotations__ if key in sensor}
    settings["least_bits"] = signatures.constant(sensor._target_, "least_bits") or 1
    settings["modes"] = signatures.constant(sensor._target_, "modes")
    try:
        memory.check(sensor._target_.rpartition(".")[2], signal, sensor.bits, most_bits, takes, **settings)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def signal_of_data(config: DictConfig) -> Signal:
    """What the sensor of a configuration delivers, known without reading its data.

    Raises:
        DataError: the normalisation needs a range that nobody has stated.
        ValueError: an argument that the data set refuses.
    """
    dataset = _dataset(config)
    found: Signal = signal_of(dataset, config.data.normalise) if "normalise" in config.data else dataset.signal
    return found


def folds(_root_: DictConfig) -> int:
    """`${folds:}`: how many folds a configuration's data set has; 1 where it cannot be built (`check` tells why)."""
    try:
        return int(_dataset(_root_).num_folds)
    except Exception:  # whatever a wrong argument raises: a sweep's grid is no place to answer it
        return 1


OmegaConf.register_new_resolver("folds", folds, replace=True)


def _dataset(config: DictConfig) -> Any:
    # As a partial, so that a refused argument is raised as it is and not wrapped by Hydra.
    return instantiate(config.data.dataset, _partial_=True, _convert_="all")()
