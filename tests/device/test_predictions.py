"""Exported projects on emulated boards: the integer reference's classes and margins, window for window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.chip.firmware import plans
from tests.chip.firmware.building import counts, project
from tests.device.emulator import Board, Measured, run_on

from qsense.chip.firmware.plan import Plan
from qsense.chip.firmware.reference import classify

pytestmark = pytest.mark.device
MAJORITY = 3
PLANS = {
    "deep": plans.deepconvlstm,
    "deep, 8-bit states, stride 7": lambda: plans.deepconvlstm(1, bits=3, state_bits=8, stride=7),
    "deep, stride 41": lambda: plans.deepconvlstm(4, bits=5, stride=41),
    "depthwise": plans.depthwise,
    "depthwise, stride 1": lambda: plans.depthwise(1, stride=1),
}


def assert_equal(measured: Measured, plan: Plan, recordings: list[np.ndarray]) -> None:
    """Every window of every recording."""
    for number, recording in enumerate(recordings):
        expected, rows = classify(plan, recording, MAJORITY), measured.of(number)
        for field in ("start", "winner", "margin", "majority"):
            np.testing.assert_array_equal(rows[field], getattr(expected, field))


@pytest.mark.parametrize("name", PLANS)
def test_random_plan(board: Board, name: str, tmp_path: Path) -> None:
    plan = plans.balanced(PLANS[name]())
    recordings = [counts(plan, time, seed) for seed, time in enumerate((1000, 29, 30, 31, 300))]
    measured = run_on(board, project(plan, tmp_path / "project", majority=MAJORITY), recordings, tmp_path / "board")
    assert_equal(measured, plan, recordings)
    print(measured.predictions.mean(), measured.longest_push, measured.stack, measured.stack_bound, measured.state)
    assert 0 < measured.stack <= measured.stack_bound
    
