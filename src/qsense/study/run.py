"""One run's folder → what a study needs to know of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from qsense.runs import folder as run_folder
from qsense.runs.settings import bits_of, decisive
from qsense.runs.status import FAILED, FINISHED, Status, status_of

COST = ("macs", "bops", "size_mb")  # of the network
SENSING = ("kbit_s", "radio_uj_s", "adc_uj_s", "flash_uj_s", "uj_s", "link_share")  # of the sensor


class ReportError(ValueError):
    """Nothing to report on; the message says what was looked for and where."""


@dataclass(frozen=True)
class Run:
    """One run's folder, as far as a study needs it.

    Args:
        folder: where it lies.
        status: one of `runs.status.STATES`.
        reason: why it failed or was lost, in a few words; else empty.
        task, data, quant, model: which option of each group was taken.
        dataset: the data set's name in tables (the group's option where the run is not finished).
        bits: of the sensor's ADC; None where it is not quantized.
        network_bits: of the network; None where it is not quantized.
        seed, fold: what the run's randomness depends on.
        num_folds: folds of its data set; 0 where the run is not finished.
        monitor: the metric that its task reports.
        metrics: what the last test measured.
        per_class: the same by class, {metric: {class: score}}.
        learned: the quantizer's learned values, one per axis.
        cost: what its network costs per prediction ("macs", "bops", "size_mb") and what its sensor would per second
            (`SENSING`, "native_bits", "native_kbit_s", "native_uj_s", and "saved", the share of the latter); without
            what nobody counted.
        constants: what the sensor's figures are made from; empty without any.
        seconds: from its start to its end; None where it was resumed, or is not finished.
        settings: the dotted keys of its configuration that decide its numbers, but for bits, seed and fold.
        written: when its result was written, in seconds since 1970; 0 without one.
        fingerprint: SHA-256 over its data; None where it is not known.
    """

    folder: Path
    status: str
    reason: str
    task: str
    data: str
    quant: str
    model: str
    dataset: str
    bits: int | None
    network_bits: int | None
    seed: int
    fold: int
    num_folds: int = 0
    monitor: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    per_class: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    learned: Mapping[str, Sequence[float]] = field(default_factory=dict)
    cost: Mapping[str, float] = field(default_factory=dict)
    constants: Mapping[str, float | None] = field(default_factory=dict)
    seconds: float | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    written: float = 0.0
    fingerprint: str | None = None

    @property
    def quantizer(self) -> str:
        """The quantizer with its bits, as tables name it."""
        return quantizer_name(self.quant, self.bits, self.network_bits)

    @property
    def log(self) -> Path:
        """The file that tells most about why it did not finish: the damaged result, or what `Status.log` finds."""
        result = self.folder / run_folder.RESULT
        return result if result.is_file() else Status(self.folder, self.status).log

    def key(self, name: str) -> str | None:
        """The value of a setting, or of one of `OWN_KEYS`, as text; None without it."""
        if name in OWN_KEYS:
            value = getattr(self, name)
            return None if value is None else str(value)
        return self.settings.get(name)


def quantizer_name(quant: str, bits: int | None, network_bits: int | None) -> str:
    """A quantizer with the bits of the sensor and of the network by their own names.

    >>> quantizer_name("gamma", 2, None), quantizer_name("fat", None, 4), quantizer_name("gamma_fat", 2, 4)
    ('gamma 2 bit', 'fat network 4 bit', 'gamma_fat 2 bit + network 4 bit')
    """
    sensor = "" if bits is None else f"{bits} bit"
    network = "" if network_bits is None else f"network {network_bits} bit"
    return " ".join(text for text in (quant, " + ".join(text for text in (sensor, network) if text)) if text)


OWN_KEYS = ("quant", "bits", "network_bits", "model", "task", "data")


def folders(path: Path) -> Iterator[Path]:
    """Folders that hold a run's configuration or result, in `path` and everything below it.

    Raises:
        ReportError: it does not exist or is no folder.
    """
    if not path.is_dir():
        raise ReportError(f"{path} is not a folder: give run folders, or folders of them")
    for folder, below, files in os.walk(path):
        below[:] = sorted(name for name in below if not name.startswith("."))
        if run_folder.CONFIG in files or run_folder.RESULT in files:
            below.clear()  # a run's own folders hold no runs
            yield Path(folder)


def read_run(folder: Path) -> Run:
    """Read a run's folder, in whatever state it was left; never raises for what is inside."""
    try:
        config = yaml.load((folder / run_folder.CONFIG).read_text(encoding="utf-8"), _Loader)
        config = config if isinstance(config, dict) else {}
    except (OSError, ValueError, yaml.YAMLError):
        config = {}
    choices = config.get("choices") or {}
    task, data, quant, model = (str(choices.get(group) or "?") for group in ("task", "data", "quant", "model"))
    bits, network_bits = bits_of(config)
    status = status_of(folder)
    run = Run(
        folder=folder,
        status=status.state,
        reason=status.reason,
        task=task,
        data=data,
        quant=quant,
        model=model,
        dataset=data,
        bits=bits,
        network_bits=network_bits,
        seed=config.get("seed", -1),
        fold=config.get("fold", -1),
        settings=settings(config),
    )
    return _with_result(run) if run.status == FINISHED else run


def _with_result(run: Run) -> Run:
    try:
        result = run_folder.result(run.folder)
        sensing = result.get("sensing") or {}
        return replace(
            run,
            task=str(result["task"]),
            data=str(result["data"]),
            quant=str(result["quant"]),
            model=str(result["model"]),
            dataset=result["dataset"],
            # Up to schema 2, `bits` was the network's where only that was quantized: the configuration knows.
            bits=run.bits if run.settings else result["bits"],
            network_bits=run.network_bits if run.settings else result.get("network_bits"),
            seed=int(result["seed"]),
            fold=int(result["fold"]),
            num_folds=int(result["num_folds"]),
            monitor=result["monitor"],
            metrics=_numbers(result["metrics"]),
            per_class={metric: _numbers(scores) for metric, scores in (result.get("per_class") or {}).items()},
            learned=result.get("quantizer") or {},
            cost=_cost(result.get("cost"), sensing),
            constants=sensing.get("constants", {}),
            seconds=run_folder.seconds(run.folder),
            written=(run.folder / run_folder.RESULT).stat().st_mtime,
            fingerprint=run_folder.fingerprint(run.folder),
        )
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        reason = f"{run_folder.RESULT} cannot be read ({type(error).__name__}: {error})"
        return replace(run, status=FAILED, reason=reason)


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items() if value is not None}


def _cost(network: Mapping[str, Any] | None, sensing: Mapping[str, Any]) -> dict[str, float]:
    cost = {key: float(network[key]) for key in COST} if network else {}
    if sensing:
        native = sensing["native"]
        cost |= {key: float(sensing[key]) for key in SENSING}
        cost |= {f"native_{key}": float(native[key]) for key in ("bits", "kbit_s", "uj_s")}
        cost["saved"] = 1 - sensing["uj_s"] / native["uj_s"]
    return cost


_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # 1000 configurations in a second rather than ten


def settings(config: Mapping[str, Any]) -> dict[str, str]:
    """The dotted keys that decide a run's numbers, but for bits, seed and fold, with their values as text."""
    flat: dict[str, str] = {}

    def walk(path: str, node: Any) -> None:
        if isinstance(node, Mapping):
            for key, value in node.items():
                walk(f"{path}.{key}" if path else str(key), value)
        else:
            flat[path] = node if isinstance(node, str) else json.dumps(node, default=str)

    walk("", decisive(config))
    for key in ("quant.sensor.bits", "quant.network.bits"):
        flat.pop(key, None)  # the row says it
    return flat


def varying(group: Iterable[Run]) -> set[str]:
    """Keys that do not have one and the same value in all runs whose configuration is known."""
    values: dict[str, set[str]] = {}
    several = {id(run.settings): run.settings for run in group if run.settings}.values()  # runs share them
    for one in several:
        for key, value in one.items():
            values.setdefault(key, set()).add(value)
    everywhere = set.intersection(*(set(one) for one in several)) if several else set()
    return {key for key, texts in values.items() if len(texts) > 1 or key not in everywhere}
