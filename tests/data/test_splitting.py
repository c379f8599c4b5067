"""Which examples belong to which part."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.refusal import refused

from qsense.data.errors import DataError
from qsense.data.splitting import read_split, refuse_overlap, stratified


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


@pytest.mark.parametrize(
    ("text", "named"), [("a\nb\na\n", ("list.txt", "line 3", "a", "line 1")), ("\n \n", ("list.txt",))]
)
def test_a_list_names_each_frame_once(text: str, named: tuple[object, ...]) -> None:
    assert read_split(" a\n\nb", "list.txt") == ["a", "b"]
    with refused(DataError, *named):
        read_split(text, "list.txt")


def test_nothing_is_tested_that_was_trained_on() -> None:
    refuse_overlap(["a", "b"], ["c"], "test.txt", "train.txt")
    with refused(DataError, "test.txt", "train.txt", 2, "c"):
        refuse_overlap(["a", "b", "c"], ["c", "a"], "test.txt", "train.txt")
