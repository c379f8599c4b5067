"""Frames that are stored at every size at which they are read."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.refusal import refused

from qsense.data.frames.geometry.nearest import resize, target_size
from qsense.data.frames.geometry.stored_sizes import (
    Sheets,
    ShortSides,
    as_stored,
    largest_planes,
    planes_at,
    shrunk,
    stored_samples,
)

SIDES = st.lists(st.integers(1, 60), min_size=1, max_size=6)


@given(height=st.integers(1, 90), width=st.integers(1, 90), sides=SIDES, spare=st.integers(0, 60))
def test_every_size_is_the_one_made_of_native_planes(height: int, width: int, sides: list[int], spare: int) -> None:
    planes = np.random.default_rng(height).integers(0, 65536, (4, height, width)).astype(np.uint16)
    every = ShortSides(tuple(sides), max(sides) + spare)
    packed = as_stored(planes, every)
    assert packed.shape == (4, 1, stored_samples(height, width, every))
    stored = Sheets(packed, (height, width), every, packed=True)
    native = Sheets(planes, (height, width), every, packed=False)
    assert stored.shape == native.shape == planes.shape
    for side in sides:
        size = target_size(height, width, side, every.longest)
        assert np.array_equal(planes_at(stored, size), resize(planes, size))
        assert np.array_equal(planes_at(native, size), resize(planes, size))
    assert np.array_equal(largest_planes(stored), resize(planes, target_size(height, width, max(sides), every.longest)))


def test_a_stored_size_is_read_without_a_copy() -> None:
    packed = as_stored(np.zeros((4, 20, 30), np.uint16), ShortSides((5, 10), 30))
    assert np.shares_memory(Sheets(packed, (20, 30), ShortSides((5, 10), 30), packed=True).at((5, 8)), packed)


def test_another_size_is_refused() -> None:
    sides = ShortSides((5, 10), 30)
    with refused(ValueError, "(6, 9)", "(10, 15)", "(5, 8)"):
        Sheets(as_stored(np.zeros((4, 20, 30), np.uint16), sides), (20, 30), sides, packed=True).at((6, 9))


def test_codes_that_are_not_what_is_said_are_refused() -> None:
    sides, planes = ShortSides((5, 10), 30), np.zeros((4, 20, 30), np.uint16)
    with refused(ValueError, "[4, 20, 30]", "ShortSides.packed"):
        Sheets(planes, (20, 30), sides, packed=True)
    with refused(ValueError, "[4, 1, 190]", "native", 20):
        Sheets(as_stored(planes, sides), (20, 30), sides, packed=False)


def test_folders_tell_other_sizes_apart() -> None:
    names = {str(ShortSides(sides, longest)) for sides in ((480, 800), (480, 512)) for longest in (1333, 2000)}
    assert len(names) == 4
    assert all(name.startswith("2sizes-") for name in names)


@pytest.mark.parametrize(
    ("side", "shape"), [(20, (4, 20, 30)), (800, (4, 20, 30)), (10, (4, 10, 15)), (None, (4, 20, 30))]
)
def test_frames_are_made_smaller_and_never_larger(side: int | None, shape: tuple[int, ...]) -> None:
    planes = np.zeros((4, 20, 30), dtype=np.uint16)
    assert shrunk(planes, side).shape == shape
    assert (shrunk(planes, side) is planes) == (shape == planes.shape)
