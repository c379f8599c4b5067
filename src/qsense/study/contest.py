"""Which rows of a table compete with each other, against which of them they are measured, and by what price.

Open it for what a study counts as cheap: power, else rate, else the network's operations, else bits.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from qsense.runs.words import lower_is_better, watts
from qsense.study.costs import LOSSLESS
from qsense.study.rows import Row
from qsense.study.summary import Summary

SAME_PRICE = 0.01  # prices that differ by less count as the same: an ADC's share of a radio's power decides nothing


@dataclass(frozen=True)
class Unit:
    """What a price is counted in: `key` of `Cell.cost`, divided by `size`, written as `name … unit`."""

    key: str
    name: str
    unit: str
    size: float = 1.0


POWER = (Unit("uj_s", "radio + ADC", "µW"), Unit("radio_uj_s", "radio", "µW"))  # µJ each second
RATE = Unit("kbit_s", "rate", "kbit/s")
PRICES = (*POWER, RATE, Unit("bops", "network", "GBOPs", 1e9), Unit("size_mb", "network", "MB"))
BITS = Unit("", "", "bits")  # where nobody counted costs, or costs tell no rows apart


@dataclass(frozen=True)
class Contest:
    """The rows of one data set that differ in the quantizer alone.

    Args:
        name: the data set; followed by task, model or settings of training where these have contests of their own.
        dataset: the data set.
        reference: the row of unquantized data; without one that of most bits.
        prices: of the reference and of all others, in `unit`.
        unit: the first of `PRICES` that all have and that tells them apart; else `BITS`.
    """

    name: str
    dataset: str
    reference: Row
    prices: Mapping[Row, float]
    unit: Unit

    @property
    def rows(self) -> list[Row]:
        """The rows that are measured against the reference."""
        return [row for row in self.prices if row != self.reference]


Kind = tuple[str, str, tuple[tuple[str, str], ...]]  # task, model, settings of training


def contests(summary: Summary) -> list[Contest]:
    """All contests of a table, by data set; none where no row has bits, or where all have the same, beside none that is
    not quantized."""
    groups: dict[tuple[str, Kind], list[Row]] = defaultdict(list)
    for row, dataset in summary.shown:
        training = tuple(item for item in row.settings if not item[0].startswith("quant."))
        groups[dataset, (row.task, row.model, training)].append(row)
    found = []
    for (dataset, kind), rows in sorted(groups.items()):
        raw = [row for row in rows if row.shown_bits is None and row.quant != LOSSLESS]
        quantized = [row for row in rows if row.shown_bits is not None]
        if not quantized or not (raw or len(_widest(quantized)) < len(quantized)):
            continue
        alone = sum(other == dataset for other, _ in groups) == 1
        name = dataset if alone else f"{dataset}, {summary.short_label(Row('', None, None, *kind))}"
        reference = _best(summary, dataset, raw) if raw else _best(summary, dataset, _widest(quantized))
        competing = [reference, *(row for row in rows if row not in (*raw, reference))]
        costs = {row: summary.shown[row, dataset].cost for row in competing}
        unit = _unit(list(costs.values()))
        prices = (
            {row: math.inf if row.shown_bits is None else row.shown_bits for row in competing if row.quant != LOSSLESS}
            if unit is BITS
            else {row: cost[unit.key] for row, cost in costs.items()}
        )
        found.append(Contest(name, dataset, reference, prices, unit))
    return found


def _widest(quantized: Sequence[Row]) -> list[Row]:
    """The rows of most bits."""
    most = max((row.shown_bits or 0, row.network_bits or 0) for row in quantized)
    return [row for row in quantized if (row.shown_bits or 0, row.network_bits or 0) == most]


def _best(summary: Summary, dataset: str, rows: Sequence[Row]) -> Row:
    """quant=none, else the row of the best score."""
    sign = -1 if lower_is_better(summary.metric) else 1
    return max(rows, key=lambda row: (row.quant == "none", sign * summary.shown[row, dataset].mean))


def _unit(costs: Sequence[Mapping[str, float]]) -> Unit:
    for unit in PRICES:
        prices = [cost[unit.key] for cost in costs if unit.key in cost]
        if len(prices) == len(costs) and min(prices) < max(prices) * (1 - SAME_PRICE):
            return _in_watts(unit, max(prices)) if unit in POWER else unit
    return BITS


def _in_watts(unit: Unit, most: float) -> Unit:
    """A power in the unit that fits the largest.

    >>> _in_watts(POWER[1], 4500.0)
    Unit(key='radio_uj_s', name='radio', unit='mW', size=1000.0)
    """
    name, size = watts(most)
    return replace(unit, unit=name, size=size)
