"""What timestamps say: their unit or format, the rate, how steady it is, and gaps.

Open it when a rate is found wrongly.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from qsense.data.errors import DataError
from qsense.data.series.stamps import LONGEST_S, UNITS, seconds

LIKELY_HZ = 50.0  # what a unit is judged by, where none is stated: see `stamps.seconds`
FORMATS = ("%d.%m.%Y %H:%M:%S.%f", "%d/%m/%Y %H:%M:%S.%f", "%m/%d/%Y %H:%M:%S.%f", "%Y-%m-%d %H:%M:%S:%f",
           "%Y/%m/%d %H:%M:%S.%f", "%Y-%m-%d %H-%M-%S_%f", "%d.%m.%Y %H:%M:%S,%f", "%Y%m%d %H%M%S.%f",
           "%H:%M:%S:%f", "%d-%m-%Y %H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S,%f",
           "%Y-%m-%d %H:%M:%S,%f")  # fmt: skip
USUAL = (10, 12.5, 15, 16, 20, 25, 26, 30, 32, 33.3, 40, 50, 52, 60, 62.5, 64, 66.7, 75, 80, 100, 104, 120, 125, 128,
         200, 208, 250, 256, 400, 416, 500, 512, 800, 833, 1000, 1600, 1666, 3200)  # fmt: skip
CLOSE = 0.02  # a rate this near to a usual one is that
HEAD = re.compile(r"[\[(_ ](s|ms|us|µs|ns)[\])]?$|\bin (s|ms|us|µs|ns)\b|(nanos|micros|millis|seconds)", re.IGNORECASE)
WORDS = {"µs": "us", "seconds": "s", "millis": "ms", "micros": "us", "nanos": "ns"}


@dataclass(frozen=True)
class Clock:
    """What one file's timestamps say.

    Args:
        form: unit or format, as `stamps.seconds` takes it; None: seen from the values.
        said: in words.
        rate_hz: samples per second between gaps.
        irregular: share of steps that are off by more than half a sample.
        gaps: steps of more than a second.
        back: steps that go back.
        repeats: share of steps of no time.
    """

    form: str | None
    said: str
    rate_hz: float
    irregular: float
    gaps: int
    back: int
    repeats: float


class Rate(NamedTuple):
    """A rate for all files; `usual` says whether it is one at which sensors run."""

    hz: float
    usual: bool


def clock_of(
    values: pd.Series, name: str, form: str | None, source: str, starts: npt.NDArray[np.bool_]
) -> Clock | None:
    """What a column of timestamps says; None where it is no time.

    Args:
        values: the column, numbers or text.
        name: its head.
        form: unit or format that its user states.
        source: the file, for messages.
        starts: rows with which another subject or session begins.
    """
    given = form or (unit_in(name) if values.dtype.kind in "fiu" else None)
    forms: list[str | None] = [given] if given or values.dtype.kind in "fiu" else [None, *FORMATS]
    for each in forms:
        try:
            seconds(values.iloc[:50], each, LIKELY_HZ, source, 1)
            time = seconds(values, each, LIKELY_HZ, source, 1)
        except (DataError, ValueError):
            continue
        found = _steps(np.diff(time)[~starts[1:]], each, _said(each, values))
        if found is not None:
            return found
    return None


def unit_in(head: str) -> str | None:
    """The unit that a column's head states.

    >>> unit_in("Time (s)"), unit_in("timestamp_ms"), unit_in("Time since start in ms "), unit_in("time")
    ('s', 'ms', 'ms', None)
    """
    match = HEAD.search(head.strip())
    word = next(filter(None, match.groups()), "").lower() if match else ""
    return WORDS.get(word, word) or None


def common_rate(clocks: Sequence[Clock]) -> Rate:
    """The rate of most files: a usual one, where it is near; else three digits of it."""
    found = float(np.median([clock.rate_hz for clock in clocks]))
    near = min(USUAL, key=lambda usual: abs(np.log(found / usual)))
    if abs(found / near - 1) < CLOSE:
        return Rate(float(near), True)
    return Rate(float(f"{found:.3g}"), False)


def _steps(step: npt.NDArray[np.float64], form: str | None, said: str) -> Clock | None:
    inner = step[(step >= 0) & (step <= LONGEST_S)]
    if len(inner) < 2 or inner.sum() <= 0 or np.mean(step < 0) > 0.2:
        return None
    typical, mean = float(np.median(inner)), float(inner.mean())
    # The median tells the rate between losses; of coarse or jittering stamps the mean does.
    usual = typical if typical > 0 and np.mean(np.abs(inner / typical - 1) < 0.05) > 0.5 else mean
    near = inner[(inner > usual / 2) & (inner < 1.5 * usual)]
    usual = float(near.mean()) if len(near) > len(inner) / 2 else usual
    rate = 1 / usual
    if not 0.5 < rate < 20_000:
        return None
    return Clock(
        form,
        said,
        rate,
        float(np.mean(np.abs(inner - usual) > usual / 2)),
        int((step > LONGEST_S).sum()),
        int((step < 0).sum()),
        float(np.mean(inner == 0)),
    )


def _said(form: str | None, values: pd.Series) -> str:
    if form in UNITS:
        return form
    if form is not None:
        return f"dates as {form}"
    if values.dtype.kind not in "fiu":
        return "times of day" if re.match(r"\s*\d\d?:\d\d", str(values.iloc[0])) else "ISO dates"
    step = np.diff(values.to_numpy(dtype=np.float64))
    step = step[step > 0]
    typical = float(np.median(step)) if step.size else 1.0
    return min(UNITS, key=lambda unit: abs(np.log(typical * UNITS[unit] * LIKELY_HZ)))
