"""Which samples get lost, and what a receiver holds in their place."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsense.data.series.loss import held, lost_samples

BOUNDS = np.array([0, 250, 251, 251, 1000])  # one sample, and none


@given(st.integers(1, 400), st.floats(0, 1), st.integers(0, 9))
def test_packets_get_lost_as_a_whole(packet: int, share: float, seed: int) -> None:
    lost = lost_samples(BOUNDS, [0, 1, 2, 3], packet, share, [seed])
    for first, end in pairwise(BOUNDS):
        for start in range(first, end, packet):
            assert len(set(lost[start : min(start + packet, end)])) == 1


def test_what_is_not_sent_is_not_lost() -> None:
    lost = lost_samples(BOUNDS, [1, 3], packet=10, share=1.0, seed=[0])
    assert lost.sum() == 1 + 749
    assert not lost[:250].any()


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_the_share_is_met_and_more_lose_the_same_and_others(share: float) -> None:
    bounds = np.array([0, 200_000])
    lost, more = (lost_samples(bounds, [0], 5, some, [3]) for some in (share, 1.5 * share))
    assert lost.mean() == pytest.approx(share, abs=4 * np.sqrt(share / 40_000))
    assert (more | ~lost).all()
    assert (lost == lost_samples(bounds, [0], 5, share, [3])).all()
    assert (lost != lost_samples(bounds, [0], 5, share, [4])).any()


@given(st.integers(0, 2**32 - 1))
def test_what_is_held_is_what_arrived_last(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, lost = rng.normal(size=(1000, 2)).astype(np.float32), rng.random(1000) < 0.5
    received = held(x, BOUNDS, lost, np.array([7.0, 8.0]))
    assert received.dtype == np.float32
    for first, end in pairwise(BOUNDS):
        last = np.array([7.0, 8.0], dtype=np.float32)
        for time in range(first, end):
            last = last if lost[time] else x[time]
            assert (received[time] == last).all()
