"""A datasheet's page, self-contained HTML that prints on A4: its head, its style, and the pieces that it is made of.

Open it to change how datasheets look; what they say is in `datasheet.py` and `memory/datasheet.py`.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

from matplotlib import rc_context
from matplotlib.figure import Figure

from qsense.chip.origin import Origin
from qsense.chip.ports import Module
from qsense.runs.escapes import brief
from qsense.runs.escapes import html as escape
from qsense.runs.words import metric_name, percent

NAME = 40  # letters of a row's name

STYLE = """
:root { --ink: #1f2429; --soft: #5b6670; --line: #e4e8ec; --rule: #b5bec6; --paper: #ffffff; --accent: #0063a0;
  --tag: #b8480a; --none: #6d7780; }
@media screen and (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ec; --soft: #a3adb6; --line: #2d343b; --rule: #48525c; --paper: #14181c; --accent: #6bb8f0;
    --tag: #c9571a; --none: #929ca5; }
}
@page { size: A4; margin: 10mm 11mm; }
@media screen { html { padding: 8mm; } }
* { box-sizing: border-box; }
html { background: var(--paper); color-scheme: light dark; }
body { font: 10px/1.35 "Helvetica Neue", Arial, "Liberation Sans", sans-serif; color: var(--ink); max-width: 188mm;
  margin: 0 auto; background: var(--paper); }
header { display: flex; justify-content: space-between; align-items: flex-start; gap: 8mm;
  border-bottom: 2px solid var(--accent); padding-bottom: 2.5mm; }
h1 { font-size: 19px; margin: 0; overflow-wrap: anywhere; }
header p { margin: 1mm 0 0; color: var(--soft); font-size: 11.5px; overflow-wrap: anywhere; }
.score { text-align: right; white-space: nowrap; }
.score b { font-size: 19px; color: var(--accent); display: block; line-height: 1.2; }
.tag { display: inline-block; background: var(--tag); color: #fff; border-radius: 3px; padding: 0 5px; font-weight: 600;
  font-size: 10px; letter-spacing: .04em; }
h2 { font-size: 11.5px; margin: 3mm 0 .5mm; color: var(--accent); }
svg { width: 100%; height: auto; display: block; margin-top: 2mm; }
.figure { background: #fff; border-radius: 3px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .2mm 1.5mm; border-bottom: 1px solid var(--line); white-space: nowrap;
  line-height: 1.2; }
th { color: var(--soft); font-weight: 600; border-bottom-color: var(--rule); }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
td:last-child, th:last-child { padding-right: 0; }
td small { color: var(--soft); font-size: 9.5px; }
.facts td { vertical-align: top; }
.facts td:last-child { white-space: normal; overflow-wrap: anywhere; }
.ports td, .ports th { text-align: left; vertical-align: top; }
.ports td:last-child { white-space: normal; width: 70%; }
.ports { overflow-wrap: anywhere; }
section, .scroll, .ports, li { break-inside: avoid; }
h2 { break-after: avoid; }
.columns { display: grid; grid-template-columns: 1fr 1fr; gap: 0 8mm; }
.columns > * { min-width: 0; }
.none { color: var(--none); }
.diagram rect, .diagram circle { fill: none; stroke: var(--soft); stroke-width: 1; }
.diagram .frame { stroke: var(--rule); stroke-dasharray: 4 3; }
.diagram .arrow { fill: none; stroke: var(--accent); stroke-width: 1.2; }
.diagram .tip { fill: var(--accent); }
.diagram text { fill: var(--soft); font-size: 11px; }
.diagram .title { fill: var(--ink); font-weight: 600; font-size: 12.5px; }
.diagram .label { fill: var(--accent); }
.diagram.narrow { display: none; }
ul, ol { margin: 0; padding-left: 4mm; }
footer { margin-top: 3mm; border-top: 1px solid var(--rule); padding-top: 1.5mm; color: var(--soft); font-size: 9px;
  overflow-wrap: anywhere; }
@media screen and (max-width: 600px) {
  html { padding: 4mm; }
  body { font-size: 12px; }
  header { display: block; }
  .score { text-align: left; margin-top: 2mm; }
  .columns { grid-template-columns: 1fr; }
  .scroll { overflow-x: auto; }
  .facts td { white-space: normal; }
  .diagram.wide { display: none; }
  .diagram.narrow { display: block; max-width: 230px; margin: 2mm auto; }
  .diagram.loop, .figure { min-width: 560px; }
  td small, footer { font-size: 11px; }
}
"""


def page(name: str, subtitle: str, origin: Origin, revision: str, content: str, footnote: str) -> str:
    """The page.

    Args:
        name: of what is exported.
        subtitle: what it is, and what the data did for it; the data set's name follows.
        origin: its run.
        revision: of its numbers.
        content: HTML.
        footnote: HTML, below the run's own lines.
    """
    result = origin.result
    tag = '<span class="tag">SIMULATED DATA</span>' if origin.simulated else ""
    score = f"{100 * origin.score:.1f} %" if percent(result["monitor"]) else f"{origin.score:.4f}"
    fold = f"fold {result['fold']} of {result['num_folds']}, seed {result['seed']}"
    dated = f"revision {revision} of its numbers, {f'learned {origin.ended}' if origin.ended else 'date not recorded'}"
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(name)}: datasheet</title>
<style>{STYLE}</style>
<header>
<div><h1>{escape(name)}</h1>
<p>{escape(subtitle)} {escape(origin.dataset)} {tag}</p>
<p>{escape(dated)}</p></div>
<div class="score"><b>{score}</b>{escape(metric_name(result["monitor"]))}<br>{escape(fold)}</div>
</header>
{content}
<footer>{"<br>".join(escape(line) for line in origin.lines())}<br>
{footnote}
</footer>
</html>
"""


def to_mind(remarks: Iterable[str]) -> str:
    """What an engineer should not overlook."""
    return f"<h2>To mind</h2>\n<ul>{''.join(f'<li>{escape(remark)}</li>' for remark in remarks)}</ul>"


def standardisation(origin: Origin) -> list[tuple[str, str]]:
    """What the levels go through on their way to the network, where that is more than nothing."""
    rows = []
    if balance := origin.result.get("white_balance"):
        gains = balance["gains"]
        shown = "as each frame's camera states" if gains == "camera" else listed([f"{gain:.4g}" for gain in gains])
        rows.append(("then white balance", f"red, green, blue of {balance['multiplies']} × {shown}"))
    if standardised := origin.result.get("standardised"):
        mean, std = (listed([f"{value:.4g}" for value in standardised[key]]) for key in ("mean", "std"))
        rows.append(("then standardised", f"mean {mean}; deviation {std}"))
    return rows


def svg(figure: Figure, salt: str) -> str:
    """A figure as SVG: the same bytes each time."""
    text = io.StringIO()
    with rc_context({"svg.hashsalt": salt, "svg.fonttype": "path"}):
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    found = text.getvalue()
    return found[found.index("<svg") :].replace("<svg", '<svg class="figure"', 1)


def scrolled(content: str) -> str:
    """What is too wide for a narrow screen."""
    return f'<div class="scroll">{content}</div>\n'


def ports(modules: Iterable[Module]) -> str:
    """The modules' ports, and what each is for."""
    parts = []
    for module in modules:
        rows = [
            [escape(text) for text in (port.name, port.direction, str(port.bits or 1), port.meaning)]
            for port in module.ports
        ]
        title = f"<b>{escape(module.name)}</b>, parameter {escape(module.parameter)}"
        parts.append(f'<div class="ports">{title}{table(["port", "", "bits", "meaning"], rows)}</div>\n')
    return f'<h2>Ports (Verilog)</h2>\n<div class="columns">{"".join(parts)}</div>\n'


def pairs(rows: Iterable[tuple[str, str]]) -> str:
    """Facts, each with its name."""
    return '<table class="facts">' + "".join(f"<tr><td>{escape(a)}<td>{escape(b)}" for a, b in rows) + "</table>\n"


def table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Cells are HTML."""
    lines = ["<tr>" + "".join(f"<th>{cell}" for cell in head)]
    lines += ["<tr>" + "".join(f"<td>{cell}" for cell in row) for row in body]
    return scrolled("<table>" + "\n".join(lines) + "</table>").strip()


def listed(names: Sequence[str]) -> str:
    """At most four names: the first ones and the last."""
    known = [brief(name, NAME) for name in names]
    return ", ".join(known) if len(known) <= 4 else f"{', '.join(known[:3])}, … {known[-1]}"


def signed(value: float, form: str = ".4f") -> str:
    """A number with a true minus sign.

    >>> signed(-1.25), signed(-4.0, "g")
    ('−1.2500', '−4')
    """
    return f"{value:{form}}".replace("-", "−")
