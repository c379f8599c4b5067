"""A stream from its first sample to its summary: gaps, classes, majority, truth, and what is counted.

Open it to change when a recording begins anew, or what is remembered of it; it neither waits nor prints.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from qsense.runs.escapes import one_line
from qsense.runs.words import duration
from qsense.stream.events import Bad, Event, Notice, Sample
from qsense.stream.pipeline import Pipeline, Prediction

PIPED = 5.0  # times the rate of training: what comes so fast is no sensor, but a file in a pipe
FIRST_BAD = 3  # bad lines that are said one by one
REMEMBERED_S = 600.0  # of signal and classes
RATE_S = 10.0  # over which the rate of the samples is measured
OFF = 0.05  # share by which it may differ from that of training
BETWEEN_S = 2.0  # the shortest time between two recordings on the stream's own axis: one that is kept shows the gap
MOST_REASONS = 20  # kinds of bad lines that are counted apart

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Moment:
    """A sample that went through.

    Args:
        at: seconds on the stream's own time axis.
        values: in the sensor's unit.
        codes: of the converter; None where the sensor is not quantized.
        truth: the class that is noted beside it; None: none is.
        decided: the class that holds from here on; None: no window has ended yet.
        begins: whether a recording begins with it.
    """

    at: float
    values: tuple[float, ...]
    codes: tuple[int, ...] | None
    truth: int | None
    decided: int | None
    begins: bool


@dataclass(frozen=True)
class Window:
    """A window's class.

    Args:
        number: of all, from 0 on.
        recording: from 0 on.
        at: seconds on the stream's own time axis, of its last sample.
        prediction: of this window.
        decided: the class that is most frequent among the last n.
        truth: the class that is noted beside its last sample; None: none is.
    """

    number: int
    recording: int
    at: float
    prediction: Prediction
    decided: int
    truth: int | None


@dataclass(frozen=True)
class Facts:
    """What a session is told of its run.

    Args:
        run: its name.
        source: in words.
        names: of the axes.
        unit: of the samples.
        rate_hz: samples per second that it was trained at.
        classes: in index order.
        native_bits: of the sensor's own samples.
        bits: sent per sample of an axis, refreshes included.
        budget: lines that say what sensing and radio use, as the run has recorded it.
        score: macro-F1 of windows that the run's own test gave; None where nobody knows.
    """

    run: str
    source: str
    names: tuple[str, ...]
    unit: str
    rate_hz: float
    classes: tuple[str, ...]
    native_bits: int
    bits: float
    budget: tuple[str, ...] = ()
    score: float | None = None


def majority(recent: Sequence[int]) -> int:
    """The most frequent class, of equally frequent ones the one that came last.

    >>> majority([0, 1, 1]), majority([0, 1]), majority([1, 0, 0, 1])
    (1, 1, 1)
    """
    counts = Counter(recent)
    most = max(counts.values())
    return next(each for each in reversed(recent) if counts[each] == most)


@dataclass
class Session:
    """One stream.

    Args:
        pipeline: from samples to classes.
        facts: see there.
        votes: n of the majority, odd; 1: each window by itself.
        gap_s: seconds without a sample after which a recording begins anew; shorter gaps of time stamps, and of samples
            without a value, are filled linearly, as data sets are.
        now: seconds of a clock.
    """

    pipeline: Pipeline
    facts: Facts
    votes: int = 1
    gap_s: float = 1.0
    now: Callable[[], float] = time.monotonic

    pushed: int = 0  # samples that went through, those that were filled in, too
    samples: int = 0  # that came
    filled: int = 0
    gaps: int = 0  # those where time goes back, too
    backward: int = 0  # how often time went back
    recordings: int = 0
    windows: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    seen: Counter[int] = field(default_factory=Counter)  # how often each class was decided
    notices: list[str] = field(default_factory=list)  # that nobody has said yet
    latency_sum: float = 0.0
    latency_worst: float = 0.0

    def __post_init__(self) -> None:
        length = max(1, round(REMEMBERED_S * self.facts.rate_hz))
        self.moments: deque[Moment] = deque(maxlen=length)
        self.recent: deque[Window] = deque(maxlen=length)  # never more than samples
        self.confusion = np.zeros((len(self.facts.classes),) * 2, np.int64)
        self.last_votes: deque[int] = deque(maxlen=self.votes)
        self.at = 0.0  # on the stream's own time axis
        self.began: float | None = None  # when the first sample came
        self.came: float | None = None  # when the last one did
        self.stamps: deque[tuple[float, float | None]] = deque(maxlen=max(2, round(RATE_S * self.facts.rate_hz)))
        self.rate_said = False
        self._begin(0.0)

    # Events ----------------------------------------------------------------------------------------------------------

    def take(self, event: Event) -> Window | None:
        """Let an event have its effect; the window that it ends, if it ends one."""
        match event:
            case Sample():
                return self._take_sample(event)
            case Bad():
                self._take_bad(event)
            case Notice():
                self.notices.append(event.text)
                if event.anew:
                    self._begin()
        return None

    def _begin(self, seconds: float = BETWEEN_S) -> None:
        """A new recording, so many seconds after the last one."""
        self.at += seconds * (self.recordings > 0)
        self.pipeline.reset()
        self.last_votes.clear()
        self.decided: int | None = None
        self.stamps.clear()
        self.fresh = True
        self.before: Floats | None = None  # the last sample without a missing value
        self.stamp: float | None = None  # its time stamp
        self.missing = 0  # samples since then that had missing values
        self.behind = 0.0  # samples by which time stamps run ahead of the samples

    def _anew(self, why: str, seconds: float) -> None:
        self.gaps += 1
        if why:
            self.notices.append(f"{why}: a new recording begins")
        self._begin(max(seconds, BETWEEN_S))

    def _take_bad(self, event: Bad) -> None:
        why = event.why if event.why in self.bad or len(self.bad) < MOST_REASONS else "others"
        self.bad[why] += 1
        total = self.bad.total()
        if total <= FIRST_BAD:
            self.notices.append(f"no sample: {event.why}: {one_line(event.line)}")
            if total == FIRST_BAD:
                self.notices.append("further lines that are no samples are counted only")

    def _take_sample(self, event: Sample) -> Window | None:
        now, rate = self.now(), self.facts.rate_hz
        silence = 0.0 if self.came is None else now - self.came
        self.began = now if self.began is None else self.began
        self.came = now
        fill = 0
        if event.seconds is not None:
            if self.stamp is not None:
                step = event.seconds - self.stamp
                if step < 0:
                    self.backward += 1  # at every sample of a file whose last one comes first
                    self._anew(f"time goes back by {-step:.4g} s (said once)" if self.backward == 1 else "", 0.0)
                elif step > self.gap_s:
                    self._anew(f"a gap of {duration(step) if step >= 90 else f'{step:.3g} s'}", step)
                else:
                    fill = self._missing(step * rate)
            self.stamp = event.seconds
        elif silence > self.gap_s and event.due is None and not self.fresh:
            self._anew(f"nothing came for {silence:.1f} s", silence)
        if np.isnan(event.values).any():
            self._hold(event)
            return None
        fill = (fill + self.missing) * (self.before is not None)
        if fill > self.gap_s * rate:
            self._anew(f"no values for {fill / rate:.1f} s", fill / rate)
            fill = 0
        self._watch_rate(now, event)
        window = None
        for share in range(1, fill + 1):
            assert self.before is not None
            value = self.before + (event.values - self.before) * share / (fill + 1)
            self.filled += 1
            window = self._push(value, event.truth) or window
        self.before, self.missing = event.values, 0
        window = self._push(event.values, event.truth) or window
        self.samples += 1
        return window

    def _hold(self, event: Sample) -> None:
        """A sample of which a value is missing is filled in when the next one comes."""
        self._take_bad(Bad("a value is missing", ", ".join(f"{value:g}" for value in event.values)))
        if self.before is not None:
            self.missing += 1

    def _missing(self, steps: float) -> int:
        """Samples that are missing where time stamps are so many samples apart.

        What comes late is no loss where the next ones catch up, so that the grid is followed and not single steps; a
        clock that drifts is followed slowly.
        """
        self.behind += steps - 1
        missing = max(0, round(self.behind)) if steps > 1.5 else 0
        self.behind -= missing
        self.behind -= self.behind / 64
        return missing

    def _push(self, values: Floats, truth: int | None) -> Window | None:
        self.at += 1 / self.facts.rate_hz
        self.recordings += self.fresh
        start = time.perf_counter()
        codes, prediction = self.pipeline.push(values.astype(np.float32))
        taken = time.perf_counter() - start
        window = None if prediction is None else self._decide(prediction, taken, truth)
        kept = None if codes is None else tuple(codes.tolist())
        self.moments.append(Moment(self.at, tuple(values.tolist()), kept, truth, self.decided, self.fresh))
        self.pushed += 1
        self.fresh = False
        return window

    def _decide(self, prediction: Prediction, taken: float, truth: int | None) -> Window:
        """Count a window."""
        self.latency_sum += taken
        self.latency_worst = max(self.latency_worst, taken)
        self.last_votes.append(prediction.winner)
        decided = self.decided = majority(self.last_votes)
        window = Window(self.windows, self.recordings - 1, self.at, prediction, decided, truth)
        self.windows += 1
        self.seen[decided] += 1
        if truth is not None:
            self.confusion[truth, decided] += 1
        self.recent.append(window)
        return window

    def _watch_rate(self, now: float, event: Sample) -> None:
        """Say once if samples come at another rate than the run was trained at."""
        self.stamps.append((now, event.seconds))
        if self.rate_said or len(self.stamps) < (self.stamps.maxlen or 0):
            return
        if event.seconds is None and (event.due is not None or self.elapsed < 2 * RATE_S):
            return  # played at whatever rate, or perhaps still reading what waited in a buffer
        rate = (self.rate() or self.facts.rate_hz) / self.facts.rate_hz
        if abs(rate - 1) > OFF and rate < PIPED:
            rate *= self.facts.rate_hz
            self.rate_said = True
            self.notices.append(
                f"samples come at {rate:.4g} Hz, and this run was trained at {self.facts.rate_hz:g} Hz: its classes "
                "mean little"
            )

    # What is known of it ---------------------------------------------------------------------------------------------

    def rate(self) -> float | None:
        """Samples per second over the last ones, by their time stamps where they have some; None of too few."""
        if len(self.stamps) < 2:
            return None
        (first_came, first), (last_came, last) = self.stamps[0], self.stamps[-1]
        seconds = last - first if first is not None and last is not None else last_came - first_came
        return (len(self.stamps) - 1) / seconds if seconds > 0 else None

    @property
    def pace(self) -> float | None:
        """Samples per second of the clock: over the last ones, else over all; None of too few."""
        first, last, count = self.began, self.came, self.samples
        if len(self.stamps) == self.stamps.maxlen:
            first, last, count = self.stamps[0][0], self.stamps[-1][0], len(self.stamps) - 1
        seconds = 0.0 if first is None or last is None else last - first
        return count / seconds if seconds > 0 else None

    @property
    def elapsed(self) -> float:
        """Seconds of the clock from the first sample to the last."""
        return 0.0 if self.began is None or self.came is None else self.came - self.began

    @property
    def f1(self) -> float | None:
        """Macro-F1 of the decided classes over windows whose truth is known, as a test scores; None without any."""
        if not self.confusion.any():
            return None
        hits, both = self.confusion.diagonal(), self.confusion.sum(0) + self.confusion.sum(1)
        return float(np.mean(2 * hits / np.maximum(both, 1)))

    def summary(self) -> dict[str, Any]:
        """All that was counted, ready for JSON."""
        classes = self.facts.classes
        return {
            "run": self.facts.run,
            "source": self.facts.source,
            "pipeline": self.pipeline.name,
            "samples": self.samples,
            "samples_filled": self.filled,
            "recordings": self.recordings,
            "gaps": self.gaps,
            "backward": self.backward,
            "windows": self.windows,
            "classes": {classes[index]: count for index, count in self.seen.most_common()},
            "bad_lines": dict(self.bad.most_common()),
            "seconds": round(self.elapsed, 3),
            "rate_hz": round(self.samples / self.elapsed, 3) if self.elapsed > 0 else None,
            "latency_ms": round(1e3 * self.latency_sum / self.windows, 3) if self.windows else None,
            "latency_worst_ms": round(1e3 * self.latency_worst, 3) if self.windows else None,
            "scored_windows": int(self.confusion.sum()),
            "f1_window": self.f1,
        }
