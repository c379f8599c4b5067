"""Count what a run's network costs per prediction, show it, and keep it by layer.

Open it to change the cost table; what is counted is in `metrics/cost.py`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer
from rich.console import Console
from rich.text import Text

from qsense.callbacks.base import AfterTest
from qsense.callbacks.sensing import as_lines, sensing_of
from qsense.data.module import ExperimentData
from qsense.metrics.cost import FULL, Cost, LayerBits, LayerCost, count, price
from qsense.metrics.sensing import SensingModel
from qsense.quant.network.integer.forward import in_float
from qsense.quant.network.layers import layers
from qsense.runs.escapes import one_line
from qsense.runs.folder import write_atomically
from qsense.runs.layout import Column, sentence, table
from qsense.runs.screen import is_shared
from qsense.runs.words import short
from qsense.tasks.base import Task

MOST_ROWS = 12  # on the screen; more layers than that are shown in groups


class CostTable(AfterTest):
    """After the test, write the cost table to `<folder>/cost.csv`, one row per layer, and show it.

    Args:
        folder: the run's.
        sensing: prices the sensor, for two lines below the table; None: without them.

    Attributes:
        show: whether it is shown; of a sweep's runs the platform lets the first alone show it.
    """

    show = True

    def __init__(self, folder: str, sensing: SensingModel | None = None) -> None:
        self.file = Path(folder) / "cost.csv"
        self.sensing = sensing

    def finish(self, trainer: Trainer, task: Task, data: ExperimentData) -> None:
        cost = cost_of(task, data)
        write_atomically(self.file, as_csv(cost))
        if not self.show or is_shared():
            return
        console = Console()
        console.print(Text("cost of one prediction\n", "bold"), as_table(cost, console.width), sep="\n", soft_wrap=True)
        if self.sensing is not None:
            for line in as_lines(sensing_of(task, data, self.sensing)):
                console.print(Text(sentence(line, console.width, hanging="  ")), soft_wrap=True)


@torch.no_grad()
def cost_of(task: Task, data: ExperimentData) -> Cost:
    """What the task's network costs for one example of its test part; layers that are not quantized count 32 bits.

    Where a quantized first layer takes its input as the sensor delivers it, the input counts the sensor's bits: levels
    are evenly spaced numbers, so the layer can multiply the codes.

    Args:
        task: trained, or at least with calibrated activations.
        data: set up.
    """
    example = data.example().to(task.device)
    x = task.input_of(example, [0] * len(example))  # what a layer costs does not depend on the condition
    records = {
        layer.name: LayerBits(
            layer.name, layer.kind, layer.weight_bits, layer.activation_bits, layer.role, layer.state_bits
        )
        for layer in layers(task.network)
    }
    with in_float(task.network):  # what a layer multiplies does not depend on the arithmetic
        counts = count(task.network, list(records), x)
    first = next((records[work.name] for work in counts if work.first), LayerBits("", ""))
    as_it_comes = first.weight_bits < FULL and first.activation_bits == FULL
    return price(counts, records.values(), input_bits=(task.sensor.bits or None) if as_it_comes else None)


def as_csv(cost: Cost) -> str:
    """One row per layer."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = ("name", "kind", "role", "macs", "weights", "weight_bits", "activation_bits", "bops", "size_mb")
    writer.writerow(columns)
    writer.writerows([getattr(layer, column) for column in columns] for layer in cost.layers)
    return text.getvalue()


def as_table(cost: Cost, width: int) -> Text:
    """For a screen: layers, or groups of layers of the same kind and bits where there are many; totals."""
    names, rows = [], []
    for name, layers_ in groups(cost.layers):
        names.append(one_line(name))
        bits = f"{layers_[0].weight_bits}/{layers_[0].activation_bits}"
        rows.append(_numbers(Cost(tuple(layers_)), bits, sum(row.weights for row in layers_)))
    weights = sum(row.weights for row in cost.layers)
    rows += [_numbers(cost, "", weights), _numbers(cost.full_precision(), f"{FULL}/{FULL}", weights)]
    headings = ("M MACs", "bits w/a", "M BOPs", "weights", "MB")
    total = frozenset([len(names)])
    columns = [Column(heading, [[row[place]] for row in rows], total) for place, heading in enumerate(headings)]
    return table("layer", [*names, "total", "at full precision"], [columns], width, total)


def groups(rows: Sequence[LayerCost]) -> list[tuple[str, list[LayerCost]]]:
    """Rows with a name each: one by one if they are few, else those of one kind, role and bits together."""
    if len(rows) <= MOST_ROWS:
        return [(row.name, [row]) for row in rows]
    alike: dict[tuple[Any, ...], list[LayerCost]] = {}
    for row in rows:
        alike.setdefault((row.kind, row.role, row.weight_bits, row.activation_bits), []).append(row)
    return [(same[0].name if len(same) == 1 else f"{len(same)} × {same[0].kind}", same) for same in alike.values()]


def _numbers(cost: Cost, bits: str, weights: int) -> tuple[str, ...]:
    return short(cost.macs / 1e6), bits, short(cost.bops / 1e6), f"{weights:,}", short(cost.size_mb)
