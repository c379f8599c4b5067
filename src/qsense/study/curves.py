"""What the study page draws of a run's converter: a transfer curve by its formula, or the staircase of its levels.

Open it to let the page draw another curve; `adc.json`, which a run writes of its converter, is read here.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from qsense.runs.reading import read_json
from qsense.study.bounds import MOST_BITS, DamageError, as_figure, as_group, as_text
from qsense.study.run import Run

CONVERTER = "adc.json"
POWER_LAW, LOGARITHM, IDENTITY, STAIRCASE, MEMORY = "power", "log", "identity", "cuts", "memory"
MOST_CUTS, MOST_ROWS = 63, 12  # of a staircase: 6 bits; more is no longer one
POWER_LAWS = ("gamma", "gammapercondition")  # a γ alone makes none
WITH_MEMORY = ("dpcm", "adpcm", "mipidpcm", "pisp")  # as runs name them that wrote no `adc.json`


def curve_of(run: Run) -> dict[str, Any] | None:
    """A curve in unit coordinates ([-1, 1], or [0, 1] of a unipolar signal), with the range and unit that it has in the
    sensor's own; None for a sensor that is not quantized, or whose levels are not known."""
    record: Mapping[str, Any] = {}
    with suppress(OSError, ValueError):
        record = as_group(read_json(run.folder / CONVERTER), CONVERTER)
    if "channels" in record or _target(run) in WITH_MEMORY:
        return {"kind": MEMORY}
    own = _by_formula(run) or _staircase(record)
    return None if own is None else {**own, **place_of(record)}


def _target(run: Run) -> str:
    return run.settings.get("quant.sensor._target_", "").rpartition(".")[2].lower()


def _by_formula(run: Run) -> dict[str, Any] | None:
    target = _target(run)
    gamma, mu = run.learned.get("gamma", ()), run.learned.get("mu", ())
    if gamma and target in POWER_LAWS:
        epsilon = _setting(run, "quant.sensor.epsilon", 0.001)
        if epsilon is None or min(gamma) <= 0 or len(mu) not in (0, len(gamma)):
            return None
        return {"kind": POWER_LAW, "gamma": list(map(short, gamma)), "mu": list(map(short, mu)), "epsilon": epsilon}
    if target == "log":
        bits = _native_bits(run)
        return None if bits is None or not 1 <= bits <= MOST_BITS else {"kind": LOGARITHM, "epsilon": 1 / (2**bits - 1)}
    return {"kind": IDENTITY} if target == "linear" else None


def _staircase(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """Decision levels in unit coordinates, of each row; a level beyond the range lies at its end."""
    low, high = _number(record, "low"), _number(record, "high")
    rows = record.get("thresholds")
    if low is None or high is None or low >= high or not isinstance(rows, list) or not 0 < len(rows) <= MOST_ROWS:
        return None
    cuts = [_cuts(row, low, high) for row in rows]
    return None if None in cuts else {"kind": STAIRCASE, "cuts": cuts}


def _cuts(row: Any, low: float, high: float) -> list[float | None] | None:
    if not isinstance(row, list) or not 0 < len(row) <= MOST_CUTS:
        return None
    bottom, levels, seen = (-1.0 if low < 0 else 0.0), [], False
    for value in row:
        try:
            figure = as_figure(value, "thresholds")
        except DamageError:
            return None
        seen |= figure is not None
        figure = (high if seen else low) if figure is None else min(max(figure, low), high)  # null is infinity
        levels.append(short(bottom + (figure - low) / (high - low) * (1 - bottom)))
    return levels if levels == sorted(levels, key=float) else None  # type: ignore[arg-type]


def place_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """The range of each channel in the sensor's unit, as far as it is known, and the unit."""
    statistics = record.get("statistics")
    ends = statistics if isinstance(statistics, dict) and "low" in statistics else record
    lows, highs = (ends[key] if isinstance(ends.get(key), list) else [ends.get(key)] for key in ("low", "high"))
    try:
        pairs = [(as_figure(low, "low"), as_figure(high, "high")) for low, high in zip(lows, highs, strict=True)]
        unit = as_text(record.get("unit", ""), "unit")
    except (DamageError, ValueError):
        return {}
    if not 0 < len(pairs) <= MOST_ROWS or any(low is None or high is None or low >= high for low, high in pairs):
        return {}
    return {"range": [[short(low), short(high)] for low, high in pairs], "unit": unit}


def _native_bits(run: Run) -> float | None:
    """What the logarithm's ε follows: its own setting, or with null the bits of raw frames, and 12 of other signals."""
    if run.settings.get("quant.sensor.native_bits") != "null":
        return _setting(run, "quant.sensor.native_bits", 12)
    return run.cost.get("native_bits") if run.task == "detection" else 12


def _setting(run: Run, key: str, default: float) -> float | None:
    """A number from 0 to 64 that a configuration sets; None where it sets something else."""
    try:
        value = float(run.settings.get(key, default))
    except ValueError:
        return None
    return value if 0 <= value <= MOST_BITS else None


def _number(record: Mapping[str, Any], key: str) -> float | None:
    with suppress(DamageError):
        return as_figure(record.get(key), key)
    return None


def short(value: float | None) -> float | None:
    """Six digits: the page shows four."""
    return None if value is None else float(f"{value:.6g}")
