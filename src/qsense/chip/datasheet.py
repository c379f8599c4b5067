"""A converter on one page, HTML that prints on A4: block diagram, curve, comparators, cost, ports, origin."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

import numpy as np
import torch

from qsense.chip.converter import Converter, Native
from qsense.chip.cost import costs
from qsense.chip.diagram import flash
from qsense.chip.findings import Findings, findings
from qsense.chip.origin import Origin
from qsense.chip.page import (
    NAME,
    listed,
    page,
    pairs,
    ports,
    scrolled,
    signed,
    standardisation,
    svg,
    table,
    to_mind,
)
from qsense.chip.tables import volts
from qsense.chip.verilog import modules
from qsense.plots.converter import plot_converter
from qsense.plots.style import PARAMETERS
from qsense.quant.sensor.base import SensorQuantizer
from qsense.runs.escapes import brief
from qsense.runs.escapes import html as escape

MOST_DOWN, MOST_ACROSS = 15, 6  # thresholds and rows that a page has room for; more are in thresholds.csv
MOST_LEARNED = 3  # parameters of a row; more are in adc.json
LONGEST = 150  # letters of a remark
GRID = 400  # points of a curve


def datasheet(
    converter: Converter, sensor: SensorQuantizer, origin: Origin, full_scale_volts: float | None = None
) -> str:
    """The page.

    Args:
        converter: the converter.
        sensor: the quantizer it came from, for its curve.
        origin: its run.
        full_scale_volts: what the largest native count stands for; None leaves volts out.
    """
    found = findings(converter)
    native = converter.native
    subtitle = f"{converter.bits}-bit {converter.record['quantizer']} converter behind a sensor of {native.bits} bits"
    remarks = [textwrap.shorten(remark, LONGEST, placeholder=" … see adc.json") for remark in found.sentences()]
    remarks = [*(remarks or ["Every code has native counts of its own."]), *_assumptions(converter)]
    return page(
        converter.name,
        f"{subtitle}, {_origin(converter, sensor)}",
        origin,
        converter.revision,
        f"""\
{flash(converter, sensor.signal.rate_hz)}
{scrolled(picture(converter, sensor))}
<div class="columns">
<section><h2>Converter</h2>
{pairs(_facts(converter, found, full_scale_volts) + standardisation(origin))}</section>
<section><h2>Cost of sensing</h2>
{pairs(costs(origin.result))}</section>
</div>
{_thresholds(converter, found, full_scale_volts)}
{ports(modules(converter))}
{to_mind(remarks)}""",
        "Code k begins at the smallest native count that reaches threshold k; counts are "
        f"{native.coding.name}. Comparator "
        "accuracy: log2(full scale / smallest distance of two neighbouring thresholds), in bits, of comparators on the "
        "analog signal.",
    )


def _origin(converter: Converter, sensor: SensorQuantizer) -> str:
    """What the data did for the curve."""
    if converter.record["learned"]:
        return "learned for"
    return "fitted to" if sensor.wants_samples else "used for"


def picture(converter: Converter, sensor: SensorQuantizer) -> str:
    """The curve with its levels and comparators, as SVG: the same bytes each time."""
    logarithmic = converter.low >= 0 and sensor.signal.native_bits is not None
    first = (converter.high - converter.low) / (converter.native.span if logarithmic else math.inf)
    grid = np.linspace(converter.low, converter.high, GRID)
    if logarithmic:
        grid = np.geomspace(converter.low + first, converter.high, GRID)
    with torch.no_grad():
        curves = sensor.transfer(torch.from_numpy(grid)).double().cpu().numpy()
    rows = range(len(converter.rows))
    figure = plot_converter(
        [converter.in_unit(r, grid) for r in rows],
        [converter.in_unit(r, curves[converter.source[r]]) for r in rows],
        converter.thresholds,
        converter.levels,
        converter.native.coding.number(converter.positions),
        converter.rows,
        converter.unit,
        converter.native.coding.highest,
        logarithmic,
        lowest=converter.native.coding.lowest,
    )
    return svg(figure, converter.name)


def _facts(converter: Converter, found: Findings, full_scale_volts: float | None) -> list[tuple[str, str]]:
    native, unit = converter.native, converter.unit
    facts = [
        ("resolution", f"{converter.bits} bits, {converter.counts.shape[1]} comparators per row"),
        ("native ADC", f"{native.bits} bits, {signed(native.low, 'g')} to {signed(native.high, 'g')} {unit}"),
        ("native step", f"{_step(converter):.4g} {unit}"),
        ("channels", f"{len(converter.channels)}: {listed(converter.channels)}"),
        ("smallest gap", "–" if found.gap is None else f"{found.gap:.4g} native steps{_apart(found)}"),
        (
            "comparator accuracy",
            "–" if found.accuracy is None else f"{found.accuracy:.1f} bits{_enough(native, found)}",
        ),
    ]
    if (native.black, native.white) != (0, native.codes - 1):
        facts.insert(
            2, ("black, white", f"counts {native.coding.number(native.black)}, {native.coding.number(native.white)}")
        )
    if full_scale_volts is not None:
        step = full_scale_volts / (native.codes - 1)
        facts.insert(3, ("full scale", f"{full_scale_volts:g} V, {1000 * step:.4g} mV per step"))
    return facts


def _apart(found: Findings) -> str:
    """Where thresholds share a count, how far those lie apart that do not."""
    if found.gap is None or found.gap >= 1 or found.apart is None:
        return ""
    return f"; {found.apart} between different counts"


def _enough(native: Native, found: Findings) -> str:
    """Behind the native ADC comparators compare counts, which have no more bits than it."""
    if found.accuracy is None or found.accuracy <= native.bits:
        return ""
    return f" of the analog signal; behind the native ADC, {native.bits}"


def _thresholds(converter: Converter, found: Findings, full_scale_volts: float | None) -> str:
    """Code by code, where it begins in the sensor's unit and in counts, and what the network sees; then row by row,
    what was learned, gap and accuracy. Many rows of few codes share one table; too many codes are in thresholds.csv."""
    count, rows = converter.counts.shape[1], len(converter.rows)
    kinds = ["count"] if full_scale_volts is None else ["count", "volts"]
    unit = escape(converter.unit or "value")
    cells = [[_cell(converter, r, k, full_scale_volts) for k in range(count)] for r in range(rows)]
    joined = [[f"{first} <small>{' · '.join(filter(None, rest))}</small>" for first, *rest in row] for row in cells]
    sees = [signed(float(value)) for value in converter.values]
    title = f"<h2>Where codes begin: {' · '.join([unit, *kinds])}</h2>\n"
    if rows > count and count <= MOST_ACROSS:
        heads = [f"code {k} → {sees[k]}" for k in range(1, count + 1)]
        return title + _rows(converter, found, heads, joined)
    by_row = "<h2>Row by row</h2>\n" + _rows(converter, found)
    if count > MOST_DOWN or rows > MOST_ACROSS:
        return f"{title}{count} thresholds in each of {rows} rows: see thresholds.csv.\n{by_row}"
    if rows > 1:
        body = [["code 0", *["below"] * rows, sees[0]]]
        body += [[f"code {k + 1}", *(row[k] for row in joined), sees[k + 1]] for k in range(count)]
        return (
            title + table(["", *(escape(brief(name, NAME)) for name in converter.rows), "network sees"], body) + by_row
        )
    body = [["code 0", "below", *[""] * len(kinds), sees[0]]]
    body += [[f"code {k}", *cell, sees[k]] for k, cell in enumerate(cells[0], 1)]
    half = len(body) if len(body) <= 4 else -(-len(body) // 2)
    parts = [table(["", unit, *kinds, "network sees"], part) for part in (body[:half], body[half:]) if part]
    return title + '<div class="columns">' + "".join(f"<div>{part}</div>" for part in parts) + "</div>" + by_row


def _cell(converter: Converter, r: int, k: int, full_scale_volts: float | None) -> list[str]:
    """A threshold in the sensor's unit, in counts, and in volts where these are known."""
    native, count = converter.native, int(converter.counts[r, k])
    voltage = [] if full_scale_volts is None else [""]
    if not 0 < count < native.codes:
        return [f'<span class="none">{"never" if count else "always"}</span>', "", *voltage]
    if full_scale_volts is not None:
        voltage = [f"{volts(converter.positions[r, k], native.bits, full_scale_volts):.4f}"]
    value = float(converter.thresholds[r, k])
    # of a scale that begins at zero: decimals for native steps would leave nothing of it
    small = native.low == 0 and 0 < value < _step(converter)
    number = native.coding.number(count)
    return [signed(value, ".4g" if small else _digits(converter)), signed(number, "d"), *voltage]


def _rows(
    converter: Converter, found: Findings, heads: Sequence[str] = (), cells: Sequence[Sequence[str]] | None = None
) -> str:
    """Row by row: its range, what was learned, gap and accuracy; with cells of its own under `heads` in between."""
    learned = converter.record["learned"]
    parameters = [name for name, values in learned.items() if len(values) > max(converter.source)]
    parameters = parameters if len(parameters) <= MOST_LEARNED else []
    head = [
        "",
        f"range ({escape(converter.unit)})",
        *(escape(PARAMETERS.get(name, name)) for name in parameters),
        *heads,
    ]
    head += ["smallest gap (steps)", "accuracy (bits)", "codes in use"] if not heads else ["gap", "bits", "codes"]
    digits = _digits(converter)
    body = []
    for r, row in enumerate(found.rows):
        low, high = converter.limits[r]
        used = (1 << converter.bits) - len(row.collapsed) - len(row.beyond)
        body.append(
            [
                escape(brief(row.name, NAME)),
                f"{signed(low, digits)} to {signed(high, digits)}",
                *(signed(learned[name][converter.source[r]]) for name in parameters),
                *(cells[r] if cells else []),
                "–" if row.gap is None else f"{row.gap:.4g}",
                "–" if row.accuracy is None else f"{row.accuracy:.1f}",
                f"{used} of {1 << converter.bits}",
            ]
        )
    return table(head, body)


def _digits(converter: Converter) -> str:
    """Decimals that tell native steps apart, as a format."""
    return f".{max(0, math.ceil(-math.log10(_step(converter))) + 1)}f"


def _step(converter: Converter) -> float:
    """A native step in the sensor's unit."""
    return (converter.native.high - converter.native.low) / converter.native.span


def _assumptions(converter: Converter) -> list[str]:
    return [f"{converter.native.assumed[0].upper()}{converter.native.assumed[1:]}."] if converter.native.assumed else []
