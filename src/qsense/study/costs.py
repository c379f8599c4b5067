"""Which costs a report shows: columns of its tables, and axes that scores are drawn against."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """One column of costs.

    Args:
        heading: with its unit.
        key: of `Run.cost`.
        unit: what the figure is divided by.
    """

    heading: str
    key: str
    unit: float = 1.0


@dataclass(frozen=True)
class Axis:
    """One cost to draw scores against.

    Args:
        key: of `Run.cost`.
        name: in a few words, for a list of choices.
        label: of the axis, with its unit.
        short: the unit alone.
        picture: the file that a report draws it in.
        unit: what the figure is divided by.
    """

    key: str
    name: str
    label: str
    short: str
    picture: str
    unit: float = 1.0


COLUMNS = (
    Column("MB", "size_mb"),
    Column("GBOPs", "bops", 1e9),
    Column("kbit/s", "kbit_s"),
    Column("radio µJ/s", "radio_uj_s"),
    Column("ADC µJ/s", "adc_uj_s"),
    Column("saved %", "saved", 0.01),
)
AXES = (
    Axis("bops", "bit operations", "10⁹ bit operations per prediction", "GBOPs", "tradeoff.png", 1e9),
    Axis("kbit_s", "data rate", "data rate of the sensor (kbit/s)", "kbit/s", "tradeoff_rate.png"),
    Axis("uj_s", "energy of sensing", "radio + ADC, by model (µJ/s)", "µJ/s", "tradeoff_energy.png"),
)
SENSING = "kbit_s"  # the figure that every run has whose sensor was priced


def columns(costs: Iterable[Mapping[str, float]]) -> list[Column]:
    """The columns that have a figure anywhere."""
    known = {key for cost in costs for key in cost}
    return [column for column in COLUMNS if column.key in known]


def axes(costs: Iterable[Mapping[str, float]]) -> list[Axis]:
    """The axes that some cost can be drawn on: they are logarithmic."""
    known = {key for cost in costs for key, value in cost.items() if value > 0}
    return [axis for axis in AXES if axis.key in known]


def common(several: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """What the runs behind one number cost: the figures that are the same in all runs which have them.

    >>> common([{"bops": 7.0, "kbit_s": 1.2}, {"bops": 7.0}, {"bops": 7.0, "kbit_s": 2.4}])
    {'bops': 7.0}
    """
    values: dict[str, set[float]] = {}
    for cost in several:
        for key, value in cost.items():
            values.setdefault(key, set()).add(value)
    return {key: figures.pop() for key, figures in values.items() if len(figures) == 1}


def explained(costs: Iterable[Mapping[str, float]]) -> list[str]:
    """What the columns mean, as far as they are shown."""
    costs = list(costs)
    shown = {column.key for column in columns(costs)}
    texts = []
    if shown & {"size_mb", "bops"}:
        texts.append("MB, GBOPs: the network's weights, and 10⁹ bit operations per prediction.")
    if SENSING in shown:
        native = " or ".join(
            f"{bits:g}" for bits in sorted({cost["native_bits"] for cost in costs if "native_bits" in cost})
        )
        texts.append(
            "kbit/s, radio, ADC: what the simulated sensor would deliver and use, by a model and not measured; saved: "
            f"of radio + ADC, against its native {native} bits, which it delivers where it is not quantized."
        )
    if any(cost.get("link_share", 0) > 1 for cost in costs):
        texts.append("Some deliver more than one radio link carries: their radio's energy is that of several.")
    return texts
