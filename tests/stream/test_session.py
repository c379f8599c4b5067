"""What a session makes of samples, gaps, silence and garbage; and when samples are due."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.stream.fakes import FakeClock, FakePipeline, sample, session

from qsense.stream.events import Bad, Event, Notice, Quiet, Sample
from qsense.stream.pace import paced
from qsense.stream.session import FIRST_BAD, Session, majority
from qsense.stream.words import dropped


def pipeline(one: Session) -> FakePipeline:
    assert isinstance(one.pipeline, FakePipeline)
    return one.pipeline


def test_windows_come_when_their_last_sample_does() -> None:
    one = session()
    windows = [one.take(sample(n % 3, truth=1)) for n in range(8)]
    assert [n for n, window in enumerate(windows) if window] == [3, 5, 7]
    assert [window.decided for window in windows if window] == [0, 2, 1]
    assert one.summary()["classes"] == {"NULL": 1, "run": 1, "walk": 1}
    assert (one.samples, one.windows, one.recordings, int(one.confusion.sum())) == (8, 3, 1, 3)
    assert one.f1 == pytest.approx(np.mean([0, 2 / 4, 0]))


@pytest.mark.parametrize(("votes", "decided"), [(1, [0, 2, 1, 0]), (3, [0, 2, 1, 0])])
def test_majority(votes: int, decided: list[int]) -> None:
    one = session(votes=votes)
    found = [window.decided for n in range(10) if (window := one.take(sample(n % 3)))]
    assert found == decided


@given(st.lists(st.integers(0, 3), min_size=1, max_size=9))
def test_majority_is_the_most_frequent_and_the_latest(recent: list[int]) -> None:
    winner = majority(recent)
    assert all(recent.count(each) <= recent.count(winner) for each in recent)
    rivals = [each for each in recent if recent.count(each) == recent.count(winner)]
    assert rivals[-1] == winner


@pytest.mark.parametrize(
    ("seconds", "filled", "recordings"),
    [
        ([0, 0.1, 0.2, 0.3, 0.4], 0, 1),
        ([0, 0.1, 0.4, 0.5, 0.6], 2, 1),  # a short gap is filled linearly
        ([0, 0.1, 0.2, 2.0, 2.1], 0, 2),  # a long one begins a recording
        ([0, 0.1, 0.05, 0.15, 0.25], 0, 2),  # the clock was set
        ([0, 0.1, 0.28, 0.3, 0.4], 0, 1),  # one came late, the next ones caught up
        ([0, 0.1, 0.1, 0.2, 0.3], 0, 1),  # coarse stamps
    ],
)
def test_time_stamps(seconds: list[float], filled: int, recordings: int) -> None:
    one = session()
    for place, each in enumerate(seconds):
        one.take(sample(float(place), each))
    if seconds[2] == 0.28:
        assert one.filled <= 1  # a stamp that is late by a sample may be a loss
    else:
        assert one.filled == filled
    assert one.recordings == recordings
    assert one.gaps == recordings - 1
    assert pipeline(one).resets == recordings  # the first one, too
    if filled == 2:
        assert [each[0] for each in pipeline(one).all] == pytest.approx([0, 1, 1 + 1 / 3, 1 + 2 / 3, 2, 3, 4])


def test_descending_time_stamps_are_said_once_and_counted() -> None:
    one = session()
    for n in range(300):
        one.take(sample(0.0, 30 - 0.1 * n))
    one.take(sample(0.0, 99.0))
    assert [("back" in notice, "gap" in notice) for notice in one.notices] == [(True, False), (False, True)]
    assert (one.summary()["backward"], one.gaps, one.recordings) == (299, 300, 301)
    assert "1 gap · time went back 299 times" in dropped(one)


def test_a_clock_that_drifts_loses_nothing() -> None:
    for off in (0.97, 1.03):
        one = session()
        for n in range(2000):
            one.take(sample(0.0, 0.1 * off * n))
        assert (one.filled, one.gaps) == (0, 0)


def test_silence_begins_a_recording_only_where_samples_are_live() -> None:
    for due, recordings in ((None, 2), (0.0, 1)):
        clock = FakeClock()
        one = session(clock)
        one.take(sample(0.0, due=due))
        clock.time += 0.9
        one.take(sample(0.0, due=due))
        clock.time += 3.1
        one.take(sample(0.0, due=due))
        assert one.recordings == recordings
        assert ("3.1 s" in " ".join(one.notices)) == (recordings == 2)
        begins = [moment.begins for moment in one.moments]
        assert begins == [True, False, recordings == 2]
    assert one.at == pytest.approx(0.3)


def test_missing_values_are_filled_up_to_a_second() -> None:
    gone = Sample(np.array([np.nan, 1.0]))
    one = session()
    for each in (gone, sample(0.0), gone, gone, sample(3.0)):
        one.take(each)
    assert [each[0] for each in pipeline(one).all] == pytest.approx([0, 1, 2, 3])
    assert (one.samples, one.filled, one.bad["a value is missing"]) == (2, 2, 3)
    for each in (*[gone] * 11, sample(9.0)):
        one.take(each)
    assert (one.filled, one.recordings, one.gaps) == (2, 2, 1)


def test_bad_lines_are_said_a_few_times_and_counted() -> None:
    one = session()
    for n in range(50):
        one.take(Bad("2 of 3 fields", f"\x1b[31m{n}"))
        one.take(Bad(f"reason {n}", "x"))
    assert one.bad.total() == 100
    assert len(one.bad) <= 21
    assert len(one.notices) == FIRST_BAD + 1
    assert not any("\x1b" in text for text in one.notices)
    assert one.samples == 0


def test_a_notice_may_begin_a_recording() -> None:
    one = session()
    for event in (sample(1.0), sample(1.0), Notice("unplugged", anew=True), sample(1.0), Notice("back"), Quiet()):
        one.take(event)
    assert (one.recordings, one.gaps, pipeline(one).resets) == (2, 0, 2)
    assert one.notices == ["unplugged", "back"]


@pytest.mark.parametrize(("hz", "said"), [(10.0, False), (10.4, False), (20.0, True), (5.0, True), (900.0, False)])
def test_another_rate_is_said_once(hz: float, said: bool) -> None:
    for stamped in (True, False):
        clock = FakeClock()
        one = session(clock)
        for n in range(1000):
            clock.time += 1 / hz
            one.take(sample(0.0, n / hz if stamped else None))
        assert sum("10 Hz" in text for text in one.notices) == said


def test_what_is_remembered_has_an_end() -> None:
    one = session()
    for _ in range(7000):
        one.take(sample(1.0))
    assert len(one.moments) == 6000
    assert one.windows == 3499
    assert one.summary()["samples"] == 7000


@given(st.lists(st.tuples(st.floats(-1e9, 1e9), st.floats(-1e6, 1e6) | st.none() | st.just(float("nan"))), max_size=40))
def test_any_stamps_and_values_are_survived(rows: list[tuple[float, float | None]]) -> None:
    one = session()
    for value, seconds in rows:
        one.take(sample(value, None if seconds is None or np.isnan(seconds) else seconds))
    assert one.samples == len(rows)
    assert one.filled <= 10 * len(rows)


# When samples are due ------------------------------------------------------------------------------------------------


def played(speed: float | None, clock: FakeClock, count: int = 101) -> list[float]:
    events = (sample(0.0, due=0.1 * n) for n in range(count))
    return [clock.time for event in paced(events, speed, clock) if isinstance(event, Sample)]


@pytest.mark.parametrize("speed", [0.25, 1.0, 4.0])
def test_samples_are_played_at_a_rate(speed: float) -> None:
    times = played(speed, FakeClock())
    assert times == pytest.approx([100 + 0.1 * n / speed for n in range(101)], abs=1e-6)


def test_as_fast_as_possible_waits_for_nothing() -> None:
    clock = FakeClock()
    assert set(played(None, clock)) == {100.0}
    assert clock.slept == 0


def test_work_between_samples_does_not_add_up() -> None:
    clock = FakeClock(work=0.01)
    times = played(1.0, clock)
    assert times[-1] - times[0] == pytest.approx(10.0, abs=0.05)


def test_what_is_late_is_not_caught_up_with() -> None:
    clock = FakeClock()
    times = []
    for event in paced((sample(0.0, due=0.1 * n) for n in range(20)), 1.0, clock):
        if isinstance(event, Sample):
            times.append(clock.time)
            clock.time += 30.0 * (len(times) == 5)
    assert times[5] - times[4] == pytest.approx(30.0)
    assert np.diff(times[6:]) == pytest.approx([0.1] * 13)


def test_long_waits_let_the_screen_be_drawn() -> None:
    events: list[Event] = list(paced([sample(0.0, due=0.0), sample(0.0, due=1.0)], 1.0, FakeClock()))
    assert sum(isinstance(event, Quiet) for event in events) >= 8
