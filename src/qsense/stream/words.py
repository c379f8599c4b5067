"""What a session says in lines of text: a window, its summary, its data rate.

Open it to change those lines; `view.py` draws the screen, `page.py` the page.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from qsense.runs.escapes import one_line
from qsense.runs.words import in_bits, short
from qsense.stream.pipeline import Prediction
from qsense.stream.session import Facts, Session, Window


def as_line(window: Window, facts: Facts) -> str:
    """A window for people."""
    decided = one_line(facts.classes[window.decided])
    line = f"{window.at:9.2f} s  {decided:<24} {100 * window.prediction.probability:4.0f} %"
    if window.prediction.winner != window.decided:
        line += f"  this window: {one_line(facts.classes[window.prediction.winner])}"
    if window.truth is not None:
        line += f"  {'✓' if window.truth == window.decided else '✗ ' + one_line(facts.classes[window.truth])}"
    return line


def as_json(window: Window, facts: Facts) -> str:
    """A window for programs, on one line."""
    content: dict[str, Any] = {
        "window": window.number,
        "recording": window.recording,
        "seconds": round(window.at, 6),
        "class": facts.classes[window.decided],
        "index": window.decided,
        "window_index": window.prediction.winner,
        "probability": window.prediction.probability,
        "margin": window.prediction.margin,
    }
    if window.truth is not None:
        content["truth"] = window.truth
    return json.dumps(content, allow_nan=False)


def margin(prediction: Prediction) -> str:
    """How far the second class is behind.

    >>> margin(Prediction(0, 0.9, 0.812)), margin(Prediction(0, 0.9, 5120))
    ('0.81', '5,120')
    """
    return f"{prediction.margin:,}" if isinstance(prediction.margin, int) else f"{prediction.margin:.2f}"


def data_rate(facts: Facts) -> str:
    """What the sensor sends, and what it would at its native bits."""
    values = len(facts.names) * facts.rate_hz
    native = f"{short(values * facts.native_bits)} bit/s at {in_bits(facts.native_bits)}"
    if facts.bits >= facts.native_bits:
        return f"sends {native}, not quantized"
    bits = in_bits(int(facts.bits)) if facts.bits == int(facts.bits) else f"{facts.bits:.3g} bits"
    less = facts.native_bits / facts.bits
    return f"sends {short(values * facts.bits)} bit/s at {bits}; {native}: {less:.3g} times as much"


def counted(number: int, noun: str) -> str:
    """
    >>> counted(1, "gap"), counted(2000, "gap")
    ('1 gap', '2,000 gaps')
    """
    return f"{number:,} {noun}{'s' * (number != 1)}"


def dropped(session: Session) -> str:
    """How many lines were no samples, and what else was lost."""
    parts = [f"{counted(session.bad.total(), 'line')} without a sample"]
    parts += [f"{counted(session.filled, 'sample')} filled in"] * bool(session.filled)
    gaps = session.gaps - session.backward
    parts += [counted(gaps, "gap")] * bool(gaps)
    parts += [f"time went back {counted(session.backward, 'time')}"] * bool(session.backward)
    return " · ".join(parts)


def pace(session: Session) -> str:
    """The rate at which samples come, and how long a window takes."""
    rate = "–" if session.pace is None else f"{session.pace:.1f}"
    text = f"{session.samples:,} samples, {rate} /s (trained at {session.facts.rate_hz:g} Hz)"
    if session.windows:
        mean, worst = (1e3 * seconds for seconds in (session.latency_sum / session.windows, session.latency_worst))
        text += f" · {session.windows:,} windows, {mean:.1f} ms each, worst {worst:.1f}"
    return text


def score(session: Session) -> str:
    """How many classes are right; empty where no truth is known."""
    known = int(session.confusion.sum())
    if not known or session.f1 is None:
        return ""
    right = int(session.confusion.trace())
    share = f"{100 * right / known:.1f} %"
    return f"right: {right:,} of {known:,} windows ({share}) · macro-F1 {100 * session.f1:.1f} %"


def tested(session: Session) -> str:
    """What the run's own test gave, beside the stream's own; empty where the two are not the same recordings."""
    known = session.facts.score
    if known is None or session.f1 is None:
        return ""
    return f"the run's own test gave a macro-F1 of {100 * known:.1f} %" + " without a majority" * (session.votes > 1)


def summary(session: Session) -> Iterator[str]:
    """What is said at the end."""
    yield pace(session)
    classes = session.facts.classes
    shares = [
        f"{one_line(classes[index])} {100 * count / session.windows:.0f} %"
        for index, count in session.seen.most_common()
    ]
    if shares:
        yield "classes: " + ", ".join(shares)
    yield from filter(None, (score(session), tested(session)))
    yield data_rate(session.facts)
    yield dropped(session) + "".join(f" · {count:,} × {one_line(why)}" for why, count in session.bad.most_common(4))
