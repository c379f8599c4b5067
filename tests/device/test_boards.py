"""The emulated boards by themselves: their clocks count instructions, and a failure says what failed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.device.emulator import Board, build, run

pytestmark = pytest.mark.device


def test_ticks_count_instructions(board: Board, tmp_path: Path) -> None:
    """A loop of two instructions, some number of times, beside the same loop once."""
    run(build(board, "calibrate.c", tmp_path), tmp_path)
    rounds, ticks = np.fromfile(tmp_path / "ticks.bin", "<u4").reshape(-1, 2).T
    instructions = board.instructions(ticks)
    np.testing.assert_allclose(instructions - instructions[0], 2 * (rounds.astype(int) - rounds[0]), rtol=0, atol=1)
    assert instructions[0] < 25
