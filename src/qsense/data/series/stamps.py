"""Timestamps against the stated rate: what is missing, where a recording ends, and resampling of irregular ones.

Open it when timestamps are refused, or when samples are filled in that are not missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NoReturn

import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view

from qsense.data.errors import DataError

TOLERANCE = 0.05  # of the rate
MOST_FILLED = 0.1  # share of missing samples up to which single ones and short gaps are filled
CATCH_UP = 10  # samples within which late stamps catch up
LONGEST_S = 1.0  # gaps of more seconds end a recording
UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_IGNORE = "data.dataset.time=false leaves the timestamps unread (arguments of data=csv_har)"
_RESAMPLE = "data.dataset.resample=true interpolates at rate_hz"

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Stretch:
    """Rows between two long gaps.

    Args:
        start: first row, from 0 on.
        stop: the row after the last one.
        place: where each row lies on the grid of the rate; None: one after the other.
        lost: samples that are missing in the gap before it.
        irregular: share of steps that are half a sample off although nothing is missing; of all the recording.
    """

    start: int
    stop: int
    place: npt.NDArray[np.int64] | None
    lost: int
    irregular: float = 0.0


def seconds(values: pd.Series, form: str | None, rate_hz: float, source: str, first_row: int) -> Floats:
    """Timestamps as seconds: numbers in a unit that is stated or comes closest to the rate, dates, or times of day.

    Args:
        values: the column.
        form: s, ms, us, ns, or a date's format as in %d/%m/%Y %H:%M:%S.%f; None: seen from the values.
        rate_hz: samples per second.
        source: file and column, for messages.
        first_row: the file's row of the first value.

    Raises:
        DataError: a value is missing, or no time; its row is named.
    """
    if values.dtype.kind in "fiu" and form in (None, *UNITS):
        time = values.to_numpy(dtype=np.float64)
        if (wrong := np.flatnonzero(~np.isfinite(time))).size:
            raise DataError(f"{source}, row {first_row + wrong[0]}: the timestamp is missing; {_IGNORE}")
        unit = UNITS[form] if form else likely_unit(time, rate_hz)
        return np.asarray((time - time[:1]) * unit, dtype=np.float64)
    text = values.astype("str")
    if form is not None:
        parsed = pd.to_datetime(text, errors="coerce", format=form, utc=True)
    else:
        parsed = pd.to_datetime(text, errors="coerce", format="ISO8601", utc=True)
        if parsed.isna().all():  # time of day
            parsed = pd.Timestamp(0, tz="UTC") + pd.to_timedelta(text.str.replace(",", "."), errors="coerce")
    if (wrong := np.flatnonzero(parsed.isna())).size:
        expected = f"as {form}" if form else "a number, an ISO date (2026-04-14 08:00:00.020) or a time of day"
        value = str(values.iloc[wrong[0]])[:40]
        raise DataError(
            f"{source}, row {first_row + wrong[0]}: timestamp {value!r} is not {expected}; set "
            f"data.dataset.time_format, as in '%d/%m/%Y %H:%M:%S.%f' (day first) or ms; {_IGNORE}"
        )
    return np.asarray((parsed - parsed.iloc[0]).dt.total_seconds(), dtype=np.float64)


def likely_unit(time: Floats, rate_hz: float) -> float:
    """Seconds per unit of numbers whose unit nobody has stated: the one that comes closest to the rate.

    >>> likely_unit(np.array([0, 20, 40.0]), 50.0), likely_unit(np.array([0.04, 0.02, 0]), 50.0)
    (0.001, 1.0)
    """
    step = np.abs(np.diff(time))
    step = step[step > 0]
    typical = float(np.median(step)) if step.size else 1.0
    return min(UNITS.values(), key=lambda unit: abs(np.log(typical * unit * rate_hz)))


def stretches(time: Floats, rate_hz: float, source: str, first_row: int, steady: bool = True) -> list[Stretch]:
    """Check the timestamps of a recording and find what is missing.

    The median step tells the rate between losses, the mean step what is lost. Steps that come too early after some that
    came too late tell of stamps that jitter, and not of losses.

    Args:
        time: seconds.
        rate_hz: samples per second, as stated.
        source: file and column, for messages.
        first_row: the file's row of the first value.
        steady: the rate must fit, and what is missing in it is found; else recordings are cut at long gaps alone.

    Raises:
        DataError: they go back, repeat, do not fit the rate, or more is missing than can be filled.
    """
    step = _steps(time, source, first_row)
    cuts = np.flatnonzero(step > LONGEST_S)
    inner = step <= LONGEST_S
    missing = np.zeros(len(step), dtype=np.int64)
    irregular = 0.0
    if inner.any() and steady:
        usual = _usual_step(step[inner], rate_hz, source)
        missing[inner] = _missing(step[inner], usual)
        _refuse_losses(step[inner], usual, rate_hz, missing.sum(), source)
        irregular = float(np.mean((np.abs(step[inner] - usual) > usual / 2) & (missing[inner] == 0)))
    edges = [0, *(cuts + 1).tolist(), len(time)]
    found = []
    for start, stop in pairwise(edges):
        within = missing[start : stop - 1]
        place = np.concatenate(([0], np.cumsum(1 + within))) if within.any() else None
        lost = round(step[start - 1] * rate_hz) - 1 if start else 0
        found.append(Stretch(start, stop, place, lost, irregular))
    return found


def has_losses(time: Floats, rate_hz: float, source: str, first_row: int) -> bool:
    """Whether single samples or short gaps are missing; see `stretches`."""
    return any(stretch.place is not None for stretch in stretches(time, rate_hz, source, first_row))


def on_grid(time: Floats, x: Floats, y: npt.NDArray[np.int64], rate_hz: float) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Samples at irregular times → at a steady rate: axes linearly, the label of the nearest sample.

    >>> x, y = on_grid(np.array([0, 0.03, 0.04]), np.array([[0.0], [3.0], [4.0]]), np.array([0, 1, 1]), 50.0)
    >>> x[:, 0].round(6).tolist(), y.tolist()
    ([0.0, 2.0, 4.0], [0, 1, 1])
    """
    grid = time[0] + np.arange(int((time[-1] - time[0]) * rate_hz + 1e-6) + 1) / rate_hz
    after = np.clip(np.searchsorted(time, grid), 1, max(1, len(time) - 1))
    nearest = np.where(grid - time[after - 1] < time[after % len(time)] - grid, after - 1, after % len(time))
    return np.stack([np.interp(grid, time, axis) for axis in x.T], axis=1), y[nearest]


def _steps(time: Floats, source: str, first_row: int) -> Floats:
    step = np.diff(time)
    if (back := np.flatnonzero(step < 0)).size:
        raise DataError(
            f"{source}, row {first_row + back[0] + 1}: the timestamp goes back by {-step[back[0]]:.4g} s ({back.size} "
            f"such rows): the rows are not in order, the clock was set, or a second recording begins. Sort them, name "
            f"the column that tells recordings apart (data.dataset.session=COLUMN), or {_IGNORE}"
        )
    return step


def _usual_step(inner: Floats, rate_hz: float, source: str) -> float:
    """Seconds between two samples where none is missing."""
    typical, mean = float(np.median(inner)), float(np.mean(inner))
    fits = abs(mean * rate_hz - 1) < TOLERANCE
    resolution = min(inner[inner > 0].tolist(), default=0.0)
    if fits and abs(typical * rate_hz - 1) >= TOLERANCE:
        # Coarse stamps of a steady rate stay close to it all the time.
        off = np.cumsum(inner) - mean * np.arange(1, len(inner) + 1)
        if resolution * rate_hz < 2 and np.ptp(off) < 4 / rate_hz:
            return mean
    if typical == 0:
        repeats = len(inner) / (int(np.count_nonzero(inner)) or 1)
        raise DataError(
            f"{source}: timestamps repeat, about {repeats:.0f} rows have the same one: their resolution is too coarse "
            f"for {rate_hz:g} Hz, and missing samples cannot be seen. Write them finer, or {_IGNORE}"
        )
    if not abs(typical * rate_hz - 1) < TOLERANCE:
        _refuse_rate(typical, mean, rate_hz, source)
    near = inner[(inner > typical / 2) & (inner < 1.5 * typical)]
    return float(near.mean())


def _missing(step: Floats, usual: float) -> npt.NDArray[np.int64]:
    """Samples that are missing in every step.

    What comes late is no loss where the stamps catch up soon: how far they are behind is looked at without such short
    excursions, up or down.

    >>> _missing(np.array([1, 1, 3, 1, 1, 1, 1, 1.8, 0.2, 1, 1, 1, 1]), 1.0).tolist()
    [0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    """
    if not (step > 1.5 * usual).any():
        return np.zeros(len(step), dtype=np.int64)
    behind = np.concatenate(([0.0], np.cumsum(step / usual - 1)))
    level = np.pad(behind, 4 * CATCH_UP, mode="edge")
    for ends in (np.min, np.max, np.max, np.min):  # a morphological opening and a closing
        level = ends(sliding_window_view(np.pad(level, CATCH_UP, mode="edge"), 2 * CATCH_UP + 1), axis=1)
    level = level[4 * CATCH_UP : -4 * CATCH_UP]
    missing = np.where(step > 1.5 * usual, np.rint(np.diff(level)), 0).clip(0).astype(np.int64)
    # Steps that are irregular all the time rise and fall without an end.
    return missing if missing.sum() <= 1.25 * behind[-1] + 1 else np.zeros_like(missing)


def _refuse_losses(inner: Floats, usual: float, rate_hz: float, missing: int, source: str) -> None:
    mean = float(np.mean(inner))
    share = missing / (missing + len(inner) + 1)
    if share > MOST_FILLED:
        raise DataError(
            f"{source}: the timestamps say that {share:.0%} of the samples are missing: most steps fit "
            f"{1 / usual:.4g} Hz, but the mean rate is {1 / mean:.4g} Hz. Up to {MOST_FILLED:.0%} is filled linearly. "
            f"Set data.dataset.rate_hz if another rate is meant; {_RESAMPLE}; {_IGNORE}"
        )
    if abs(mean * (1 - share) * rate_hz - 1) >= TOLERANCE:
        same = float(np.mean(inner == 0))
        what = (
            f"{same:.0%} of the rows repeat the timestamp before them (rows written twice, or two streams in one file)"
            if same > TOLERANCE / 2
            else f"the timestamps are irregular, steps lie between {np.percentile(inner, 5) * 1e3:.4g} and "
            f"{np.percentile(inner, 95) * 1e3:.4g} ms"
        )
        raise DataError(
            f"{source}: {what}, and their mean rate is {1 / mean:.4g} Hz, but data.dataset.rate_hz is {rate_hz:g}. "
            f"{_RESAMPLE}; {_IGNORE}"
        )


def _refuse_rate(typical: float, mean: float, rate_hz: float, source: str) -> NoReturn:
    rates = f"{1 / typical:.4g} Hz" + (
        f" (on average {1 / mean:.4g} Hz)" if abs(typical / mean - 1) > TOLERANCE else ""
    )
    raise DataError(
        f"{source}: the timestamps say {rates}, but data.dataset.rate_hz is {rate_hz:g}. Set the right rate, or their "
        f"unit (data.dataset.time_format=s, ms, us or ns); {_RESAMPLE}; {_IGNORE}"
    )
