"""The screen of a live session: signal, codes, class, in at most 80 columns.

Open it to change what a demonstrator sees on a terminal. It draws what it is given and keeps nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from rich.cells import cell_len, set_cell_size
from rich.text import Text

from qsense.runs.escapes import brief, one_line
from qsense.stream.braille import code_strip, curve
from qsense.stream.letters import large
from qsense.stream.session import Moment, Session
from qsense.stream.words import data_rate, dropped, margin, pace, score

WIDEST = 80
SHOWN_S = 8.0  # of signal
MOST_AXES = 4
TALL = 26  # lines of a terminal that has room for curves of two lines
NAME, VALUE = 8, 12  # columns beside a curve
KEYS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# Of classes, beside the letters that tell them apart without colours.
COLOURS = ("bright_black", "cyan", "yellow", "green", "magenta", "blue", "red", "bright_cyan", "bright_yellow",
           "bright_green", "bright_magenta", "bright_blue", "bright_red")  # fmt: skip


def screen(session: Session, width: int = WIDEST, height: int = TALL, said: Sequence[str] = ()) -> Text:
    """The screen as it is now.

    Args:
        session: see there.
        width: columns; no more than 80 are used.
        height: lines; where there are few, curves are lower.
        said: the last notices.
    """
    width = min(width, WIDEST)
    facts = session.facts
    moments = _shown(session)
    lines = [
        Text(brief(f"qsense stream · {facts.run}", width), "bold"),
        Text(brief(f"{facts.source} · {session.at:.1f} s · {session.pipeline.name}", width), "dim"),
    ]
    for channel in range(min(len(facts.names), MOST_AXES)):
        lines += _axis(session, moments, channel, width, 2 if len(facts.names) <= 3 and height >= TALL else 1)
    if (more := len(facts.names) - MOST_AXES) > 0:
        lines.append(Text(f"and {more} more axes", "dim"))
    ago = f"{SHOWN_S:g} s ago"
    lines.append(Text(" " * NAME + ago + "now".rjust(width - NAME - VALUE - len(ago)), "dim"))
    lines += _class(session, width)
    lines += _strip(session, width)
    texts = [pace(session), data_rate(facts), score(session), dropped(session)]
    lines += [Text(brief(text, width)) for text in texts if text]
    lines += [Text(brief(f"» {text}", width), "yellow") for text in said[-2:]]
    return Text("\n").join(lines)


def _shown(session: Session) -> list[Moment]:
    """The moments of the last seconds."""
    found: list[Moment] = []
    for moment in reversed(session.moments):
        if moment.at <= session.at - SHOWN_S:
            break
        found.append(moment)
    return found[::-1]


def _axis(session: Session, moments: Sequence[Moment], channel: int, width: int, rows: int) -> list[Text]:
    """An axis' curve and its last codes."""
    facts, room = session.facts, width - NAME - VALUE
    steps = round(SHOWN_S * facts.rate_hz)
    signal = np.full(steps, np.nan)
    for moment in moments:
        place = steps - 1 - round((session.at - moment.at) * facts.rate_hz)
        if 0 <= place < steps:
            signal[place] = moment.values[channel]
    known = signal[~np.isnan(signal)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    name = set_cell_size(one_line(facts.names[channel]), NAME - 1) + " "
    value = f"{known[-1]:+.3g} {one_line(facts.unit)}" if known.size else "–"
    lines = []
    for row, text in enumerate(curve(signal, room, rows, low, high)):
        line = Text(" " * NAME if row else name, "bold")
        line.append(text, "cyan")
        line.append(" " + brief(value if row == 0 else f"{low:.2g}…{high:.2g}", VALUE - 1), "" if row == 0 else "dim")
        lines.append(line)
    codes = [moment.codes[channel] for moment in moments if moment.codes is not None]
    if codes:
        strip = code_strip(np.array(codes), max(session.pipeline.bits, 1), room)
        line = Text("codes".rjust(NAME - 1) + " ", "dim").append(strip.rjust(room), "green")
        lines.append(line.append(f" last {len(strip)}", "dim"))  # a column each, and not under the curve's time
    return lines


def _class(session: Session, width: int) -> list[Text]:
    """The class in large letters, and how sure it is."""
    if session.decided is None:
        need = "waiting for the first window of this recording"
        return [Text(), Text(), Text(need, "dim italic"), Text()]
    window, classes = session.recent[-1], session.facts.classes
    style = f"bold {_colour(session.decided)}"
    word = one_line(classes[session.decided])
    sure = f"{100 * window.prediction.probability:.0f} %"
    lines = [Text(line, style) for line in large(word, width)] or [
        Text(),
        Text(brief(word, width), f"{style} reverse"),
        Text(),
    ]
    below = Text(f"{brief(word, 40)}  {sure}, margin {margin(window.prediction)}")
    if window.prediction.winner != session.decided:
        below.append(f" of {brief(classes[window.prediction.winner], 20)}", "dim")
    if session.votes > 1:
        below.append(f", majority of {session.votes}", "dim")
    if window.truth is not None:
        right = window.truth == session.decided
        below.append(" ✓" if right else f" ✗ {brief(classes[window.truth], 24)}", "green" if right else "red")
    below.truncate(width, overflow="ellipsis")
    return [*lines, below]


def _strip(session: Session, width: int) -> list[Text]:
    """The last windows' classes, a letter each, with the truth below and a key."""
    if not session.recent:
        return [Text(), Text()]
    last = list(session.recent)[-(width - NAME) :]
    rows: dict[str, list[int | None]] = {
        "classes": [window.decided for window in last],
        "truth": [window.truth for window in last],
    }
    lines = []
    for name, indices in rows.items():
        if name == "truth" and all(index is None for index in indices):
            continue
        line = Text(f"{name:<{NAME}}", "dim")
        for index in indices:
            line.append(*(("·", "dim") if index is None else (_key(index), _colour(index))))
        lines.append(line)
    key = Text(" " * NAME)
    for index, _ in Counter(each for row in rows.values() for each in row if each is not None).most_common():
        entry = f"{_key(index)} {brief(session.facts.classes[index], 16)}  "
        if key.cell_len + cell_len(entry) > width:
            break
        key.append(entry, _colour(index))
    return [*lines, key]


def _key(index: int) -> str:
    return KEYS[index % len(KEYS)]


def _colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]
