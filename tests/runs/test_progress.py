"""Long work is heard of in a log: after a while, ever less often, with the time that is left."""

from __future__ import annotations

import pytest

from qsense.runs import progress
from qsense.runs.progress import Due, stepping


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(progress, "time", made)
    return made


def test_lines_come_after_ever_longer_times(clock: Clock) -> None:
    due, moments = Due(), []
    for second in range(3600):
        clock.now = float(second)
        if due():
            moments.append(second)
    assert moments == [30, 90, 210, 450, 930, 1530, 2130, 2730, 3330]


def test_steps_tell_how_many_there_are_and_what_is_left(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    with stepping("testing", 4) as step:
        for _ in range(4):
            clock.now += 20
            step()
    assert caplog.messages == ["testing: 2 of 4 · 40 s left"]


def test_short_work_says_nothing(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    with stepping("testing", 4) as step:
        step()
    assert not caplog.messages
