"""Stratified splits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.refusal import refused

from qsense.data.splitting import stratified


@given(st.lists(st.integers(0, 4), min_size=1, max_size=80), st.floats(0, 0.9), st.integers(0, 3))
def test_every_class_gives_its_share_and_keeps_one(labels: list[int], share: float, seed: int) -> None:
    y = np.array(labels, dtype=np.int64)
    chosen = stratified(y, share, seed)
    np.testing.assert_array_equal(chosen, stratified(y, share, seed))
    for label in set(labels):
        count, given_up = labels.count(label), int(chosen[y == label].sum())
        assert given_up == (0 if share == 0 else min(max(round(share * count), 1), count - 1))


def test_another_seed_chooses_others() -> None:
    y = np.repeat([0, 1], 50)
    assert (stratified(y, 0.2, 0) != stratified(y, 0.2, 1)).any()


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_impossible_shares_are_refused(share: float) -> None:
    with refused(ValueError, share, "[0, 1)"):
        stratified(np.zeros(3, dtype=np.int64), share)
