"""A session as one page of HTML without scripts: signal, codes and classes over time, score and budget.

Open it to change the page. While the session runs, the page loads itself anew every second.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import numpy.typing as npt

from qsense.runs.escapes import brief
from qsense.runs.escapes import html as escape
from qsense.stream.session import REMEMBERED_S, Moment, Session
from qsense.stream.words import data_rate, dropped, margin, pace, score

CLOSE_S = 10.0  # shown with codes
WIDTH, LEFT, HEIGHT, CODES, BAND = 1000, 90, 84, 26, 24  # of the picture and of its rows, in its own units
BINS = WIDTH - LEFT
MOST_AXES = 12
LETTER = 6.6  # how wide one is in a band
# Okabe and Ito's colours, then lighter ones; names stand in the bands and in the table, too.
COLOURS = ("#8a939b", "#0072b2", "#d55e00", "#009e73", "#b35c92", "#b07700", "#2a8fd0", "#5a4fcf", "#7a8b00", "#a0522d",
           "#00868b", "#c2185b", "#4e7a3a", "#555555")  # fmt: skip
STYLE = """
:root { --ink: #1f2429; --soft: #5b6670; --line: #d9dee3; --paper: #ffffff; --ground: #f5f6f8; --accent: #0063a0;
  --good: #00795a; --bad: #b8480a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ec; --soft: #a3adb6; --line: #363d45; --paper: #1b2026;
  --ground: #12161a; --accent: #6bb8f0; --good: #35c29b; --bad: #f08a4b; } }
* { box-sizing: border-box; }
html { color-scheme: light dark; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI",
  Roboto, sans-serif; }
header, main { max-width: 1100px; margin: 0 auto; padding: .8rem 1.2rem; }
h1 { font-size: 1.2rem; margin: .2rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin: 0 0 .4rem; }
header p, .note { color: var(--soft); margin: .15rem 0; font-size: .9rem; overflow-wrap: anywhere; }
section { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: .8rem 1.1rem;
  margin-bottom: 1rem; }
.now { display: flex; flex-wrap: wrap; gap: .2rem 2rem; align-items: baseline; }
.now b { font-size: clamp(2rem, 7vw, 4rem); line-height: 1.15; overflow-wrap: anywhere; }
.now span { font-size: 1.3rem; }
.right { color: var(--good); } .wrong { color: var(--bad); }
.scroll { overflow-x: auto; }
svg { display: block; width: 100%; min-width: 560px; height: auto; }
svg text { fill: var(--soft); font-size: 12px; }
svg .name { fill: var(--ink); font-weight: 600; }
svg .in { fill: #fff; font-size: 11px; }
svg .signal { fill: none; stroke: var(--accent); stroke-width: 1.1; }
svg .codes { fill: none; stroke: var(--good); stroke-width: 1; }
svg .grid { stroke: var(--line); stroke-width: 1; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem; }
th, td { padding: .2rem 1.2rem .2rem 0; text-align: left; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; }
td i { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin-right: .5em; }
.live { border: 1px solid currentColor; border-radius: 99px; padding: .05rem .6rem; font-size: .85rem;
  color: var(--good); }
@media (max-width: 600px) { header, main { padding: .6rem .7rem; } section { padding: .6rem .7rem; } }
"""
Floats = npt.NDArray[np.float64]


def page(session: Session, notices: Sequence[str], running: bool) -> str:
    """The page as the session stands.

    Args:
        session: see there.
        notices: what was said, in order.
        running: whether more comes: the page then loads itself anew.
    """
    facts = session.facts
    again = '<meta http-equiv="refresh" content="1">\n' * running
    moments = list(session.moments)
    close = [moment for moment in moments[-round(CLOSE_S * facts.rate_hz) :] if moment.at > session.at - CLOSE_S]
    state = '<span class="live">live</span>' if running else "· ended"
    lines = [pace(session), data_rate(facts), *facts.budget, score(session), dropped(session)]
    facts_html = "".join(f"<li>{escape(line)}</li>" for line in lines if line)
    said = "".join(f"<li>{escape(brief(text, 200))}</li>" for text in notices)
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{again}<title>{escape(f"{_decided(session) or '–'} · {facts.run}")}</title>
<style>{STYLE}</style>
<header>
<h1>{escape(facts.run)}</h1>
<p>{escape(facts.source)} · {escape(session.pipeline.name)} · {session.at:.1f} s {state}</p>
</header>
<main>
<section class="now">{_now(session)}</section>
<section><h2>The last {CLOSE_S:g} s</h2>
<p class="note">The signal in {escape(facts.unit)}, and the codes that the sensor sends.</p>
<div class="scroll">{_picture(close, session, True)}</div></section>
<section><h2>{f"The last {REMEMBERED_S / 60:g} min" if session.at > REMEMBERED_S else "From the start"}</h2>
<div class="scroll">{_picture(moments, session, False)}</div></section>
<section><h2>Classes</h2><div class="scroll">{_table(session)}</div></section>
<section><h2>Figures</h2><ul>{facts_html}</ul></section>
{f"<section><h2>What was said</h2><ul>{said}</ul></section>" if said else ""}
</main>
</html>
"""


def _decided(session: Session) -> str:
    return "" if session.decided is None else session.facts.classes[session.decided]


def _now(session: Session) -> str:
    if session.decided is None:
        return "<span>waiting for the first window of this recording</span>"
    window, classes = session.recent[-1], session.facts.classes
    truth = ""
    if window.truth is not None:
        right = window.truth == session.decided
        text = "right" if right else f"truth: {classes[window.truth]}"
        truth = f'<span class="{"right" if right else "wrong"}">{escape(text)}</span>'
    votes = f"<span>majority of {session.votes}</span>" if session.votes > 1 else ""
    of = "" if window.prediction.winner == session.decided else f" {escape(classes[window.prediction.winner])}"
    return (
        f"<b>{escape(classes[session.decided])}</b><span>{100 * window.prediction.probability:.0f} %{of}</span>"
        f"<span>margin {margin(window.prediction)}</span>{votes}{truth}"
    )


def _table(session: Session) -> str:
    """How often each class was decided, and of those whose truth is known how many were right."""
    confusion, rows = session.confusion, []
    for index, count in session.seen.most_common():
        known = int(confusion[:, index].sum())
        right = f"{int(confusion[index, index]):,} of {known:,}" if known else "–"
        name = f'<i style="background:{_colour(index)}"></i>{escape(session.facts.classes[index])}'
        rows.append(f"<tr><td>{name}<td>{count:,}<td>{100 * count / session.windows:.1f} %<td>{right}")
    return f"<table><tr><th>class<th>windows<th>share<th>right{''.join(rows)}</table>"


def _picture(moments: Sequence[Moment], session: Session, coded: bool) -> str:
    """Signal and classes over time, with the codes where there is room to see them."""
    if not moments:
        return "<p>nothing yet</p>"
    at = np.array([moment.at for moment in moments])
    first, last = at[0], max(at[-1], at[0] + 1e-9)
    names = session.facts.names[:MOST_AXES]
    values = np.array([moment.values[: len(names)] for moment in moments])
    coded = coded and all(moment.codes is not None for moment in moments)
    codes = np.array([(moment.codes or ())[: len(names)] for moment in moments]) if coded else None
    place = np.minimum(((at - first) / (last - first) * BINS).astype(int), BINS - 1)
    y, parts = 8.0, []
    for channel, name in enumerate(names):
        low, high = float(values[:, channel].min()), float(values[:, channel].max())
        parts.append(_text(0, y + 14, brief(name, 12), "name"))
        parts += [_text(0, y + 32, signed(high)), _text(0, y + HEIGHT - 6, signed(low))]
        parts.append(_line("signal", place, values[:, channel], y, HEIGHT - 8, low, high))
        y += HEIGHT
        if codes is not None:
            top = float((1 << max(session.pipeline.bits, 1)) - 1)
            parts.append(_text(0, y + 14, f"codes 0…{top:.0f}"))
            parts.append(_line("codes", place, np.minimum(codes[:, channel], top), y, CODES - 8, 0.0, top))
            y += CODES
    rows = {"classes": [moment.decided for moment in moments], "truth": [moment.truth for moment in moments]}
    for row, indices in rows.items():
        if row == "classes" or any(index is not None for index in indices):
            parts.append(_text(0, y + 16, row, "name"))
            parts += _band(indices, moments, session, y)
            y += BAND + 4
    for share in (0, 0.25, 0.5, 0.75, 1):
        x = LEFT + share * BINS
        anchor = "end" if share == 1 else "start" if share == 0 else "middle"
        parts.append(f'<line class="grid" x1="{x:g}" x2="{x:g}" y1="{y:g}" y2="{y + 5:g}"/>')
        parts.append(_text(x, y + 18, f"{first + share * (last - first):.1f} s", anchor=anchor))
    return f'<svg viewBox="0 0 {WIDTH} {y + 24:g}" role="img" aria-label="signal and classes">{"".join(parts)}</svg>'


def signed(value: float) -> str:
    """Three digits with a true minus sign.

    >>> signed(-1.0756), signed(4)
    ('−1.08', '+4')
    """
    return f"{value:+.3g}".replace("-", "−")


def _line(
    kind: str, place: npt.NDArray[np.int64], values: Floats, y: float, height: float, low: float, high: float
) -> str:
    """A curve, of each column its smallest and its largest value; a column without samples breaks it."""
    span = high - low or 1.0
    heights = y + 4 + height * (1 - (values - low) / span)
    used, starts = np.unique(place, return_index=True)
    tops, bottoms = np.minimum.reduceat(heights, starts), np.maximum.reduceat(heights, starts)
    wide = max(1, int(np.median(np.diff(used)))) if len(used) > 1 else 1  # between two samples, where there are few
    words, before = [], None
    for x, top, bottom in zip(used.tolist(), tops.tolist(), bottoms.tolist(), strict=True):
        words.append(f"{'M' if before is None or x - before > 2 * wide else 'L'}{LEFT + x} {top:.1f}")
        if bottom - top > 0.1:
            words.append(f"L{LEFT + x} {bottom:.1f}")
        before = x
    return f'<path class="{kind}" d="{"".join(words)}"/>'


def _band(indices: Sequence[int | None], moments: Sequence[Moment], session: Session, y: float) -> list[str]:
    """Stretches of the same class in one recording, each with its name where there is room."""
    first = moments[0].at
    scale = BINS / max(moments[-1].at - first, 1e-9)
    begun = np.cumsum([moment.begins for moment in moments]).tolist()
    parts = []
    for (index, _), stretch in groupby(range(len(moments)), key=lambda place: (indices[place], begun[place])):
        places = list(stretch)
        if index is None:
            continue
        x = LEFT + (moments[places[0]].at - first) * scale
        wide = max((moments[places[-1]].at - moments[places[0]].at + 1 / session.facts.rate_hz) * scale, 0.5)
        name = session.facts.classes[index]
        parts.append(
            f'<rect x="{x:.1f}" y="{y:g}" width="{wide:.1f}" height="{BAND}" fill="{_colour(index)}">'
            f"<title>{escape(name)}</title></rect>"
        )
        if LETTER * len(name) + 6 < wide:
            parts.append(_text(LETTER / 2 + x, y + 16, name, "in"))
    return parts


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:g}" y="{y:g}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'


def _colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]
