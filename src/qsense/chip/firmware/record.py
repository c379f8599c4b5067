"""`firmware.json`: a firmware's sizes, work, power and conformance, for programs; `qsense report` reads it.

Open it to record something else; what a report takes from it is checked in `study/record.py`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from qsense import __version__
from qsense.chip.conformance import Check
from qsense.chip.firmware.counting import Counts
from qsense.chip.firmware.energy import Measured
from qsense.chip.firmware.plan import Plan
from qsense.chip.origin import Origin, revision
from qsense.quant.network.integer.numbers import Layer

FILE = "firmware.json"
SCHEMA = 1


def as_json(
    plan: Plan,
    counts: Counts,
    energy: dict[str, Any] | None,
    origin: Origin,
    conformance: Sequence[Check],
    measured: Measured | None = None,
    majority: int = 1,
) -> str:
    """The file.

    "flash_bytes" and "ram_bytes" are those of the compiled program where it was measured ("sizes_of": "program"), else
    of its constants and its state alone ("constants").
    """
    return json.dumps(
        {
            "schema": SCHEMA,
            "qsense": __version__,
            "run": origin.run,
            "name": plan.name,
            "revision": revision_of(plan),
            "window": plan.window,
            "stride": plan.stride,
            "rate_hz": plan.rate_hz,
            "majority": majority,
            "channels": plan.channels,
            "classes": plan.class_names,
            "sizes_of": "constants" if measured is None else "program",
            "flash_bytes": counts.flash if measured is None else measured.flash,
            "ram_bytes": counts.ram if measured is None else measured.ram,
            "counts": counts.record(),
            "measured": None if measured is None else vars(measured),
            "energy": energy,
            "conformance": [vars(check) for check in conformance],
        },
        indent=1,
        allow_nan=False,
    )


def revision_of(plan: Plan) -> str:
    """Of its numbers: firmwares that compute the same have the same."""
    tables = [None if each is None else each.tolist() for each in (plan.input.table, plan.input.thresholds)]
    converter = None if plan.converter is None else plan.converter.revision
    layers = [_numbers(layer) for layer in plan.network.layers]
    return revision([plan.window, plan.stride, tables, plan.input.low, converter, layers])


def _numbers(layer: Layer) -> list[Any]:
    """All of a layer's, in the order of its arguments."""
    return [getattr(value, "tolist", lambda value=value: str(value))() for value in vars(layer).values()]
