"""Memory of batches serves again, and never while anything of a batch is left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from qsense.data.frames.batches import memory
from qsense.data.frames.batches.memory import MOST, empty


@pytest.fixture(autouse=True)
def nothing_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_free", {})


def test_memory_serves_again_for_what_fits_into_it() -> None:
    place = empty((4, 8), np.uint16).ctypes.data
    larger, smaller = empty((4, 9), np.uint16), empty((3, 5), np.int32)
    assert larger.ctypes.data != place == smaller.ctypes.data
    assert smaller.shape == (3, 5)
    assert smaller.dtype == np.int32
    assert smaller.flags.writeable


def test_a_small_batch_holds_no_large_memory() -> None:
    place = empty((100,), np.uint8).ctypes.data
    small = empty((49,), np.uint8)
    assert small.ctypes.data != place == empty((50,), np.uint8).ctypes.data


@pytest.mark.parametrize(
    "part",
    [
        lambda x: x[1:],
        lambda x: x[0, 0].T.reshape(-1),
        lambda x: x.view(np.uint8),
        lambda x: torch.from_numpy(x),
        lambda x: torch.from_numpy(x)[1:, 0],
        lambda x: torch.from_numpy(x).view(torch.int16).detach().numpy(),
    ],
)
def test_what_is_left_of_a_batch_keeps_its_memory(part: Callable[[Any], Any]) -> None:
    whole = empty((2, 3, 4), np.uint16)
    whole[...] = 7
    left = part(whole)
    del whole
    before = np.array(left)
    others = [empty((2, 3, 4), np.uint16) for _ in range(3)]
    for other in others:
        other[...] = 9
    assert np.array_equal(np.array(left), before)


def test_the_last_few_are_kept() -> None:
    batches = [empty((size,), np.uint8) for size in range(20, 10, -1)]
    while batches:
        del batches[0]
    assert [len(free) for free in memory._free.values()] == list(range(10 + MOST, 10, -1))


def test_small_batches_after_large_ones_take_over_memory() -> None:
    large = [empty((1000,), np.uint8) for _ in range(MOST)]
    large.clear()
    small = [empty((10,), np.uint8) for _ in range(MOST)]
    places = {each.ctypes.data for each in small}
    small.clear()
    assert {each.ctypes.data for each in [empty((10,), np.uint8) for _ in range(MOST)]} == places
