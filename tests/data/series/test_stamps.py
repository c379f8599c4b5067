"""Timestamps: units, dates, losses, long gaps, jitter, and what cannot be a steady rate."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from tests.refusal import assert_names, refused

from qsense.data.errors import DataError
from qsense.data.series.csv_har import CSVActivityDataset
from qsense.data.series.stamps import seconds, stretches

Floats = npt.NDArray[np.float64]
ROWS = 1000
STEADY = np.arange(ROWS) * 0.02
RNG = np.random.default_rng(0)


def without(*rows: slice | int) -> Floats:
    """A steady stream that lacks these rows."""
    return np.delete(STEADY, np.r_[tuple(rows)])


def placed(time: Floats) -> list[int]:
    """Missing samples by stretch."""
    return [
        0 if one.place is None else int(one.place[-1]) + 1 - (one.stop - one.start)
        for one in stretches(time, 50.0, "f.csv", 2)
    ]


@pytest.mark.parametrize(
    ("time", "missing"),
    [
        (STEADY, [0]),
        (STEADY[:1], [0]),
        (STEADY[:2], [0]),
        (np.round(STEADY, 2), [0]),
        (np.round(STEADY * 1.03, 3), [0]),  # the clock is 3 % slow
        (np.round(STEADY * 0.97, 3), [0]),
        (STEADY + RNG.normal(0, 0.004, ROWS).clip(-0.009, 0.009), [0]),  # jitter
        (without(500), [1]),
        (without(1), [1]),
        (without(2, slice(990, 999)), [10]),
        (without(slice(400, 445)), [45]),
        (without(slice(0, 1000, 20)), [49]),
        (without(slice(100, 110), slice(300, 301), slice(700, 730)), [41]),
        (without(slice(300, 400)), [0, 0]),
        (without(slice(300, 400), slice(600, 610)), [0, 10]),
        (np.round(without(slice(400, 420)) * 1.02, 3), [20]),
        (without(slice(400, 420)) + RNG.normal(0, 0.002, ROWS - 20).clip(-0.004, 0.004), [20]),
        (np.where(np.arange(ROWS) % 50 == 25, STEADY + 0.018, STEADY), [0]),  # one of fifty comes late
    ],
)
def test_what_is_missing(time: Floats, missing: list[int]) -> None:
    assert placed(np.maximum.accumulate(time)) == missing


@pytest.mark.parametrize(
    ("time", "named"),
    [
        (
            np.cumsum(RNG.choice([0.02, 0.02, 0.04], ROWS)),
            ("50 Hz", "data.dataset.rate_hz", "data.dataset.resample=true"),
        ),
        (STEADY + np.arange(ROWS) // 25 * 0.9, ("50 Hz", "18.14 Hz")),
        (np.cumsum(RNG.choice([0.01, 0.02, 0.02, 0.02, 0.06], ROWS)), ("data.dataset.resample=true",)),
        (np.cumsum(RNG.choice([0.005, 0.019, 0.02, 0.021, 0.07], ROWS)), ("data.dataset.resample=true",)),
        (np.repeat(STEADY, 2)[:ROWS], ("data.dataset.time=false",)),
        (np.sort(np.concatenate([STEADY[:700], STEADY[:300]])), ("data.dataset.time=false", "50", "71.")),
        (np.repeat(STEADY[9::10], 10) + np.tile(np.arange(10) * 1e-3, 100), ("1000 Hz", "data.dataset.resample=true")),
        (np.floor(STEADY), ("timestamps", "50 Hz", "data.dataset.time=false")),
        (np.floor(STEADY / 60) * 60, ("timestamps", "data.dataset.time=false")),
        (STEADY * 0, ("timestamps", "data.dataset.time=false")),
        (STEADY / 2, ("100 Hz", "data.dataset.rate_hz", 50)),
        (STEADY * 1.25, ("40 Hz", "data.dataset.rate_hz", 50)),
        (STEADY * 1.1, ("45.45 Hz", 50)),
        (np.where(STEADY < 10, STEADY, STEADY - 5), ("row 502", "data.dataset.session=COLUMN")),
        (STEADY[::-1], ("row 3", 999)),
        (np.concatenate([STEADY[:500], STEADY[:500]]), ("row 502", "9.98 s", 1)),
        (STEADY[RNG.permutation(ROWS)], ("data.dataset.time=false",)),
    ],
)
def test_what_no_steady_rate_explains_is_refused(time: Floats, named: tuple[object, ...]) -> None:
    with refused(DataError, "f.csv") as caught:
        stretches(np.asarray(time), 50.0, "f.csv", 2)
    for token in named:
        assert str(token) in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("values", "form"),
    [
        (1.6e9 + STEADY, None),
        (1.6e12 + STEADY * 1e3, None),
        ((1.6e15 + STEADY * 1e6).astype(np.int64), None),
        (((STEADY + 49105) * 1e9).astype(np.int64), None),
        (STEADY * 1e3, "ms"),
        ([f"2021-04-14 08:00:{t:09.6f}" for t in STEADY], None),
        ([f"2021-04-14T08:00:{t:09.6f}Z" for t in STEADY], None),
        ([f"2021-04-14T08:00:{t:09.6f}+02:00" for t in STEADY], None),
        ([f"14/04/2021 08:00:{t:09.6f}" for t in STEADY], "%d/%m/%Y %H:%M:%S.%f"),
        ([f"04/14/21 08:00:{t:06.3f}" for t in STEADY], "%m/%d/%y %H:%M:%S.%f"),
        ([f"08:00:{t:06.3f}" for t in STEADY], None),
        ([f"08:00:{t:06.3f}".replace(".", ",") for t in STEADY], None),
    ],
)
def test_time_is_read_in_any_unit(values: Any, form: str | None) -> None:
    np.testing.assert_allclose(seconds(pd.Series(values), form, 50.0, "f.csv", 2), STEADY, atol=1e-3)


@pytest.mark.parametrize(
    ("values", "form", "named"),
    [
        (["14/04/2021 08:00:00"] * 3, None, ("row 2", "'14/04/2021 08:00:00'", "ISO", "data.dataset.time_format")),
        (["2021-04-14 08:00:00", "", "2021-04-14 08:00:01"], None, ("row 3", "data.dataset.time=false")),
        ([0.0, np.nan, 1.0], None, ("row 3", "data.dataset.time=false")),
        ([0.0, np.inf, 1.0], None, ("row 3",)),
        (["2021-04-14"] * 3, "%d/%m/%Y", ("row 2", "%d/%m/%Y")),
        (["x" * 500] * 3, None, ("row 2",)),
    ],
)
def test_what_is_no_time_is_named(values: Any, form: str | None, named: tuple[object, ...]) -> None:
    with refused(DataError, "f.csv", *named) as caught:
        seconds(pd.Series(values), form, 50.0, "f.csv", 2)
    assert len(str(caught.value)) < 400


def files(folder: Path, stamps: npt.NDArray[Any], **arguments: Any) -> CSVActivityDataset:
    """Two subjects; the first axis is the time, the second one counts, the label changes after half the rows."""
    for subject in range(2):
        lines = [f"{subject},{t:.4f},{t:.4f},{row},{'ab'[2 * row // len(stamps)]}" for row, t in enumerate(stamps)]
        path = folder / "raw" / "inertial" / f"sbj_{subject}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("sbj_id,timestamp,x,n,label\n" + "\n".join(lines) + "\n")
    return CSVActivityDataset(str(folder), "Fake", ["x", "n"], ["a", "b"], 50.0, 2, "g", **arguments)


def test_short_losses_are_filled_where_they_are(tmp_path: Path) -> None:
    time = without(slice(300, 310), 700)
    data = files(tmp_path, time)
    one, _ = data.recordings()
    assert (len(one.x), one.filled, one.lost, one.name) == (ROWS, 11, 0, "sbj_0.csv")
    np.testing.assert_allclose(one.x[:, 0], STEADY, atol=1e-4)
    assert np.flatnonzero(np.diff(one.y)).tolist() == [504]
    assert data.fingerprint() != files(tmp_path / "other", STEADY).fingerprint()


def test_a_long_gap_in_time_ends_a_recording(tmp_path: Path) -> None:
    first, second, *_ = files(tmp_path, without(slice(300, 400))).recordings()
    assert (first.subject, len(first.x), first.lost) == (0, 300, 0)
    assert (second.subject, len(second.x), second.lost) == (0, 600, 100)
    np.testing.assert_allclose(second.x[:, 0], STEADY[400:], atol=1e-4)


@pytest.mark.parametrize("time", [np.cumsum(RNG.choice([0.02, 0.02, 0.04], ROWS)), STEADY * 1.25, np.sqrt(STEADY * 20)])
def test_irregular_samples_are_brought_to_the_rate_when_asked(tmp_path: Path, time: Floats) -> None:
    time = time - time[0]
    one, _ = files(tmp_path, time, resample=True).recordings()
    assert len(one.x) == int(np.round(time[-1], 4) * 50 + 1e-6) + 1
    np.testing.assert_allclose(one.x[:, 0], np.arange(len(one.x)) * 0.02, atol=1e-4)
    assert set(np.unique(one.y)) == {0, 1}


def test_resampling_cuts_at_long_gaps(tmp_path: Path) -> None:
    first, second, *_ = files(tmp_path, without(slice(300, 400)) * 1.01, resample=True).recordings()
    assert (len(first.x), len(second.x)) == (302, 605)


def test_timestamps_may_be_left_unread(tmp_path: Path) -> None:
    assert len(files(tmp_path, STEADY[::-1], time=False).recordings()[0].x) == ROWS


def test_jitter_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    time = np.sort(STEADY + RNG.uniform(-0.02, 0.02, ROWS))
    with caplog.at_level(logging.WARNING, logger="qsense"):
        one, _ = files(tmp_path, time).recordings()
    assert (len(one.x), one.filled) == (ROWS, 0)
    (record,) = caplog.records
    assert_names(record.getMessage(), "Fake", "data.dataset.resample=true", "50 Hz")
