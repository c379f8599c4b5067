"""Exported projects on emulated boards: the integer reference's classes and margins, window for window."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.chip.firmware import plans
from tests.chip.firmware.building import counts, project
from tests.device.emulator import BOARDS, Board, receive_on, run_on, send_on

from qsense.chip.firmware.plan import Plan
from qsense.chip.firmware.reference import classify

pytestmark = pytest.mark.device
MAJORITY = 3
PLANS: dict[str, Callable[[], Plan]] = {
    "deep": plans.deepconvlstm,
    "deep, 8-bit states, stride 7": lambda: plans.deepconvlstm(1, bits=3, state_bits=8, stride=7),
    "deep, stride 41": lambda: plans.deepconvlstm(4, bits=5, stride=41),
    "depthwise": plans.depthwise,
    "depthwise, stride 1": lambda: plans.depthwise(1, stride=1),
}


@pytest.mark.parametrize("name", PLANS)
def test_random_plan(board: Board, name: str, tmp_path: Path) -> None:
    plan = plans.balanced(PLANS[name]())
    recordings = [counts(plan, time, seed) for seed, time in enumerate((1000, 29, 30, 31, 300))]
    measured = run_on(board, project(plan, tmp_path / "project", majority=MAJORITY), recordings, tmp_path / "board")
    assert measured.differing([classify(plan, each, MAJORITY) for each in recordings]) == 0
    assert len(set(measured.rows["winner"])) > 2, "a test of few classes"
    assert 0 < measured.stack <= measured.stack_bound
    assert 0 < measured.longest_push <= measured.predictions.max()


def test_samples_beyond_the_range_are_its_end(board: Board, tmp_path: Path) -> None:
    plan = plans.balanced(plans.deepconvlstm())
    garbage = np.random.default_rng(0).integers(0, 1 << 15, (3000, len(plan.channels)))
    measured = run_on(board, project(plan, tmp_path / "project"), [garbage], tmp_path / "board")
    assert measured.differing([classify(plan, np.minimum(garbage, (1 << plan.native.bits) - 1))]) == 0


def test_sender_and_receiver_apart(board: Board, tmp_path: Path) -> None:
    """Packets of one board, read by another: the classes of converter and network together."""
    plan = plans.balanced(plans.deepconvlstm())
    recordings = [counts(plan, time, seed) for seed, time in enumerate((1000, 29, 301))]
    folder = project(plan, tmp_path / "project", majority=MAJORITY)
    sent = send_on(board, folder, recordings, tmp_path / "sender")
    receiver = BOARDS["mps2-an386"]
    received = receive_on(receiver, folder, sent, tmp_path / "receiver")
    assert received.differing([classify(plan, each, MAJORITY) for each in recordings]) == 0
    assert sent.samples == sum(map(len, recordings))
    assert "qs_network" not in sent.program.flash
    assert "qs_sender" not in received.program.flash
    assert 0 < sent.stack <= sent.program.stack_bound("qs_encode")
    assert 0 < sent.instructions[0] < sent.instructions[1]
