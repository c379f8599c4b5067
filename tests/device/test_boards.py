"""The emulated boards by themselves: their clocks count instructions, and a failure says what failed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.chip.firmware import plans
from tests.chip.firmware.building import project
from tests.device.emulator import Board, build, run

pytestmark = pytest.mark.device


def test_ticks_count_instructions(board: Board, tmp_path: Path) -> None:
    """A loop of two instructions, some number of times, beside the same loop once."""
    run(build(board, "calibrate.c", tmp_path), tmp_path)
    rounds, ticks = np.fromfile(tmp_path / "ticks.bin", "<u4").reshape(-1, 2).T
    instructions = board.instructions(ticks)
    np.testing.assert_allclose(instructions - instructions[0], 2 * (rounds.astype(int) - rounds[0]), rtol=0, atol=1)
    assert instructions[0] < 25


def test_a_fault_ends_the_emulator(board: Board, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=f"{board.name}.*fault"):
        run(build(board, "crash.c", tmp_path), tmp_path)


def test_a_missing_file_ends_it_too(board: Board, tmp_path: Path) -> None:
    program = build(board, "measure.c", tmp_path / "program", project(plans.depthwise(), tmp_path / "project"))
    with pytest.raises(RuntimeError, match=f"{board.name}.*missing"):
        run(program, tmp_path)


def test_an_endless_program_is_stopped(board: Board, tmp_path: Path) -> None:
    program = build(board, "calibrate.c", tmp_path)
    with pytest.raises(RuntimeError, match="stopped after"):
        run(program, tmp_path, longest_s=0.001)
