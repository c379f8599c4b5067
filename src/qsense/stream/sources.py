"""Where samples come from: a file, a pipe, a serial port, or a test recording of the run.

Open it to add a source: an iterator of events.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from qsense.data.errors import DataError, DataMissingError
from qsense.data.series.prepared import prepared
from qsense.data.series.tables.format import TableFormat
from qsense.data.series.tables.table import HEAD, open_table
from qsense.runs.words import did_you_mean
from qsense.stream.events import Bad, Event, Notice, Quiet, Sample
from qsense.stream.layout import Known, Layout, bad, layout_of
from qsense.stream.named import Source
from qsense.stream.reading import LONGEST, lines_of
from qsense.stream.serial_port import open_port

FEW = 6  # lines that a live source's layout is seen from
MOST = 60  # lines without a sample after which it is given up
AGAIN_S = 1.0  # between two looks whether an unplugged port is back


def from_file(path: Path, known: Known) -> Iterator[Event]:
    """The samples of a file, with the times at which they are due.

    Raises:
        DataError: no samples of the run's axes can be seen.
    """
    table = open_table(path, TableFormat(encoding=known.form.encoding))
    head = [table.head[0].encode()] if table.header else []
    body = b"\n".join([*head, table.body])
    if not body.strip():
        raise DataError(f"{path} is empty: name a file with a line per sample")
    layout = layout_of(_whole_lines(body[:HEAD], len(body) > HEAD), str(path), known, table.format.encoding or "utf-8")
    yield from _paced(layout, body.decode(errors="replace").split("\n"), known.rate_hz)


def _whole_lines(head: bytes, cut: bool) -> bytes:
    return head[: head.rfind(b"\n") + 1] if cut else head


def _paced(layout: Layout, rows: list[str], rate_hz: float) -> Iterator[Event]:
    """By their time stamps, where a second is the longest step, else at the run's rate."""
    due, before = 0.0, None
    for row in rows:
        event = layout.read(row)
        if isinstance(event, Sample):
            step = 1 / rate_hz
            if event.seconds is not None and before is not None:
                step = min(max(event.seconds - before, 0.0), 1.0)
            due, before = due + step, event.seconds
            event = replace(event, due=due)
        if event is not None:
            yield event


def from_pipe(known: Known) -> Iterator[Event]:
    """The samples of standard input, as they come."""
    yield from _live(lines_of(sys.stdin.fileno()), "standard input", known)


def from_port(source: Source, known: Known, sleep: Callable[[float], None] = time.sleep) -> Iterator[Event]:
    """The samples of a serial port, as they come; where it is unplugged, it is waited for."""
    layout: list[Layout] = []
    while True:
        port = open_port(source.name, source.baud)
        try:
            yield from _live(lines_of(port), f"serial:{source.name}", known, layout)
        except OSError:
            pass
        finally:
            os.close(port)
        yield Notice(f"{source.name} is unplugged: it is waited for", anew=True)
        while True:
            sleep(AGAIN_S)
            yield Quiet()
            try:
                os.close(open_port(source.name, source.baud))
            except (OSError, ValueError):
                continue
            break
        yield Notice(f"{source.name} is back")


def _live(
    lines: Iterator[bytes | None], name: str, known: Known, layouts: list[Layout] | None = None
) -> Iterator[Event]:
    """Lines → samples. Their layout is seen from the first few, and anew where no line fits it any more.

    Args:
        lines: as they come.
        name: of the source.
        known: see there.
        layouts: the layout that was seen last, if any; it is kept there.

    Raises:
        DataError: no samples can be seen in many lines.
    """
    layouts = [] if layouts is None else layouts
    recent: deque[str] = deque(maxlen=FEW)  # those that the layout is seen from
    lost = 0  # lines in a row that were no sample
    for line in lines:
        if line is None:
            yield Quiet()
            continue
        text = line[:LONGEST].decode(errors="replace").removeprefix("\ufeff")
        if len(line) > LONGEST:
            yield bad(f"more than {LONGEST} characters", text)
            continue
        if layouts:
            event = layouts[0].read(text)
            lost = lost + 1 if isinstance(event, Bad) else 0
            if lost >= FEW and (found := _seen([*recent, text][-FEW:], name, known, last=False)):
                layouts[:], lost, event = [found], 0, found.read(text)
            recent.append(text)
            if event is not None:
                yield event
            continue
        lost += 1
        if len(recent) == FEW:
            yield bad("no samples are seen yet", recent.popleft())
        recent.append(text)
        if len(recent) == FEW and (found := _seen(recent, name, known, last=lost >= MOST)):
            layouts[:], lost = [found], 0
            yield from (event for each in recent if (event := found.read(each)) is not None)
    if not layouts and recent and (found := _seen(recent, name, known, last=True)):
        yield from (event for each in recent if (event := found.read(each)) is not None)


def _seen(recent: Sequence[str], name: str, known: Known, last: bool) -> Layout | None:
    """The layout of some lines; None where they have none yet.

    Raises:
        DataError: they have none, and are the last ones that are looked at.
    """
    try:
        return layout_of("\n".join(recent).encode() + b"\n", name, known)
    except DataError as error:
        if last:
            raise DataError(f"{error} (the last line was {bad('', recent[-1]).line!r})") from error
        return None


def from_test(data: Any, subject: str) -> Iterator[Event]:
    """The recordings of the subject that the run was tested on, or of another one.

    Args:
        data: the run's data module.
        subject: its number or name; empty: the one that the run was tested on.

    Raises:
        DataError: the data are not there, or there is no such subject.
    """
    try:
        arrays = prepared(data.dataset, data.cache)
    except DataMissingError as error:
        missing = str(error).partition("\n")[0]
        raise DataError(f"--source test: {missing} Give --root FOLDER, or another --source") from error
    number = data.fold if not subject else subject_of(data, subject)
    if number != data.fold:
        yield Notice(f"subject {subject} was among those that trained this run: its score says little")
    bounds = np.asarray(arrays["bounds"])
    chosen = np.flatnonzero(np.asarray(arrays["subject"]) == number)
    due = 0.0
    for place, recording in enumerate(chosen, start=1):
        yield Notice(f"recording {place} of {len(chosen)}, subject {number}", anew=True)
        for at in range(bounds[recording], bounds[recording + 1]):
            due += 1 / data.signal.rate_hz
            yield Sample(np.asarray(arrays["x"][at], np.float64), None, int(arrays["y"][at]), due)


def subject_of(data: Any, subject: str) -> int:
    """The index of a subject by its name, or by its number.

    Raises:
        DataError: there is none.
    """
    count = data.dataset.num_folds
    naming = getattr(data.dataset, "subject_names", None)
    names: list[str] = naming() if naming else [str(number) for number in range(count)]
    if subject in names:
        return names.index(subject)
    if subject.isdecimal() and int(subject) < count:
        return int(subject)
    raise DataError(
        f"--source test:{subject}: there is no such subject{did_you_mean(subject, names)}: there are "
        f"{', '.join(names[:30])}"
    )
