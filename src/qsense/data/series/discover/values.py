"""Time, axes, unit, range and missing values of a data set, by all of its files.

Open it when one of these is found wrongly although the columns are right.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from qsense.data.findings import GUESS, SURE, counted
from qsense.data.series.discover.clock import common_rate
from qsense.data.series.discover.columns import Seen
from qsense.data.series.discover.finding import LEAST_WINDOW, WINDOW_S, Finding, configured, quoted
from qsense.data.series.discover.glance import Content
from qsense.data.series.native import grid_of
from qsense.data.series.plausible import MISSING_MARKS, STANDARD_GRAVITY, at_rest, spread, unit_of_gravity
from qsense.data.series.tables.table import Table
from qsense.data.series.units import INERTIAL_UNITS, usual_spelling

MOST_IRREGULAR, COARSE = 0.1, 0.05  # shares of steps
FULL_SCALES_G = (2.0, 4.0, 8.0, 16.0, 32.0)


def say_time(found: Finding, table: Table, seen: Seen, contents: Sequence[Content], given: Mapping[str, Any]) -> None:
    clocks = [content.clock for content in contents if content.clock]
    arguments = found.arguments
    if not clocks:
        arguments["time"] = False
        if given.get("rate_hz"):
            arguments["rate_hz"] = given["rate_hz"]
            found.say("time", f"no column; {given['rate_hz']:g} Hz, as stated")
        else:
            found.say("time", "no column tells it", GUESS)
            found.problems.append("the rate is unknown, as no column is a time: --rate HZ (samples per second)")
        _set_window(found)
        return
    column = seen.times[0]
    rate = common_rate(clocks)
    arguments["time"] = configured(table, column)
    form = given.get("time_format") or clocks[0].form
    if form:
        arguments["time_format"] = form
    rates = [clock.rate_hz for clock in clocks]
    low, high = min(rates), max(rates)
    differ = high / low > 1.1  # then the lowest is taken: no file has to be filled with samples that were not taken
    if differ:
        rate = common_rate([min(clocks, key=lambda clock: clock.rate_hz)])
    arguments["rate_hz"] = float(given.get("rate_hz") or rate.hz)
    irregular, repeats = max(clock.irregular for clock in clocks), max(clock.repeats for clock in clocks)
    gaps, back = sum(clock.gaps for clock in clocks), sum(clock.back for clock in clocks)
    text = f"{quoted(table, column)}: {clocks[0].said}; {arguments['rate_hz']:g} Hz"
    text += f" (files: {low:.4g} to {high:.4g})" if high / low > 1.005 else f" (measured {rates[0]:.4g})"
    if repeats > COARSE:
        text += f", coarse: {repeats:.0%} of stamps repeat the one before"
    else:
        text += ", steady" if irregular < 0.01 else f", {irregular:.0%} of steps are irregular"
    text += f"; {counted(gaps, 'gap')} of more than 1 s" if gaps else "; no gaps"
    found.say("time", text, SURE if (rate.usual and not differ) or given.get("rate_hz") else GUESS)
    wanted = differ or (irregular > MOST_IRREGULAR and repeats <= COARSE)
    if given.get("resample") or (given.get("resample") is None and wanted):
        arguments["resample"] = True
        why = "rates differ among files: " if differ else ""
        found.say("", f"{why}samples will be interpolated at {arguments['rate_hz']:g} Hz (resample: true)", GUESS)
    if back and not seen.session:
        where = next(content.path.name for content in contents if content.clock and content.clock.back)
        found.problems.append(
            f"timestamps go back {counted(back, 'time')} (first in {where}): sort its rows, name the column that tells "
            "recordings apart (--session COLUMN), or leave the time unread (--time none --rate HZ)"
        )
    _set_window(found)


def _set_window(found: Finding) -> None:
    found.window = max(LEAST_WINDOW, round(WINDOW_S * found.arguments.get("rate_hz", LEAST_WINDOW)))


def say_axes(found: Finding, table: Table, seen: Seen, given: Mapping[str, Any]) -> None:
    count = len(seen.axes)
    names = ("x", "y", "z") if count == 3 else tuple(f"axis_{number + 1}" for number in range(count))
    if isinstance(given.get("axes"), Mapping):
        names = tuple(given["axes"])
    elif count % 3 == 0 and count > 3:
        names = tuple(f"{'xyz'[number % 3]}{number // 3 + 1}" for number in range(count))
    found.arguments["axes"] = {name: configured(table, axis) for name, axis in zip(names, seen.axes, strict=True)}
    found.say("axes", ", ".join(f"{n} {quoted(table, a)}" for n, a in zip(names, seen.axes, strict=True)),
              SURE if seen.certain else GUESS)  # fmt: skip
    if seen.left_out:
        found.say("", f"not read: {', '.join(quoted(table, column) for column in seen.left_out)[:300]}")


def say_values(found: Finding, table: Table, seen: Seen, contents: Sequence[Content], given: Mapping[str, Any]) -> None:
    x = np.concatenate([content.x for content in contents])
    empty = np.isnan(x).any(axis=1)
    marks = {float(value) for axis in x.T for value in _wild(axis)} & MISSING_MARKS
    if given.get("missing") is not None:
        marks = set(given["missing"])
    if marks:
        found.arguments["missing"] = sorted(marks)
        empty |= np.isin(x, sorted(marks)).any(axis=1)
    used = x[~empty]
    if not len(used):
        found.problems.append("every row lacks a value: name other columns (--axes A,B,C)")
        return
    heads = {usual_spelling(table.unit(axis)) for axis in seen.axes} & set(INERTIAL_UNITS)
    lengths = [length for content in contents if (length := at_rest(content.x[~np.isnan(content.x).any(axis=1)]))]
    length = float(np.median(lengths)) if lengths else None
    felt = unit_of_gravity(length) if length else None
    unit = given.get("unit") or (next(iter(heads)) if len(heads) == 1 else felt or _loose_unit(used))
    found.arguments["unit"] = (unit or "unknown").partition(",")[0]
    unmoved = f"; at rest it shows {length:.4g}" if length else ""
    source = "as stated" if given.get("unit") else "heads say so" if heads else "by gravity" if felt else "a guess"
    sure = bool(given.get("unit") or heads or felt)
    found.say("unit", f"{unit or 'unknown'} ({source}{unmoved})", SURE if sure else GUESS)
    if felt and unit and felt != usual_spelling(unit):
        found.say("", f"gravity says {felt} instead: --unit states which one is meant", GUESS)
    gravity = {"g": 1.0, "m/s²": STANDARD_GRAVITY, "mg": 1000.0}.get(usual_spelling(unit or ""))
    still = float(np.median(np.linalg.norm(used[:, :3], axis=1))) if used.shape[1] % 3 == 0 else None
    if seen.without_gravity or (gravity and still is not None and still < 0.4 * gravity):
        found.say("", "gravity seems to be taken out: a sensor's own samples hold it; record total acceleration", GUESS)
    _range(found, used, unit, gravity, given)
    if empty.any() or marks:
        text = f"{counted(int(empty.sum()), 'row')} of {len(x)} ({empty.mean():.2%})"
        text += f", marked by {', '.join(f'{mark:g}' for mark in sorted(marks))}" if marks else ", empty fields"
        found.say("missing", f"{text}; gaps of up to 1 s are filled, longer ones cut", GUESS if marks else SURE)
    else:
        found.say("missing", "no values")


def _wild(axis: Any) -> tuple[float, ...]:
    known = axis[np.isfinite(axis)]
    return spread(known).wild if len(known) else ()


def _loose_unit(x: Any) -> str | None:
    """By the usual length of samples that are hardly ever at rest."""
    if x.shape[1] % 3:
        return None
    return unit_of_gravity(float(np.median(np.linalg.norm(x[:, :3], axis=1))))


def _range(found: Finding, x: Any, unit: str | None, gravity: float | None, given: Mapping[str, Any]) -> None:
    low, high = float(x.min()), float(x.max())
    text = f"{low:.4g} to {high:.4g} {(unit or '').partition(',')[0]}".rstrip()
    grids = [grid_of(axis) for axis in x.T]
    step = max((grid[0] for grid in grids if grid), default=None)
    reach = max(abs(low), abs(high))
    scale = None
    if gravity:
        scale = next((full for full in FULL_SCALES_G if reach <= 1.001 * full * gravity), None)
    if step is not None:
        text += f"; values lie on steps of {step:.4g}"
        bits = math.log2(2 * scale * (gravity or 1) / step) if scale else math.log2((high - low) / step + 1)
        text += f", {math.ceil(bits - 0.05)} bits over " + (f"±{scale:g} g" if scale else "what they reach")
    else:
        text += "; no grid of native counts (filtered or computed): 12 bits are assumed"
    if given.get("range") is not None:
        found.arguments["range"] = list(given["range"])
        text += f"; full scale {given['range']}, as stated"
    elif scale:
        end = f"{scale * (gravity or 1):.4g}"
        text += f". Full scale at least ±{scale:g} g: --range -{end},{end} would state that"
    found.say("range", text, SURE if step is not None or given.get("range") else GUESS)
