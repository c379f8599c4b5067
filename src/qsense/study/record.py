"""What the three files of a run's folder say of it, as fields to be checked (`bounds.py`).

Open it where training records something else, or elsewhere.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import yaml

from qsense.runs.folder import duration_of
from qsense.runs.settings import GROUPS, bits_of, decisive
from qsense.study.bounds import MOST_CLASSES, DamageError, as_bits, as_figure, as_group, as_text, checked_settings

COST = ("macs", "bops", "size_mb")  # of the network
SENSING = ("kbit_s", "radio_uj_s", "adc_uj_s", "flash_uj_s", "uj_s", "link_share")  # of the sensor
NATIVE = ("bits", "kbit_s", "uj_s")  # of the same sensor, not quantized
# What runs record since they count what codes need, {group: figures}: each is a cost by the name "group_figure".
LATER = {"behind": ("adc_uj_s", "uj_s"), "entropy": ("bits", "kbit_s", "radio_uj_s"),
         "lossless": ("bits", "kbit_s", "radio_uj_s", "adc_uj_s", "uj_s")}  # fmt: skip
MOST_NODES = 50_000  # of a configuration whose parts are named more than once
NOBODY = "?"  # where a configuration does not say which


def of_result(content: Any) -> dict[str, Any]:
    """What `metrics.json` says, as fields of a `Run` to be checked.

    Raises:
        DamageError: something that is needed is missing, or a group is none.
    """
    result = as_group(content, "the file")
    sensing, network, rates = (as_group(result.get(key) or {}, key) for key in ("sensing", "cost", "rates"))
    cost = {key: _needed(network, "cost.", key) for key in COST} if network else {}
    if sensing:
        native = as_group(_needed(sensing, "sensing.", "native"), "sensing.native")
        cost |= {key: _needed(sensing, "sensing.", key) for key in SENSING}
        cost |= {f"native_{key}": _needed(native, "sensing.native.", key) for key in NATIVE}
        used, whole = as_figure(cost["uj_s"], "sensing.uj_s"), as_figure(cost["native_uj_s"], "sensing.native.uj_s")
        if whole is not None and whole <= 0:
            raise DamageError(f"sensing.native.uj_s={whole:g}: more than 0 expected")
        for group, figures in LATER.items():
            later = as_group(sensing.get(group) or {}, f"sensing.{group}")
            cost |= {f"{group}_{key}": _needed(later, f"sensing.{group}.", key) for key in figures if later}
        cost["saved"] = math.nan if used is None or whole is None else 1 - used / whole
    if "nominal" in rates:
        cost["nominal_bits"] = rates["nominal"]
    names = {key: _needed(result, "", key) for key in ("task", "data", "quant", "model")}
    needed = ("dataset", "seed", "fold", "num_folds", "monitor", "metrics")
    return {
        **{key: "None" if name is None else name for key, name in names.items()},
        **{key: _needed(result, "", key) for key in needed},
        "bits": as_bits(_needed(result, "", "bits"), "bits"),
        "network_bits": as_bits(result.get("network_bits"), "network_bits"),
        "per_class": result.get("per_class") or {},
        "groups": result.get("groups") or {},
        "learned": result.get("quantizer") or {},
        "cost": cost,
        "constants": sensing.get("constants") or {},
        "tallies": _tallies(result.get("confusion_sample") or []),
    }


def of_firmware(content: Any) -> dict[str, float]:
    """What `firmware.json` says that a firmware costs, as entries of `Run.cost`: each is named "firmware_…".

    "flash" and "ram" are bytes of the program where it was measured, else of its constants and its state; "macs" and
    "instructions" are per prediction; "uj_s" is the power in µW of a node that computes and "share" that of its
    processor's time, "sent_uj_s" the power of a node that sends codes.

    Raises:
        DamageError: it says something else.
    """
    record = as_group(content, "the file")
    measured, energy = bool(record.get("measured")), bool(record.get("energy"))
    places = {"macs": "counts.macs", "flash": "counts.flash.total", "ram": "counts.ram.total"}
    if measured:
        places |= {name: f"measured.{name}" for name in ("flash", "ram", "instructions")}
    if energy:
        designs = as_group(_at(record, "energy.designs"), "energy.designs")
        sent, computed = (
            f"energy.designs.{next((name for name in names if name in designs), names[0])}"
            for names in (("codes_sent", "native_sent"), ("codes_computed", "native_computed"))
        )
        places |= {"sent_uj_s": f"{sent}.uw", "uj_s": f"{computed}.uw", "share": f"{computed}.cpu_share"}
    cost = {}
    for name, place in places.items():
        figure = as_figure(value := _at(record, place), place)
        if figure is None or figure < 0:
            raise DamageError(f"{place}={value!r:.60}: 0 or more expected")
        cost[f"firmware_{name}"] = figure
    return cost


def _at(node: Mapping[str, Any], place: str) -> Any:
    """What stands at a dotted place."""
    where = ""
    for key in place.split("."):
        node = _needed(as_group(node, where.rstrip(".") or "the file"), where, key)
        where += f"{key}."
    return node


def _tallies(confusion: Any) -> list[list[int]]:
    """Of each class 2·TP, and 2·TP + FP + FN, from counts with rows = truth; empty for none."""
    if not isinstance(confusion, list) or len(confusion) > MOST_CLASSES:
        raise DamageError(f"confusion_sample: a matrix of at most {MOST_CLASSES} classes expected")
    for row in confusion:
        if not isinstance(row, list) or len(row) != len(confusion) or any(type(count) is not int for count in row):
            raise DamageError("confusion_sample: as many whole numbers in each row as there are rows expected")
    hits = [2 * row[place] for place, row in enumerate(confusion)]
    return [hits, [sum(row) + sum(column) for row, column in zip(confusion, zip(*confusion, strict=True), strict=True)]]


def of_config(text: str) -> tuple[dict[str, Any], dict[str, str]]:
    """What `config.yaml` says of a run, as fields of a `Run`, and its settings.

    Raises:
        DamageError: it is no configuration of a run.
    """
    try:
        config = read_config(text)
        choices = config.get("choices") or {}
        bits, network_bits = bits_of(config)
        names = {group: choices.get(group) or NOBODY for group in ("task", "data", "quant", "model")}
        return {
            **names,
            "dataset": names["data"],
            "bits": bits,
            "network_bits": network_bits,
            "seed": config.get("seed", -1),
            "fold": config.get("fold", -1),
        }, checked_settings(settings(config))
    except DamageError:
        raise
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        raise DamageError(f"no YAML: {getattr(error, 'problem', None) or error}{where}") from error
    except RecursionError as error:
        raise DamageError("nested too deeply") from error
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:  # a value of another kind
        raise DamageError(f"no configuration of a run: {error}") from error


def read_config(text: str) -> Mapping[str, Any]:
    """What `config.yaml` says, as plain values whose groups are mappings.

    Raises:
        DamageError: it is no configuration of a run, or has no end.
        YAMLError, RecursionError, ValueError: it cannot be read.
    """
    config = yaml.load(text, _Loader)
    if "&" in text:  # parts that are named again may hold themselves, or unfold to more than memory holds
        _count(config, [0])
    for key in (*GROUPS, "choices", "callback"):
        as_group(as_group(config, "the file").get(key) or {}, key)
    return as_group(config, "the file")


def of_record(content: Any) -> dict[str, Any]:
    """How long a run took, and on which data, as fields of a `Run`: what `run.json` says.

    Raises:
        DamageError: it says something else.
    """
    record = as_group(content, "the file")
    fingerprint = record.get("data_fingerprint")
    fingerprint = None if fingerprint is None else as_text(fingerprint, "data_fingerprint")
    return {"seconds": as_figure(duration_of(record), "duration_s"), "fingerprint": fingerprint}


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


def _count(node: Any, seen: list[int]) -> None:
    seen[0] += 1
    if seen[0] > MOST_NODES:
        raise DamageError(f"more than {MOST_NODES} values, as parts of it are named again and again")
    if isinstance(node, dict | list | tuple | set):
        for value in node.values() if isinstance(node, dict) else node:
            _count(value, seen)


def _needed(values: Mapping[str, Any], where: str, key: str) -> Any:
    if key not in values:
        raise DamageError(f"{where}{key} is missing")
    return values[key]
