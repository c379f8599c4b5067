"""Samples against what is stated of the sensor: another unit, a range that is hardly used, values that mean "missing".

Open it when a warning about units or wild values is wrong, or is missing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qsense.data.cache import Arrays
from qsense.data.series.dataset import ActivityDataset
from qsense.data.series.units import usual_spelling

Floats = npt.NDArray[np.float64]

BLOCKS = 40  # stretches that are looked at, all over the recordings
MOST_LOOKED_AT = 300_000  # values
LARGEST = 1.25  # times the range that sensors reach
LEAST_USED = 0.025  # share of the range that the axis uses that uses most: ±0.4 g of ±16 g
HALF_USED = 0.12  # the same, where the range is a usual one in another unit
FAR = 4.0  # times the spread of all others, from where on values lie apart
FAR_KNOWN = 1.5  # for those that often mean "missing"
MOST_WILD = 0.3  # share of all values
STANDARD_GRAVITY = 9.80665
MISSING_MARKS = frozenset(
    sign * value for value in (99.0, 999.0, 9999.0, 99999.0, 999999.0, 32767.0, 32768.0, 65535.0, 2147483647.0)
    for sign in (1, -1)
)  # fmt: skip
# Pairs of units that are taken for each other: numbers are so many times larger in the second one.
_PAIRS = (("g", "mg", 1000.0), ("g", "m/s²", STANDARD_GRAVITY), ("m/s²", "mg", 1000 / STANDARD_GRAVITY),
          ("rad/s", "°/s", 180 / np.pi), ("°/s", "m°/s", 1000.0), ("V", "mV", 1000.0), ("mT", "µT", 1000.0),
          ("G", "µT", 100.0), ("kPa", "hPa", 10.0), ("hPa", "Pa", 100.0))  # fmt: skip


_GRAVITY = {"g": 1.0, "m/s²": STANDARD_GRAVITY, "mg": 1000.0}


@dataclass(frozen=True)
class Spread:
    """What one axis shows.

    Args:
        low: smallest value that does not lie apart.
        high: largest one.
        wild: values that lie apart from all others, each once.
        share: of all values looked at.
    """

    low: float
    high: float
    wild: tuple[float, ...] = ()
    share: float = 0.0


def remarks(dataset: ActivityDataset, arrays: Arrays) -> list[str]:
    """What contradicts the data set's unit and range, as parts of a sentence; none where all fits.

    A sample of the values is looked at, and the extremes of every recording; gravity tells the unit of accelerations
    where three axes belong together.
    """
    sample = _sample(arrays["x"])
    ends = np.concatenate([arrays["low"], arrays["high"]]).astype(np.float64)
    spreads = [spread(np.concatenate([sample[:, axis], ends[:, axis]])) for axis in range(sample.shape[1])]
    found = _wild(dataset, spreads)
    regular = np.array([[one.low, one.high] for one in spreads])
    inside = np.all((sample >= regular[:, 0]) & (sample <= regular[:, 1]), axis=1)
    gravity = _gravity(sample[inside], dataset.unit)
    if dataset.range is not None:
        return found + _against_range(dataset, regular, gravity)
    return found + ([f"{gravity} (data.dataset.unit of data=csv_har)"] if gravity else [])


def spread(values: Floats) -> Spread:
    """Where an axis' values lie, without those few that are far from all others.

    >>> spread(np.array([*np.linspace(-1, 1, 100), -999, -999]))
    Spread(low=-1.0, high=1.0, wild=(-999.0,), share=0.0196078431372549)
    """
    distinct, counts = np.unique(values, return_counts=True)
    best = Spread(float(distinct[0]), float(distinct[-1]))
    gaps = np.diff(distinct)
    for cuts in (1, 2, 3):
        if len(gaps) < 8 + cuts:
            break
        edges = np.sort(np.argpartition(gaps, -cuts)[-cuts:])
        groups = np.split(np.arange(len(distinct)), edges + 1)
        bulk = max(groups, key=lambda group: int(counts[group].sum()))
        others = np.setdiff1d(np.arange(len(distinct)), bulk)
        low, high = float(distinct[bulk[0]]), float(distinct[bulk[-1]])
        wild, share = distinct[others], float(counts[others].sum() / counts.sum())
        far = FAR_KNOWN if all(float(value) in MISSING_MARKS for value in wild) else FAR
        if len(bulk) >= 8 and share <= MOST_WILD and gaps[edges].min() > far * (high - low):
            best = Spread(low, high, tuple(wild.tolist()), share)
    return best


def _sample(x: npt.NDArray[np.float32]) -> Floats:
    """Stretches from all over the samples [n, axes]."""
    rows = max(1, MOST_LOOKED_AT // x.shape[1] // BLOCKS)
    if len(x) <= rows * BLOCKS:
        return np.asarray(x, dtype=np.float64)
    starts = np.linspace(0, len(x) - rows, BLOCKS).astype(int)
    return np.concatenate([x[start : start + rows] for start in starts]).astype(np.float64)


def _wild(dataset: ActivityDataset, spreads: list[Spread]) -> list[str]:
    axes = [axis for axis, one in enumerate(spreads) if one.wild]
    if not axes:
        return []
    values = sorted({value for axis in axes for value in spreads[axis].wild})
    one = max((spreads[axis] for axis in axes), key=lambda one: one.share)
    shown = ", ".join(f"{value:g}" for value in values[:4]) + " …" * (len(values) > 4)
    extent = max(one.high, *one.wild) - min(one.low, *one.wild)
    names = ", ".join(dataset.axes[axis] for axis in axes[:6]) + " …" * (len(axes) > 6)
    return [
        f"{_percent(one.share)} of the values of {names} are {shown} and all others lie between {one.low:.4g} and "
        f"{one.high:.4g} {dataset.unit}, {_percent((one.high - one.low) / extent)} of the extent: if they stand for "
        f"missing samples, leave those fields empty (data=csv_har: data.dataset.missing=[{values[0]:g}])"
    ]


def at_rest(sample: Floats) -> float | None:
    """Length of the acceleration in most of the samples [n, axes]; None where none is usual, or axes do not belong
    together by threes.

    At rest the three axes of an accelerometer show gravity and nothing else, however it is turned.
    """
    if sample.shape[1] % 3 or len(sample) < 100:
        return None
    norms = np.sqrt((sample.reshape(len(sample), -1, 3) ** 2).sum(axis=2))
    first, middle, third = np.percentile(norms, [25, 50, 75])
    return float(middle) if 0 < third < 1.3 * first else None


def unit_of_gravity(length: float) -> str | None:
    """The unit in which gravity has this length, within 10 %.

    >>> unit_of_gravity(1.02), unit_of_gravity(9.7), unit_of_gravity(4100), unit_of_gravity(3)
    ('g', 'm/s²', 'counts, 4096 per g', None)
    """
    known = _GRAVITY | {f"counts, {2**power} per g": 2.0**power for power in (8, 11, 12, 13, 14)}
    name = min(known, key=lambda name: float(abs(np.log(length / known[name]))))
    return name if abs(length / known[name] - 1) <= 0.1 else None


def _gravity(sample: Floats, unit: str) -> str | None:
    """The unit of accelerations that gravity tells, as a question, where it is another one than the stated."""
    length = at_rest(sample) if usual_spelling(unit) in _GRAVITY else None
    name = unit_of_gravity(length) if length else None
    if name is None or name == usual_spelling(unit):
        return None
    return f"is it in {name}? At rest it shows {length:.4g} for gravity, and {unit} is stated"


def _against_range(dataset: ActivityDataset, regular: Floats, gravity: str | None) -> list[str]:
    assert dataset.range is not None
    low, high = dataset.range
    reached = float(np.abs(regular).max()) / max(abs(low), abs(high))
    used = float((regular[:, 1] - regular[:, 0]).max()) / (high - low)
    stated = f"its range of {low:g} to {high:g} {dataset.unit}"
    if reached > LARGEST:
        what = f"it reaches {reached:.3g} times {stated}"
    elif used < LEAST_USED or (dataset.unit == "g" and used < HALF_USED and _usual_in_g(high / STANDARD_GRAVITY)):
        what = f"it uses {_percent(used)} of {stated}, of which a quantizer of few bits sees next to nothing"
    else:
        return [gravity] if gravity else []
    asked = gravity or _other_units(dataset.unit, reached)
    return [f"{what}: {asked} (data.dataset.range, or data.dataset.unit of data=csv_har)"]


def _usual_in_g(full_scale: float) -> bool:
    """
    >>> [_usual_in_g(full_scale) for full_scale in (78.5 / 9.80665, 8.0, 7.5)]
    [True, True, False]
    """
    return any(abs(full_scale / usual - 1) < 0.005 for usual in (1.5, 2, 3, 4, 6, 8, 10, 12, 16, 24, 32))


def _other_units(unit: str, reached: float) -> str:
    """Which units may have been taken for each other, as a question.

    >>> _other_units("g", 250.0), _other_units("g", 0.03)
    ('are samples in mg and the range in g?', 'are samples in g and the range in m/s²?')
    """
    unit = usual_spelling(unit)
    likely = []
    for smaller, larger, factor in _PAIRS:
        left = reached / factor if reached > 1 else reached * factor
        if unit in (smaller, larger) and 0.02 < left < 1.1:
            likely.append((larger, smaller) if reached > 1 else (smaller, larger))
    asked = [f"are samples in {one} and the range in {other}?" for one, other in likely]
    return " Or ".join(asked[:2]) or "is the range stated in another unit, or are samples raw counts?"


def _percent(share: float) -> str:
    """
    >>> _percent(0.5), _percent(0.00123), _percent(1e-7)
    ('50 %', '0.12 %', 'less than 0.01 %')
    """
    return "less than 0.01 %" if share < 1e-4 else f"{100 * share:.2g} %"
