"""A frame's exposure: known figures, frames of one value, and that it is taken before anything is quantized."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsense.data.frames.exposure import stops_below_white
from qsense.data.frames.module import DetectionDataModule
from qsense.data.frames.synthetic_raw import SyntheticRaw


@pytest.mark.parametrize(
    ("code", "stops"), [(4095, 0.0), (2079, 1.0), (315, 4.0), (63, np.log2(4032 * 2)), (0, np.log2(4032 * 2))]
)
def test_frames_of_one_value_have_a_finite_exposure(code: int, stops: float) -> None:
    frame = np.full((4, 8, 6), code, dtype=np.uint16)
    assert stops_below_white(frame, black=63, white=4095) == pytest.approx(stops)


def test_codes_beyond_white_are_white() -> None:
    assert stops_below_white(np.full((3, 2, 2), 255, dtype=np.uint8), 0, 200) == 0


def test_24_bits_and_large_frames() -> None:
    frame = np.full((4, 700, 900), 1 << 12, dtype=np.uint32)
    frame[:, ::2, ::2] = (1 << 24) - 1  # lamps on less than half of the frame
    assert stops_below_white(frame, 0, 1 << 24) == pytest.approx(12)


@given(st.integers(0, 2**31))
def test_a_stop_more_light_is_a_stop_less(seed: int) -> None:
    codes = np.random.default_rng(seed).integers(1, 2000, (4, 9, 7)).astype(np.uint16)
    assert stops_below_white(codes, 0, 4095) == pytest.approx(stops_below_white(2 * codes, 0, 4095) + 1)


def test_test_frames_alone_state_it(tmp_path: Path) -> None:
    frames = SyntheticRaw("hdr_low", 64, 96, 3, 3, most=4, smallest=9.0, largest=20.0)
    data = DetectionDataModule(frames, batch_size=3, cache=str(tmp_path))
    data.setup("fit")
    batch = next(iter(data.test_dataloader()))
    codes = [data.dataset.codes(frame) for frame in batch.frames]
    assert batch.exposure == [stops_below_white(each, 0, 4095) for each in codes]
    assert data.on_after_batch_transfer(batch, 0).exposure == batch.exposure
    assert next(iter(data.train_dataloader())).exposure is None
