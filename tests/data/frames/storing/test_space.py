"""At which size frames are stored: the largest that fits, known before any is converted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.frames.test_module import Memory, annotated
from tests.refusal import refused

from qsense.data.errors import DataError
from qsense.data.frames.dataset import Frame
from qsense.data.frames.geometry.stored_sizes import ShortSides
from qsense.data.frames.storing.space import affordable_side, stored_bytes, stored_side
from qsense.signal import Signal


def camera(bits: int = 12, channels: int = 4) -> Signal:
    return Signal(channels, 0.0, 1.0, "full scale", native_bits=bits, bayer="RGGB" if channels == 4 else None)


def photos(*sizes: tuple[int, int]) -> list[Frame]:
    return [annotated(i, *size) for i, size in enumerate(sizes)]


@pytest.mark.parametrize(("bits", "each"), [(8, 1), (10, 2), (16, 2), (24, 4)])
def test_bytes_are_those_of_the_planes(bits: int, each: int) -> None:
    frames = photos((4012, 6034), (4012, 6034))
    assert stored_bytes(frames, camera(bits), None) == 2 * 4 * 2006 * 3017 * each
    assert stored_bytes(frames, camera(bits), 800) == 2 * 4 * 800 * 1203 * each
    assert stored_bytes(frames, camera(bits, channels=3), None) == 2 * 3 * 4012 * 6034 * each


@given(
    sizes=st.lists(st.tuples(st.integers(64, 4000), st.integers(64, 4000)), min_size=1, max_size=5),
    share=st.floats(0.001, 1.5),
)
def test_the_largest_side_that_fits_is_taken(sizes: list[tuple[int, int]], share: float) -> None:
    frames, signal = photos(*sizes), camera()
    native = stored_bytes(frames, signal, None)
    budget = share * native / 1e9
    if stored_bytes(frames, signal, 32) > budget * 1e9:
        with refused(DataError, "data.cache_gb", len(frames), 32):
            affordable_side(frames, signal, None, 32, budget)
        return
    side = affordable_side(frames, signal, None, 32, budget)
    assert (side is None) == (native <= budget * 1e9)
    if side is not None:
        assert stored_bytes(frames, signal, side) <= budget * 1e9 < stored_bytes(frames, signal, side + 1)


def test_a_stated_side_fits_or_is_refused() -> None:
    frames, signal = photos((4012, 6034)), camera()
    assert affordable_side(frames, signal, 800, 800, 0.0078) == 800
    with refused(DataError, "data.cache_gb=0.0076", 1, "0.0077 GB", 800, "data.stored", "data.train_sizes"):
        affordable_side(frames, signal, 800, 800, 0.0076)


def test_several_sizes_fit_or_are_refused() -> None:
    dataset, asked = Memory(), ShortSides((32, 36), 1333)  # of 25 frames: 4 planes, 32 × 56 and 36 × 63, two bytes
    assert stored_bytes(dataset.frames("train"), dataset.signal, asked) == 20 * 4 * (32 * 56 + 36 * 63) * 2
    assert stored_side(dataset, asked, "sizes", 0.813e-3) == asked
    with refused(DataError, "data.cache_gb=0.00081", 25, "0.000812 GB", 2, "data.train_sizes", "data.test_size"):
        stored_side(dataset, asked, "sizes", 0.81e-3)
