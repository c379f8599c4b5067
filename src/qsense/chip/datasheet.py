"""A converter on one page, self-contained HTML that prints on A4: curve, comparators, what to mind, cost, origin."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from matplotlib import rc_context

from qsense.chip.converter import Converter, Native
from qsense.chip.cost import costs
from qsense.chip.findings import Findings, findings
from qsense.chip.origin import Origin
from qsense.chip.tables import volts
from qsense.plots.converter import plot_converter
from qsense.plots.style import PARAMETERS
from qsense.quant.sensor.base import SensorQuantizer
from qsense.runs.escapes import brief
from qsense.runs.escapes import html as escape
from qsense.runs.words import metric_name, percent

MOST_DOWN, MOST_ACROSS = 15, 6  # thresholds and rows that a page has room for; more are in thresholds.csv
MOST_LEARNED = 3  # parameters of a row; more are in adc.json
LONGEST, NAME = 150, 40  # letters of a remark, and of a row's name
GRID = 400  # points of a curve

STYLE = """
@page { size: A4; margin: 10mm 11mm; }
@media screen { html { padding: 8mm; } }
* { box-sizing: border-box; }
body { font: 10px/1.35 "Helvetica Neue", Arial, "Liberation Sans", sans-serif; color: #1f2429; max-width: 188mm;
  margin: 0 auto; background: #fff; }
header { display: flex; justify-content: space-between; align-items: flex-start; gap: 8mm;
  border-bottom: 2px solid #0063a0; padding-bottom: 2.5mm; }
h1 { font-size: 19px; margin: 0; overflow-wrap: anywhere; }
header p { margin: 1mm 0 0; color: #5b6670; font-size: 11.5px; }
.score { text-align: right; white-space: nowrap; }
.score b { font-size: 19px; color: #0063a0; display: block; line-height: 1.2; }
.tag { display: inline-block; background: #b8480a; color: #fff; border-radius: 3px; padding: 0 5px; font-weight: 600;
  font-size: 10px; letter-spacing: .04em; }
h2 { font-size: 11.5px; margin: 3mm 0 .5mm; color: #0063a0; }
svg { width: 100%; height: auto; display: block; margin-top: 2mm; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .2mm 1.5mm; border-bottom: 1px solid #e4e8ec; white-space: nowrap;
  line-height: 1.2; }
th { color: #5b6670; font-weight: 600; border-bottom-color: #b5bec6; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
td:last-child, th:last-child { padding-right: 0; }
td small { color: #5b6670; font-size: 9.5px; }
.columns { display: grid; grid-template-columns: 1fr 1fr; gap: 0 8mm; }
.none { color: #8a949c; }
ul { margin: 0; padding-left: 4mm; }
footer { margin-top: 3mm; border-top: 1px solid #d9dee3; padding-top: 1.5mm; color: #5b6670; font-size: 9px;
  overflow-wrap: anywhere; }
"""


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
    native, result = converter.native, origin.result
    subtitle = f"{converter.bits}-bit {converter.record['quantizer']} converter behind a sensor of {native.bits} bits"
    tag = '<span class="tag">SIMULATED DATA</span>' if origin.simulated else ""
    score = f"{100 * origin.score:.1f} %" if percent(result["monitor"]) else f"{origin.score:.4f}"
    fold = f"fold {result['fold']} of {result['num_folds']}, seed {result['seed']}"
    remarks = [textwrap.shorten(remark, LONGEST, placeholder=" … see adc.json") for remark in found.sentences()]
    remarks = remarks or ["Every code has native counts of its own."]
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{escape(converter.name)}: datasheet</title>
<style>{STYLE}</style>
<header>
<div><h1>{escape(converter.name)}</h1>
<p>{escape(subtitle)}, {_origin(converter, sensor)} {escape(origin.dataset)} {tag}</p></div>
<div class="score"><b>{score}</b>{escape(metric_name(result["monitor"]))}<br>{escape(fold)}</div>
</header>
{picture(converter, sensor)}
<div class="columns">
<section><h2>Converter</h2>
{_pairs(_facts(converter, found, full_scale_volts) + _behind(origin))}</section>
<section><h2>Cost</h2>
{_pairs(costs(origin.result))}</section>
</div>
{_thresholds(converter, found, full_scale_volts)}
<h2>To mind</h2>
<ul>{"".join(f"<li>{escape(remark)}</li>" for remark in [*remarks, *_assumptions(converter)])}</ul>
<footer>{"<br>".join(escape(line) for line in origin.lines())}<br>
Code k begins at the smallest native count that reaches threshold k; counts are offset binary. Comparator accuracy:
log2(full scale / smallest distance of two neighbouring thresholds), in bits, of comparators on the analog signal.
</footer>
</html>
"""


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
        converter.positions,
        converter.rows,
        converter.unit,
        converter.native.codes - 1,
        logarithmic,
    )
    text = io.StringIO()
    with rc_context({"svg.hashsalt": converter.name, "svg.fonttype": "path"}):
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    svg = text.getvalue()
    return svg[svg.index("<svg") :]


def _facts(converter: Converter, found: Findings, full_scale_volts: float | None) -> list[tuple[str, str]]:
    native, unit = converter.native, converter.unit
    facts = [
        ("resolution", f"{converter.bits} bits, {converter.counts.shape[1]} comparators per row"),
        ("native ADC", f"{native.bits} bits, {_signed(native.low, 'g')} to {_signed(native.high, 'g')} {unit}"),
        ("native step", f"{_step(converter):.4g} {unit}"),
        ("channels", f"{len(converter.channels)}: {_some(converter.channels)}"),
        ("smallest gap", "–" if found.gap is None else f"{found.gap:.4g} native steps{_apart(found)}"),
        (
            "comparator accuracy",
            "–" if found.accuracy is None else f"{found.accuracy:.1f} bits{_enough(native, found)}",
        ),
    ]
    if (native.black, native.white) != (0, native.codes - 1):
        facts.insert(2, ("black, white", f"counts {native.black}, {native.white}"))
    if full_scale_volts is not None:
        step = full_scale_volts / (native.codes - 1)
        facts.insert(3, ("full scale", f"{full_scale_volts:g} V, {1000 * step:.4g} mV per step"))
    return facts


def _behind(origin: Origin) -> list[tuple[str, str]]:
    """What its levels go through on their way to the network, where that is more than nothing."""
    if not (standardised := origin.result.get("standardised")):
        return []
    mean, std = (_some([f"{value:.4g}" for value in standardised[key]]) for key in ("mean", "std"))
    return [("then standardised", f"mean {mean}; deviation {std}")]


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
    sees = [_signed(float(value)) for value in converter.values]
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
            title + _table(["", *(escape(brief(name, NAME)) for name in converter.rows), "network sees"], body) + by_row
        )
    body = [["code 0", "below", *[""] * len(kinds), sees[0]]]
    body += [[f"code {k}", *cell, sees[k]] for k, cell in enumerate(cells[0], 1)]
    half = len(body) if len(body) <= 4 else -(-len(body) // 2)
    parts = [_table(["", unit, *kinds, "network sees"], part) for part in (body[:half], body[half:]) if part]
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
    return [_signed(value, ".4g" if small else _digits(converter)), str(count), *voltage]


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
                f"{_signed(low, digits)} to {_signed(high, digits)}",
                *(_signed(learned[name][converter.source[r]]) for name in parameters),
                *(cells[r] if cells else []),
                "–" if row.gap is None else f"{row.gap:.4g}",
                "–" if row.accuracy is None else f"{row.accuracy:.1f}",
                f"{used} of {1 << converter.bits}",
            ]
        )
    return _table(head, body)


def _digits(converter: Converter) -> str:
    """Decimals that tell native steps apart, as a format."""
    return f".{max(0, math.ceil(-math.log10(_step(converter))) + 1)}f"


def _step(converter: Converter) -> float:
    """A native step in the sensor's unit."""
    return (converter.native.high - converter.native.low) / converter.native.span


def _assumptions(converter: Converter) -> list[str]:
    return [f"{converter.native.assumed[0].upper()}{converter.native.assumed[1:]}."] if converter.native.assumed else []


def _pairs(rows: Iterable[tuple[str, str]]) -> str:
    return "<table>" + "".join(f"<tr><td>{escape(a)}<td>{escape(b)}" for a, b in rows) + "</table>\n"


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Cells are HTML."""
    lines = ["<tr>" + "".join(f"<th>{cell}" for cell in head)]
    lines += ["<tr>" + "".join(f"<td>{cell}" for cell in row) for row in body]
    return "<table>" + "\n".join(lines) + "</table>"


def _some(names: Sequence[str]) -> str:
    known = [brief(name, NAME) for name in names]
    return ", ".join(known) if len(known) <= 4 else f"{', '.join(known[:3])}, … {known[-1]}"


def _signed(value: float, form: str = ".4f") -> str:
    """A number with a true minus sign.

    >>> _signed(-1.25), _signed(-4.0, "g")
    ('−1.2500', '−4')
    """
    return f"{value:{form}}".replace("-", "−")
