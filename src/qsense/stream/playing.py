"""A run and a source → a session that is shown: all parts put together.

Open it to see what `qsense stream` does once its arguments are checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from qsense.callbacks.sensing import as_lines
from qsense.data.series.tables.columns import Column
from qsense.data.series.tables.format import TableFormat
from qsense.experiment.load import TrainedRun
from qsense.quant.sensor.memory.base import MemoryConverter
from qsense.runs.screen import takes_bars
from qsense.signal import USUAL_BITS
from qsense.stream.counts import Counts
from qsense.stream.events import Event
from qsense.stream.keep import Keeper
from qsense.stream.layout import Known
from qsense.stream.named import Source
from qsense.stream.pace import Clock, paced
from qsense.stream.pipeline import Pipeline, TaskPipeline
from qsense.stream.session import Facts, Session
from qsense.stream.showing import Lines, Page, Record, Shown, Terminal, show
from qsense.stream.sources import from_file, from_pipe, from_port, from_test


def known_of(run: TrainedRun, axes: Sequence[str | int] | None, time: Column, counts: Counts | None) -> Known:
    """What a run knows of the lines that come: the names of its axes, and how its own tables were written."""
    dataset: Any = run.data.dataset
    own = hasattr(dataset, "form")
    signal = run.data.signal
    assert signal.rate_hz is not None
    return Known(
        names=tuple(signal.names) or tuple(str(place + 1) for place in range(signal.channels)),
        rate_hz=signal.rate_hz,
        classes=tuple(run.data.class_names),
        codes=dict(dataset.codes) if own else {},
        axes=None if axes is None else tuple(axes),
        time=time,
        wanted=dataset.columns_wanted() if own else None,
        form=dataset.form if own else TableFormat(),
        time_format=dataset.time_format if own else None,
        missing=tuple(dataset.missing) if own else (),
        counts=counts,
    )


def facts_of(run: TrainedRun, source: Source) -> Facts:
    """What a session is told of its run."""
    sensor, signal = run.task.sensor, run.data.signal
    assert signal.rate_hz is not None
    if isinstance(sensor, MemoryConverter):
        native, bits = sensor.native_bits, sensor.rate
    else:
        native = signal.native_bits or USUAL_BITS
        bits = float(sensor.bits or native)
    return Facts(
        run=run.folder.resolve().name,
        source=in_words(source),
        names=tuple(signal.names) or tuple(f"axis {place + 1}" for place in range(signal.channels)),
        unit=signal.unit,
        rate_hz=signal.rate_hz,
        classes=tuple(run.data.class_names),
        native_bits=native,
        budget=_budget(run.result.get("sensing")),
        bits=bits,
        score=run.metrics.get("f1_window") if source.kind == "test" and not source.name else None,
    )


def _budget(sensing: Any) -> tuple[str, ...]:
    """What sensing and radio use, as the run has recorded it; nothing where it is not known, or not as it is today."""
    try:
        return tuple(as_lines(sensing))
    except (KeyError, TypeError, ValueError):
        return ()


def events_of(run: TrainedRun, source: Source, known: Known) -> Iterator[Event]:
    """The source's events."""
    if source.kind == "test":
        return from_test(run.data, source.name)
    if source.kind == "file":
        return from_file(Path(source.name), known)
    return from_pipe(known) if source.kind == "pipe" else from_port(source, known)


def in_words(source: Source) -> str:
    """A source for people."""
    if source.kind == "test":
        return f"test recordings{f' of subject {source.name}' if source.name else ''}"
    return {"pipe": "standard input", "serial": f"{source.name} at {source.baud} baud"}.get(source.kind, source.name)


def ways_of(jsonl: bool, html: Path | None, record: Keeper | None, recorded: Path | None) -> list[Shown]:
    """How a session is shown."""
    ways: list[Shown] = [Terminal() if takes_bars() and not jsonl else Lines(jsonl)]
    if html is not None:
        ways.append(Page(html))
    if record is not None and recorded is not None:
        ways.append(Record(record, recorded))
    return ways


def play(events: Iterable[Event], session: Session, ways: Sequence[Shown]) -> None:
    """Let all events go through a session, and show it; Ctrl-C ends it as the source's end does."""
    drawn = [session.now()] * len(ways)
    try:
        with suppress(KeyboardInterrupt):
            for event in events:
                show(ways, session, session.take(event), drawn)
        show(ways, session, None, drawn)
    except Exception:
        if session.samples:  # else there is nothing to sum up
            end(ways, session)
        raise
    end(ways, session)


def end(ways: Sequence[Shown], session: Session) -> None:
    """Let each way show what there is at the end."""
    for way in ways:
        way.end(session)


def pipeline_of(run: TrainedRun, integer: bool) -> Pipeline:
    """The run's task, or its firmware; see `stream`."""
    if not integer:
        return TaskPipeline(run)
    from qsense.stream.integers import IntegerPipeline  # it needs all that an export needs

    return IntegerPipeline(run)


def stream(
    run: TrainedRun,
    source: Source,
    *,
    speed: float | None = 1.0,
    majority: int = 1,
    gap_s: float = 1.0,
    axes: Sequence[str | int] | None = None,
    time: Column = None,
    counts: Counts | None = None,
    integer: bool = False,
    jsonl: bool = False,
    html: Path | None = None,
    record: Path | None = None,
    clock: Clock | None = None,
) -> Session:
    """Let a source go through a run's pipeline, and show it, until the source ends or Ctrl-C is pressed.

    Args:
        run: on series.
        source: where samples come from.
        speed: at which recorded samples are played; None: as fast as possible.
        majority: n, odd: the class that is most frequent among the last n windows is shown; 1: each by itself.
        gap_s: seconds without samples after which a recording begins anew.
        axes: the columns of the axes, by name or number; None: they are looked for.
        time: the column of the time stamp; None: it is looked for; False: there is none.
        counts: what native counts mean, where lines hold them.
        integer: by the run's firmware and not by its task.
        jsonl: lines of JSON for a program.
        html: a page that is written every second.
        record: a new file that keeps what arrives.
        clock: that samples are paced by.

    Raises:
        ValueError: `integer`, and the run cannot become a firmware.
        DataError: the source holds no samples of the run's axes.
        FileExistsError: the record is there already.
    """
    clock = clock or Clock()
    session = Session(pipeline_of(run, integer), facts_of(run, source), majority, gap_s, clock.now)
    if counts is not None and counts.assumed:
        session.notices.append(counts.assumed)
    events = events_of(run, source, known_of(run, axes, time, counts))
    keeper = None if record is None else Keeper(record, session.facts.names, session.facts.classes)
    try:
        play(paced(events, speed, clock), session, ways_of(jsonl, html, keeper, record))
    finally:
        if keeper is not None:
            keeper.close()
    return session
